"""Which policies of a key leave to the account what DynamoDB needs of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from domicile.key_policies import refused_uses

ACCOUNT = "111122223333"
KEY = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/k"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Statement": list(statements)})


def allow(**keys: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "kms:*", "Resource": "*", **keys}


ADMIN = f"{ROOT[:-4]}role/admin"
DENY = {"Effect": "Deny", "Action": "kms:*", "Resource": "*"}
VIA = {"StringLike": {"kms:ViaService": "dynamodb.*.amazonaws.com"}, "StringEquals": {"kms:CallerAccount": ACCOUNT}}
USES = ["kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]


@pytest.mark.parametrize(
    "statements",
    [
        [allow()],
        [allow(Principal="*", Condition=VIA)],
        [allow(Condition={"StringEquals": {"kms:ViaService": "dynamodb.eu-west-1.amazonaws.com"}})],
        [allow(Principal={"AWS": [ACCOUNT]}, Action=USES)],
        [allow(NotAction="kms:ScheduleKeyDeletion", Action=None)],
        [allow(), allow(Effect="Deny", Condition={"Bool": {"aws:SecureTransport": "false"}})],
        [allow(), allow(Effect="Deny", Principal={"AWS": f"{ROOT[:-4]}role/guest"})],
        [allow(), allow(Effect="Deny", Action="kms:ScheduleKeyDeletion")],
        [allow(), allow(Effect="Deny", Action="kms:ScheduleKeyDeletion", Principal=None, NotPrincipal={"AWS": ADMIN})],
    ],
)
def test_a_policy_that_lets_the_account_use_the_key(statements: list[dict[str, Any]]) -> None:
    kept = [{name: value for name, value in one.items() if value is not None} for one in statements]
    assert refused_uses(KEY, policy(*kept)) == []


@pytest.mark.parametrize(
    ("statements", "refused"),
    [
        ([], "kms:CreateGrant"),
        ([allow(Principal={"AWS": f"{ROOT[:-4]}role/guest"})], "kms:CreateGrant"),
        ([allow(Principal={"Service": "logs.amazonaws.com"})], "kms:CreateGrant"),
        ([allow(Principal={"AWS": "arn:aws:iam::999999999999:root"})], "kms:CreateGrant"),
        ([allow(Condition={"StringEquals": {"kms:ViaService": "sqs.eu-west-1.amazonaws.com"}})], "kms:CreateGrant"),
        ([allow(Condition={"StringEquals": {"aws:PrincipalTag/team": "dba"}})], "kms:CreateGrant"),
        ([allow(Action=[use for use in USES if use != "kms:Decrypt"])], "kms:Decrypt"),
        ([allow(), allow(Effect="Deny", Principal="*", Action="kms:Decrypt")], "kms:Decrypt"),
        ([{"Effect": "Allow", "NotPrincipal": {"AWS": ADMIN}, "Action": "kms:*"}], "kms:CreateGrant"),
        ([allow(), {**DENY, "NotPrincipal": {"AWS": ADMIN}}], "kms:CreateGrant"),
        ([allow(), {**DENY, "NotPrincipal": {"AWS": [ROOT, ADMIN]}}], "kms:CreateGrant"),
        ([allow(Condition={"StringEquals": {"kms:ViaService": "dynamodb.*.amazonaws.com"}})], "kms:CreateGrant"),
    ],
)
def test_a_policy_that_does_not(statements: list[dict[str, Any]], refused: str) -> None:
    assert refused in refused_uses(KEY, policy(*statements))


def test_the_projects_own_key_policy_is_fine() -> None:
    golden = Path(__file__).parents[1] / "infra" / "golden" / "eu-west-1.json"
    (made,) = json.loads(golden.read_text(encoding="utf-8"))["resource"]["aws_kms_key"].values()
    names = {
        "${data.aws_partition.partition.partition}": "aws",
        "${data.aws_caller_identity.account.account_id}": ACCOUNT,
    }
    text = made["policy"]
    for token, value in names.items():
        text = text.replace(token, value)
    assert refused_uses(KEY, text) == []
