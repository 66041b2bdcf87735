"""What each role may do, statement by statement, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.infra.synthesized import Stack

_TABLES = [f"arn:aws:dynamodb:us-east-1:1234:table/harbour-{table}" for table in ("visits", "tides")]
_LEDGERS = [f"{table}-ledger" for table in _TABLES]
_SQS = "arn:aws:sqs:us-east-1:1234:harbour"
_BUS = "arn:aws:events:us-east-1:1234:event-bus/harbour"
_READ_WRITE = {"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"}
_KEEP = {"dynamodb:GetItem", "dynamodb:UpdateItem"}
USE_KEY = {
    *("kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext"),
    *("kms:ReEncryptFrom", "kms:ReEncryptTo"),
}
_CONSUME = {
    f"sqs:{action}"
    for action in ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes", "ChangeMessageVisibility", "GetQueueUrl")
}
_SHARED = {"Quarantine", "ReadHashKey", "UseKey", "WriteLogs", "WriteTraces", "ReadPolicy"}


def _grants(statement: Mapping[str, Any]) -> tuple[set[str], list[str]]:
    assert statement["Effect"] == "Allow"
    return set(statement["Action"]), statement["Resource"]


@pytest.mark.parametrize("role", ["listener", "replicator", "anonymizer"])
def test_every_function_may_quarantine_read_the_policy_and_tell_of_its_work(virginia: Stack, role: str) -> None:
    statements = virginia.statements(f"harbour-{role}-us-east-1")
    assert _grants(statements["Quarantine"]) == ({"sqs:SendMessage"}, [f"{_SQS}-quarantine"])
    secret = "arn:aws:secretsmanager:us-east-1:1234:secret:harbour/hash-key-??????"
    assert _grants(statements["ReadHashKey"]) == ({"secretsmanager:GetSecretValue"}, [secret])
    log_streams = f"arn:aws:logs:us-east-1:1234:log-group:/aws/lambda/harbour-{role}:*"
    assert _grants(statements["WriteLogs"]) == ({"logs:CreateLogStream", "logs:PutLogEvents"}, [log_streams])
    assert _grants(statements["WriteTraces"]) == ({"xray:PutTraceSegments", "xray:PutTelemetryRecords"}, ["*"])
    actions, (configuration,) = _grants(statements["ReadPolicy"])
    assert actions == {"appconfig:StartConfigurationSession", "appconfig:GetLatestConfiguration"}
    assert configuration.startswith("arn:aws:appconfig:us-east-1:1234:application/${aws_appconfig_application.")


def test_the_listener_follows_streams_and_settles_writes(virginia: Stack) -> None:
    statements = virginia.statements("harbour-listener-us-east-1")
    assert set(statements) == _SHARED | {
        *("FollowStreams", "SettleWrites", "KeepLedgers"),
        *("PutEvents", "KeepExpiredRecords"),
    }
    assert _grants(statements["SettleWrites"]) == (_READ_WRITE, _TABLES)
    assert _grants(statements["KeepLedgers"]) == (_KEEP, _LEDGERS)
    assert _grants(statements["PutEvents"]) == ({"events:PutEvents"}, [_BUS])
    assert _grants(statements["KeepExpiredRecords"]) == ({"sqs:SendMessage"}, [f"{_SQS}-stream-dlq"])
    actions, streams = _grants(statements["FollowStreams"])
    assert actions == {f"dynamodb:{of}" for of in ("DescribeStream", "GetRecords", "GetShardIterator", "ListStreams")}
    assert streams == [f"{table}/stream/*" for table in _TABLES]


def test_the_replicator_writes_here_and_only_reads_tables_elsewhere(virginia: Stack) -> None:
    statements = virginia.statements("harbour-replicator-us-east-1")
    assert set(statements) == _SHARED | {
        *("ConsumeInbox", "ApplyChanges", "KeepLedgers", "PutEvents"),
        *("ReadLargeItems", "ReadLargeItemsKeys"),
    }
    assert _grants(statements["ConsumeInbox"]) == (_CONSUME, [f"{_SQS}-inbox"])
    assert _grants(statements["ApplyChanges"]) == (_READ_WRITE, _TABLES)
    assert _grants(statements["KeepLedgers"]) == (_KEEP, _LEDGERS)
    assert _grants(statements["PutEvents"]) == ({"events:PutEvents"}, [_BUS])
    originals = [f"arn:aws:dynamodb:*:1234:table/harbour-{table}" for table in ("visits", "tides")]
    assert _grants(statements["ReadLargeItems"]) == ({"dynamodb:GetItem"}, originals)
    siblings = {"aws:RequestedRegion": ["eu-west-1", "ap-south-1"]}
    assert statements["ReadLargeItems"]["Condition"] == {"StringEquals": siblings}


def test_the_anonymizer_only_updates_tables(virginia: Stack) -> None:
    statements = virginia.statements("harbour-anonymizer-us-east-1")
    assert set(statements) == _SHARED | {"ConsumeReceipts", "MakeStubs"}
    assert _grants(statements["ConsumeReceipts"]) == (_CONSUME, [f"{_SQS}-receipts"])
    assert _grants(statements["MakeStubs"]) == (_KEEP, _TABLES)


def test_keys_are_used_by_alias_and_through_the_service_that_holds_the_data(virginia: Stack) -> None:
    statements = virginia.statements("harbour-replicator-us-east-1")
    for sid, actions, regions, services in (
        ("UseKey", USE_KEY, ["us-east-1"], ["dynamodb", "sqs"]),
        ("ReadLargeItemsKeys", {"kms:Decrypt", "kms:DescribeKey"}, ["eu-west-1", "ap-south-1"], ["dynamodb"]),
    ):
        keys = [f"arn:aws:kms:{region}:1234:key/*" for region in regions]
        assert _grants(statements[sid]) == (actions, keys)
        through = [f"{service}.{region}.amazonaws.com" for region in regions for service in services]
        assert statements[sid]["Condition"] == {
            "StringEquals": {"kms:ViaService": through},
            "ForAnyValue:StringEquals": {"kms:ResourceAliases": ["alias/harbour"]},
        }


def test_the_router_is_assumed_by_its_rules_alone_and_puts_on_the_siblings_buses(virginia: Stack) -> None:
    statements = virginia.statements("harbour-router-us-east-1")
    buses = [f"arn:aws:events:{region}:1234:event-bus/harbour" for region in ("eu-west-1", "ap-south-1")]
    assert {sid: _grants(statement) for sid, statement in statements.items()} == {
        "PutOnSiblingBuses": ({"events:PutEvents"}, buses)
    }
    (trust,) = json.loads(virginia.named("aws_iam_role", "harbour-router-us-east-1")["assume_role_policy"])["Statement"]
    assert trust["Principal"] == {"Service": "events.amazonaws.com"}
    rule = "arn:aws:events:us-east-1:1234:rule/harbour/harbour-to"
    assert trust["Condition"] == {
        "ArnEquals": {"aws:SourceArn": [f"{rule}-eu-west-1", f"{rule}-ap-south-1"]},
        "StringEquals": {"aws:SourceAccount": "1234"},
    }


def test_no_role_has_a_policy_from_elsewhere(virginia: Stack) -> None:
    types = set(virginia.configuration["resource"])
    assert not types & {"aws_iam_role_policy_attachment", "aws_iam_policy_attachment"}
    roles = {role["name"] for _, role in virginia.resources("aws_iam_role")}
    assert roles == {f"harbour-{role}-us-east-1" for role in ("listener", "replicator", "anonymizer", "router")}


def test_the_key_serves_the_queues_senders_and_the_functions_logs(virginia: Stack) -> None:
    ((_, key),) = virginia.resources("aws_kms_key")
    statements = {statement["Sid"]: statement for statement in json.loads(key["policy"])["Statement"]}
    assert statements["AdministerThroughIam"]["Principal"] == {"AWS": "arn:aws:iam::1234:root"}
    events = statements["DeliverEventsToQueues"]
    assert events["Principal"] == {"Service": "events.amazonaws.com"}
    assert events["Condition"] == {"StringEquals": {"aws:SourceAccount": "1234"}}
    logs = statements["WriteLogs"]
    assert logs["Principal"] == {"Service": "logs.us-east-1.amazonaws.com"}
    log_groups = [f"arn:aws:logs:us-east-1:1234:log-group:{group['name']}" for _, group in _log_groups(virginia)]
    assert sorted(logs["Condition"]["ArnEquals"]["kms:EncryptionContext:aws:logs:arn"]) == sorted(log_groups)


def _log_groups(stack: Stack) -> list[tuple[str, dict[str, Any]]]:
    return list(stack.resources("aws_cloudwatch_log_group"))
