"""How long work is shown while it runs, on stderr: stdout is for results.

Steps may run side by side in threads, as three Regions' Terraform does.
"""

# ruff: noqa: PLC0415  # rich is imported where it is used: it is slow, and every start of the command line would pay

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Protocol, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress as RichBars
    from rich.progress import TaskID


class Step(Protocol):
    """A piece of work that has begun."""

    def update(self, text: str) -> None:
        """Say what the step is doing now."""


class Progress(Protocol):
    """Shows steps: ``with progress.step("text") as step: step.update("...")``. Leaving the block ends the step."""

    def step(self, text: str) -> AbstractContextManager[Step]:
        """Begin a step; an exception that leaves the block shows it as failed."""


def progress(stream: TextIO | None = None) -> Progress:
    """Return what suits the stream (stderr by default): moving bars on a terminal, plain lines otherwise."""
    stream = stream or sys.stderr
    return _TerminalProgress(stream) if stream.isatty() else _PlainProgress(stream)


class _PlainProgress:
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    @contextmanager
    def step(self, text: str) -> Iterator[Step]:
        self._print(f"{text} ...")
        started = time.monotonic()
        try:
            yield _PlainStep(self, text)
        except BaseException:
            self._print(f"{text}: failed after {_elapsed(started)}")
            raise
        self._print(f"{text}: done in {_elapsed(started)}")

    def _print(self, line: str) -> None:
        # One write a line, so that the lines of steps side by side stay whole.
        self._stream.write(line + "\n")
        self._stream.flush()


class _PlainStep:
    def __init__(self, progress: _PlainProgress, text: str) -> None:
        self._progress = progress
        self._text = text

    def update(self, text: str) -> None:
        self._progress._print(f"{self._text}: {text}")


class _TerminalProgress:
    """Bars of the steps that run, below a line for each that has ended."""

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console
        from rich.progress import Progress as RichBars
        from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

        self._bars = RichBars(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            TimeElapsedColumn(),
            console=Console(file=stream),
            transient=True,
        )
        self._running = 0
        self._lock = threading.Lock()

    @contextmanager
    def step(self, text: str) -> Iterator[Step]:
        with self._lock:
            self._running += 1
            self._bars.start()
        task = self._bars.add_task(text, total=None)
        started = time.monotonic()
        mark = "✗"
        try:
            yield _TerminalStep(self._bars, task, text)
            mark = "✓"
        finally:
            self._bars.remove_task(task)
            self._bars.console.print(f"{mark} {text} ({_elapsed(started)})", markup=False, highlight=False)
            with self._lock:
                self._running -= 1
                if not self._running:
                    self._bars.stop()


class _TerminalStep:
    def __init__(self, bars: RichBars, task: TaskID, text: str) -> None:
        self._bars = bars
        self._task = task
        self._text = text

    def update(self, text: str) -> None:
        self._bars.update(self._task, description=f"{self._text}: {text}")


def _elapsed(started: float) -> str:
    return f"{time.monotonic() - started:.1f} s"
