"""What the functions have in common: their steps over AWS, and the answers to the batches that Lambda gives them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import boto3

from domicile.aws.redelivery import SqsRedelivery
from domicile.aws.settings import Settings
from domicile.aws.telemetry import emit
from domicile.aws.world import CONFIG, make_world
from domicile.pipeline.batch import QueueStep, StreamStep, answer_queue, answer_stream
from domicile.pipeline.ports import World
from domicile.pipeline.report import Report


class StreamBatch:
    """The batches of a stream, of a table or of Kinesis."""

    def __init__(self, env: Mapping[str, str], step: Callable[[World], StreamStep]) -> None:
        self._settings = Settings.from_env(env)
        self._step = step(make_world(self._settings))

    def handle(self, records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Handle the records and name those that the stream must deliver again."""
        return answer_stream(self._step, records, self._emit)

    def _emit(self, report: Report) -> None:
        emit(report, self._settings.region)


class QueueBatch:
    """The batches of a queue that bus rules fill."""

    def __init__(self, env: Mapping[str, str], step: Callable[[World], QueueStep]) -> None:
        self._settings = Settings.from_env(env)
        self._step = step(make_world(self._settings))
        self._redelivery = SqsRedelivery(boto3.client("sqs", region_name=self._settings.region, config=CONFIG))

    def handle(self, records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Handle the messages and name those that the queue must deliver again."""
        return answer_queue(self._step, records, self._redelivery, self._emit)

    def _emit(self, report: Report) -> None:
        emit(report, self._settings.region)
