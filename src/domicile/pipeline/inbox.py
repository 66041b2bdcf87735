"""A message of an SQS queue that a bus rule fills."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from domicile.core.errors import RecordInvalidError


@dataclass(frozen=True)
class Message:
    """One message: its id in the batch, and its body, an EventBridge event in JSON."""

    id: str
    body: str


def event_of(message: Message) -> Any:
    """Return the event, an object with a detail, or raise :class:`RecordInvalidError`."""
    try:
        event = json.loads(message.body)
        event["detail"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise RecordInvalidError(f"not an event ({type(error).__name__})") from None
    return event


def detail_of(message: Message) -> Any:
    """Return the event's detail, or raise :class:`RecordInvalidError`."""
    return event_of(message)["detail"]
