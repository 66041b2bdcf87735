"""The hybrid logical clock of a client: what it stamps lies above everything that it has read or written.

Source: Kulkarni, Demirbas et al., "Logical Physical Clocks and Consistent Snapshots in Globally Distributed
Databases", 2014.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from threading import Lock

from domicile.core.version import AHEAD_MS_MAX, COUNTER_MAX, Version, stamp

_STEP_MAX = 1000


def wall_clock_ms() -> int:
    """Return the milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


class Clock:
    """Thread-safe. The counter of a millisecond starts at random: two clients must not give one version twice."""

    def __init__(self, now_ms: Callable[[], int] = wall_clock_ms, chance: random.Random | None = None) -> None:
        self._now_ms = now_ms
        self._chance = chance or random.SystemRandom()
        self._lock = Lock()
        self._last = (0, 0)

    def observe(self, version: Version) -> None:
        """Let later stamps lie above a version, unless it is so far ahead that a wrong clock must have made it."""
        if version.ms > self._now_ms() + AHEAD_MS_MAX:
            return
        # Every plain version sorts above the stamped ones of its millisecond.
        seen = (version.ms + 1, 0) if version.plain else (version.ms, version.tie)
        with self._lock:
            self._last = max(self._last, seen)

    def stamp(self, region: str, base: Version | None = None) -> Version:
        """Return a new version of a write in ``region``, above ``base`` and all that was observed."""
        with self._lock:
            last_ms, last_counter = self._last
            ms, counter = max(self._now_ms(), last_ms), self._chance.randrange(1, COUNTER_MAX // 2)
            if ms == last_ms:
                counter = last_counter + 1 + self._chance.randrange(_STEP_MAX)
            if counter >= COUNTER_MAX:
                ms, counter = ms + 1, 0
            self._last = (ms, counter)
        version = Version(ms, plain=False, tie=counter, region=region)
        return version if base is None or version > base else stamp(ms, base, region, counter)
