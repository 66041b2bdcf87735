"""How fast an operator's command may go."""

from __future__ import annotations

import time
from collections.abc import Callable

_BEHIND_S_MAX = 1.0


class Pace:
    """Lets ``rate`` calls a second through. What it fell behind by more than a second is not caught up."""

    def __init__(self, rate: float, now: Callable[[], float] = time.monotonic) -> None:
        self._step_s = 1 / rate
        self._now = now
        self._due_s = now()

    def wait_s(self) -> float:
        """Return how long the next call has to wait, in seconds."""
        now = self._now()
        due = max(self._due_s, now - _BEHIND_S_MAX)
        self._due_s = due + self._step_s
        return max(0.0, due - now)
