"""Whether a KMS key's policy leaves to the account's IAM policies what DynamoDB needs of the key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import eq

from domicile.review.policies import matches, statements

# What AWS's guide (encryption at rest, authorizing use of a customer managed key) names as DynamoDB's minimum.
_USES = (
    *("kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"),
    *("kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncryptFrom", "kms:ReEncryptTo"),
)

_OPERATORS: Mapping[str, Callable[[str, str], bool]] = {"StringEquals": eq, "StringLike": matches}
"""To the first a wildcard is a character as any other."""


def refused_uses(key_arn: str, policy: str) -> list[str]:
    """Return the actions that DynamoDB needs and that a key's policy does not leave to the account's IAM policies.

    ``policy`` is the document as JSON. Only what holds for the whole account counts, with conditions on the service and
    the calling account alone; a denial counts if it has no condition, also if it spares some by ``NotPrincipal``.
    """
    _, partition, _, region, account, _ = key_arn.split(":", 5)
    everyone = {"*", account, f"arn:{partition}:iam::{account}:root"}
    service = f"dynamodb.{region}.amazonaws.com"
    met = {"kms:viaservice": {service, f"{service}.cn"}, "kms:calleraccount": {account}}
    found = statements(policy) or ()
    of_all = [one for one in found if everyone & _principals(one)]
    allowing = [one for one in of_all if one.get("Effect") == "Allow" and _holds(one.get("Condition"), met)]
    sparing_some = [one for one in found if "NotPrincipal" in one]
    denying = [one for one in (*of_all, *sparing_some) if one.get("Effect") == "Deny" and not one.get("Condition")]
    return [
        use
        for use in _USES
        if not any(_names(one, use) for one in allowing) or any(_names(one, use) for one in denying)
    ]


def _principals(statement: Mapping[str, object]) -> set[str]:
    principal = statement.get("Principal")
    return set(_listed(principal.get("AWS", [])) if isinstance(principal, dict) else _listed(principal))


def _names(statement: Mapping[str, object], action: str) -> bool:
    if "NotAction" in statement:
        return not _matching(statement["NotAction"], action)
    return _matching(statement.get("Action"), action)


def _matching(patterns: object, action: str) -> bool:
    return any(matches(pattern.lower(), action.lower()) for pattern in _listed(patterns))


def _holds(condition: object, met: Mapping[str, set[str]]) -> bool:
    """Whether a condition is about these keys alone, and one of their values meets it."""
    return all(
        operator in _OPERATORS
        and any(_OPERATORS[operator](one, value) for one in _listed(values) for value in met.get(key.lower(), ()))
        for operator, keys in (condition.items() if isinstance(condition, dict) else ())
        for key, values in keys.items()
    )


def _listed(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else [str(value)]
