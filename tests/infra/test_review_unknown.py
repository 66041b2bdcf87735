"""What the review does not know is never taken for safe."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from domicile.errors import UserError
from domicile.review.findings import Severity
from tests.infra.changed import ACCOUNT, Changed, named
from tests.infra.changes import Change, added, added_with_reference, one_statement_more, pattern_of, set_of

_HERE, _HOME, _OTHER = "us-east-1", "eu-west-1", "ap-south-1"
_FOREIGN = "999999999999"


def _provider(**arguments: Any) -> Change:
    return lambda changed: changed.stack(_HERE)["provider"]["aws"][0].update(arguments)


def _target_in_another_account(changed: Changed) -> None:
    role = [{"role_arn": f"arn:aws:iam::{_FOREIGN}:role/all"}]
    changed.stack(_HERE)["provider"]["aws"].append({"alias": "away", "region": _HOME, "assume_role": role})
    changed.add(_HERE, "aws_cloudwatch_event_bus", name="all", provider="aws.away")
    changed.one(_HERE, "aws_cloudwatch_event_target", f"to-{_HOME}")["arn"] = "${aws_cloudwatch_event_bus.added.arn}"


def _template(**resources: Any) -> Change:
    return added(_HERE, "aws_cloudformation_stack", name="more", template_body=json.dumps({"Resources": resources}))


def _by_somebody_else(action: str) -> Change:
    """Allow an action on a table, a queue and a function to a role that is no function's."""
    trusted = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    resources = [
        f"arn:aws:dynamodb:{_HERE}:{ACCOUNT}:table/harbour-visits",
        f"arn:aws:sqs:{_HERE}:{ACCOUNT}:harbour-inbox",
        f"arn:aws:lambda:{_HERE}:{ACCOUNT}:function:harbour-listener",
        f"arn:aws:events:{_HERE}:{ACCOUNT}:event-bus/harbour",
    ]
    allowed = {"Effect": "Allow", "Action": action, "Resource": resources}

    def change(changed: Changed) -> None:
        changed.add(_HERE, "aws_iam_role", name="analyst", assume_role_policy=json.dumps({"Statement": trusted}))
        policy = json.dumps({"Statement": allowed})
        changed.add(_HERE, "aws_iam_role_policy", role="analyst", name="more", policy=policy)

    return change


def _backup_elsewhere(changed: Changed) -> None:
    table = changed.reference(_HERE, "aws_dynamodb_table", "table-visits_table", "arn")
    changed.add(_HERE, "aws_backup_selection", name="tables", plan_id="plan", iam_role_arn="role", resources=[table])


_ANY = '{"source": ["domicile"]}'
_RULE = "aws_cloudwatch_event_rule.routing_rule-to-ap-south-1"
_WORK = "aws_iam_role_policy.function-replicator_policy-work"
_VERSION = "aws_appconfig_hosted_configuration_version"
_DEPLOYMENT = "aws_appconfig_deployment"
_REPLICATOR = ("aws_lambda_function", "function-replicator")
_ROLE = {"role_arn": f"arn:aws:iam::{_FOREIGN}:role/all"}
_MORE = "aws_cloudformation_stack.added"
_ACTION = "aws_iam_role_policy.added"
_SPY = {"Id": "all", "Arn": f"arn:aws:events:{_HERE}:{_FOREIGN}:event-bus/all"}
_TAP = {"EventBusName": "harbour", "EventPattern": {"source": ["domicile"]}, "Targets": [_SPY]}
_DATA = {"type": "AWS::DynamoDB::Table", "values": ["arn:aws:dynamodb"]}
_SCAN = json.dumps({"Statement": {"Effect": "Allow", "Action": "dynamodb:Scan", "Resource": "*"}})

UNJUDGED: dict[str, tuple[Change, str]] = {
    "an unknown operator": (
        pattern_of(_HERE, f"to-{_OTHER}", destination=[{"sounds-like": _OTHER}]),
        _RULE,
    ),
    "no pattern": (
        set_of(_HERE, "aws_cloudwatch_event_rule", f"rule-to-{_OTHER}_", event_pattern="{"),
        _RULE,
    ),
    "a pattern that is known later": (
        set_of(_HERE, "aws_cloudwatch_event_rule", f"rule-to-{_OTHER}_", event_pattern="${jsonencode(local.pattern)}"),
        _RULE,
    ),
    "a policy that is known later": (
        set_of(_HERE, "aws_iam_role_policy", "function-replicator_policy-work", policy="${file(local.policy)}"),
        _WORK,
    ),
    "a policy from elsewhere": (
        added_with_reference(
            _HERE,
            "aws_iam_role_policy_attachment",
            ("role", "aws_iam_role", "function-replicator", "name"),
            policy_arn="arn:aws:iam::aws:policy/ReadOnlyAccess",
        ),
        "aws_iam_role_policy_attachment.added",
    ),
    "a backup": (_backup_elsewhere, "aws_backup_selection.added"),
    "a mapping from who knows where": (
        added(
            _HERE,
            "aws_lambda_event_source_mapping",
            event_source_arn="${data.aws_dynamodb_table.visits.stream_arn}",
            function_name="copy",
        ),
        "aws_lambda_event_source_mapping.added",
    ),
    "a rule of an unknown bus": (
        added(_HERE, "aws_cloudwatch_event_rule", name="all", event_bus_name="${var.bus}", event_pattern=_ANY),
        "aws_cloudwatch_event_rule.added",
    ),
    "a schema discoverer": (
        added_with_reference(_HERE, "aws_schemas_discoverer", ("source_arn", "aws_cloudwatch_event_bus", "bus", "arn")),
        "aws_schemas_discoverer.added",
    ),
    "a text that names a table": (
        added(_HERE, "aws_cloudformation_stack", name="x", template_body="TableName: harbour-visits"),
        "aws_cloudformation_stack.added",
    ),
    "a repeated resource": (
        set_of(_HERE, "aws_sqs_queue", "queue-quarantine_queue", count="${var.queues}"),
        "aws_sqs_queue.queue-quarantine_queue",
    ),
    "an action that is not known": (
        one_statement_more(
            _HERE,
            "aws_iam_role_policy",
            "function-replicator_policy-work",
            {"Action": "sts:AssumeRole", "Resource": "*"},
        ),
        _WORK,
    ),
    "another version of the code": (
        set_of(_HERE, "aws_lambda_function", "function-replicator", source_code_hash="other"),
        "aws_lambda_function.function-replicator_function",
    ),
}


PROVIDERS: dict[str, tuple[Change, str]] = {
    "an alias of another account": (_target_in_another_account, "provider.aws.away"),
    "a role": (_provider(assume_role=[_ROLE]), "provider.aws"),
    "a profile": (_provider(profile="others"), "provider.aws"),
    "endpoints": (_provider(endpoints=[{"events": "https://example.com"}]), "provider.aws"),
}

KINDS: dict[str, tuple[Change, str]] = {
    "a backup of what has a tag": (
        added(_HERE, "aws_backup_selection", name="all", selection_tag=[{"key": "domicile", "value": "x"}]),
        "aws_backup_selection.added",
    ),
    "a rule of another provider": (
        added(_HERE, "awscc_events_rule", event_bus_name="harbour", event_pattern=_ANY, targets=[_SPY]),
        "awscc_events_rule.added",
    ),
    "a grant of the key": (
        added(_HERE, "aws_kms_grant", key_id="key", grantee_principal=f"arn:aws:iam::{_FOREIGN}:root"),
        "aws_kms_grant.added",
    ),
    "logs shared with an account": (added(_HERE, "aws_oam_link", resource_types=["all"]), "aws_oam_link.added"),
    "a trail of items": (
        added(_HERE, "aws_cloudtrail", name="all", event_selector=[{"data_resource": [_DATA]}]),
        "aws_cloudtrail.added",
    ),
    "people who scan": (
        added(_HERE, "aws_ssoadmin_permission_set_inline_policy", inline_policy=_SCAN),
        "aws_ssoadmin_permission_set_inline_policy.added",
    ),
    "a policy of log groups": (
        added(_HERE, "aws_cloudwatch_log_resource_policy", policy_name="all", policy_document="{}"),
        "aws_cloudwatch_log_resource_policy.added",
    ),
    "an extension of AppConfig": (added(_HERE, "aws_appconfig_extension", name="all"), "aws_appconfig_extension.added"),
    "a rule in a template": (_template(Tap={"Type": "AWS::Events::Rule", "Properties": _TAP}), _MORE),
    "a Global Table in a template that is none of the deployment's": (
        _template(Table={"Type": "AWS::DynamoDB::GlobalTable", "Properties": {"TableName": "x", "Replicas": []}}),
        _MORE,
    ),
    "a template from elsewhere": (
        added(_HERE, "aws_cloudformation_stack", name="more", template_url="https://example.com/template"),
        _MORE,
    ),
}

DOCUMENTS: dict[str, tuple[Change, str]] = {
    "another version": (
        set_of(_HERE, _DEPLOYMENT, "policy_current", configuration_version="1"),
        f"{_DEPLOYMENT}.policy_current",
    ),
    "another version at first": (
        set_of(_HERE, _DEPLOYMENT, "policy_first", configuration_version="1"),
        f"{_DEPLOYMENT}.policy_first",
    ),
    "another profile": (
        set_of(_HERE, _DEPLOYMENT, "policy_current", configuration_profile_id="abc1234"),
        f"{_DEPLOYMENT}.policy_current",
    ),
    "another environment": (
        set_of(_HERE, _DEPLOYMENT, "policy_current", environment_id="abc1234"),
        f"{_DEPLOYMENT}.policy_current",
    ),
    "a version of another profile": (
        set_of(_HERE, _VERSION, "", configuration_profile_id="abc1234"),
        f"{_VERSION}.policy_version",
    ),
    "a version that stays as it was": (
        set_of(_HERE, _VERSION, "", lifecycle={"ignore_changes": ["content"]}),
        f"{_VERSION}.policy_version",
    ),
    "no deployment that follows": (
        set_of(_HERE, _DEPLOYMENT, "policy_current", lifecycle={"ignore_changes": "all"}),
        f"{_VERSION}.policy_version",
    ),
}

ACTIONS: dict[str, tuple[Change, str]] = {
    action: (_by_somebody_else(action), _ACTION)
    for action in (
        *("dynamodb:PutResourcePolicy", "dynamodb:CreateTableReplica", "dynamodb:SomethingNew"),
        *("lambda:UpdateFunctionCode", "lambda:CreateEventSourceMapping"),
        *("sqs:SetQueueAttributes", "events:PutPermission"),
    )
}

CODE: dict[str, tuple[Change, str]] = {
    "another file in a Region": (
        set_of(_HERE, *_REPLICATOR, filename="others.zip"),
        "aws_lambda_function.function-replicator_function",
    ),
    "an alias of another version": (
        set_of(_HERE, "aws_lambda_alias", "function-replicator", function_version="1"),
        "aws_lambda_alias.function-replicator_live",
    ),
    "an alias that shares out": (
        set_of(
            _HERE, "aws_lambda_alias", "function-replicator", routing_config={"additional_version_weights": {"2": 0.5}}
        ),
        "aws_lambda_alias.function-replicator_live",
    ),
    "a mapping to another version": (
        set_of(_HERE, "aws_lambda_event_source_mapping", "queue-inbox", function_name="harbour-replicator:1"),
        "aws_lambda_event_source_mapping.function-replicator_queue-inbox",
    ),
}

ALL = {**UNJUDGED, **PROVIDERS, **KINDS, **DOCUMENTS, **ACTIONS, **CODE}


@pytest.mark.parametrize(("change", "resource"), ALL.values(), ids=ALL)
def test_what_can_not_be_judged_is_not_taken_for_safe(
    change: Change, resource: str, stacks: Path, tmp_path: Path
) -> None:
    changed = Changed(stacks)
    change(changed)
    found = changed.review(tmp_path)
    assert not found.clean
    assert resource in {name.split(" ")[0] for name in named(found, Severity.UNKNOWN)}


def test_a_resource_of_a_provider_by_another_name_is_refused(stacks: Path, tmp_path: Path) -> None:
    changed = Changed(stacks)
    changed.stack(_HERE)["provider"]["others"] = [{"region": _HERE}]
    changed.one(_HERE, "aws_sqs_queue", "queue-quarantine_queue")["provider"] = "others"
    with pytest.raises(UserError, match="provider: has no others; accepted: aws"):
        changed.review(tmp_path)
