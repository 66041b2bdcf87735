"""Plans: what they know, what they refer to, and what only the synthesized text knows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from domicile.errors import UserError
from domicile.review import plans
from domicile.review.findings import Severity
from domicile.review.stacks import UNKNOWN, Resource, Stack, is_unknown

_QUEUE = "arn:aws:sqs:eu-west-1:123456789012:inbox"


def _resource(address: str, values: dict[str, Any], unknown: Any = None, expressions: Any = None) -> dict[str, Any]:
    kind = address.partition(".")[0]
    return {
        "planned": {"address": address, "mode": "managed", "type": kind, "values": values},
        "change": {"address": address, "change": {"after_unknown": unknown or {}}},
        "configured": {"address": address, "provider_config_key": "aws", "expressions": expressions or {}},
    }


def _plan(*resources: dict[str, Any], **others: Any) -> dict[str, Any]:
    region = {"expressions": {"region": {"constant_value": "eu-west-1"}}}
    account = {"type": "aws_caller_identity", "values": {"account_id": "123456789012"}}
    return {
        "planned_values": {"root_module": {"resources": [one["planned"] for one in resources]}},
        "resource_changes": [one["change"] for one in resources],
        "prior_state": {"values": {"root_module": {"resources": [account]}}},
        "configuration": {
            "provider_config": {"aws": region},
            "root_module": {"resources": [one["configured"] for one in resources]},
        },
        **others,
    }


_INBOX = _resource("aws_sqs_queue.inbox", {"name": "inbox"}, {"arn": True, "url": True, "policy": True})
_TARGET = _resource(
    "aws_cloudwatch_event_target.inbox",
    {"rule": "inbox", "dead_letter_config": [{}]},
    {"arn": True, "id": True, "dead_letter_config": [{"arn": True}]},
    {
        "arn": {"references": ["aws_sqs_queue.inbox.arn", "aws_sqs_queue.inbox"]},
        "rule": {},
        "dead_letter_config": [{"arn": {"references": ["aws_sqs_queue.inbox.arn", "aws_sqs_queue.other.arn"]}}],
    },
)
_RULE = _resource(
    "aws_cloudwatch_event_rule.inbox",
    {"name": "inbox"},
    {"event_pattern": True},
    {"event_pattern": {"references": ["aws_sqs_queue.inbox.arn", "aws_sqs_queue.inbox"]}},
)


def _read(folder: Path, plan: dict[str, Any], texts: dict[str, Path] | None = None) -> Stack:
    file = folder / "plan.json"
    file.write_text(json.dumps(plan), encoding="utf-8")
    return plans.read(file, texts or {})


def _only(stack: Stack, kind: str) -> Resource:
    (found,) = stack.of_kind(kind)
    return found


def test_an_arn_that_is_known_after_the_apply_is_followed(tmp_path: Path) -> None:
    stack = _read(tmp_path, _plan(_INBOX, _TARGET))
    target = _only(stack, "aws_cloudwatch_event_target")
    assert target.text("arn") == _QUEUE
    assert target.references == {"aws_sqs_queue.inbox", "aws_sqs_queue.other"}
    assert _only(stack, "aws_sqs_queue").arn == _QUEUE
    assert "id" not in target.arguments


def test_what_refers_to_two_attributes_is_unknown(tmp_path: Path) -> None:
    target = _only(_read(tmp_path, _plan(_INBOX, _TARGET)), "aws_cloudwatch_event_target")
    assert target.text("dead_letter_config", "arn") == UNKNOWN


def test_a_document_is_never_followed(tmp_path: Path) -> None:
    rule = _only(_read(tmp_path, _plan(_INBOX, _RULE)), "aws_cloudwatch_event_rule")
    assert rule.text("event_pattern") == UNKNOWN


def _text(folder: Path, pattern: str) -> dict[str, Path]:
    resource = {
        "aws_sqs_queue": {"inbox": {"name": "inbox"}},
        "aws_cloudwatch_event_rule": {"inbox": {"name": "inbox", "event_pattern": pattern}},
    }
    file = folder / "cdk.tf.json"
    file.write_text(json.dumps({"provider": {"aws": [{"region": "eu-west-1"}]}, "resource": resource}))
    return {"eu-west-1": file}


def test_the_synthesized_text_tells_an_unknown_document(tmp_path: Path) -> None:
    texts = _text(tmp_path, '{"source":["${aws_sqs_queue.inbox.arn}"]}')
    rule = _only(_read(tmp_path, _plan(_INBOX, _RULE), texts), "aws_cloudwatch_event_rule")
    assert json.loads(rule.text("event_pattern")) == {"source": [_QUEUE]}


def test_a_text_that_refers_to_others_is_of_another_plan(tmp_path: Path) -> None:
    texts = _text(tmp_path, '{"source":["domicile"]}')
    rule = _only(_read(tmp_path, _plan(_INBOX, _RULE), texts), "aws_cloudwatch_event_rule")
    assert rule.text("event_pattern") == UNKNOWN


def test_what_waits_for_no_resource_is_not_taken_from_the_text(tmp_path: Path) -> None:
    computed = _resource(
        "aws_cloudwatch_event_rule.inbox", {"name": "inbox"}, {"event_pattern": True}, {"event_pattern": {}}
    )
    texts = _text(tmp_path, '{"source":["domicile"]}')
    rule = _only(_read(tmp_path, _plan(_INBOX, computed), texts), "aws_cloudwatch_event_rule")
    assert rule.text("event_pattern") == UNKNOWN


def test_what_the_plan_knows_is_not_overruled_by_the_text(tmp_path: Path) -> None:
    known = _resource("aws_cloudwatch_event_rule.inbox", {"name": "inbox", "event_pattern": "{}"})
    texts = _text(tmp_path, '{"source":["domicile"]}')
    rule = _only(_read(tmp_path, _plan(_INBOX, known), texts), "aws_cloudwatch_event_rule")
    assert rule.text("event_pattern") == "{}"


def test_a_map_that_is_unknown_as_a_whole_stays_so(tmp_path: Path) -> None:
    function = _resource(
        "aws_lambda_function.listener",
        {"function_name": "listener", "environment": [{}]},
        {"environment": [{"variables": True}]},
        {"environment": [{"variables": {"references": ["aws_sqs_queue.inbox.url", "aws_sqs_queue.inbox"]}}]},
    )
    found = _only(_read(tmp_path, _plan(_INBOX, function)), "aws_lambda_function")
    assert is_unknown(found.arguments["environment"])


def test_a_provider_that_may_work_in_another_account_is_told(tmp_path: Path) -> None:
    plan = _plan(_INBOX)
    plan["configuration"]["provider_config"]["module.more:aws.away"] = {
        "expressions": {"region": {"constant_value": "us-east-1"}, "assume_role": [{}], "default_tags": [{}]}
    }
    (found,) = _read(tmp_path, plan).findings
    assert (found.resource, found.severity) == ("provider.module.more:aws.away (eu-west-1)", Severity.UNKNOWN)
    assert "assume_role" in found.text


def test_a_resource_of_another_provider_is_in_its_region(tmp_path: Path) -> None:
    plan = _plan(_INBOX)
    away = {"expressions": {"region": {"constant_value": "us-east-1"}}}
    plan["configuration"]["provider_config"]["aws.away"] = away
    plan["configuration"]["root_module"]["resources"][0] = {**_INBOX["configured"], "provider_config_key": "aws.away"}
    assert _only(_read(tmp_path, plan), "aws_sqs_queue").arn == "arn:aws:sqs:us-east-1:123456789012:inbox"


def test_the_resources_of_modules_are_read(tmp_path: Path) -> None:
    plan = _plan()
    inner = {**_INBOX["planned"], "address": "module.a.aws_sqs_queue.inbox"}
    plan["planned_values"]["root_module"]["child_modules"] = [{"resources": [inner]}]
    assert _only(_read(tmp_path, plan), "aws_sqs_queue").address == "module.a.aws_sqs_queue.inbox"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is no JSON"),
        ("[]", "is no JSON object"),
        ('{"values": {}}', "is no plan"),
        (json.dumps(_plan(errored=True)), "the plan failed"),
        (json.dumps({**_plan(), "configuration": {"root_module": {}}}), "has no region"),
    ],
)
def test_an_unusable_file_is_named(text: str, problem: str, tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=problem) as caught:
        plans.read(file, {})
    assert str(caught.value).startswith(str(file))
