"""IAM policy documents: what a statement grants, and to whom.

Of conditions only those count that narrow for certain: the Region that is called, and the account that calls. Denials
do not count at all. What can't be read grants everything.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from domicile.review.arns import account_of, place_of, region_of, service_of
from domicile.review.stacks import is_unknown

READS = {
    *("dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query", "dynamodb:Scan", "dynamodb:PartiQLSelect"),
    *("dynamodb:TransactGetItems", "dynamodb:ExportTableToPointInTime", "dynamodb:GetRecords"),
    *("dynamodb:CreateBackup", "dynamodb:RestoreTableToPointInTime", "dynamodb:RestoreTableFromBackup"),
    *("dynamodb:CreateGlobalTable", "dynamodb:UpdateTable", "dynamodb:EnableKinesisStreamingDestination"),
    *("sqs:ReceiveMessage", "kinesis:GetRecords", "kinesis:SubscribeToShard", "kinesis:MergeShards"),
    *("logs:GetLogEvents", "logs:FilterLogEvents", "logs:PutSubscriptionFilter", "logs:StartQuery"),
    *("events:PutRule", "events:PutTargets", "events:CreateArchive", "events:StartReplay"),
}
WRITES = {
    *("dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:BatchWriteItem"),
    *("dynamodb:PartiQLInsert", "dynamodb:PartiQLUpdate", "dynamodb:ImportTable"),
    *("sqs:SendMessage", "events:PutEvents", "kinesis:PutRecord", "kinesis:PutRecords", "lambda:InvokeFunction"),
    *("lambda:InvokeAsync", "sns:Publish", "s3:PutObject", "firehose:PutRecord", "firehose:PutRecordBatch"),
    *("states:StartExecution", "states:StartSyncExecution", "logs:PutLogEvents"),
}
HARMLESS = {
    *("dynamodb:DescribeStream", "dynamodb:GetShardIterator", "dynamodb:ListStreams", "dynamodb:DescribeTable"),
    *("dynamodb:ConditionCheckItem",),
    *("sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ChangeMessageVisibility", "sqs:GetQueueUrl"),
    *("kinesis:DescribeStream", "kinesis:DescribeStreamSummary", "kinesis:ListShards", "kinesis:ListStreams"),
    *("kinesis:GetShardIterator", "logs:CreateLogStream", "logs:CreateLogGroup", "cloudwatch:PutMetricData"),
    *("xray:PutTraceSegments", "xray:PutTelemetryRecords", "secretsmanager:GetSecretValue"),
    *("appconfig:StartConfigurationSession", "appconfig:GetLatestConfiguration"),
    *("kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext"),
    *("kms:ReEncryptFrom", "kms:ReEncryptTo"),
    *("ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface", "ec2:DescribeNetworkInterfaces"),
    *("ec2:DescribeSubnets", "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses"),
}
"""What carries no item, or only to AWS's own services of the same Region: traces and metrics hold no values."""
_CALLERS = {
    *("aws:sourcearn", "aws:sourceaccount", "aws:principalarn", "aws:principalaccount", "kms:calleraccount"),
    "kms:encryptioncontext:aws:logs:arn",
}
_EQUALITIES = {"StringEquals", "StringLike", "ArnEquals", "ArnLike"}


@dataclass(frozen=True)
class Grant:
    """An action that a statement allows on a resource: both may have wildcards. ``regions`` is None for any."""

    action: str
    resource: str
    regions: frozenset[str] | None

    def covers(self, place: str) -> bool:
        """Whether the resource, or a part of it such as a stream, is the place with this ARN."""
        if self.regions is not None and region_of(place) not in self.regions:
            return False
        pattern = place_of(self.resource)
        return not service_of(pattern) or matches(pattern, place)

    def does(self, actions: set[str]) -> bool:
        """Whether the action may be one of some actions."""
        return any(matches(self.action.lower(), action.lower()) for action in actions)


def matches(pattern: str, text: str) -> bool:
    """Whether IAM's wildcards in a pattern let a text pass."""
    return _expression(pattern).fullmatch(text) is not None


@cache
def _expression(pattern: str) -> re.Pattern[str]:
    wildcards = {"*": ".*", "?": "."}
    return re.compile("".join(wildcards.get(one, re.escape(one)) for one in pattern), re.DOTALL)


def statements(text: Any) -> list[Mapping[str, Any]] | None:
    """Return the statements of a document, or None where it can't be read."""
    if is_unknown(text):
        return None
    try:
        found = json.loads(text)["Statement"]
    except (TypeError, ValueError, KeyError):
        return None
    listed = found if isinstance(found, list) else [found]
    return listed if all(isinstance(one, dict) for one in listed) else None


def grants(statement: Mapping[str, Any]) -> Iterator[Grant]:
    """Yield what a statement allows."""
    if statement.get("Effect") != "Allow":
        return
    actions = _listed(statement.get("Action")) if "Action" in statement else ["*"]
    resources = _listed(statement.get("Resource")) if "Resource" in statement else ["*"]
    regions = _regions(statement.get("Condition"))
    for action in actions:
        yield from (Grant(action, resource, regions) for resource in resources)


def strangers(statement: Mapping[str, Any], account: str) -> Iterator[str]:
    """Yield each principal that a statement of a resource's policy admits from elsewhere than the account."""
    if statement.get("Effect") != "Allow" or _pinned(statement.get("Condition"), account):
        return
    if "NotPrincipal" in statement or "Principal" not in statement:
        yield "everyone but some"
        return
    principal = statement["Principal"]
    if not isinstance(principal, dict):
        yield "everyone" if principal == "*" else f"{principal}"
        return
    for kind, names in principal.items():
        for name in _listed(names):
            if kind == "AWS" and account in (name, account_of(name)):
                continue
            yield "everyone" if name == "*" else f"{name}, for any account" if kind == "Service" else name


def _pinned(condition: Any, account: str) -> bool:
    """Whether a condition admits callers of one account alone."""
    for operator, keys in condition.items() if isinstance(condition, dict) else ():
        for key, values in keys.items() if operator in _EQUALITIES and isinstance(keys, dict) else ():
            listed = _listed(values)
            if key.lower() in _CALLERS and listed and all(account in (one, account_of(one)) for one in listed):
                return True
    return False


def _regions(condition: Any) -> frozenset[str] | None:
    keys = condition.get("StringEquals") if isinstance(condition, dict) else None
    for key, values in keys.items() if isinstance(keys, dict) else ():
        if key.lower() == "aws:requestedregion":
            return frozenset(_listed(values))
    return None


def _listed(value: Any) -> Sequence[str]:
    return [str(one) for one in value] if isinstance(value, list) else [str(value)]
