"""What AWS does, the pipeline needs, and MiniStack does not do: one file each.

MiniStack's files are not changed. Each adaptation replaces a module's attributes when the server starts, and first
asks :func:`expect_function` for them, so that a MiniStack that has moved something stops the start with a clear message
rather than losing an event later.
"""

from __future__ import annotations

import inspect
from importlib.metadata import version
from typing import Any


class IncompatibleError(Exception):
    """MiniStack is not as an adaptation expects it; the message names its version and the missing piece."""


def expect_function(module: Any, name: str, *parameters: str) -> Any:
    """Return the function ``name`` of a module (or class) if it takes exactly these parameters.

    Raises :class:`IncompatibleError` otherwise.
    """
    found = expect_value(module, name)
    taken = tuple(inspect.signature(found).parameters) if callable(found) else None
    if taken != parameters:
        raise IncompatibleError(
            f"{_whose(module)} {name} takes {taken}, the local AWS expects {parameters}; install the pinned version"
        )
    return found


def expect_value(module: Any, name: str) -> Any:
    """Return the attribute ``name`` of a module (or class). Raises :class:`IncompatibleError` if there is none."""
    try:
        return getattr(module, name)
    except AttributeError:
        raise IncompatibleError(f"{_whose(module)} {name} is missing; install the pinned version") from None


def _whose(module: Any) -> str:
    return f"ministack {version('ministack')}: {module.__name__}:"
