"""The link to the other partition: which records are sent again, and when its key is read again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError

from domicile.aws.link import ATTEMPTS_MAX, KEY_AGE_S_MAX, SEND_S_MAX, AccessKey, KinesisLink
from domicile.core.errors import TransientError
from domicile.core.parcels import REQUEST_RECORDS_MAX, Record
from domicile.pipeline.courier import REFUSED

OLD, NEW = AccessKey("AKIAOLD", "old secret"), AccessKey("AKIANEW", "new secret")


def error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "never shown"}}, "PutRecords")


@dataclass
class Partition:
    """The other partition: the keys that it knows, and what each of its next answers refuses."""

    keys: set[str] = field(default_factory=lambda: {OLD.id})
    answers: list[Any] = field(default_factory=list)
    requests: list[tuple[str, list[bytes]]] = field(default_factory=list)
    secret: AccessKey | None = OLD
    reads: int = 0
    now_s: float = 0.0
    slow_s: float = 0.0
    naps: list[float] = field(default_factory=list)

    def read(self) -> AccessKey | None:
        self.reads += 1
        return self.secret

    def client(self, key: AccessKey) -> Any:
        partition = self

        class Client:
            def put_records(self, StreamName: str, Records: Sequence[Mapping[str, Any]]) -> Any:  # noqa: N803
                partition.requests.append((key.id, [record["Data"] for record in Records]))
                partition.now_s += partition.slow_s
                if key.id not in partition.keys:
                    raise error("UnrecognizedClientException")
                answer = partition.answers.pop(0) if partition.answers else []
                if isinstance(answer, Exception):
                    raise answer
                throttled = {"ErrorCode": "ProvisionedThroughputExceededException"}
                return {"Records": [throttled if n in answer else {} for n in range(len(Records))]}

        return Client()

    def link(self) -> KinesisLink:
        return KinesisLink(self.read, self.client, "s", sleep=self.naps.append, clock=lambda: self.now_s)


def records(count: int) -> list[Record]:
    return [Record("key", bytes([n])) for n in range(count)]


def test_what_is_taken_is_sent_once() -> None:
    partition = Partition()
    assert partition.link().send(records(2)) == {}
    assert partition.requests == [(OLD.id, [b"\0", b"\1"])]


def test_only_what_was_not_taken_is_sent_again() -> None:
    partition = Partition(answers=[[0, 2], [1]])
    assert partition.link().send(records(3)) == {}
    assert [sent for _, sent in partition.requests] == [[b"\0", b"\1", b"\2"], [b"\0", b"\2"], [b"\2"]]
    assert len(partition.naps) == 2


@pytest.mark.parametrize(
    ("failure", "cause"),
    [
        ([0, 1], "ProvisionedThroughputExceededException"),
        (error("InternalFailure"), "InternalFailure"),
        (ConnectTimeoutError(endpoint_url="https://kinesis"), "ConnectTimeoutError"),
        (error("AccessDeniedException"), REFUSED),
    ],
)
def test_what_is_never_taken_is_told_with_its_cause(failure: Any, cause: str) -> None:
    partition = Partition(answers=[failure] * ATTEMPTS_MAX)
    refused = partition.link().send(records(2))
    assert refused[1] == cause
    assert len(partition.requests) == ATTEMPTS_MAX


def test_on_a_slow_link_what_was_taken_in_time_is_told_and_the_rest_is_left_for_later() -> None:
    """A courier that is stopped in the middle would have to send all of it again, and be stopped again."""
    partition = Partition(slow_s=20)
    refused = partition.link().send([Record("key", b"data")] * 5 * REQUEST_RECORDS_MAX)
    assert len(partition.requests) == 3
    assert partition.now_s < SEND_S_MAX + partition.slow_s
    assert refused == dict.fromkeys(range(3 * REQUEST_RECORDS_MAX, 5 * REQUEST_RECORDS_MAX), "OutOfTime")


def test_a_link_that_hangs_is_not_tried_longer_than_there_is_time() -> None:
    timeout = ConnectTimeoutError(endpoint_url="https://kinesis")
    partition = Partition(slow_s=25, answers=[timeout] * 10)
    assert set(partition.link().send(records(2)).values()) == {"ConnectTimeoutError"}
    assert len(partition.requests) == 2


def test_a_refused_key_is_read_again_at_once() -> None:
    partition = Partition()
    link = partition.link()
    link.send(records(1))
    partition.keys, partition.secret = {NEW.id}, NEW
    assert link.send(records(1)) == {}
    assert [key for key, _ in partition.requests] == [OLD.id, OLD.id, NEW.id]


def test_a_new_key_is_used_before_the_old_one_is_refused() -> None:
    """So a rotation can see when the old one is not used any more."""
    partition = Partition(keys={OLD.id, NEW.id})
    link = partition.link()
    link.send(records(1))
    partition.secret = NEW
    link.send(records(1))
    partition.now_s = KEY_AGE_S_MAX
    link.send(records(1))
    assert [key for key, _ in partition.requests] == [OLD.id, OLD.id, NEW.id]


def test_without_a_key_nothing_is_sent_until_there_is_one() -> None:
    partition = Partition(secret=None)
    link = partition.link()
    assert link.send(records(2)) == {0: REFUSED, 1: REFUSED}
    assert partition.requests == []
    partition.secret = OLD
    assert link.send(records(2)) == {}


def test_a_secret_that_cannot_be_read_is_no_refusal() -> None:
    def broken() -> AccessKey | None:
        raise TransientError("GetSecretValue: ThrottlingException")

    assert KinesisLink(broken, Partition().client, "s").send(records(1)) == {0: "TransientError"}


def test_a_key_that_works_is_used_while_the_secret_cannot_be_read() -> None:
    partition = Partition()
    readable = True

    def read() -> AccessKey | None:
        if not readable:
            raise TransientError("GetSecretValue: ThrottlingException")
        return partition.read()

    link = KinesisLink(read, partition.client, "s", sleep=partition.naps.append, clock=lambda: partition.now_s)
    assert link.send(records(1)) == {}
    readable, partition.now_s = False, KEY_AGE_S_MAX
    assert link.send(records(1)) == {}
    partition.keys = set()
    assert link.send(records(1)) == {0: "TransientError"}
    readable, partition.keys, partition.secret = True, {NEW.id}, NEW
    assert link.send(records(1)) == {}


def test_the_key_s_secret_is_not_shown() -> None:
    assert OLD.secret not in repr(OLD)
    assert AccessKey.parse(OLD.to_text()) == OLD


@pytest.mark.parametrize("text", ["", "[]", "{}", json.dumps({"access_key_id": "AKIA"})])
def test_a_secret_of_another_form_is_no_key(text: str) -> None:
    assert AccessKey.parse(text) is None
