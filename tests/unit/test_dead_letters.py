from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from domicile.dead_letters import DeadLetters
from domicile.errors import OperationError
from tests.unit.queues import NAMES, REGION, Queues, in_moto

EVENT = {"version": "0", "source": "domicile", "detail-type": "changes", "detail": {"format": 1, "changes": ["ä"]}}


@pytest.fixture
def queues(monkeypatch: pytest.MonkeyPatch) -> Iterator[Queues]:
    with in_moto(monkeypatch, "inbox-dlq", "bus-dlq", "stream-dlq") as queues:
        yield queues


@pytest.fixture
def events(queues: Queues) -> Any:
    return boto3.client("events", region_name=REGION)


@pytest.fixture
def dead_letters(queues: Queues, events: Any) -> DeadLetters:
    return DeadLetters(NAMES, queues.sqs, events)


def put_events(**answer: Any) -> tuple[str, dict[str, Any], dict[str, Any]]:
    entry = {
        "Source": "domicile",
        "DetailType": "changes",
        "Detail": json.dumps(EVENT["detail"], ensure_ascii=False),
        "EventBusName": "shopease",
    }
    return "put_events", answer, {"Entries": [entry]}


def test_messages_are_counted(queues: Queues, dead_letters: DeadLetters) -> None:
    queues.send("inbox-dlq", "a")
    assert [dead_letters.count(role) for role in ("inbox-dlq", "bus-dlq")] == [1, 0]


def test_a_queue_that_can_not_be_read_is_reported_by_region_and_role(dead_letters: DeadLetters) -> None:
    with pytest.raises(OperationError, match=r"^eu-west-1: receipts-dlq: can't be read: [\w.]*NonExistentQueue$"):
        dead_letters.count("receipts-dlq")


def test_sqs_itself_moves_the_messages_of_a_queue(queues: Queues, dead_letters: DeadLetters) -> None:
    started: list[dict[str, Any]] = []
    queues.sqs.meta.events.register(
        "provide-client-params.sqs.StartMessageMoveTask", lambda params, **_: started.append(params)
    )
    with Stubber(queues.sqs) as stub:
        stub.add_response("get_queue_url", {"QueueUrl": "https://url"})
        stub.add_response("get_queue_attributes", {"Attributes": {"QueueArn": NAMES.queue_arn("inbox-dlq")}})
        stub.add_response("start_message_move_task", {"TaskHandle": "t"})
        dead_letters.redrive("inbox-dlq", 1)
    assert started == [{"SourceArn": NAMES.queue_arn("inbox-dlq")}], "back to the queue that it came from"


def test_events_are_put_on_their_bus_again_and_then_deleted_within_the_limit(
    queues: Queues, events: Any, dead_letters: DeadLetters
) -> None:
    for _ in range(3):
        queues.send("bus-dlq", json.dumps(EVENT))
    with Stubber(events) as stub:
        for _ in range(2):
            stub.add_response(*put_events(FailedEntryCount=0, Entries=[{"EventId": "1"}]))
        assert dead_letters.redrive("bus-dlq", 2) == "2 events are on the bus again"
        stub.assert_no_pending_responses()
    assert dead_letters.count("bus-dlq") == 1


def test_an_event_that_comes_back_at_once_is_left_for_the_next_time(
    queues: Queues, events: Any, dead_letters: DeadLetters
) -> None:
    """Its rule's target is still missing: without a bound in time it would go round until the limit."""
    queues.send("bus-dlq", json.dumps(EVENT))
    events.create_event_bus(Name="shopease")
    events.meta.events.register("before-call.events.PutEvents", lambda **_: queues.send("bus-dlq", json.dumps(EVENT)))
    assert dead_letters.redrive("bus-dlq", 10) == "1 events are on the bus again"


def test_an_event_that_the_bus_refuses_stays(queues: Queues, events: Any, dead_letters: DeadLetters) -> None:
    queues.send("bus-dlq", json.dumps(EVENT))
    with Stubber(events) as stub:
        stub.add_response(*put_events(FailedEntryCount=1, Entries=[{"ErrorCode": "ThrottlingException"}]))
        with pytest.raises(OperationError, match="the bus did not take an event: ThrottlingException"):
            dead_letters.redrive("bus-dlq", 10)
    held = ["ApproximateNumberOfMessagesNotVisible"]
    answer = queues.sqs.get_queue_attributes(QueueUrl=queues.url("bus-dlq"), AttributeNames=held)
    assert answer["Attributes"] == {"ApproximateNumberOfMessagesNotVisible": "1"}


def test_what_a_stream_gave_up_is_not_handed_back_and_that_is_said(dead_letters: DeadLetters) -> None:
    with pytest.raises(OperationError, match="only name records of the stream"):
        dead_letters.redrive("stream-dlq", 1)
