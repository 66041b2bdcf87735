"""The fault injector: rules are checked, take the calls that they name, and are counted."""

from __future__ import annotations

import time
from typing import Any

import pytest

from domicile.local.faults import FaultRuleError, Faults
from tests.plane import HERE, THERE, Plane


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ({"service": "dynamo", "code": "X"}, "service: .*'dynamodb'"),
        ({"code": "X"}, "service: "),
        ({"service": "dynamodb", "operation": "PutIem", "code": "X"}, "operation: dynamodb has no PutIem; .*PutItem"),
        ({"service": "lambda", "operation": "GetFunction", "code": "X"}, "accepted: Invoke"),
        ({"service": "sqs", "region": "Mumbai", "code": "X"}, "region: "),
        ({"service": "sqs", "status": 200}, "status: "),
        ({"service": "sqs", "code": "X", "probability": 0}, "probability: "),
        ({"service": "sqs", "code": "X", "times": 0}, "times: "),
        ({"service": "sqs", "code": "X", "time": 1}, "time: "),
        ({"service": "sqs", "latency_ms": -1}, "latency_ms: "),
        ({"service": "sqs"}, "no effect"),
        ({"service": "sqs", "status": 99, "times": 0}, "status: .*; times: "),
        ({"service": "sqs", "operation": "SendMessageBatch", "code": "X", "partial": True}, "partial: "),
        ({"service": "events", "operation": "PutEvents", "latency_ms": 5, "partial": True}, "partial: "),
        ({"service": "sqs", "code": "X", "answer_lost": True}, "answer_lost: .* other than events, lambda, sqs"),
        ({"service": "kinesis", "latency_ms": 5, "answer_lost": True}, "answer_lost: needs a code"),
    ],
)
def test_a_rule_that_cannot_be_used_is_refused_with_each_reason(rule: dict[str, Any], problem: str) -> None:
    with pytest.raises(FaultRuleError, match=problem):
        Faults().add(rule)


@pytest.mark.parametrize(
    ("given", "code", "status"),
    [
        ({"code": "ThrottlingException"}, "ThrottlingException", 400),
        ({"code": "InternalServerError"}, "InternalServerError", 500),
        ({"status": 500}, "InternalServerError", 500),
        ({"status": 503}, "ServiceUnavailable", 503),
        ({"code": "TooManyRequestsException", "status": 429}, "TooManyRequestsException", 429),
        ({"latency_ms": 5}, None, None),
    ],
)
def test_code_and_status_follow_from_each_other(given: dict[str, Any], code: str | None, status: int | None) -> None:
    faults = Faults()
    faults.add({"service": "dynamodb", **given})
    fault = faults.strike("dynamodb", "PutItem", HERE)
    assert fault is not None
    assert (fault.code, fault.status) == (code, status)


def test_a_rule_takes_the_calls_that_it_names_as_often_as_it_says() -> None:
    faults = Faults()
    faults.add({"service": "dynamodb", "operation": "PutItem", "region": HERE, "status": 500, "times": 2})
    assert faults.strike("dynamodb", "GetItem", HERE) is None
    assert faults.strike("dynamodb", "PutItem", THERE) is None
    assert faults.strike("events", "PutItem", HERE) is None
    assert [bool(faults.strike("dynamodb", "PutItem", HERE)) for _ in range(3)] == [True, True, False]
    assert faults.list()[0]["hits"] == 2


def test_probability_takes_a_share() -> None:
    faults = Faults()
    faults.add({"service": "dynamodb", "status": 500, "probability": 0.5})
    taken = sum(faults.strike("dynamodb", "PutItem", HERE) is not None for _ in range(2000))
    assert 800 < taken < 1200


def test_an_api_call_fails_where_the_rule_says_and_nowhere_else(faults: Plane) -> None:
    table, _ = faults.table()
    dynamodb = faults.client("dynamodb")
    rule = {"service": "dynamodb", "operation": "PutItem", "region": HERE, "code": "ThrottlingException", "times": 1}
    status, added = faults.own("POST", "/_domicile/faults", rule)
    assert (status, added["hits"]) == (201, 0)
    dynamodb.get_item(TableName=table, Key={"pk": {"S": "a"}})
    with pytest.raises(dynamodb.exceptions.ClientError) as failed:
        faults.put(table, "a")
    assert failed.value.response["Error"]["Code"] == "ThrottlingException"
    assert failed.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    faults.put(table, "a")
    assert faults.own("GET", "/_domicile/faults")[1]["rules"] == [{**added, "hits": 1}]
    assert faults.own("DELETE", "/_domicile/faults") == (200, {"cleared": 1})


def test_a_call_whose_answer_is_lost_is_done(faults: Plane) -> None:
    table, _ = faults.table()
    rule = {"service": "dynamodb", "operation": "PutItem", "status": 503, "answer_lost": True, "times": 1}
    faults.own("POST", "/_domicile/faults", rule)
    dynamodb = faults.client("dynamodb")
    with pytest.raises(dynamodb.exceptions.ClientError) as failed:
        faults.put(table, "a")
    assert failed.value.response["Error"]["Code"] == "ServiceUnavailable"
    assert dynamodb.get_item(TableName=table, Key={"pk": {"S": "a"}})["Item"]["pk"] == {"S": "a"}


@pytest.mark.parametrize(
    ("service", "operation", "call", "arguments"),
    [
        ("sqs", "SendMessage", "send_message", {"QueueUrl": "http://127.0.0.1/1/q", "MessageBody": "m"}),
        ("lambda", "Invoke", "invoke", {"FunctionName": "f"}),
        (
            "appconfigdata",
            "StartConfigurationSession",
            "start_configuration_session",
            {"ApplicationIdentifier": "a", "EnvironmentIdentifier": "e", "ConfigurationProfileIdentifier": "p"},
        ),
        ("secretsmanager", "GetSecretValue", "get_secret_value", {"SecretId": "s"}),
        ("kms", "Decrypt", "decrypt", {"CiphertextBlob": b"x"}),
        ("events", "PutEvents", "put_events", {"Entries": [{}]}),
    ],
)
def test_each_service_can_fail(
    faults: Plane, service: str, operation: str, call: str, arguments: dict[str, Any]
) -> None:
    faults.own("POST", "/_domicile/faults", {"service": service, "operation": operation, "status": 503})
    client = faults.client(service)
    with pytest.raises(client.exceptions.ClientError) as failed:
        getattr(client, call)(**arguments)
    assert failed.value.response["Error"]["Code"] == "ServiceUnavailable"
    assert failed.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503


def test_a_call_can_be_made_to_wait(faults: Plane) -> None:
    table, _ = faults.table()
    faults.own("POST", "/_domicile/faults", {"service": "dynamodb", "operation": "GetItem", "latency_ms": 300})
    started = time.monotonic()
    faults.client("dynamodb").get_item(TableName=table, Key={"pk": {"S": "a"}})
    assert time.monotonic() - started > 0.3


def test_a_direct_call_of_a_function_counts_once(faults: Plane) -> None:
    function = faults.function("def handler(event, context): return 'done'")
    faults.own("POST", "/_domicile/faults", {"service": "lambda", "latency_ms": 1})
    assert faults.invoke(function)["Payload"] == "done"
    assert faults.own("GET", "/_domicile/faults")[1]["rules"][0]["hits"] == 1


def test_a_bad_rule_and_an_unknown_path_are_told(plane: Plane) -> None:
    status, answer = plane.own("POST", "/_domicile/faults", {"service": "dynamo"})
    assert status == 400
    assert "dynamodb" in answer["error"]
    assert plane.own("POST", "/_domicile/faults", [1])[0] == 400
    assert plane.own("GET", "/_domicile/nothing")[0] == 404


def test_trace_segments_are_accepted(plane: Plane) -> None:
    answer = plane.client("xray").put_trace_segments(TraceSegmentDocuments=["{}"])
    assert answer["UnprocessedTraceSegments"] == []


def test_a_partial_rule_refuses_single_entries_of_put_events(faults: Plane) -> None:
    rule = {"service": "events", "operation": "PutEvents", "region": HERE, "code": "ThrottlingException"}
    assert faults.own("POST", "/_domicile/faults", {**rule, "partial": True, "times": 1})[0] == 201
    entry = {"Source": "test", "DetailType": "test", "Detail": "{}"}
    answer = faults.client("events").put_events(Entries=[entry, entry])
    assert answer["FailedEntryCount"] == 1
    assert answer["Entries"][0]["ErrorCode"] == "ThrottlingException"
    assert "EventId" in answer["Entries"][1]
