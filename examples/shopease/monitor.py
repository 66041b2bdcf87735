"""What one Region's service counts, for its page: Regions, tables and numbers, never a key or a value of an item."""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from threading import Lock
from typing import Any

from domicile.client.events import Event, Hook, Kind

_LATENCIES_MAX = 1000
_LATEST_MAX = 3


@dataclass
class Way:
    """Which Region answered a call, and which one holds a new item for a home that does not answer."""

    answered_by: str
    held_in: str | None = None


_way: ContextVar[Way | None] = ContextVar("way", default=None)


class Monitor:
    """Thread-safe. ``region`` is the one that the service runs in."""

    def __init__(self, region: str) -> None:
        self.region = region
        self._lock = Lock()
        self._latencies_ms: deque[float] = deque(maxlen=_LATENCIES_MAX)
        self._requests = 0
        self._errors: Counter[str] = Counter()
        self._events: Counter[Kind] = Counter()
        self._reads: dict[str, Counter[str]] = {}
        self._open: set[tuple[str, str]] = set()
        self._latest: dict[str, deque[dict[str, Any]]] = {}

    def hook(self, client: str) -> Hook:
        """Return what a client of the library tells its events to; each client has circuits of its own."""

        def heard(event: Event) -> None:
            way = _way.get()
            with self._lock:
                self._events[event.kind] += 1
                if event.kind is Kind.CIRCUIT_OPENED:
                    self._open.add((client, event.region))
                elif event.kind is Kind.CIRCUIT_CLOSED:
                    self._open.discard((client, event.region))
            if way is not None and event.to_region is not None:
                way.answered_by = event.to_region
                if event.kind is Kind.HELD_LOCAL:
                    way.held_in = event.to_region

        return heard

    @contextmanager
    def way(self) -> Iterator[Way]:
        """Follow the calls that the block makes."""
        way = Way(self.region)
        before = _way.set(way)
        try:
            yield way
        finally:
            _way.reset(before)

    @contextmanager
    def reading(self, table: str) -> Iterator[None]:
        """Count the block's read of a table for the Region that answers it, if one does."""
        with self.way() as way:
            yield
        with self._lock:
            self._reads.setdefault(table, Counter())[way.answered_by] += 1

    def served(self, latency_ms: float, error: str | None) -> None:
        """Count a request; ``error`` is the kind of what went wrong."""
        with self._lock:
            self._requests += 1
            self._latencies_ms.append(latency_ms)
            if error is not None:
                self._errors[error] += 1

    def created(self, table: str, key: dict[str, str]) -> None:
        """Remember an item that the page should show while it is among the latest of all Regions."""
        with self._lock:
            latest = self._latest.setdefault(table, deque(maxlen=_LATEST_MAX))
            latest.append({"key": key, "at_ms": int(time.time() * 1000)})

    def snapshot(self) -> dict[str, Any]:
        """Return all of it as JSON."""
        with self._lock:
            return {
                "region": self.region,
                "requests": self._requests,
                "latency_ms": {f"p{share}": percentile(self._latencies_ms, share) for share in (50, 95)},
                "errors": dict(self._errors),
                "events": {kind.value: self._events[kind] for kind in Kind},
                "reads": {table: dict(regions) for table, regions in self._reads.items()},
                "circuits_open": sorted({region for _, region in self._open}),
                "latest": {table: list(items) for table, items in self._latest.items()},
            }


def percentile(values: Sequence[float], share: int) -> float:
    """Return the value that ``share`` percent of the values do not exceed, 0 of none."""
    ordered = sorted(values)
    return round(ordered[math.ceil(len(ordered) * share / 100) - 1], 1) if ordered else 0.0
