from __future__ import annotations

import io
import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber

from domicile.aws.quarantine import SqsQuarantine
from domicile.core.events import repack_mutation, unpack_mutations
from domicile.errors import OperationError
from domicile.pipeline.inbox import Message, detail_of
from domicile.quarantine import Group, Kept, Quarantine, describe, summarize
from tests.unit.queues import NAMES, REGION, Queues, in_moto

VERSION = "001766361600000-0000001-us-east-1"
CHANGE = {
    "operation": "put",
    "table": "shopease-inventory",
    "key": {"sku": {"S": "tea"}},
    "version": "ms",
    "origin": "us-east-1",
    "image": {"sku": {"S": "tea"}, "name": {"S": "secret"}},
}

RECEIPTS = {"format": 1, "operation": "move", "receipts": [{"table": "t", "key": key} for key in "ab"]}


def stream_record(key: str = "c-1", value: str = "secret") -> dict[str, Any]:
    return {
        "eventSourceARN": f"arn:aws:dynamodb:{REGION}:111122223333:table/shopease-customers/stream/1",
        "dynamodb": {
            "Keys": {"customer_id": {"S": key}},
            "NewImage": {"customer_id": {"S": key}, "name": {"S": value}},
            "SequenceNumber": "1",
        },
    }


@pytest.fixture
def queues(monkeypatch: pytest.MonkeyPatch) -> Iterator[Queues]:
    with in_moto(monkeypatch, "quarantine", "inbox", "receipts") as queues:
        yield queues


@pytest.fixture
def functions(queues: Queues) -> Any:
    return boto3.client("lambda", region_name=REGION)


@pytest.fixture
def quarantine(queues: Queues, functions: Any) -> Quarantine:
    return Quarantine(NAMES, queues.sqs, functions)


def put(queues: Queues, reason: str, step: str, record: Any) -> None:
    SqsQuarantine(queues.sqs, queues.url("quarantine")).put(reason, step, record)


def kept(id_: str, step: str, record: Any, sent_ms: int = 100_000) -> Kept:
    return Kept(REGION, id_, "why", step, sent_ms, record, receipts=(id_,))


@contextmanager
def listener(functions: Any, answer: bytes, **more: str) -> Iterator[list[dict[str, Any]]]:
    """A listener that gives one answer, and what it was asked for."""
    asked: list[dict[str, Any]] = []
    functions.meta.events.register("provide-client-params.lambda.Invoke", lambda params, **_: asked.append(params))
    with Stubber(functions) as stub:
        expected = {"FunctionName": "shopease-listener", "Qualifier": "live", "Payload": ANY}
        stub.add_response("invoke", {"StatusCode": 200, "Payload": io.BytesIO(answer), **more}, expected)
        yield asked


def test_what_is_taken_is_the_whole_record_with_its_reason(queues: Queues, quarantine: Quarantine) -> None:
    large = stream_record(value=secrets.token_hex(300_000))
    put(queues, "unknown_authority", "listener", large)
    put(queues, "record_invalid", "replicator", "not an event")
    taken = quarantine.take(10)
    assert {(kept.reason, kept.step) for kept in taken} == {
        ("unknown_authority", "listener"),
        ("record_invalid", "replicator"),
    }
    assert [kept.record for kept in taken if kept.step == "listener"] == [large]
    assert quarantine.take(10) == [], "what was taken is held"
    quarantine.release(taken)
    assert {kept.id for kept in quarantine.take(10)} == {kept.id for kept in taken}


def test_a_record_without_all_its_parts_stays_where_it_is(queues: Queues, quarantine: Quarantine) -> None:
    put(queues, "item_too_large", "listener", stream_record(value=secrets.token_hex(300_000)))
    url = queues.url("quarantine")
    (part,) = queues.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=1)["Messages"]
    assert quarantine.take(10) == []
    queues.sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=part["ReceiptHandle"], VisibilityTimeout=0)
    assert len(quarantine.take(10)) == 1


def test_a_stream_record_is_given_to_the_alias_of_the_listener_and_deleted(
    queues: Queues, functions: Any, quarantine: Quarantine
) -> None:
    put(queues, "unknown_authority", "listener", stream_record())
    (kept,) = quarantine.take(10)
    with listener(functions, b'{"batchItemFailures": []}') as asked:
        assert quarantine.redrive(kept) is None
    assert json.loads(asked[0]["Payload"]) == {"Records": [stream_record()]}
    quarantine.release([])
    assert queues.bodies("quarantine") == []


@pytest.mark.parametrize(
    ("answer", "more"),
    [
        (b'{"batchItemFailures": [{"itemIdentifier": "1"}]}', {}),
        (b'{"errorMessage": "secret"}', {"FunctionError": "Unhandled"}),
    ],
)
def test_a_record_that_the_listener_does_not_take_is_kept(
    queues: Queues, functions: Any, quarantine: Quarantine, answer: bytes, more: dict[str, str]
) -> None:
    put(queues, "unknown_authority", "listener", stream_record())
    (kept,) = quarantine.take(10)
    with listener(functions, answer, **more):
        problem = quarantine.redrive(kept)
    assert problem is not None
    assert "secret" not in problem
    quarantine.release([kept])
    assert len(queues.bodies("quarantine")) == 1


def test_a_service_that_refuses_keeps_the_record_and_is_reported_without_its_words(
    queues: Queues, functions: Any, quarantine: Quarantine
) -> None:
    put(queues, "unknown_authority", "listener", stream_record())
    (kept,) = quarantine.take(10)
    with Stubber(functions) as stub:
        stub.add_client_error("invoke", "TooManyRequestsException", "secret")
        with pytest.raises(OperationError) as raised:
            quarantine.redrive(kept)
    assert str(raised.value) == f"{REGION}: the record was not handed back, and is kept: TooManyRequestsException"
    quarantine.release([kept])
    assert len(queues.bodies("quarantine")) == 1


@pytest.mark.parametrize("value", ["tea", "\ufffe", secrets.token_hex(150_000)], ids=["small", "noncharacter", "large"])
def test_a_change_goes_back_to_the_inbox_as_an_event_that_the_replicator_reads(
    queues: Queues, quarantine: Quarantine, value: str
) -> None:
    change = {**CHANGE, "image": {"sku": {"S": value}}}
    put(queues, "unknown_table", "replicator", change)
    (kept,) = quarantine.take(10)
    assert quarantine.redrive(kept) is None
    (body,) = queues.bodies("inbox")
    assert unpack_mutations(detail_of(Message("1", body))) == [change]
    assert queues.bodies("quarantine") == []


@pytest.mark.parametrize(("step", "queue"), [("replicator", "inbox"), ("anonymizer", "receipts")])
def test_a_whole_event_goes_back_to_its_queue_as_it_came(
    queues: Queues, quarantine: Quarantine, step: str, queue: str
) -> None:
    body = json.dumps({"detail": {"format": 1, "receipts": []}})
    put(queues, "record_invalid", step, body)
    (kept,) = quarantine.take(10)
    assert quarantine.redrive(kept) is None
    assert queues.bodies(queue) == [body]


@pytest.mark.parametrize("reason", ["stub_write", "version_in_future"])
def test_what_would_come_straight_back_is_kept_with_advice(queues: Queues, quarantine: Quarantine, reason: str) -> None:
    put(queues, reason, "listener", stream_record())
    (kept,) = quarantine.take(10)
    assert "discard" in (quarantine.redrive(kept) or "")
    quarantine.release([kept])
    assert len(queues.bodies("quarantine")) == 1


def test_records_are_counted_by_region_reason_step_and_table_without_a_value() -> None:
    records = [
        kept("1", "listener", stream_record("c-1"), 40_000),
        kept("2", "listener", stream_record("c-1")),
        kept("3", "listener", stream_record("c-2")),
        kept("4", "replicator", CHANGE),
        kept("5", "anonymizer", json.dumps({"detail": RECEIPTS})),
        kept("6", "replicator", "garbage"),
        kept("7", "replicator", {"no": "change"}),
    ]
    assert summarize(records, now_s=lambda: 101) == [
        Group(REGION, "why", "anonymizer", "t", 1, 2, 1),
        Group(REGION, "why", "listener", "shopease-customers", 3, 2, 61),
        Group(REGION, "why", "replicator", "?", 2, 2, 1),
        Group(REGION, "why", "replicator", "shopease-inventory", 1, 1, 1),
    ]
    assert "secret" not in repr(records)


def controlled(**control: Any) -> dict[str, Any]:
    record = stream_record()
    record["dynamodb"]["NewImage"]["_dom"] = control
    record["dynamodb"]["OldImage"] = {"email": {"S": "secret"}}
    return record


@pytest.mark.parametrize(
    ("record", "tables", "keys", "attributes", "versions"),
    [
        (stream_record(), ["shopease-customers"], 1, ["customer_id", "name"], []),
        (
            controlled(M={"v": {"S": VERSION}, "o": {"S": REGION}}),
            ["shopease-customers"],
            1,
            ["_dom", "customer_id", "email", "name"],
            [VERSION],
        ),
        (controlled(S="secret"), ["shopease-customers"], 1, ["_dom", "customer_id", "email", "name"], []),
        ({**CHANGE, "version": VERSION}, ["shopease-inventory"], 1, ["name", "sku"], [VERSION]),
        ({**CHANGE, "version": "secret"}, ["shopease-inventory"], 1, ["name", "sku"], []),
        ({**CHANGE, "image": "secret"}, ["shopease-inventory"], 1, ["sku"], []),
        (json.dumps({"detail": repack_mutation(CHANGE, REGION)}), ["shopease-inventory"], 1, ["name", "sku"], []),
        (json.dumps({"detail": RECEIPTS}), ["t"], 2, [], []),
        ({"table": ["secret"], "key": {}}, ["?"], 1, [], []),
        ("secret", ["?"], 1, [], []),
    ],
)
def test_a_description_has_names_and_versions_and_no_value(
    record: Any, tables: list[str], keys: int, attributes: list[str], versions: list[str]
) -> None:
    found = describe(kept("1", "step", record), {"shopease-customers": "_dom"}, now_s=lambda: 101)
    assert (found.tables, found.keys, found.attributes, found.versions) == (tables, keys, attributes, versions)
    assert (found.region, found.id, found.reason, found.step, found.age_s) == (REGION, "1", "why", "step", 1)
    assert "secret" not in repr(found)


def test_a_record_travels_through_a_queue_whatever_its_characters(queues: Queues) -> None:
    put(queues, "why", "listener", stream_record(value="\ufffe\uffff日本"))
    (body,) = queues.bodies("quarantine")
    assert body.isascii()
    assert json.loads(body)["record"] == stream_record(value="\ufffe\uffff日本")
