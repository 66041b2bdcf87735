"""Policy documents: what they grant and whom they admit."""

from __future__ import annotations

import json
from typing import Any

import pytest

from domicile.review.policies import Grant, grants, statements, strangers
from domicile.review.stacks import UNKNOWN

_ACCOUNT = "123456789012"
_TABLE = f"arn:aws:dynamodb:eu-west-1:{_ACCOUNT}:table/visits"


def _allow(**fields: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": _TABLE, **fields}


@pytest.mark.parametrize("text", [None, "", "{}", "[]", UNKNOWN, f'{{"Statement": ["{UNKNOWN}"]}}', '{"Statement": 3}'])
def test_what_can_not_be_read_is_not_read_as_nothing(text: str | None) -> None:
    assert statements(text) is None


def test_a_single_statement_needs_no_list() -> None:
    assert statements(json.dumps({"Statement": _allow()})) == [_allow()]


@pytest.mark.parametrize(
    ("resource", "covers"),
    [
        (_TABLE, True),
        (f"{_TABLE}/stream/*", True),
        (f"{_TABLE}/index/by-flag", True),
        (f"{_TABLE}-ledger", False),
        (f"arn:aws:dynamodb:*:{_ACCOUNT}:table/visits", True),
        ("arn:aws:dynamodb:*:*:table/v?sits", True),
        ("arn:aws:dynamodb:us-east-1:*:table/*", False),
        ("*", True),
        ("(aws_dynamodb_table.visits.id)", True),
    ],
)
def test_a_resource_covers_what_its_wildcards_let_it(resource: str, covers: bool) -> None:
    (grant,) = grants(_allow(Resource=resource))
    assert grant.covers(_TABLE) is covers


def test_the_requested_region_narrows_a_grant() -> None:
    condition = {"StringEquals": {"aws:RequestedRegion": ["us-east-1"]}}
    (grant,) = grants(_allow(Resource="*", Condition=condition))
    assert not grant.covers(_TABLE)
    (unsure,) = grants(_allow(Resource="*", Condition={"StringLike": condition["StringEquals"]}))
    assert unsure.covers(_TABLE)


def test_all_but_some_is_all() -> None:
    statement = {"Effect": "Allow", "NotAction": "iam:*", "NotResource": "arn:aws:s3:::x"}
    assert list(grants(statement)) == [Grant("*", "*", None)]


def test_a_denial_grants_nothing() -> None:
    assert list(grants(_allow(Effect="Deny"))) == []


@pytest.mark.parametrize(
    ("principal", "condition", "admits"),
    [
        ({"AWS": f"arn:aws:iam::{_ACCOUNT}:root"}, {}, False),
        ({"AWS": _ACCOUNT}, {}, False),
        ({"AWS": "999999999999"}, {}, True),
        ({"AWS": ["arn:aws:iam::999999999999:role/x"]}, {}, True),
        ("*", {}, True),
        ({"AWS": "*"}, {"StringEquals": {"aws:PrincipalAccount": _ACCOUNT}}, False),
        ({"AWS": "*"}, {"StringEquals": {"AWS:SourceAccount": [_ACCOUNT, "999999999999"]}}, True),
        ({"AWS": "*"}, {"StringEqualsIfExists": {"aws:PrincipalAccount": _ACCOUNT}}, True),
        ({"AWS": "*"}, {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}, True),
        ({"Service": "events.amazonaws.com"}, {}, True),
        (
            {"Service": "events.amazonaws.com"},
            {"ArnEquals": {"aws:SourceArn": f"arn:aws:events:eu-west-1:{_ACCOUNT}:rule/a/b"}},
            False,
        ),
        (
            {"Service": "events.amazonaws.com"},
            {"ArnLike": {"aws:SourceArn": "arn:aws:events:*:*:rule/*"}},
            True,
        ),
        ({"Federated": "accounts.google.com"}, {}, True),
    ],
)
def test_who_is_a_stranger(principal: Any, condition: dict[str, Any], admits: bool) -> None:
    statement = _allow(Principal=principal, Condition=condition)
    assert bool(list(strangers(statement, _ACCOUNT))) is admits


def test_all_but_some_are_strangers() -> None:
    assert list(strangers(_allow(NotPrincipal={"AWS": _ACCOUNT}), _ACCOUNT)) == ["everyone but some"]
