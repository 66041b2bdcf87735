"""EventBridge's pattern matching, which event source mappings share, as moto implements it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from moto.events.models import EventPattern
from moto.events.utils import EventMessageType


def matches(pattern: str, event: Mapping[str, Any]) -> bool:
    """Whether an event, or a stream record, matches a pattern in JSON."""
    return EventPattern.load(pattern).matches_event(cast(EventMessageType, event))
