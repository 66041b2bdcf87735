"""The search for what nothing needs finds it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tests.iam.least import Part, unneeded


def _question(resource: str, region: str = "eu-west-1") -> dict[str, Any]:
    return {
        "principal": "role/r",
        "action": "dynamodb:GetItem",
        "resource": resource,
        "region": region,
        "source_ip": "127.0.0.1",
        "context": {},
        "allowed": True,
    }


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({}, []),
        ({"Action": ["dynamodb:GetItem", "dynamodb:Scan"]}, ["dynamodb:Scan"]),
        ({"Resource": ["table/a", "table/b", "table/c"]}, ["dynamodb:GetItem on table/c"]),
        (
            {"Condition": {"StringEquals": {"aws:RequestedRegion": ["eu-west-1", "us-east-1", "sa-east-1"]}}},
            ["aws:RequestedRegion sa-east-1"],
        ),
        ({"Action": ["dynamodb:Scan"]}, [""]),
        ({"Effect": "Deny", "Action": ["dynamodb:Scan"]}, [""]),
    ],
)
def test_what_nothing_needs_is_found(changed: dict[str, Any], found: Sequence[str]) -> None:
    condition = {"StringEquals": {"aws:RequestedRegion": ["eu-west-1", "us-east-1"]}}
    needed = {"Sid": "S", "Effect": "Allow", "Action": ["dynamodb:GetItem"], "Resource": ["table/a", "table/b"]}
    statement = {**needed, "Condition": condition, **changed}
    questions = [_question("table/a"), _question("table/b", "us-east-1")]
    assert list(unneeded("role/r", [statement], questions)) == [Part("role/r", "S", element) for element in found]
