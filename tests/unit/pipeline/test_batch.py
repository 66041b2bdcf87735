"""From the records of a Lambda event to a batch response."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pytest

from domicile.core.errors import TransientError
from domicile.core.events import Operation
from domicile.pipeline.batch import answer_queue, answer_stream, delay_s
from domicile.pipeline.inbox import Message
from domicile.pipeline.listener import Listener
from domicile.pipeline.replicator import Replicator
from domicile.pipeline.report import Count, Report
from tests.unit.pipeline.region import OTHER, Region, changes_message, item, mutation, stamped


class Postponed:
    """The port ``Redelivery``: the names of what it was told to postpone."""

    def __init__(self) -> None:
        self.failed: list[str] = []

    def postpone(self, records: Sequence[Mapping[str, Any]], failed: Collection[str]) -> None:
        self.failed = [record["messageId"] for record in records if record["messageId"] in failed]


def test_a_stream_is_told_which_records_failed_and_each_once() -> None:
    region = Region()
    records = [region.put(item(name="a")), region.put(item(name="b"))]
    region.policy.error = TransientError("Throttling")
    reports: list[Report] = []
    response = answer_stream(Listener(region.world), [*records, records[0]], reports.append)
    assert response == {"batchItemFailures": [{"itemIdentifier": "1"}, {"itemIdentifier": "2"}]}
    assert [report.counts[Count.RETRIED] for report in reports] == [3]


def test_a_record_without_sequence_number_that_fails_brings_the_whole_batch_back() -> None:
    """Lambda takes an empty identifier for that."""
    region = Region()
    record = region.put(item())
    region.quarantine.error = TransientError("SendMessage")
    del record["dynamodb"]["SequenceNumber"]
    response = answer_stream(Listener(region.world), [record], lambda _: None)
    assert response == {"batchItemFailures": [{"itemIdentifier": ""}]}


def test_a_queue_is_told_which_messages_failed_and_they_are_postponed() -> None:
    region = Region(OTHER)
    messages = [
        changes_message("m0", mutation(Operation.PUT, item(), stamped())),
        Message("m1", "poison"),
    ]
    region.store.before_write = _throttled
    redelivery, reports = Postponed(), list[Report]()
    records = [{"messageId": message.id, "body": message.body} for message in messages]
    response = answer_queue(Replicator(region.world), records, redelivery, reports.append)
    assert response == {"batchItemFailures": [{"itemIdentifier": "m0"}]}
    assert redelivery.failed == ["m0"]
    assert [report.counts[Count.QUARANTINED] for report in reports] == [1]


def _throttled(_: object) -> None:
    raise TransientError("ThrottlingException")


def test_a_batch_that_succeeds_names_nothing() -> None:
    region = Region()
    assert answer_stream(Listener(region.world), [region.put(item())], lambda _: None) == {"batchItemFailures": []}


@pytest.mark.parametrize(("received", "seconds"), [(1, 1), (2, 2), (3, 4), (10, 512), (11, 900), (12, 900), (100, 900)])
def test_a_message_comes_back_soon_at_first_and_then_ever_more_seldom(received: int, seconds: int) -> None:
    assert delay_s(received) == seconds
