"""Events cross Regions, are tried again, and end in a dead-letter queue that says why."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest

from domicile.local.account import ACCESS_KEY
from tests.plane import ELSEWHERE, HERE, THERE, Plane, eventually

EVERYTHING = {"detail-type": ["test"]}
DETAIL = json.dumps({"text": "grüße"})


def _bus(plane: Plane, region: str) -> str:
    name = f"b-{uuid4()}"
    plane.client("events", region).create_event_bus(Name=name)
    return name


def _bus_arn(region: str, name: str) -> str:
    return f"arn:aws:events:{region}:{ACCESS_KEY}:event-bus/{name}"


def _forward_to_queue(plane: Plane, region: str, bus: str) -> str:
    """Put a rule on a bus that takes everything from another bus to a new queue, and return the queue's URL."""
    url, arn = plane.queue(region)
    plane.route(EVERYTHING, arn, region, bus)
    return url


def _attributes(message: dict[str, Any]) -> dict[str, str]:
    return {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}


def test_an_event_reaches_a_bus_of_another_region_as_it_was(plane: Plane) -> None:
    bus = _bus(plane, THERE)
    url = _forward_to_queue(plane, THERE, bus)
    source = plane.rule(_bus_arn(THERE, bus))
    put = plane.put_event(source, DETAIL)
    event = json.loads(eventually(lambda: plane.receive(url, THERE))[0]["Body"])
    assert event["detail"] == json.loads(DETAIL)
    assert (event["source"], event["region"], event["account"]) == (source, HERE, ACCESS_KEY)
    assert event["id"] != put["EventId"]


def test_an_event_does_not_cross_a_second_time(plane: Plane) -> None:
    bus, last = _bus(plane, THERE), _bus(plane, ELSEWHERE)
    url = _forward_to_queue(plane, ELSEWHERE, last)
    dead_url, dead_arn = plane.queue(THERE)
    plane.route(EVERYTHING, _bus_arn(ELSEWHERE, last), THERE, bus, DeadLetterConfig={"Arn": dead_arn})
    plane.put_event(plane.rule(_bus_arn(THERE, bus)))
    told = _attributes(eventually(lambda: plane.receive(dead_url, THERE))[0])
    assert told["ERROR_CODE"] == "THIRD_REGION_HOP_DETECTED"
    assert "RETRY_ATTEMPTS" not in told
    assert plane.receive(url, ELSEWHERE) == []


def test_a_hop_that_fails_for_a_while_is_tried_again(faults: Plane) -> None:
    bus = _bus(faults, THERE)
    url = _forward_to_queue(faults, THERE, bus)
    rule = {"service": "events", "operation": "PutEvents", "region": THERE, "code": "InternalFailure", "times": 2}
    assert faults.own("POST", "/_domicile/faults", rule)[0] == 201
    faults.put_event(faults.rule(_bus_arn(THERE, bus)))
    assert len(eventually(lambda: faults.receive(url, THERE))) == 1
    assert faults.own("GET", "/_domicile/faults")[1]["rules"][0]["hits"] == 2


def test_a_hop_that_keeps_failing_ends_in_the_dead_letter_queue_of_its_own_region(faults: Plane) -> None:
    bus = _bus(faults, THERE)
    dead_url, dead_arn = faults.queue()
    rule = {"service": "events", "region": THERE, "code": "ThrottlingException"}
    faults.own("POST", "/_domicile/faults", rule)
    policy = {"MaximumRetryAttempts": 2, "MaximumEventAgeInSeconds": 60}
    source = faults.rule(_bus_arn(THERE, bus), RetryPolicy=policy, DeadLetterConfig={"Arn": dead_arn})
    faults.put_event(source, DETAIL)
    message = eventually(lambda: faults.receive(dead_url))[0]
    assert json.loads(message["Body"])["detail"] == json.loads(DETAIL)
    assert _attributes(message) == {
        "RULE_ARN": f"arn:aws:events:{HERE}:{ACCESS_KEY}:rule/{source}",
        "TARGET_ARN": _bus_arn(THERE, bus),
        "ERROR_CODE": "CROSS_REGION_INGESTION_FAILED",
        "ERROR_MESSAGE": "Injected fault: ThrottlingException",
        "RETRY_ATTEMPTS": "2",
        "EXHAUSTED_RETRY_CONDITION": "MaximumRetryAttempts",
    }


def test_a_target_that_is_not_there_is_not_tried_again(plane: Plane) -> None:
    dead_url, dead_arn = plane.queue()
    absent = f"arn:aws:sqs:{HERE}:{ACCESS_KEY}:absent"
    plane.put_event(plane.rule(absent, DeadLetterConfig={"Arn": dead_arn}))
    told = _attributes(eventually(lambda: plane.receive(dead_url))[0])
    assert told["ERROR_CODE"] == "NO_RESOURCE"
    assert "RETRY_ATTEMPTS" not in told


def test_a_message_that_a_queue_refuses_is_not_tried_again(plane: Plane) -> None:
    dead_url, dead_arn = plane.queue()
    _, arn = plane.queue(MaximumMessageSize="1024")
    plane.put_event(plane.rule(arn, DeadLetterConfig={"Arn": dead_arn}), json.dumps({"text": "x" * 1024}))
    told = _attributes(eventually(lambda: plane.receive(dead_url))[0])
    assert told["ERROR_CODE"] == "INVALID_PARAMETER"
    assert "RETRY_ATTEMPTS" not in told


def test_a_queue_target_is_tried_again(faults: Plane) -> None:
    url, arn = faults.queue()
    faults.own("POST", "/_domicile/faults", {"service": "sqs", "operation": "SendMessage", "status": 500, "times": 1})
    faults.put_event(faults.rule(arn))
    assert len(eventually(lambda: faults.receive(url))) == 1
    assert faults.own("GET", "/_domicile/faults")[1]["rules"][0]["hits"] == 1


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        ({"Detail": "{"}, "MalformedDetail"),
        ({"Detail": "[1]"}, "MalformedDetail"),
        ({"Source": ""}, "InvalidArgument"),
        ({"DetailType": ""}, "InvalidArgument"),
    ],
)
def test_a_bad_entry_fails_alone(plane: Plane, entry: dict[str, str], code: str) -> None:
    url, arn = plane.queue()
    good = {"Source": plane.rule(arn), "DetailType": "test", "Detail": "{}"}
    answer = plane.client("events").put_events(Entries=[{**good, **entry}, good])
    assert answer["FailedEntryCount"] == 1
    assert answer["Entries"][0]["ErrorCode"] == code
    assert "EventId" in answer["Entries"][1]
    assert len(eventually(lambda: plane.receive(url))) == 1


def test_a_request_of_more_than_256_kb_is_refused(plane: Plane) -> None:
    events = plane.client("events")
    size = 256 * 1024 // 2 - len("s") - len("t") - len('{"a":""}')
    entry = {"Source": "s", "DetailType": "t", "Detail": json.dumps({"a": "x" * size}, separators=(",", ":"))}
    assert events.put_events(Entries=[entry, entry])["FailedEntryCount"] == 0
    entry["Source"] += "s"
    with pytest.raises(events.exceptions.ClientError, match="over the limit"):
        events.put_events(Entries=[entry, entry])


def test_a_bus_has_the_policy_that_was_put(plane: Plane) -> None:
    events, bus = plane.client("events"), _bus(plane, HERE)
    statement = {
        "Sid": "siblings",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{ACCESS_KEY}:root"},
        "Action": "events:PutEvents",
        "Resource": _bus_arn(HERE, bus),
        "Condition": {"ArnEquals": {"aws:PrincipalArn": [f"arn:aws:iam::{ACCESS_KEY}:role/router"]}},
    }
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    events.put_permission(EventBusName=bus, Policy=json.dumps(policy))
    assert json.loads(events.describe_event_bus(Name=bus)["Policy"]) == policy
