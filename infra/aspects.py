"""Checks of the finished construct tree; one that fails stops the synthesis with a message that names the resource."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from typing import Any

import jsii
from cdktf import Annotations, IAspect
from cdktf_cdktf_provider_aws.cloudwatch_event_bus_policy import CloudwatchEventBusPolicy
from cdktf_cdktf_provider_aws.cloudwatch_event_target import CloudwatchEventTarget
from cdktf_cdktf_provider_aws.cloudwatch_log_group import CloudwatchLogGroup
from cdktf_cdktf_provider_aws.dynamodb_table import DynamodbTable
from cdktf_cdktf_provider_aws.dynamodb_table_replica import DynamodbTableReplicaA
from cdktf_cdktf_provider_aws.iam_policy import IamPolicy
from cdktf_cdktf_provider_aws.iam_role import IamRole
from cdktf_cdktf_provider_aws.iam_role_policy import IamRolePolicy
from cdktf_cdktf_provider_aws.iam_user_policy import IamUserPolicy
from cdktf_cdktf_provider_aws.kinesis_stream import KinesisStream
from cdktf_cdktf_provider_aws.lambda_event_source_mapping import LambdaEventSourceMapping
from cdktf_cdktf_provider_aws.secretsmanager_secret import SecretsmanagerSecret
from cdktf_cdktf_provider_aws.sqs_queue import SqsQueue
from constructs import IConstruct

from modules.function.permissions import INTERFACES

# The actions in use that can't name a resource.
_WITHOUT_RESOURCES = {"xray:PutTraceSegments", "xray:PutTelemetryRecords", *INTERFACES}
_INLINE_CHARACTERS_MAX = 10_240
_MANAGED_CHARACTERS_MAX = 6_144
_REFERENCE = re.compile(r"\$\{TfToken\[TOKEN\.\d+\]\}")
_ACCOUNT = "123456789012"  # the longest that a reference in a policy stands for


@jsii.implements(IAspect)
class Checks:
    """What every Region's stack must hold, whatever the deployment file says.

    With ``customer_managed_keys`` they encrypt everything but the tables that the file names as ``exempt``.
    """

    def __init__(self, *, customer_managed_keys: bool, exempt: Collection[str] = ()) -> None:
        self._customer_managed_keys, self._exempt = customer_managed_keys, exempt

    def visit(self, node: IConstruct) -> None:
        """Report each problem of a construct; cdktf calls this for every construct of the stack."""
        for problem in (*self._problems(node), *_size_problems(node)):
            Annotations.of(node).add_error(problem)

    def _problems(self, node: IConstruct) -> Iterator[str]:
        match node:
            case CloudwatchEventTarget() if node.event_bus_name_input or ":sns:" not in str(node.arn_input):
                if node.dead_letter_config_input is None or node.retry_policy_input is None:
                    yield "an event target must have a retry policy and a dead-letter queue"
            case LambdaEventSourceMapping():
                if not node.function_response_types_input:
                    yield "an event source mapping must report batch item failures"
            case CloudwatchLogGroup():
                if not node.retention_in_days_input:
                    yield "a log group must have a retention"
                yield from self._key("a log group", node.kms_key_id_input)
            case SqsQueue():
                yield from self._key("a queue", node.kms_master_key_id_input)
                yield from _policy_problems(node.policy_input)
            case DynamodbTable() if node.name_input not in self._exempt:
                encryption = node.server_side_encryption_input
                yield from self._key("a table", encryption.kms_key_arn if encryption else None)
            case DynamodbTableReplicaA() if str(node.global_table_arn_input).rpartition("/")[2] not in self._exempt:
                yield from self._key("a replica", node.kms_key_arn_input)
            case KinesisStream():
                yield from self._key("a stream", node.kms_key_id_input)
            case SecretsmanagerSecret():
                yield from self._key("a secret", node.kms_key_id_input)
            case IamRolePolicy() | IamPolicy() | IamUserPolicy() | CloudwatchEventBusPolicy():
                yield from _policy_problems(node.policy_input)

    def _key(self, what: str, key: str | None) -> Iterator[str]:
        if self._customer_managed_keys and not key:
            yield f"{what} must be encrypted with the Region's key"


def _size_problems(node: IConstruct) -> Iterator[str]:
    """Yield what IAM would refuse; a role's inline policies, which stand beside it, have one limit together."""
    match node:
        case IamRole():
            beside = node.node.scope.node.children if node.node.scope else []
            size = sum(_size(policy.policy_input) for policy in beside if isinstance(policy, IamRolePolicy))
            limit, what = _INLINE_CHARACTERS_MAX, "inline policies"
        case IamPolicy():
            size = _size(node.policy_input)
            limit, what = _MANAGED_CHARACTERS_MAX, "a managed policy"
        case _:
            return
    if size > limit:
        yield f"IAM takes {limit} characters of {what}, and this one has {size}: a deployment can't have so many tables"


def _size(policy: str | None) -> int:
    return len(_REFERENCE.sub(_ACCOUNT, policy or ""))


def _policy_problems(policy: str | None) -> Iterator[str]:
    """Yield what is wrong with an IAM policy: an allowed action or resource must be named."""
    statements: list[dict[str, Any]] = json.loads(policy)["Statement"] if policy else []
    for statement in statements:
        if statement["Effect"] != "Allow":
            continue
        for action in statement["Action"]:
            if "*" in action:
                yield f"a policy must name its actions: {action} in {statement['Sid']}"
            if "*" in statement["Resource"] and action not in _WITHOUT_RESOURCES:
                yield f"a policy must name its resources: * for {action} in {statement['Sid']}"
