from __future__ import annotations

import json
import random
import traceback
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.stub import Stubber
from hypothesis import given, settings
from hypothesis import strategies as st
from moto import mock_aws

from domicile.aws.quarantine import SqsQuarantine, join
from domicile.core.errors import RecordInvalidError, TransientError
from tests.strategies import images

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

CANARY = "canary-value"
URL = "https://sqs.us-east-1.amazonaws.com/123456789012/shop-quarantine"
MESSAGE_BYTES_MAX = 256 * 1024


class Queue:
    """A client that keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    def send_message(self, **message: Any) -> None:
        self.sent.append(message)

    @property
    def bodies(self) -> list[str]:
        """The bodies of the messages."""
        return [message["MessageBody"] for message in self.sent]


def kept(*records: Any) -> Queue:
    """The messages that keep these records."""
    queue = Queue()
    quarantine = SqsQuarantine(queue, URL)  # type: ignore[arg-type]  # the one method it calls
    for record in records:
        quarantine.put("unknown_authority", "listener", record)
    return queue


def incompressible(size: int, seed: int = 0) -> dict[str, Any]:
    return {"NewImage": {"text": {"S": random.Random(seed).randbytes(size // 2).hex()}}}


@pytest.fixture
def client() -> Iterator[SQSClient]:
    with mock_aws():
        yield boto3.client("sqs", region_name="us-east-1")


def test_a_message_says_why_which_step_and_what(client: SQSClient) -> None:
    url = client.create_queue(QueueName="shop-quarantine")["QueueUrl"]
    SqsQuarantine(client, url).put("unknown_authority", "listener", {"NewImage": {"pk": {"S": "k"}}})
    (message,) = client.receive_message(QueueUrl=url, MessageAttributeNames=["All"])["Messages"]
    body = json.loads(message["Body"])
    assert (body["reason"], body["step"], body["record"]) == (
        "unknown_authority",
        "listener",
        {"NewImage": {"pk": {"S": "k"}}},
    )
    assert message["MessageAttributes"]["reason"]["StringValue"] == "unknown_authority"


@given(images)
def test_a_record_comes_back_as_it_was(image: Any) -> None:
    assert join(kept(image).bodies) == [image]


def test_a_record_of_two_full_images_comes_back_as_it_was() -> None:
    record = {"OldImage": incompressible(400_000, 1), "NewImage": incompressible(400_000, 2)}
    queue = kept(record)
    assert len(queue.sent) > 1
    assert join(queue.bodies) == [record]


@pytest.mark.parametrize("size", [10, 150_000, 199_000, 205_000, 400_000, 1_000_000])
def test_no_message_exceeds_what_sqs_takes(size: int) -> None:
    for body in kept(incompressible(size)).bodies:
        assert len(body.encode()) + len("reasonStringunknown_authority") <= MESSAGE_BYTES_MAX


@pytest.mark.parametrize("text", ["\x00\x1f", "\ufffe\uffff", "\ud800", "ज़ोए \U0001f600"])
def test_every_character_survives_a_queue_that_keeps_those_of_xml_only(text: str) -> None:
    (body,) = kept({"text": text}).bodies
    assert body.isascii()
    assert body.isprintable()
    assert join([body]) == [{"text": text}]


def test_a_body_that_is_no_json_is_kept_as_text() -> None:
    assert join(kept("not json").bodies) == ["not json"]


@settings(max_examples=25)
@given(st.randoms(use_true_random=False), st.integers(0, 3))
def test_parts_join_in_any_order_and_with_duplicates(order: random.Random, duplicates: int) -> None:
    """SQS delivers in no order, and sometimes twice."""
    bodies = [*LARGE.bodies, *SMALL.bodies]
    bodies += order.choices(bodies, k=duplicates)
    order.shuffle(bodies)
    found = join(bodies)
    assert len(found) == len(RECORDS)
    assert all(record in found for record in RECORDS)


RECORDS = [incompressible(700_000, 1), incompressible(700_000, 2), {"small": 1}]
LARGE, SMALL = kept(*RECORDS[:2]), kept(RECORDS[2])


def test_a_record_that_is_quarantined_again_is_one_record() -> None:
    record = incompressible(700_000, 1)
    again = [*LARGE.bodies, *kept(record).bodies]
    assert len(join(again)) == 2
    other = json.loads(kept(record).bodies[0])["id"]
    assert {json.loads(body)["id"] for body in again} >= {other}
    assert json.loads(kept({**RECORDS[2], "more": 1}).bodies[0])["id"] != json.loads(SMALL.bodies[0])["id"]


def test_missing_parts_are_an_error() -> None:
    with pytest.raises(RecordInvalidError, match="parts are missing of 1 quarantined records"):
        join(LARGE.bodies[1:])


def test_a_record_is_safe_only_when_every_part_is(client: SQSClient) -> None:
    with Stubber(client) as stubber:
        stubber.add_response("send_message", {"MessageId": "1"})
        stubber.add_client_error("send_message", "OverLimit", CANARY)
        with pytest.raises(TransientError, match="SendMessage: OverLimit") as raised:
            SqsQuarantine(client, URL).put("unknown_authority", "listener", incompressible(700_000))
    assert CANARY not in "".join(traceback.format_exception(raised.value))
