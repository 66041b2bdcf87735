"""What the functions of a gateway Region and the other side's courier may do, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.infra.synthesized import Stack, synthesize_beijing

_STREAM = "arn:aws-cn:kinesis:cn-north-1:1234:stream/harbour-from-ap-southeast-1"
_SHARED = {"Quarantine", "UseKey", "WriteLogs", "ReadPolicy"}
_KEY = ["arn:aws-cn:kms:cn-north-1:1234:key/*"]


def _grants(statement: Mapping[str, Any]) -> tuple[set[str], list[str]]:
    assert statement["Effect"] == "Allow"
    return set(statement["Action"]), statement["Resource"]


def _user_statements(stack: Stack) -> list[dict[str, Any]]:
    """Return the statements of all policies of the stack's only user, who has no access key."""
    ((_, user),) = stack.resources("aws_iam_user")
    assert user["name"] == "harbour-courier-ap-southeast-1"
    kinds = set(stack.configuration["resource"])
    assert not kinds & {"aws_iam_access_key", "aws_iam_user_policy_attachment", "aws_iam_user_group_membership"}
    policies = [policy for _, policy in stack.resources("aws_iam_user_policy")]
    assert all(stack.resolve(policy["user"]) == user for policy in policies)
    return [statement for policy in policies for statement in json.loads(policy["policy"])["Statement"]]


def test_the_other_sides_courier_writes_to_its_stream_from_its_addresses_alone(beijing: Stack) -> None:
    write, encrypt = _user_statements(beijing)
    assert _grants(write) == ({"kinesis:PutRecords"}, [_STREAM])
    assert write["Condition"] == {"IpAddress": {"aws:SourceIp": ["203.0.113.7/32", "203.0.113.8/32"]}}
    assert _grants(encrypt) == ({"kms:GenerateDataKey"}, _KEY)
    # Only by a call of Kinesis, which the first statement admits or not.
    assert encrypt["Condition"]["StringEquals"]["kms:ViaService"] == [
        "kinesis.cn-north-1.amazonaws.com.cn",
        "kinesis.cn-north-1.amazonaws.com",
    ]


def test_with_aws_owned_keys_it_needs_no_key(tmp_path: Path) -> None:
    stack = synthesize_beijing(tmp_path, {}, encryption="aws-owned")
    (write,) = _user_statements(stack)
    assert write["Resource"] == [_STREAM]
    assert stack.named("aws_kinesis_stream", "harbour-from-ap-southeast-1")["kms_key_id"] == "alias/aws/kinesis"


@pytest.mark.parametrize("egress", ["nat", "private", "proxy"])
def test_from_nowhere_in_particular_it_may_do_nothing(tmp_path: Path, egress: str) -> None:
    settings = {"private": {"endpoint": "https://kinesis.example"}, "proxy": {"proxy": "http://10.0.0.8:3128"}}
    own = settings.get(egress, {})
    gateways = {"ap-southeast-1": own, "cn-north-1": own}
    assert _user_statements(synthesize_beijing(tmp_path, {"egress": egress, "gateways": gateways})) == []


def test_privately_it_is_known_by_the_interface_endpoint(tmp_path: Path) -> None:
    settings = {"endpoint": "https://kinesis.example", "vpc_endpoint": "vpce-0123456789abcdef0"}
    gateways = {"ap-southeast-1": settings, "cn-north-1": settings}
    stack = synthesize_beijing(tmp_path, {"egress": "private", "gateways": gateways})
    write, _ = _user_statements(stack)
    assert write["Resource"] == [_STREAM]
    assert write["Condition"] == {"StringEquals": {"aws:SourceVpce": ["vpce-0123456789abcdef0"]}}


def test_the_courier_reads_its_outbox_its_access_key_and_large_items(beijing: Stack) -> None:
    statements = beijing.statements("harbour-courier-cn-north-1")
    interfaces, alone = statements.pop("ManageInterfaces"), statements.pop("LambdaAlone")
    assert set(statements) == _SHARED | {
        *("ConsumeOutbox", "ReadLargeItems", "ReadLargeItemsKeys", "PutEvents"),
        *("ReadAccessKey", "DecryptAccessKey"),
    }
    assert statements["ConsumeOutbox"]["Resource"] == ["arn:aws-cn:sqs:cn-north-1:1234:harbour-outbox"]
    tables = ["arn:aws-cn:dynamodb:*:1234:table/harbour-ships"]
    assert _grants(statements["ReadLargeItems"]) == ({"dynamodb:GetItem"}, tables)
    near = {"StringEquals": {"aws:RequestedRegion": ["cn-north-1", "cn-northwest-1"]}}
    assert statements["ReadLargeItems"]["Condition"] == near
    secret = "arn:aws-cn:secretsmanager:cn-north-1:1234:secret:harbour/courier-??????"
    assert _grants(statements["ReadAccessKey"]) == ({"secretsmanager:GetSecretValue"}, [secret])
    assert _grants(statements["DecryptAccessKey"]) == ({"kms:Decrypt"}, _KEY)
    # It reads tables and writes to the quarantine.
    assert _grants(statements["UseKey"]) == ({"kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"}, _KEY)
    # Lambda makes the interfaces by the role; the code that runs with it may not.
    assert {action.partition(":")[0] for action in interfaces["Action"]} == {"ec2"}
    assert (alone["Effect"], alone["Action"], alone["Resource"]) == ("Deny", interfaces["Action"], "*")
    function = "arn:aws-cn:lambda:cn-north-1:1234:function:harbour-courier"
    assert alone["Condition"] == {"ArnEquals": {"lambda:SourceFunctionArn": function}}


def test_the_gateway_function_reads_its_stream_and_calls_the_replicators_of_its_side(beijing: Stack) -> None:
    statements = beijing.statements("harbour-gateway-cn-north-1")
    assert set(statements) == _SHARED | {
        *("ReadStream", "DecryptStream", "PutEvents"),
        *("HandOnLargeItems", "KeepExpiredRecords"),
    }
    actions, streams = _grants(statements["ReadStream"])
    assert streams == [_STREAM]
    assert not [action for action in actions if "Put" in action]
    assert _grants(statements["DecryptStream"]) == ({"kms:Decrypt"}, _KEY)
    assert _grants(statements["UseKey"]) == ({"kms:Decrypt", "kms:GenerateDataKey"}, _KEY)
    services = ("sqs.cn-north-1.amazonaws.com.cn", "sqs.cn-north-1.amazonaws.com")
    assert statements["UseKey"]["Condition"]["StringEquals"]["kms:ViaService"] == [*services]
    assert _grants(statements["PutEvents"])[1] == ["arn:aws-cn:events:cn-north-1:1234:event-bus/harbour"]
    assert _grants(statements["HandOnLargeItems"]) == (
        {"lambda:InvokeFunction"},
        [
            f"arn:aws-cn:lambda:{region}:1234:function:harbour-replicator:live"
            for region in ("cn-north-1", "cn-northwest-1")
        ],
    )


def test_a_partition_of_one_region_has_no_siblings_to_name(tmp_path: Path) -> None:
    regions, authorities = ["ap-southeast-1", "eu-west-1", "cn-north-1"], {"SG": "ap-southeast-1"}
    stack = synthesize_beijing(tmp_path, {"stubs": []}, regions=regions, authorities=authorities)
    assert "aws_cloudwatch_event_bus_policy" not in stack.configuration["resource"]
    assert "ReadLargeItems" not in stack.statements("harbour-replicator-cn-north-1")
    assert stack.statements("harbour-courier-cn-north-1")["ReadLargeItems"]["Condition"] == {
        "StringEquals": {"aws:RequestedRegion": ["cn-north-1"]}
    }
    assert '"Resource":[]' not in stack.text.replace("\\", "")


def test_the_key_of_a_gateway_region_serves_all_of_its_functions_logs(beijing: Stack) -> None:
    ((_, key),) = beijing.resources("aws_kms_key")
    statements = {statement["Sid"]: statement for statement in json.loads(key["policy"])["Statement"]}
    assert statements["WriteLogs"]["Principal"] == {"Service": "logs.cn-north-1.amazonaws.com.cn"}
    groups = statements["WriteLogs"]["Condition"]["ArnEquals"]["kms:EncryptionContext:aws:logs:arn"]
    names = {group["name"] for _, group in beijing.resources("aws_cloudwatch_log_group")}
    assert {arn.partition("log-group:")[2] for arn in groups} == names
    assert {f"/aws/lambda/harbour-{role}" for role in ("courier", "gateway")} < names
