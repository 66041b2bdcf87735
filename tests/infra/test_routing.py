"""Where events go, and who may send them: the rules are asked about real entries."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from domicile.core.events import CHANGES, FINISHED, SOURCE
from tests.infra.matching import matches
from tests.infra.synthesized import Stack

_REGIONS = ("us-east-1", "eu-west-1", "ap-south-1")


def _targets(stack: Stack, event: dict[str, Any]) -> set[str]:
    """Return the rules that an event on the stack's bus matches."""
    rules = (rule for _, rule in stack.resources("aws_cloudwatch_event_rule"))
    return {rule["name"] for rule in rules if matches(rule["event_pattern"], event)}


def _event(detail_type: str, emitter: str, *destination: str, **detail: str) -> dict[str, Any]:
    detail_of_all = {"format": 1, "emitter": emitter, "destination": list(destination)}
    return {"source": SOURCE, "detail-type": detail_type, "detail": detail_of_all | detail}


def test_an_event_for_every_region_goes_to_each_sibling(virginia: Stack) -> None:
    event = _event(CHANGES, "us-east-1", "*")
    assert _targets(virginia, event) == {"harbour-to-eu-west-1", "harbour-to-ap-south-1"}


def test_a_move_goes_to_its_home_alone(virginia: Stack) -> None:
    assert _targets(virginia, _event(CHANGES, "us-east-1", "eu-west-1")) == {"harbour-to-eu-west-1"}


@pytest.mark.parametrize("destination", ["us-east-1", "*"])
def test_changes_that_arrive_go_to_the_inbox_and_no_further(virginia: Stack, destination: str) -> None:
    assert _targets(virginia, _event(CHANGES, "eu-west-1", destination)) == {"harbour-inbox"}


def test_receipts_of_moves_go_to_the_anonymizer_and_those_of_puts_to_nobody(virginia: Stack) -> None:
    assert _targets(virginia, _event(FINISHED, "eu-west-1", "us-east-1", operation="move")) == {"harbour-receipts"}
    assert _targets(virginia, _event(FINISHED, "eu-west-1", "us-east-1", operation="put")) == set()


@pytest.mark.parametrize("emitter", _REGIONS)
def test_an_event_of_another_source_goes_nowhere(virginia: Stack, emitter: str) -> None:
    assert _targets(virginia, _event(CHANGES, emitter, *_REGIONS) | {"source": "shop"}) == set()


def test_no_event_for_another_region_is_taken_in(virginia: Stack) -> None:
    assert _targets(virginia, _event(CHANGES, "eu-west-1", "ap-south-1")) == set()


def test_every_target_retries_for_a_day_and_then_keeps_the_event(virginia: Stack) -> None:
    targets = [target for _, target in virginia.resources("aws_cloudwatch_event_target")]
    assert len(targets) == 4
    for target in targets:
        assert target["retry_policy"] == {"maximum_event_age_in_seconds": 86400, "maximum_retry_attempts": 185}
        assert virginia.resolve(target["dead_letter_config"]["arn"])["name"] == "harbour-bus-dlq"


def test_events_reach_the_siblings_buses_by_the_routers_role(virginia: Stack) -> None:
    for region in ("eu-west-1", "ap-south-1"):
        target = virginia.named("aws_cloudwatch_event_target", f"to-{region}", key="target_id")
        assert target["arn"] == f"arn:aws:events:{region}:1234:event-bus/harbour"
        assert virginia.resolve(target["role_arn"])["name"] == "harbour-router-us-east-1"


def test_the_bus_admits_the_siblings_routers_alone(stacks: Path) -> None:
    for region in _REGIONS:
        stack = Stack.read(stacks, f"harbour-{region}")
        ((_, policy),) = stack.resources("aws_cloudwatch_event_bus_policy")
        (statement,) = json.loads(policy["policy"])["Statement"]
        assert statement["Effect"] == "Allow"
        assert statement["Principal"] == {"AWS": "arn:aws:iam::1234:root"}
        assert statement["Action"] == ["events:PutEvents"]
        assert statement["Resource"] == [f"arn:aws:events:{region}:1234:event-bus/harbour"]
        routers = [f"arn:aws:iam::1234:role/harbour-router-{other}" for other in _REGIONS if other != region]
        assert statement["Condition"] == {"ArnEquals": {"aws:PrincipalArn": routers}}


@pytest.mark.parametrize(
    ("queue", "rules"),
    [
        ("inbox", ["inbox"]),
        ("receipts", ["receipts"]),
        ("bus-dlq", ["to-eu-west-1", "to-ap-south-1", "inbox", "receipts"]),
        ("inbox-dlq", []),
        ("receipts-dlq", []),
        ("quarantine", []),
        ("stream-dlq", []),
    ],
)
def test_a_queue_takes_messages_over_tls_only_and_from_its_rules_only(
    virginia: Stack, queue: str, rules: list[str]
) -> None:
    policy = json.loads(virginia.named("aws_sqs_queue", f"harbour-{queue}")["policy"])
    statements = {statement["Sid"]: statement for statement in policy["Statement"]}
    only_tls = statements.pop("OnlyTls")
    assert (only_tls["Effect"], only_tls["Principal"]) == ("Deny", "*")
    assert only_tls["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    if not rules:
        assert statements == {}
        return
    (statement,) = statements.values()
    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
    assert statement["Action"] == ["sqs:SendMessage"]
    arns = [f"arn:aws:events:us-east-1:1234:rule/harbour/harbour-{rule}" for rule in rules]
    assert statement["Condition"] == {"ArnEquals": {"aws:SourceArn": arns}}


def test_messages_that_a_function_refuses_are_kept_aside(virginia: Stack) -> None:
    for role in ("inbox", "receipts"):
        redrive = json.loads(virginia.named("aws_sqs_queue", f"harbour-{role}")["redrive_policy"])
        assert redrive["maxReceiveCount"] == 100
        dead_letters = virginia.resolve(redrive["deadLetterTargetArn"])
        assert dead_letters["name"] == f"harbour-{role}-dlq"
        sources = json.loads(dead_letters["redrive_allow_policy"])["sourceQueueArns"]
        assert sources == [f"arn:aws:sqs:us-east-1:1234:harbour-{role}"]


def test_every_queue_keeps_messages_for_fourteen_days(virginia: Stack) -> None:
    queues = [queue for _, queue in virginia.resources("aws_sqs_queue")]
    assert [queue["message_retention_seconds"] for queue in queues] == [14 * 24 * 3600] * 7
