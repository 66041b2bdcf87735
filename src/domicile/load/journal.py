"""What a run has done, in a file of JSON lines that is appended to: a run that was killed goes on from it.

The first line is the run's settings. A line ``{"op", "at"}`` says that an operation was done and when (seconds since
the epoch), ``{"op", "region", "lag_ms"}`` when a Region showed it, and ``{"session"}`` that a process began.
"""

from __future__ import annotations

import fcntl
import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TextIO

from domicile.errors import UserError
from domicile.load.plan import Settings

_RUN = re.compile(r"[0-9a-f]{8}")


@dataclass
class History:
    """What was done: the time of each operation (seconds since the epoch) by process and index, and the lags seen."""

    sessions: list[dict[int, float]] = field(default_factory=list)
    lags_ms: dict[tuple[int, str], float] = field(default_factory=dict)

    @property
    def written(self) -> dict[int, float]:
        """The time of each operation by its index."""
        return {index: at for session in self.sessions for index, at in session.items()}


class Journal:
    """The file of one run, for one process at a time. Its methods may be called by several threads."""

    def __init__(self, file: TextIO, settings: Settings, rate: float, history: History) -> None:
        self.settings = settings
        self.rate = rate
        self.history = history
        self._file = file
        self._lock = threading.Lock()

    def begin_session(self) -> None:
        """Say that a process begins to write."""
        self.history.sessions.append({})
        self._append({"session": time.time()})

    def written(self, index: int) -> None:
        """Say that an operation was done just now."""
        at = round(time.time(), 3)
        self._append({"op": index, "at": at})
        self.history.sessions[-1][index] = at

    def seen(self, index: int, region: str, lag_ms: float) -> None:
        """Say that a Region showed an operation, so long after it was done."""
        self._append({"op": index, "region": region, "lag_ms": round(lag_ms)})
        self.history.lags_ms[index, region] = lag_ms

    def _append(self, line: Mapping[str, Any]) -> None:
        with self._lock:
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()


def path_of(folder: Path, run: str) -> Path:
    """Return where a run is kept."""
    return folder / f"{run}.jsonl"


@contextmanager
def create(folder: Path, settings: Settings, rate: float, deployment: Mapping[str, Any]) -> Iterator[Journal]:
    """Begin a run's file. ``deployment`` is what the items follow from besides the settings."""
    folder.mkdir(parents=True, exist_ok=True)
    with path_of(folder, settings.run).open("x", encoding="utf-8") as file:
        _lock(file, settings.run)
        journal = Journal(file, settings, rate, History())
        journal._append({"settings": asdict(settings), "rate": rate, "deployment": deployment})
        yield journal


@contextmanager
def resume(
    folder: Path, run: str, deployment_of: Callable[[str], Mapping[str, Any] | None], option: str
) -> Iterator[Journal]:
    """Open a run's file. ``deployment_of`` gives, for a table's name, what :func:`create` took.

    Raises :class:`UserError` if there is no such run, if it never began, or if its deployment is another now.
    """
    path = path_of(folder, run)
    if not _RUN.fullmatch(run) or not path.is_file():
        runs = ", ".join(sorted(path.stem for path in folder.glob("*.jsonl"))) or "none is there"
        raise UserError(f"{option} {run}: there is no such run in {folder}; accepted: {runs}")
    with path.open("r+", encoding="utf-8") as file:
        _lock(file, run)
        read = _read(file)
        if read is None:
            raise UserError(
                f"{option} {run}: it never began; accepted: a run whose settings are in its file, so delete {path}"
            )
        head, history = read
        if head["deployment"] != deployment_of(head["settings"]["table"]):
            raise UserError(
                f"{option} {run}: the table or the Regions in the deployment file are not those of the run; "
                "accepted: the deployment file as it was when the run began"
            )
        settings = Settings(**{**head["settings"], "regions": tuple(head["settings"]["regions"])})
        yield Journal(file, settings, head["rate"], history)


def _lock(file: TextIO, run: str) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UserError(f"run {run}: another process works on it; accepted: a run that no process works on") from None


def _read(file: TextIO) -> tuple[dict[str, Any], History] | None:
    """Return the first line and what the others say; None without a first. A last one that was cut off is removed."""
    text = file.read()
    whole = text[: text.rfind("\n") + 1]
    if not whole:
        return None
    file.seek(len(whole.encode()))
    file.truncate()
    head, *lines = map(json.loads, whole.splitlines())
    history = History()
    for line in lines:
        if "session" in line:
            history.sessions.append({})
        elif "lag_ms" in line:
            history.lags_ms[line["op"], line["region"]] = line["lag_ms"]
        else:
            history.sessions[-1][line["op"]] = line["at"]
    return head, history
