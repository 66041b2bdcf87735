"""The project's own deployment is proven, and no change that leaks gets past the review."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from domicile.review.findings import Severity
from domicile.review.protocol import Kind
from domicile.review.reading import read_stacks
from domicile.review.verdict import Outcome, review
from tests.infra.changed import ACCOUNT, Changed, named
from tests.infra.changes import (
    Change,
    added,
    added_with_reference,
    one_statement_more,
    one_target_more,
    pattern_of,
    review_of,
    set_of,
)

_HERE, _HOME, _OTHER = "us-east-1", "eu-west-1", "ap-south-1"
_FOREIGN = "999999999999"


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


def _variable(name: str, value: str) -> Change:
    def change(changed: Changed) -> None:
        changed.one(_HERE, "aws_lambda_function", "function-listener")["environment"]["variables"][name] = value

    return change


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
_TARGETS = "aws_cloudwatch_event_target.added"
_TO_OTHER = "aws_cloudwatch_event_target.routing_target-to-ap-south-1"
_BUS_POLICY = "aws_cloudwatch_event_bus_policy.routing_bus-policy"
_QUEUE = "aws_sqs_queue.queue-inbox_queue"
_KEY = "aws_kms_key.encryption_key"
_WORK = "aws_iam_role_policy.function-replicator_policy-work"
_TABLE_VISITS = ("aws_dynamodb_table", "table-visits_table")
_LISTENER_LOGS = ("log_group_name", "aws_cloudwatch_log_group", "function-listener", "name")

LEAKS: dict[str, tuple[Change, str]] = {
    "a prefix": (pattern_of(_HERE, f"to-{_OTHER}", destination=[{"prefix": "eu-"}]), _TO_OTHER),
    "a suffix": (pattern_of(_HERE, f"to-{_OTHER}", destination=[{"suffix": "-1"}]), _TO_OTHER),
    "a wildcard": (pattern_of(_HERE, f"to-{_OTHER}", destination=[{"wildcard": "*-west-*"}]), _TO_OTHER),
    "anything but": (pattern_of(_HERE, f"to-{_OTHER}", destination=[{"anything-but": [_HERE]}]), _TO_OTHER),
    "whatever exists": (pattern_of(_HERE, f"to-{_OTHER}", destination=[{"exists": True}]), _TO_OTHER),
    "no destination": (pattern_of(_HERE, f"to-{_OTHER}", destination=None), _TO_OTHER),
    "another destination": (pattern_of(_HERE, f"to-{_OTHER}", destination=[_OTHER, _HOME]), _TO_OTHER),
    "a bus of another account": (
        one_target_more(_HERE, f"to-{_HOME}", f"arn:aws:events:{_HOME}:{_FOREIGN}:event-bus/harbour"),
        _TARGETS,
    ),
    "a bus of another Region": (
        one_target_more(_HERE, f"to-{_HOME}", f"arn:aws:events:sa-east-1:{ACCOUNT}:event-bus/harbour"),
        _TARGETS,
    ),
    "a bus in a Region more": (_one_region_more, _TO_OTHER),
    "a second target, of a sibling": (
        one_target_more(_HERE, f"to-{_HOME}", f"arn:aws:events:{_OTHER}:{ACCOUNT}:event-bus/harbour"),
        _TARGETS,
    ),
    "a target in the account": (
        one_target_more(_HOME, "inbox", f"arn:aws:lambda:{_HOME}:{ACCOUNT}:function:peek"),
        _TARGETS,
    ),
    "a log group as target": (
        one_target_more(_HOME, "inbox", f"arn:aws:logs:{_HOME}:{ACCOUNT}:log-group:/all"),
        _TARGETS,
    ),
    "a bus whose dead letters leave": (
        set_of(
            _HERE,
            "aws_cloudwatch_event_bus",
            "",
            dead_letter_config={"arn": f"arn:aws:sqs:{_HERE}:{_FOREIGN}:dead-letters"},
        ),
        "aws_cloudwatch_event_bus.routing_bus",
    ),
    "an archive": (
        added_with_reference(
            _HOME,
            "aws_cloudwatch_event_archive",
            ("event_source_arn", "aws_cloudwatch_event_bus", "bus", "arn"),
            name="all",
        ),
        "aws_cloudwatch_event_archive.added",
    ),
    "an account on the bus": (
        one_statement_more(
            _HERE,
            "aws_cloudwatch_event_bus_policy",
            "",
            {"Action": "events:PutEvents", "Principal": {"AWS": _FOREIGN}},
        ),
        _BUS_POLICY,
    ),
    "everyone on the bus": (
        one_statement_more(_HERE, "aws_cloudwatch_event_bus_policy", "", {"Action": "events:*", "Principal": "*"}),
        _BUS_POLICY,
    ),
    "an organization on the bus": (
        one_statement_more(
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
        added_with_reference(
            _HERE,
            "aws_cloudwatch_log_subscription_filter",
            _LISTENER_LOGS,
            destination_arn=f"arn:aws:logs:{_OTHER}:{ACCOUNT}:destination:all",
        ),
        "aws_cloudwatch_log_subscription_filter.added",
    ),
    "logs to another account": (
        added_with_reference(
            _HERE,
            "aws_cloudwatch_log_subscription_filter",
            _LISTENER_LOGS,
            destination_arn=f"arn:aws:kinesis:{_HERE}:{_FOREIGN}:stream/all",
        ),
        "aws_cloudwatch_log_subscription_filter.added",
    ),
    "all logs": (
        added(
            _HERE,
            "aws_cloudwatch_log_account_policy",
            policy_type="SUBSCRIPTION_FILTER_POLICY",
            policy_document=json.dumps({"DestinationArn": f"arn:aws:firehose:{_HERE}:{_FOREIGN}:deliverystream/all"}),
        ),
        "aws_cloudwatch_log_account_policy.added",
    ),
    "a Global Table": (
        set_of(_HERE, *_TABLE_VISITS, replica=[{"region_name": _OTHER}]),
        "aws_dynamodb_table.table-visits_table",
    ),
    "a replica as a resource": (
        added_with_reference(
            _HERE,
            "aws_dynamodb_table_replica",
            ("global_table_arn", *_TABLE_VISITS, "arn"),
            region=_OTHER,
        ),
        "aws_dynamodb_table_replica.added",
    ),
    "a second consumer": (_second_consumer, "aws_lambda_event_source_mapping.added"),
    "a stream of Kinesis": (
        added_with_reference(
            _HERE,
            "aws_dynamodb_kinesis_streaming_destination",
            ("table_name", *_TABLE_VISITS, "name"),
            stream_arn=f"arn:aws:kinesis:{_HERE}:{ACCOUNT}:stream/all",
        ),
        "aws_dynamodb_kinesis_streaming_destination.added",
    ),
    "an export": (
        added_with_reference(_HERE, "aws_dynamodb_table_export", ("table_arn", *_TABLE_VISITS, "arn"), s3_bucket="all"),
        "aws_dynamodb_table_export.added",
    ),
    "a restored copy": (_copied_table, "aws_dynamodb_table.added"),
    "a pipe": (
        added_with_reference(
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
        one_statement_more(_HERE, "aws_sqs_queue", "queue-inbox_queue", {"Action": "sqs:*", "Principal": "*"}),
        _QUEUE,
    ),
    "a queue for the rules of any account": (
        one_statement_more(
            _HERE,
            "aws_sqs_queue",
            "queue-inbox_queue",
            {"Action": "sqs:SendMessage", "Principal": {"Service": "events.amazonaws.com"}},
        ),
        _QUEUE,
    ),
    "a table for another account": (
        added_with_reference(
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
        one_statement_more(
            _HERE,
            "aws_kms_key",
            "",
            {"Action": "kms:Decrypt", "Principal": {"AWS": f"arn:aws:iam::{_FOREIGN}:root"}},
        ),
        _KEY,
    ),
    "a function for another account": (
        added_with_reference(
            _HERE,
            "aws_lambda_permission",
            ("function_name", "aws_lambda_function", "function-listener", "function_name"),
            principal=_FOREIGN,
            action="lambda:InvokeFunction",
        ),
        "aws_lambda_permission.added",
    ),
    "a replicator that writes elsewhere": (
        one_statement_more(
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
        one_statement_more(
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
        one_statement_more(
            _HERE,
            "aws_iam_role_policy",
            "function-replicator_policy-work",
            {"Action": "dynamodb:*", "Resource": "*"},
        ),
        _WORK,
    ),
    "a replicator that sends to any queue": (
        one_statement_more(
            _HERE,
            "aws_iam_role_policy",
            "function-replicator_policy-work",
            {"Action": "sqs:SendMessage", "Resource": "*"},
        ),
        _WORK,
    ),
    "a replicator that writes files": (
        one_statement_more(
            _HERE,
            "aws_iam_role_policy",
            "function-replicator_policy-work",
            {"Action": "s3:PutObject", "Resource": "arn:aws:s3:::all/*"},
        ),
        _WORK,
    ),
    "a replicator's role for people": (
        one_statement_more(
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
        one_statement_more(
            _HERE,
            "aws_iam_role_policy",
            "routing_router-policy",
            {"Action": "events:PutEvents", "Resource": "*"},
        ),
        "aws_iam_role_policy.routing_router-policy",
    ),
    "a role that reads": (_reader, "aws_iam_role_policy.added"),
    "a user that may do all": (
        added(
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
        set_of(_HERE, "aws_lambda_function", "function-replicator", handler="copy.handler"),
        "aws_lambda_event_source_mapping.function-replicator_queue-inbox",
    ),
    "a layer": (
        set_of(_HERE, "aws_lambda_function", "function-replicator", layers=["arn:aws:lambda:layer"]),
        "aws_lambda_event_source_mapping.function-replicator_queue-inbox",
    ),
    "code from a bucket": (
        set_of(_HERE, "aws_lambda_function", "function-replicator", s3_bucket="others", s3_key="code.zip"),
        "aws_lambda_event_source_mapping.function-replicator_queue-inbox",
    ),
    "an endpoint for a listener": (
        _variable("DOMICILE_ENDPOINT", "https://example.com"),
        "aws_lambda_function.function-listener_function",
    ),
    "a proxy for a listener": (
        _variable("DOMICILE_PROXY", "https://example.com"),
        "aws_lambda_function.function-listener_function",
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

HARMLESS: dict[str, Change] = {
    "tags": set_of(_HERE, *_TABLE_VISITS, tags={"owner": "harbour-master"}),
    "retention": set_of(_HERE, "aws_cloudwatch_log_group", "function-listener", retention_in_days=365),
    "memory": set_of(_HERE, "aws_lambda_function", "function-replicator", memory_size=2048),
    "concurrency": set_of(_HERE, "aws_lambda_event_source_mapping", "queue-inbox", scaling_config={"maximum": 2}),
    "a narrower rule": pattern_of(_HERE, f"to-{_OTHER}", destination=[_OTHER]),
    "a pattern that says the same": pattern_of(_HERE, f"to-{_OTHER}", destination=[{"prefix": "ap-south-1"}, "*"]),
    "a function of somebody else": added(
        _HERE,
        "aws_lambda_function",
        function_name="others",
        handler="main.handler",
        role="arn:aws:iam::1:role/others",
        environment={"variables": {"MODE": "x"}},
    ),
    "an alarm": added(_HERE, "aws_cloudwatch_metric_alarm", alarm_name="a", dimensions={"QueueName": "harbour-inbox"}),
    "a table of somebody else": added(_HERE, "aws_dynamodb_table", name="others", hash_key="id"),
    "a scheduled rule": added(_HERE, "aws_cloudwatch_event_rule", name="daily", schedule_expression="rate(1 day)"),
}


def test_the_projects_own_deployment_is_proven(stacks: Path) -> None:
    found = review(read_stacks(stacks))
    assert found.clean
    assert found.of(Severity.VIOLATION, Severity.UNKNOWN) == []
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


@pytest.mark.parametrize(("change", "resource"), LEAKS.values(), ids=LEAKS)
def test_a_change_that_leaks_is_a_violation_of_its_resource(
    change: Change, resource: str, stacks: Path, tmp_path: Path
) -> None:
    found = review_of(change, stacks, tmp_path, caught=resource)
    assert Outcome.CLEAN not in {verdict.outcome for verdict in found.verdicts}


@pytest.mark.parametrize("change", HARMLESS.values(), ids=HARMLESS)
def test_a_harmless_change_is_not_reported(change: Change, stacks: Path, tmp_path: Path) -> None:
    changed = Changed(stacks)
    change(changed)
    assert changed.review(tmp_path).of(Severity.VIOLATION, Severity.UNKNOWN) == []


def test_a_leak_shows_where_the_images_come_to(stacks: Path, tmp_path: Path) -> None:
    changed = Changed(stacks)
    pattern_of(_HERE, f"to-{_OTHER}", destination=[{"exists": True}])(changed)
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


def test_the_projects_own_global_tables_are_said_with_where_their_items_come_to(natively: Path) -> None:
    start = "outside the protocol: every item of "
    relied = {one.text for one in review(read_stacks(natively)).of(Severity.RELIED)}
    assert {text.removeprefix(start) for text in relied if text.startswith(start)} == {
        "us-east-1 dynamodb table/harbour-buoys comes whole to eu-west-1",
        "us-east-1 dynamodb table/harbour-ships comes whole to ap-south-1",
        "us-east-1 dynamodb table/harbour-ships comes whole to eu-west-1",
        "us-west-2 dynamodb table/harbour-berths comes whole to us-east-1, us-east-2",
    }
