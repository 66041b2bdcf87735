"""How far a Region's part has come, in a file of JSON lines: one that was killed goes on from it.

The first line says what is copied and in how many segments; each other one that a segment was copied, and its counts.
Segments are numbers, so that no item's key leaves the tables.
"""

from __future__ import annotations

import fcntl
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from domicile.core.copying import Outcome
from domicile.errors import UserError

Counts = Counter[tuple[str, Outcome]]
"""How many items of each authority came to each outcome."""


class Checkpoint:
    """The file of one Region's part, or with ``file`` None nothing but what it would hold."""

    def __init__(self, file: TextIO | None, segments: int, done: Mapping[int, Counts]) -> None:
        self.segments = segments
        self.left = [segment for segment in range(segments) if segment not in done]
        self.counts: Counts = sum(done.values(), Counter())
        self._file = file

    def done(self, segment: int, counts: Counts) -> None:
        """Say that a segment was copied."""
        self.counts += counts
        if self._file is not None:
            found = [[group, outcome.value, items] for (group, outcome), items in counts.items()]
            self._file.write(json.dumps({"segment": segment, "counts": found}) + "\n")
            self._file.flush()


@contextmanager
def opened(path: Path, move: Mapping[str, Any], segments: int, *, resume: bool) -> Iterator[Checkpoint]:
    """Begin a part, or ``resume`` it, if there is one and it is of the same move; it is forgotten at its end.

    Raises :class:`UserError` where another process is at it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"{path}: another process works on it; accepted: one process for a Region") from None
        file.seek(0)
        text = file.read()
        whole = text[: text.rfind("\n") + 1]  # a crash can cut the last line off
        head, *lines = [json.loads(line) for line in whole.splitlines()] or [{}]
        if not resume or head.get("move") != move:
            head, lines, whole = {"move": dict(move), "segments": segments}, [], ""
        file.truncate(len(whole.encode()))
        if not whole:
            file.write(json.dumps(head) + "\n")
            file.flush()
        yield Checkpoint(file, head["segments"], {line["segment"]: _counts(line["counts"]) for line in lines})
        path.unlink()


@contextmanager
def unkept(segments: int) -> Iterator[Checkpoint]:
    """Keep nothing: a plan changes nothing that could be gone on with."""
    yield Checkpoint(None, segments, {})


def _counts(found: list[tuple[str, str, int]]) -> Counts:
    return Counter({(group, Outcome(outcome)): items for group, outcome, items in found})
