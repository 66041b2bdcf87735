"""IAM policy documents, written so that Terraform knows them before it creates anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from modules.text import to_json

Statement = dict[str, Any]
"""One statement, with the keys that IAM gives it: ``Sid``, ``Effect``, ``Action``, ``Resource``, ..."""
Condition = Mapping[str, Mapping[str, Any]]
"""Operator -> condition key -> value or values."""


def allow(
    sid: str,
    actions: Sequence[str],
    resources: Sequence[str],
    *,
    principal: Mapping[str, str] | None = None,
    condition: Condition | None = None,
) -> Statement:
    """Return a statement that allows actions on resources, in a resource's policy to a principal."""
    statement: Statement = {"Sid": sid, "Effect": "Allow"}
    if principal:
        statement["Principal"] = dict(principal)
    statement |= {"Action": list(actions), "Resource": list(resources)}
    if condition:
        statement["Condition"] = dict(condition)
    return statement


def document(statements: Sequence[Statement]) -> str:
    """Return the policy of some statements as JSON."""
    return to_json({"Version": "2012-10-17", "Statement": list(statements)})


def trust(service: str, condition: Condition | None = None) -> str:
    """Return the trust policy of a role that an AWS service assumes."""
    statement: Statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    if condition:
        statement["Condition"] = dict(condition)
    return document([statement])
