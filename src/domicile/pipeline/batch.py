"""From the records of a Lambda event to a step, and from its report to a batch response."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Protocol

from domicile.pipeline.inbox import Message
from domicile.pipeline.report import Report

DELAY_S_MAX = 900

Emit = Callable[[Report], None]
"""Writes a report to logs and metrics."""


class StreamStep(Protocol):
    """A step that handles the records of a stream."""

    def handle(self, records: Sequence[Mapping[str, Any]]) -> Report:
        """Handle the records; ``Report.failed`` holds the sequence numbers of those to be delivered again."""


class QueueStep(Protocol):
    """A step that handles messages."""

    def handle(self, messages: Sequence[Message]) -> Report:
        """Handle the messages; ``Report.failed`` holds the ids of those to be delivered again."""


class Redelivery(Protocol):
    """What decides when failed messages come back."""

    def postpone(self, records: Sequence[Mapping[str, Any]], failed: Collection[str]) -> None:
        """Postpone those records of a batch whose message ids are in ``failed``."""


def answer_stream(step: StreamStep, records: Sequence[Mapping[str, Any]], emit: Emit) -> dict[str, Any]:
    """Handle a stream's records and name those that the stream must deliver again."""
    report = step.handle(records)
    emit(report)
    return _response(report.failed)


def answer_queue(
    step: QueueStep, records: Sequence[Mapping[str, Any]], redelivery: Redelivery, emit: Emit
) -> dict[str, Any]:
    """Handle a queue's messages and name those that the queue must deliver again."""
    report = step.handle([Message(record["messageId"], record["body"]) for record in records])
    redelivery.postpone(records, set(report.failed))
    emit(report)
    return _response(report.failed)


def delay_s(received: int) -> int:
    """Return the delay before the next delivery of a message that was received ``received`` times."""
    return int(min(2 ** min(received - 1, 10), DELAY_S_MAX))


def _response(failed: Iterable[str]) -> dict[str, Any]:
    return {"batchItemFailures": [{"itemIdentifier": name} for name in dict.fromkeys(failed)]}
