"""How long after a write each other Region shows it: a sample of the writes, looked for until it is there."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from domicile.errors import OperationError
from domicile.load.plan import Operation
from domicile.load.reader import Reader, batches

_LOOK_S_MIN = 0.05
_LOOK_SHARE = 0.05
_PAUSE_S = 0.01

Seen = Callable[[int, str, float], None]
"""Takes an operation's index, the Region that shows it, and the lag in milliseconds."""


@dataclass
class _Sample:
    operation: Operation
    written_s: float
    due_s: float


class Watcher:
    """Measures lags by the clock of this process alone: from a write's answer to the first read that shows it.

    A sample is looked for every 50 ms at first, and later whenever its lag has grown by a twentieth: a lag is at most
    so much too long, and a link that is down for a day costs few reads. Only the last operation of an item is to be
    watched, so that what a Region shows is this one or an earlier one.
    """

    def __init__(self, reader: Reader, seen: Seen) -> None:
        self._reader = reader
        self._seen = seen
        self._samples: dict[str, dict[int, _Sample]] = {region: {} for region in reader.regions}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._look, args=(region,), daemon=True) for region in reader.regions]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def watch(self, operation: Operation, regions: Iterable[str]) -> None:
        """Look for an operation that was done just now."""
        now = time.monotonic()
        with self._lock:
            for region in regions:
                self._samples[region][operation.item] = _Sample(operation, now, now)

    @property
    def unseen(self) -> int:
        """How many samples are still looked for."""
        with self._lock:
            return sum(map(len, self._samples.values()))

    def _look(self, region: str) -> None:
        while not self._stop.wait(_PAUSE_S):
            now = time.monotonic()
            with self._lock:
                due = [item for item, sample in self._samples[region].items() if sample.due_s <= now]
            for items in batches(due):
                # A Region that can't be read shows nothing; the convergence check says why if it stays so.
                with suppress(OperationError):
                    self._compare(region, items)

    def _compare(self, region: str, items: list[int]) -> None:
        found = self._reader.read(region, items)
        now = time.monotonic()
        for item in items:
            sample = self._samples[region][item]
            lag_s = now - sample.written_s
            if item in found and found[item].index == sample.operation.index:
                with self._lock:
                    del self._samples[region][item]
                self._seen(sample.operation.index, region, lag_s * 1000)
            else:
                sample.due_s = now + max(_LOOK_S_MIN, _LOOK_SHARE * lag_s)
