"""The project's own deployment is proven, and no change that leaks gets past the review."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from domicile.deployment import Deployment
from domicile.review.findings import Severity
from domicile.review.protocol import Kind
from domicile.review.reading import read_stacks
from domicile.review.verdict import Outcome, Review, review
from infra.artifacts import ROOT
from tests.infra.changed import ACCOUNT, Changed, named
from tests.infra.synthesized import synthesize_stand_ins

_HERE, _HOME, _OTHER = "us-east-1", "eu-west-1", "ap-south-1"
_FOREIGN = "999999999999"
_Change = Callable[[Changed], None]


def _pattern(region: str, rule: str, **detail: Any) -> _Change:
    """Give a rule other conditions on some fields of the detail; None takes a field's away."""

    def change(changed: Changed) -> None:
        arguments = changed.one(region, "aws_cloudwatch_event_rule", f"rule-{rule}_")
        pattern = json.loads(arguments["event_pattern"])
        merged = {**pattern["detail"], **detail}
        pattern["detail"] = {name: wanted for name, wanted in merged.items() if wanted is not None}
        arguments["event_pattern"] = json.dumps(pattern)

    return change


def _set(region: str, kind: str, part: str, /, **arguments: Any) -> _Change:
    return lambda changed: changed.one(region, kind, part).update(arguments)


def _add(region: str, kind: str, /, **arguments: Any) -> _Change:
    return lambda changed: changed.add(region, kind, **arguments)


def _statement(region: str, kind: str, part: str, statement: dict[str, Any], argument: str = "policy") -> _Change:
    """Add a statement to a policy document; ``ARN`` in it is the first one's resource."""

    def change(changed: Changed) -> None:
        arguments = changed.one(region, kind, part)
        document = json.loads(arguments[argument])
        resource = document["Statement"][0].get("Resource", "*")
        added = {"Effect": "Allow", "Resource": resource, **statement}
        arguments[argument] = json.dumps({**document, "Statement": [*document["Statement"], added]})

    return change


def _target(region: str, rule: str, arn: str, *, of: str = "added") -> _Change:
    """Give a rule one more target."""

    def change(changed: Changed) -> None:
        bus = changed.reference(region, "aws_cloudwatch_event_bus", "bus", "name")
        name = changed.reference(region, "aws_cloudwatch_event_rule", f"rule-{rule}_", "name")
        changed.add(region, "aws_cloudwatch_event_target", rule=name, event_bus_name=bus, target_id=of, arn=arn)

    return change


def _refer(region: str, kind: str, to: tuple[str, str, str, str], /, **arguments: Any) -> _Change:
    """Add a resource one of whose arguments, named first in ``to``, is an attribute of another resource."""

    def change(changed: Changed) -> None:
        name, *of = to
        changed.add(region, kind, **{name: changed.reference(region, of[0], of[1], of[2])}, **arguments)

    return change


def _second_consumer(changed: Changed) -> None:
    stream = changed.reference(_HERE, "aws_dynamodb_table", "table-visits_table", "stream_arn")
    function = f"arn:aws:lambda:{_HERE}:{ACCOUNT}:function:copy"
    changed.add(_HERE, "aws_lambda_event_source_mapping", event_source_arn=stream, function_name=function)


def _map_differs(changed: Changed) -> None:
    version = changed.one(_HERE, "aws_appconfig_hosted_configuration_version")
    version["content"] = version["content"].replace('"EU":"eu-west-1"', '"EU":"us-east-1"')


def _queue_in_another_region(changed: Changed) -> None:
    changed.stack(_HERE)["provider"]["aws"].append({"alias": "away", "region": _OTHER})
    changed.one(_HERE, "aws_sqs_queue", "queue-quarantine_queue")["provider"] = "aws.away"


def _one_region_more(changed: Changed) -> None:
    changed.stack(_HERE)["provider"]["aws"].append({"alias": "away", "region": "sa-east-1"})
    changed.add(_HERE, "aws_cloudwatch_event_bus", name="harbour", provider="aws.away")
    changed.one(_HERE, "aws_cloudwatch_event_target", f"to-{_OTHER}")["arn"] = "${aws_cloudwatch_event_bus.added.arn}"


def _variable(name: str, value: str) -> _Change:
    def change(changed: Changed) -> None:
        changed.one(_HERE, "aws_lambda_function", "function-listener")["environment"]["variables"][name] = value

    return change


def _backup_elsewhere(changed: Changed) -> None:
    table = changed.reference(_HERE, "aws_dynamodb_table", "table-visits_table", "arn")
    changed.add(_HERE, "aws_backup_selection", name="tables", plan_id="plan", iam_role_arn="role", resources=[table])


def _copied_table(changed: Changed) -> None:
    source = changed.reference(_HERE, "aws_dynamodb_table", "table-visits_table", "arn")
    changed.add(_HERE, "aws_dynamodb_table", name="copy", hash_key="pk", restore_source_table_arn=source)


def _reader(changed: Changed) -> None:
    changed.add(_HERE, "aws_iam_role", name="analyst", assume_role_policy=_TRUSTED)
    reads = {"Effect": "Allow", "Action": "dynamodb:Scan", "Resource": f"arn:aws:dynamodb:{_HERE}:{ACCOUNT}:table/*"}
    changed.add(_HERE, "aws_iam_role_policy", role="analyst", name="read", policy=json.dumps({"Statement": reads}))


def _wider_attachment(changed: Changed) -> None:
    role = changed.reference(_HERE, "aws_iam_role", "function-replicator", "name")
    policy = changed.reference(_HERE, "aws_iam_policy", "application", "arn")
    changed.add(_HERE, "aws_iam_role_policy_attachment", role=role, policy_arn=policy)


_TRUSTED = json.dumps({"Statement": {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "*"}})
_ANY = '{"source": ["domicile"]}'
_TARGETS = "aws_cloudwatch_event_target.added"
_RULE = "aws_cloudwatch_event_rule.routing_rule-to-ap-south-1"
_TO_OTHER = "aws_cloudwatch_event_target.routing_target-to-ap-south-1"
_BUS_POLICY = "aws_cloudwatch_event_bus_policy.routing_bus-policy"
_QUEUE = "aws_sqs_queue.queue-inbox_queue"
_KEY = "aws_kms_key.encryption_key"
_WORK = "aws_iam_role_policy.function-replicator_policy-work"
_TABLE_VISITS = ("aws_dynamodb_table", "table-visits_table")
_LISTENER_LOGS = ("log_group_name", "aws_cloudwatch_log_group", "function-listener", "name")

LEAKS: dict[str, tuple[_Change, str]] = {
    "a prefix": (_pattern(_HERE, f"to-{_OTHER}", destination=[{"prefix": "eu-"}]), _TO_OTHER),
    "a suffix": (_pattern(_HERE, f"to-{_OTHER}", destination=[{"suffix": "-1"}]), _TO_OTHER),
    "a wildcard": (_pattern(_HERE, f"to-{_OTHER}", destination=[{"wildcard": "*-west-*"}]), _TO_OTHER),
    "anything but": (_pattern(_HERE, f"to-{_OTHER}", destination=[{"anything-but": [_HERE]}]), _TO_OTHER),
    "whatever exists": (_pattern(_HERE, f"to-{_OTHER}", destination=[{"exists": True}]), _TO_OTHER),
    "no destination": (_pattern(_HERE, f"to-{_OTHER}", destination=None), _TO_OTHER),
    "another destination": (_pattern(_HERE, f"to-{_OTHER}", destination=[_OTHER, _HOME]), _TO_OTHER),
    "a bus of another account": (
        _target(_HERE, f"to-{_HOME}", f"arn:aws:events:{_HOME}:{_FOREIGN}:event-bus/harbour"),
        _TARGETS,
    ),
    "a bus of another Region": (
        _target(_HERE, f"to-{_HOME}", f"arn:aws:events:sa-east-1:{ACCOUNT}:event-bus/harbour"),
        _TARGETS,
    ),
    "a bus in a Region more": (_one_region_more, _TO_OTHER),
    "a second target, of a sibling": (
        _target(_HERE, f"to-{_HOME}", f"arn:aws:events:{_OTHER}:{ACCOUNT}:event-bus/harbour"),
        _TARGETS,
    ),
    "a target in the account": (
        _target(_HOME, "inbox", f"arn:aws:lambda:{_HOME}:{ACCOUNT}:function:peek"),
        _TARGETS,
    ),
    "a log group as target": (_target(_HOME, "inbox", f"arn:aws:logs:{_HOME}:{ACCOUNT}:log-group:/all"), _TARGETS),
    "a bus whose dead letters leave": (
        _set(
            _HERE,
            "aws_cloudwatch_event_bus",
            "",
            dead_letter_config={"arn": f"arn:aws:sqs:{_HERE}:{_FOREIGN}:dead-letters"},
        ),
        "aws_cloudwatch_event_bus.routing_bus",
    ),
    "an archive": (
        _refer(
            _HOME,
            "aws_cloudwatch_event_archive",
            ("event_source_arn", "aws_cloudwatch_event_bus", "bus", "arn"),
            name="all",
        ),
        "aws_cloudwatch_event_archive.added",
    ),
    "an account on the bus": (
        _statement(
            _HERE,
            "aws_cloudwatch_event_bus_policy",
            "",
            {"Action": "events:PutEvents", "Principal": {"AWS": _FOREIGN}},
        ),
        _BUS_POLICY,
    ),
    "everyone on the bus": (
        _statement(_HERE, "aws_cloudwatch_event_bus_policy", "", {"Action": "events:*", "Principal": "*"}),
        _BUS_POLICY,
    ),
    "an organization on the bus": (
        _statement(
            _HERE,
            "aws_cloudwatch_event_bus_policy",
            "",
            {
                "Action": "events:*",
                "Principal": "*",
                "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}},
            },
        ),
        _BUS_POLICY,
    ),
    "logs to another Region": (
        _refer(
            _HERE,
            "aws_cloudwatch_log_subscription_filter",
            _LISTENER_LOGS,
            destination_arn=f"arn:aws:logs:{_OTHER}:{ACCOUNT}:destination:all",
        ),
        "aws_cloudwatch_log_subscription_filter.added",
    ),
    "logs to another account": (
        _refer(
            _HERE,
            "aws_cloudwatch_log_subscription_filter",
            _LISTENER_LOGS,
            destination_arn=f"arn:aws:kinesis:{_HERE}:{_FOREIGN}:stream/all",
        ),
        "aws_cloudwatch_log_subscription_filter.added",
    ),
    "all logs": (
        _add(
            _HERE,
            "aws_cloudwatch_log_account_policy",
            policy_type="SUBSCRIPTION_FILTER_POLICY",
            policy_document=json.dumps({"DestinationArn": f"arn:aws:firehose:{_HERE}:{_FOREIGN}:deliverystream/all"}),
        ),
        "aws_cloudwatch_log_account_policy.added",
    ),
    "a Global Table": (
        _set(_HERE, *_TABLE_VISITS, replica=[{"region_name": _OTHER}]),
        "aws_dynamodb_table.table-visits_table",
    ),
    "a replica as a resource": (
        _refer(
            _HERE,
            "aws_dynamodb_table_replica",
            ("global_table_arn", *_TABLE_VISITS, "arn"),
            region=_OTHER,
        ),
        "aws_dynamodb_table_replica.added",
    ),
    "a second consumer": (_second_consumer, "aws_lambda_event_source_mapping.added"),
    "a stream of Kinesis": (
        _refer(
            _HERE,
            "aws_dynamodb_kinesis_streaming_destination",
            ("table_name", *_TABLE_VISITS, "name"),
            stream_arn=f"arn:aws:kinesis:{_HERE}:{ACCOUNT}:stream/all",
        ),
        "aws_dynamodb_kinesis_streaming_destination.added",
    ),
    "an export": (
        _refer(_HERE, "aws_dynamodb_table_export", ("table_arn", *_TABLE_VISITS, "arn"), s3_bucket="all"),
        "aws_dynamodb_table_export.added",
    ),
    "a restored copy": (_copied_table, "aws_dynamodb_table.added"),
    "a pipe": (
        _refer(
            _HERE,
            "aws_pipes_pipe",
            ("source", *_TABLE_VISITS, "stream_arn"),
            name="all",
            role_arn="arn:aws:iam::1:role/all",
            target=f"arn:aws:sqs:{_HERE}:{ACCOUNT}:all",
        ),
        "aws_pipes_pipe.added",
    ),
    "a queue for everyone": (
        _statement(_HERE, "aws_sqs_queue", "queue-inbox_queue", {"Action": "sqs:*", "Principal": "*"}),
        _QUEUE,
    ),
    "a queue for the rules of any account": (
        _statement(
            _HERE,
            "aws_sqs_queue",
            "queue-inbox_queue",
            {"Action": "sqs:SendMessage", "Principal": {"Service": "events.amazonaws.com"}},
        ),
        _QUEUE,
    ),
    "a table for another account": (
        _refer(
            _HERE,
            "aws_dynamodb_resource_policy",
            ("resource_arn", *_TABLE_VISITS, "arn"),
            policy=json.dumps(
                {
                    "Statement": {
                        "Effect": "Allow",
                        "Action": "dynamodb:GetItem",
                        "Resource": "*",
                        "Principal": {"AWS": f"arn:aws:iam::{_FOREIGN}:root"},
                    }
                }
            ),
        ),
        "aws_dynamodb_resource_policy.added",
    ),
    "a key for another account": (
        _statement(
            _HERE,
            "aws_kms_key",
            "",
            {"Action": "kms:Decrypt", "Principal": {"AWS": f"arn:aws:iam::{_FOREIGN}:root"}},
        ),
        _KEY,
    ),
    "a function for another account": (
        _refer(
            _HERE,
            "aws_lambda_permission",
            ("function_name", "aws_lambda_function", "function-listener", "function_name"),
            principal=_FOREIGN,
            action="lambda:InvokeFunction",
        ),
        "aws_lambda_permission.added",
    ),
    "a replicator that writes elsewhere": (
        _statement(
            _HOME,
            "aws_iam_role_policy",
            "function-replicator_policy-work",
            {
                "Action": "dynamodb:PutItem",
                "Resource": f"arn:aws:dynamodb:{_OTHER}:{ACCOUNT}:table/harbour-visits",
            },
        ),
        _WORK,
    ),
    "a replicator that scans elsewhere": (
        _statement(
            _HERE,
            "aws_iam_role_policy",
            "function-replicator_policy-work",
            {
                "Action": "dynamodb:Scan",
                "Resource": f"arn:aws:dynamodb:*:{ACCOUNT}:table/harbour-visits",
            },
        ),
        _WORK,
    ),
    "a replicator that may do all": (
        _statement(
            _HERE,
            "aws_iam_role_policy",
            "function-replicator_policy-work",
            {"Action": "dynamodb:*", "Resource": "*"},
        ),
        _WORK,
    ),
    "a replicator that sends to any queue": (
        _statement(
            _HERE,
            "aws_iam_role_policy",
            "function-replicator_policy-work",
            {"Action": "sqs:SendMessage", "Resource": "*"},
        ),
        _WORK,
    ),
    "a replicator that writes files": (
        _statement(
            _HERE,
            "aws_iam_role_policy",
            "function-replicator_policy-work",
            {"Action": "s3:PutObject", "Resource": "arn:aws:s3:::all/*"},
        ),
        _WORK,
    ),
    "a replicator's role for people": (
        _statement(
            _HERE,
            "aws_iam_role",
            "function-replicator",
            {
                "Action": "sts:AssumeRole",
                "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
            },
            "assume_role_policy",
        ),
        "aws_iam_role.function-replicator_role",
    ),
    "a replicator with the application's policy": (_wider_attachment, "aws_iam_policy.application_policy"),
    "a router to anywhere": (
        _statement(
            _HERE,
            "aws_iam_role_policy",
            "routing_router-policy",
            {"Action": "events:PutEvents", "Resource": "*"},
        ),
        "aws_iam_role_policy.routing_router-policy",
    ),
    "a role that reads": (_reader, "aws_iam_role_policy.added"),
    "a user that may do all": (
        _add(
            _HERE,
            "aws_iam_user_policy",
            user="root",
            policy=json.dumps({"Statement": {"Effect": "Allow", "Action": "dynamo*:*", "Resource": "*"}}),
        ),
        "aws_iam_user_policy.added",
    ),
    "another bus": (
        _variable("DOMICILE_BUS", f"arn:aws:events:{_HERE}:{_FOREIGN}:event-bus/harbour"),
        "aws_lambda_function.function-listener_function",
    ),
    "another quarantine": (
        _variable("DOMICILE_QUARANTINE_URL", f"https://sqs.{_OTHER}.amazonaws.com/{_FOREIGN}/harbour-quarantine"),
        "aws_lambda_function.function-listener_function",
    ),
    "another endpoint": (
        _variable("AWS_ENDPOINT_URL", "https://example.com"),
        "aws_lambda_function.function-listener_function",
    ),
    "other code": (
        _set(_HERE, "aws_lambda_function", "function-replicator", handler="copy.handler"),
        "aws_lambda_event_source_mapping.function-replicator_queue-inbox",
    ),
    "a layer": (
        _set(_HERE, "aws_lambda_function", "function-replicator", layers=["arn:aws:lambda:layer"]),
        "aws_lambda_event_source_mapping.function-replicator_queue-inbox",
    ),
    "another policy document": (
        _variable("DOMICILE_POLICY", "other/live/policy"),
        "aws_lambda_function.function-listener_function",
    ),
    "another map": (_map_differs, "aws_appconfig_hosted_configuration_version.policy_version"),
    "a quarantine in another Region": (
        _queue_in_another_region,
        "aws_lambda_function.function-listener_function",
    ),
}

UNJUDGED: dict[str, tuple[_Change, str]] = {
    "an unknown operator": (
        _pattern(_HERE, f"to-{_OTHER}", destination=[{"sounds-like": _OTHER}]),
        _RULE,
    ),
    "no pattern": (
        _set(_HERE, "aws_cloudwatch_event_rule", f"rule-to-{_OTHER}_", event_pattern="{"),
        _RULE,
    ),
    "a pattern that is known later": (
        _set(_HERE, "aws_cloudwatch_event_rule", f"rule-to-{_OTHER}_", event_pattern="${jsonencode(local.pattern)}"),
        _RULE,
    ),
    "a policy that is known later": (
        _set(_HERE, "aws_iam_role_policy", "function-replicator_policy-work", policy="${file(local.policy)}"),
        _WORK,
    ),
    "a policy from elsewhere": (
        _refer(
            _HERE,
            "aws_iam_role_policy_attachment",
            ("role", "aws_iam_role", "function-replicator", "name"),
            policy_arn="arn:aws:iam::aws:policy/ReadOnlyAccess",
        ),
        "aws_iam_role_policy_attachment.added",
    ),
    "a backup": (_backup_elsewhere, "aws_backup_selection.added"),
    "a mapping from who knows where": (
        _add(
            _HERE,
            "aws_lambda_event_source_mapping",
            event_source_arn="${data.aws_dynamodb_table.visits.stream_arn}",
            function_name="copy",
        ),
        "aws_lambda_event_source_mapping.added",
    ),
    "a rule of an unknown bus": (
        _add(_HERE, "aws_cloudwatch_event_rule", name="all", event_bus_name="${var.bus}", event_pattern=_ANY),
        "aws_cloudwatch_event_rule.added",
    ),
    "a schema discoverer": (
        _refer(_HERE, "aws_schemas_discoverer", ("source_arn", "aws_cloudwatch_event_bus", "bus", "arn")),
        "aws_schemas_discoverer.added",
    ),
    "a text that names a table": (
        _add(_HERE, "aws_cloudformation_stack", name="x", template_body="TableName: harbour-visits"),
        "aws_cloudformation_stack.added",
    ),
    "a repeated resource": (
        _set(_HERE, "aws_sqs_queue", "queue-quarantine_queue", count="${var.queues}"),
        "aws_sqs_queue.queue-quarantine_queue",
    ),
    "an action that is not known": (
        _statement(
            _HERE,
            "aws_iam_role_policy",
            "function-replicator_policy-work",
            {"Action": "sts:AssumeRole", "Resource": "*"},
        ),
        _WORK,
    ),
    "another version of the code": (
        _set(_HERE, "aws_lambda_function", "function-replicator", source_code_hash="other"),
        "aws_lambda_function.function-replicator_function",
    ),
}

HARMLESS: dict[str, _Change] = {
    "tags": _set(_HERE, *_TABLE_VISITS, tags={"owner": "harbour-master"}),
    "retention": _set(_HERE, "aws_cloudwatch_log_group", "function-listener", retention_in_days=365),
    "memory": _set(_HERE, "aws_lambda_function", "function-replicator", memory_size=2048),
    "concurrency": _set(_HERE, "aws_lambda_event_source_mapping", "queue-inbox", scaling_config={"maximum": 2}),
    "a narrower rule": _pattern(_HERE, f"to-{_OTHER}", destination=[_OTHER]),
    "a pattern that says the same": _pattern(_HERE, f"to-{_OTHER}", destination=[{"prefix": "ap-south-1"}, "*"]),
    "a function of somebody else": _add(
        _HERE,
        "aws_lambda_function",
        function_name="others",
        handler="main.handler",
        role="arn:aws:iam::1:role/others",
        environment={"variables": {"MODE": "x"}},
    ),
    "an alarm": _add(_HERE, "aws_cloudwatch_metric_alarm", alarm_name="a", dimensions={"QueueName": "harbour-inbox"}),
    "a table of somebody else": _add(_HERE, "aws_dynamodb_table", name="others", hash_key="id"),
    "a scheduled rule": _add(_HERE, "aws_cloudwatch_event_rule", name="daily", schedule_expression="rate(1 day)"),
}


def test_the_projects_own_deployment_is_proven(stacks: Path) -> None:
    found = review(read_stacks(stacks))
    assert found.clean
    assert found.of(Severity.VIOLATION, Severity.UNKNOWN) == []
    assert found.not_judged == ()
    reached = {verdict.authority: verdict.reached for verdict in found.verdicts}
    assert reached == {"EU": (_HOME,), "IN": (_OTHER,), "global": (_OTHER, _HOME, _HERE)}
    assert {verdict.outcome for verdict in found.verdicts} == {Outcome.CLEAN}


def test_the_matrix_says_what_passes_and_by_which_resource(stacks: Path) -> None:
    passages = {(one.authority, one.source, one.target): one for one in review(read_stacks(stacks)).passages}
    move = passages["EU", _HERE, _HOME]
    assert move.kinds == (Kind.FULL, Kind.DELETE)
    (carrier,) = move.carriers
    assert carrier.startswith("aws_cloudwatch_event_target.routing_target-to-eu-west-1_")
    assert carrier.endswith("(us-east-1)")
    assert passages["EU", _HOME, _HERE].kinds == (Kind.STUB, Kind.DELETE, Kind.FINISHED)
    assert passages["EU", _HERE, _OTHER].kinds == (Kind.DELETE,)


def _review_of(change: _Change, stacks: Path, folder: Path, *, caught: str) -> Review:
    """Review changed stacks, which must not be clean for the resource ``caught``."""
    changed = Changed(stacks)
    change(changed)
    found = changed.review(folder)
    assert not found.clean
    assert caught in {name.split(" ")[0] for name in named(found)}
    return found


@pytest.mark.parametrize(("change", "resource"), LEAKS.values(), ids=LEAKS)
def test_a_change_that_leaks_is_a_violation_of_its_resource(
    change: _Change, resource: str, stacks: Path, tmp_path: Path
) -> None:
    found = _review_of(change, stacks, tmp_path, caught=resource)
    assert Outcome.CLEAN not in {verdict.outcome for verdict in found.verdicts}


@pytest.mark.parametrize(("change", "resource"), UNJUDGED.values(), ids=UNJUDGED)
def test_what_can_not_be_judged_is_not_taken_for_safe(
    change: _Change, resource: str, stacks: Path, tmp_path: Path
) -> None:
    changed = Changed(stacks)
    change(changed)
    found = changed.review(tmp_path)
    assert not found.clean
    assert resource in {name.split(" ")[0] for name in named(found, Severity.UNKNOWN)}


@pytest.mark.parametrize("change", HARMLESS.values(), ids=HARMLESS)
def test_a_harmless_change_is_not_reported(change: _Change, stacks: Path, tmp_path: Path) -> None:
    changed = Changed(stacks)
    change(changed)
    assert changed.review(tmp_path).of(Severity.VIOLATION, Severity.UNKNOWN) == []


def test_a_leak_shows_where_the_images_come_to(stacks: Path, tmp_path: Path) -> None:
    changed = Changed(stacks)
    _pattern(_HERE, f"to-{_OTHER}", destination=[{"exists": True}])(changed)
    found = changed.review(tmp_path)
    verdicts = {verdict.authority: verdict for verdict in found.verdicts}
    assert (verdicts["EU"].reached, verdicts["EU"].leaked) == ((_HOME,), (_OTHER,))
    assert verdicts["EU"].outcome is Outcome.LEAKS
    assert verdicts["IN"].outcome is Outcome.NOT_PROVEN
    images, receipts = found.of(Severity.VIOLATION)
    assert "full images of EU items (written in us-east-1)" in images.text
    assert "receipts of global items (written in eu-west-1)" in receipts.text
    (leak,) = [one for one in found.passages if not one.allowed and one.authority == "EU"]
    assert (leak.authority, leak.source, leak.target, leak.kinds) == ("EU", _HERE, _OTHER, (Kind.FULL,))


def test_a_global_table_of_others_is_said_and_no_violation(stacks: Path, tmp_path: Path) -> None:
    changed = Changed(stacks)
    changed.add(_HERE, "aws_dynamodb_table", name="news", hash_key="id", replica=[{"region_name": _OTHER}])
    found = changed.review(tmp_path)
    assert found.clean
    assert "aws_dynamodb_table.added (us-east-1)" in named(found, Severity.RELIED)


@pytest.fixture(scope="module")
def bridged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The synthesized stacks of the example in two partitions."""
    deployment = Deployment.load(ROOT / "examples/bridge/domicile.yaml")
    return synthesize_stand_ins(deployment, tmp_path_factory.mktemp("bridged"))


def test_a_deployment_over_a_bridge_is_proven(bridged: Path) -> None:
    found = review(read_stacks(bridged))
    assert found.of(Severity.VIOLATION, Severity.UNKNOWN) == []
    verdicts = {verdict.authority: verdict for verdict in found.verdicts}
    assert (verdicts["EU"].reached, verdicts["EU"].on_the_way) == ((_HOME,), ("ap-southeast-1", "cn-north-1"))
    assert (verdicts["SG"].reached, verdicts["SG"].on_the_way) == (("ap-southeast-1",), ("cn-north-1",))
    over = {(one.authority, kind) for one in found.passages for kind in one.kinds if one.target == "cn-north-1"}
    assert ("EU", Kind.STUB) in over
    assert ("SG", Kind.STUB) not in over


def _courier(name: str, value: str) -> _Change:
    def change(changed: Changed) -> None:
        function = changed.one("ap-southeast-1", "aws_lambda_function", "function-courier")
        function["environment"]["variables"][name] = value

    return change


BRIDGE_LEAKS: dict[str, tuple[_Change, str]] = {
    "another stream": (_courier("DOMICILE_STREAM", "all"), "aws_lambda_function.function-courier_function"),
    "another Region": (
        _courier("DOMICILE_RECEIVER", "cn-northwest-1"),
        "aws_lambda_function.function-courier_function",
    ),
    "a second reader of the staging stream": (
        _refer(
            "ap-southeast-1",
            "aws_lambda_event_source_mapping",
            ("event_source_arn", "aws_kinesis_stream", "staging", "arn"),
            function_name="all",
        ),
        "aws_lambda_event_source_mapping.added",
    ),
    "a delivery stream": (
        _refer(
            "ap-southeast-1",
            "aws_kinesis_firehose_delivery_stream",
            ("name", "aws_kinesis_stream", "staging", "name"),
            kinesis_source_configuration={
                "kinesis_stream_arn": f"arn:aws:kinesis:ap-southeast-1:{ACCOUNT}:stream/shopease-from-cn-north-1"
            },
        ),
        "aws_kinesis_firehose_delivery_stream.added",
    ),
    "a user that reads": (
        _statement(
            "ap-southeast-1", "aws_iam_user_policy", "", {"Action": ["kinesis:GetRecords", "kinesis:GetShardIterator"]}
        ),
        "aws_iam_user_policy.staging_policy",
    ),
    "a gateway's rule for every destination": (
        _pattern("ap-southeast-1", "to-eu-west-1", destination=None),
        "aws_cloudwatch_event_target.routing_target-to-eu-west-1",
    ),
    "a bus in between that keeps moves": (
        _pattern("eu-west-1", "to-ap-southeast-1", emitter=None, destination=[{"exists": True}]),
        "aws_cloudwatch_event_target.routing_target-to-ap-southeast-1",
    ),
}


@pytest.mark.parametrize(("change", "resource"), BRIDGE_LEAKS.values(), ids=BRIDGE_LEAKS)
def test_a_change_of_a_bridge_that_leaks_is_a_violation(
    change: _Change, resource: str, bridged: Path, tmp_path: Path
) -> None:
    _review_of(change, bridged, tmp_path, caught=resource)
