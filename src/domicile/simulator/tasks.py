"""Invocations that wait in the middle while others go on.

The steps are ordinary functions, so each such invocation has a thread. A baton is handed over at every pause: exactly
one thread runs at any time, and the schedule alone decides which, so that a seed replays.
"""

from __future__ import annotations

import threading
from collections.abc import Callable


class Crash(BaseException):  # nothing is wrong; and no handler of exceptions may see it
    """The function dies here."""


class Task:
    """``action`` in a thread of its own, which runs only within :meth:`resume`."""

    def __init__(self, action: Callable[[], None]) -> None:
        self.ended = False
        self._action = action
        self._killed = False
        self._error: BaseException | None = None
        self._worker = _idle.pop() if _idle else _Worker()
        self._worker.task = self

    def resume(self, *, kill: bool = False) -> None:
        """Go on to the next pause or to the end; ``kill``: the function dies where it waits."""
        self._killed = kill
        self._worker.go.release()
        self._worker.back.acquire()
        if self._error is not None:
            raise self._error

    def pause(self) -> None:
        """Hand the baton back; called by the action."""
        self._worker.back.release()
        self._worker.go.acquire()
        if self._killed:
            raise Crash

    def run(self) -> None:
        """Run the action, in the worker's thread."""
        try:
            self._action()
        except BaseException as error:  # it goes on in the thread that resumed
            self._error = error
        self.ended = True
        _idle.append(self._worker)


class _Worker(threading.Thread):
    """A thread for one task after the other: starting a thread takes longer than most tasks."""

    task: Task

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.go, self.back = threading.Lock(), threading.Lock()
        self.go.acquire()
        self.back.acquire()
        self.start()

    def run(self) -> None:
        while True:
            self.go.acquire()
            self.task.run()
            self.back.release()


_idle: list[_Worker] = []
