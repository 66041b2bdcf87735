"""What the library tells of its work: to a hook, to the log, and to the current OpenTelemetry span."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

try:
    from opentelemetry.trace import get_current_span
except ImportError:  # The package is the application's choice.
    get_current_span = None  # type: ignore[assignment]

logger = logging.getLogger(__name__)


class Kind(Enum):
    """Why a call took another way than to the nearest Region and back."""

    REDIRECT = "redirect"
    """A write followed a stub to ``to_region``."""
    RESOLVE = "resolve"
    """A read fetched ``count`` items from their home, ``to_region``."""
    FAILOVER = "failover"
    """``region`` did not answer, or has no replica of a native table, and the call went on to ``to_region``."""
    RESTAMP = "restamp"
    """Another write came first, and this one was stamped above it."""
    HELD_LOCAL = "held_local"
    """The home did not answer or lies beyond, and the item was written in ``to_region``: an exposure until it moves."""
    CIRCUIT_OPENED = "circuit_opened"
    """``region`` failed so often that it is left alone for a while."""
    CIRCUIT_CLOSED = "circuit_closed"
    """``region`` answers again."""


@dataclass(frozen=True, slots=True)
class Event:
    """One of them. It names Regions and the table, never a key or a value."""

    kind: Kind
    region: str
    to_region: str | None = None
    table: str | None = None
    count: int = 1


Hook = Callable[[Event], None]


class Reporter:
    """Tells each event to the log, the current span and the hook."""

    def __init__(self, hook: Hook | None) -> None:
        self._hook = hook

    def __call__(self, event: Event) -> None:
        """Tell of one event; a hook that fails is logged and does not harm the call."""
        fields = {
            name: value
            for name, value in (
                ("region", event.region),
                ("to_region", event.to_region),
                ("table", event.table),
                ("count", event.count),
            )
            if value is not None
        }
        logger.debug(event.kind.value, extra={"domicile": fields})
        if get_current_span is not None:
            get_current_span().add_event(
                f"domicile.{event.kind.value}", {f"domicile.{name}": value for name, value in fields.items()}
            )
        if self._hook is None:
            return
        try:
            self._hook(event)
        except Exception as error:
            logger.warning("hook_failed", extra={"domicile": {"error": type(error).__name__}})
