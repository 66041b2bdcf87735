"""The permissions that a deployer gets: enough for each type of resource, and no wider than its names allow."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from domicile.deployer.policies import CHARACTERS_MAX, policies
from tests.infra.synthesized import GOLDEN

_ACCOUNT = "111122223333"
_ANY_DYNAMODB = ["dynamodb.*.amazonaws.com"]
_REGENERATE = "UPDATE_GOLDEN=1 .venv/bin/python -m pytest tests/infra/test_deployer_policy.py"


def statements_of(file: Path) -> Iterator[dict[str, Any]]:
    for policy in policies(file, _ACCOUNT):
        yield from policy["Statement"]


@pytest.fixture(params=["stacks", "bridged", "natively"])
def files(request: pytest.FixtureRequest) -> list[Path]:
    """The stacks of one of the golden deployments."""
    return sorted(request.getfixturevalue(request.param).glob("*/cdk.tf.json"))


def test_what_each_resource_needs_is_known_and_fits_policies_of_iam(files: list[Path]) -> None:
    for file in files:
        for policy in policies(file, _ACCOUNT):
            assert len(json.dumps(policy, separators=(",", ":"))) <= CHARACTERS_MAX
            sids = [statement["Sid"] for statement in policy["Statement"]]
            assert len(set(sids)) == len(sids)


def test_nothing_is_looked_up_that_the_permissions_do_not_know(files: list[Path]) -> None:
    known = {"aws_caller_identity", "aws_partition", "aws_availability_zones"}  # of these the last one needs some
    for file in files:
        data = json.loads(file.read_text(encoding="utf-8"))["data"]
        assert set(data) <= known
        if "aws_availability_zones" in data:
            actions = {action for statement in statements_of(file) for action in statement["Action"]}
            assert "ec2:DescribeAvailabilityZones" in actions


def test_every_action_is_named_and_every_arn_is_of_the_stacks_account(files: list[Path]) -> None:
    for file in files:
        for statement in statements_of(file):
            assert statement["Effect"] == "Allow"
            assert [action for action in statement["Action"] if "*" in action] == []
            for arn in statement["Resource"]:
                assert arn == "*" or arn.split(":")[4] == _ACCOUNT or arn.split(":")[2] in ("s3", "route53"), arn


def test_a_regions_policies_are_as_they_were_reviewed(stacks: Path) -> None:
    text = json.dumps(policies(stacks / "harbour-us-east-1" / "cdk.tf.json", _ACCOUNT), indent=2) + "\n"
    golden = GOLDEN / "deployer-us-east-1.json"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(text, encoding="utf-8")
    assert golden.read_text(encoding="utf-8") == text, f"If this change is meant, run: {_REGENERATE}"


def allowed(file: Path, resource: str) -> set[str]:
    """Return the actions that the policies of a stack allow on exactly this pattern of ARNs."""
    return {action for one in statements_of(file) if resource in one["Resource"] for action in one["Action"]}


def test_a_replicas_region_does_not_change_the_primarys_table_but_by_its_replica(natively: Path) -> None:
    file = natively / "harbour-eu-west-1" / "cdk.tf.json"
    primary = f"arn:aws:dynamodb:us-east-1:{_ACCOUNT}:table/harbour-ships"
    assert allowed(file, primary) == {"dynamodb:DescribeTable", "dynamodb:UpdateTable"}
    own = allowed(file, primary.replace("us-east-1", "eu-west-1"))
    assert own >= {"dynamodb:CreateTableReplica", "dynamodb:DeleteTable", "dynamodb:PutItem", "dynamodb:TagResource"}


def test_a_replicas_key_is_used_through_the_primarys_dynamodb_too(natively: Path) -> None:
    statements = statements_of(natively / "harbour-eu-west-1" / "cdk.tf.json")
    (using,) = [one for one in statements if one.get("Condition") == {"StringLike": {"kms:ViaService": _ANY_DYNAMODB}}]
    assert using["Resource"] == [f"arn:aws:kms:eu-west-1:{_ACCOUNT}:key/*"]
    assert {"kms:CreateGrant", "kms:Decrypt"} <= set(using["Action"])


def test_a_strong_table_is_made_in_all_its_regions_from_one(natively: Path) -> None:
    file = natively / "harbour-us-west-2" / "cdk.tf.json"
    keys = f"arn:aws:kms:*:{_ACCOUNT}:key/*"
    assert {"kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"} <= allowed(file, keys)
    (using,) = [one for one in statements_of(file) if keys in one["Resource"] and "kms:CreateGrant" in one["Action"]]
    assert using["Condition"] == {"StringLike": {"kms:ViaService": _ANY_DYNAMODB}}
    for role in (
        "replication.dynamodb.amazonaws.com/AWSServiceRoleForDynamoDBReplication",
        "dynamodb.application-autoscaling.amazonaws.com/AWSServiceRoleForApplicationAutoScaling_DynamoDBTable",
    ):
        arn = f"arn:aws:iam::{_ACCOUNT}:role/aws-service-role/{role}"
        assert allowed(file, arn) == {"iam:CreateServiceLinkedRole"}
    targets = allowed(file, f"arn:aws:application-autoscaling:*:{_ACCOUNT}:scalable-target/*")
    assert {"application-autoscaling:PutScalingPolicy", "application-autoscaling:RegisterScalableTarget"} <= targets
    assert "application-autoscaling:DescribeScalableTargets" in allowed(file, "*")


def test_an_interface_endpoint_takes_the_name_of_its_service(bridged: Path) -> None:
    file = bridged / "harbour-cn-north-1" / "cdk.tf.json"
    assert allowed(file, "arn:aws-cn:route53:::hostedzone/*") == {"route53:AssociateVPCWithHostedZone"}


def test_a_role_is_passed_to_the_services_that_take_it_alone(stacks: Path) -> None:
    (passing,) = [
        one for one in statements_of(stacks / "harbour-us-east-1" / "cdk.tf.json") if "iam:PassRole" in one["Action"]
    ]
    assert passing["Action"] == ["iam:PassRole"]
    assert passing["Condition"] == {
        "StringEquals": {"iam:PassedToService": ["events.amazonaws.com", "lambda.amazonaws.com"]}
    }
    roles = [f"harbour-{role}-us-east-1" for role in ("anonymizer", "listener", "replicator", "router")]
    assert passing["Resource"] == [f"arn:aws:iam::{_ACCOUNT}:role/{role}" for role in roles]


def test_the_state_in_s3_is_the_stacks_own(stacks: Path) -> None:
    state = {
        tuple(one["Action"]): one["Resource"]
        for one in statements_of(stacks / "harbour-us-east-1" / "cdk.tf.json")
        if one["Sid"].startswith("State")
    }
    key = "arn:aws:s3:::harbour-state/domicile/harbour-us-east-1.tfstate"
    assert state == {
        ("s3:ListBucket",): ["arn:aws:s3:::harbour-state"],
        ("s3:GetObject", "s3:PutObject"): [key],
        ("s3:DeleteObject", "s3:GetObject", "s3:PutObject"): [f"{key}.tflock"],
    }
