"""Which KMS keys a request uses besides, by way of the service that holds the data.

AWS: who reads or writes a table, a queue, a stream or a secret that a customer-managed key encrypts must be allowed to
use that key, too. The service asks for it in the caller's name, which policies see as ``kms:ViaService``.

MiniStack 1.5.33: keeps the key's name with the resource, and asks nobody.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ministack.core.arn import Arn, ArnParseError, parse_arn
from ministack.services import dynamodb, kinesis, kms, secretsmanager, sqs

from domicile.core.partitions import CHINA
from domicile.local.adaptations import expect_function, expect_value

_READ = ("kms:Decrypt",)
# Who writes gets a new data key, and checks it: SQS's guide (key management, permissions for producers).
_USES: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(
        (
            *("dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query", "dynamodb:Scan", "dynamodb:GetRecords"),
            *("dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:BatchWriteItem"),
            *("dynamodb:ConditionCheckItem", "sqs:ReceiveMessage", "kinesis:GetRecords"),
            "secretsmanager:GetSecretValue",
        ),
        _READ,
    ),
    "sqs:SendMessage": ("kms:GenerateDataKey", "kms:Decrypt"),
    "kinesis:PutRecord": ("kms:GenerateDataKey",),
    "kinesis:PutRecords": ("kms:GenerateDataKey",),
}
_AWS_MANAGED = "alias/aws/"

Use = tuple[str, str, dict[str, Any]]
"""An action of KMS, the key's ARN, and the condition keys that the service sets."""


def expect() -> None:
    """Check what is read of MiniStack."""
    expect_value(dynamodb, "_tables")
    expect_function(sqs, "_queue_by_arn", "arn")
    expect_value(kinesis, "_streams")
    expect_function(secretsmanager, "_resolve", "secret_id", "use_arn_scope")
    expect_function(kms, "_resolve_key", "key_id_or_arn")
    expect_value(kms, "_aliases")


def uses(action: str, resource_arn: str) -> Iterator[Use]:
    """Return what an action on a resource needs of the resource's key; the scope is the resource's."""
    needed = _USES.get(action)
    if not needed:
        return
    try:
        arn = parse_arn(resource_arn)
    except ArnParseError:
        return
    key = kms._resolve_key(_key_of(arn, resource_arn))
    if key is None:
        return
    aliases = [parse_arn(alias).resource for alias, key_id in kms._aliases.items() if key_id == key["KeyId"]]
    if any(alias.startswith(_AWS_MANAGED) for alias in aliases):
        return  # it is AWS's to say who uses it: everyone who may use the service
    suffix = "amazonaws.com.cn" if arn.partition == CHINA else "amazonaws.com"
    context = {"kms:ViaService": f"{arn.service}.{arn.region}.{suffix}", "kms:ResourceAliases": aliases}
    for one in needed:
        yield one, key["Arn"], context


def _key_of(arn: Arn, resource_arn: str) -> str | None:
    """Return what the resource calls its key, or None."""
    found: Mapping[str, Any]
    match arn.service:
        case "dynamodb":
            found = (dynamodb._tables.get(arn.resource.split("/")[1]) or {}).get("SSEDescription") or {}
            return found.get("KMSMasterKeyArn")
        case "sqs":
            found = (sqs._queue_by_arn(resource_arn) or {}).get("attributes", {})
            return found.get("KmsMasterKeyId")
        case "kinesis":
            found = kinesis._streams.get(arn.resource.removeprefix("stream/")) or {}
            return found.get("KeyId")
        case "secretsmanager":
            found = secretsmanager._resolve(resource_arn)[1] or {}
            return found.get("KmsKeyId")
    return None
