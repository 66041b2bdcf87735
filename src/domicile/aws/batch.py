"""What the functions have in common: from a Lambda event to a step, and from its report to a batch response."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import boto3

from domicile.aws.redelivery import Redelivery
from domicile.aws.settings import Settings
from domicile.aws.telemetry import emit
from domicile.aws.world import make_world
from domicile.pipeline.inbox import Message
from domicile.pipeline.listener import Listener
from domicile.pipeline.ports import World
from domicile.pipeline.report import Report


class QueueStep(Protocol):
    """A step that handles messages."""

    def handle(self, messages: Sequence[Message]) -> Report:
        """Handle the messages; ``Report.failed`` holds the ids of those to be delivered again."""


class StreamBatch:
    """The batches of a table's stream."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._settings = Settings.from_env(env)
        self._listener = Listener(make_world(self._settings))

    def handle(self, records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Handle the records and name those that the stream must deliver again."""
        report = self._listener.handle(records)
        emit(report, self._settings.region)
        return _response(report.failed)


class QueueBatch:
    """The batches of a queue that bus rules fill."""

    def __init__(self, env: Mapping[str, str], step: Callable[[World], QueueStep]) -> None:
        self._settings = Settings.from_env(env)
        self._step = step(make_world(self._settings))
        self._redelivery = Redelivery(boto3.client("sqs", region_name=self._settings.region))

    def handle(self, records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Handle the messages and name those that the queue must deliver again."""
        report = self._step.handle([Message(record["messageId"], record["body"]) for record in records])
        self._redelivery.postpone(records, set(report.failed))
        emit(report, self._settings.region)
        return _response(report.failed)


def _response(failed: Iterable[str]) -> dict[str, Any]:
    return {"batchItemFailures": [{"itemIdentifier": name} for name in dict.fromkeys(failed)]}
