"""A stack that breaks a rule is not synthesized, and the message names the resource and the rule."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cdktf import App, Aspects, TerraformStack
from cdktf_cdktf_provider_aws.cloudwatch_event_target import CloudwatchEventTarget
from cdktf_cdktf_provider_aws.cloudwatch_log_group import CloudwatchLogGroup
from cdktf_cdktf_provider_aws.dynamodb_table import DynamodbTable
from cdktf_cdktf_provider_aws.iam_policy import IamPolicy
from cdktf_cdktf_provider_aws.iam_role import IamRole
from cdktf_cdktf_provider_aws.iam_role_policy import IamRolePolicy
from cdktf_cdktf_provider_aws.lambda_event_source_mapping import LambdaEventSourceMapping
from cdktf_cdktf_provider_aws.provider import AwsProvider
from cdktf_cdktf_provider_aws.sqs_queue import SqsQueue

from infra.aspects import Checks
from modules.policy import allow, document

_BROKEN: dict[str, Callable[[TerraformStack], object]] = {
    "an event target must have a retry policy and a dead-letter queue": lambda stack: CloudwatchEventTarget(
        stack, "broken", rule="rule", arn="arn"
    ),
    "an event source mapping must report batch item failures": lambda stack: LambdaEventSourceMapping(
        stack, "broken", function_name="function"
    ),
    "a log group must have a retention": lambda stack: CloudwatchLogGroup(
        stack, "broken", name="logs", kms_key_id="key"
    ),
    "a log group must be encrypted with the Region's key": lambda stack: CloudwatchLogGroup(
        stack, "broken", name="logs", retention_in_days=30
    ),
    "a queue must be encrypted with the Region's key": lambda stack: SqsQueue(stack, "broken", name="queue"),
    "a table must be encrypted with the Region's key": lambda stack: DynamodbTable(stack, "broken", name="table"),
    "a policy must name its actions: sqs:* in Queues": lambda stack: IamRolePolicy(
        stack, "broken", role="role", policy=document([allow("Queues", ["sqs:*"], ["arn"])])
    ),
    "IAM takes 10240 characters of inline policies, and this one has 10": lambda stack: [
        IamRole(stack, "broken", assume_role_policy="{}"),
        *(
            IamRolePolicy(
                stack, name, role="role", policy=document([allow("Queues", ["sqs:SendMessage"], ["a" * 5_100])])
            )
            for name in ("first", "second")
        ),
    ],
    "IAM takes 6144 characters of a managed policy, and this one has 6": lambda stack: IamPolicy(
        stack, "broken", policy=document([allow("Tables", ["dynamodb:GetItem"], ["a" * 6_100])])
    ),
    "a policy must name its resources: * for sqs:SendMessage in Queues": lambda stack: IamRolePolicy(
        stack, "broken", role="role", policy=document([allow("Queues", ["sqs:SendMessage"], ["*"])])
    ),
}


@pytest.mark.parametrize("problem", _BROKEN)
def test_a_broken_rule_stops_the_synthesis(tmp_path: Path, problem: str) -> None:
    app = App(outdir=str(tmp_path))
    stack = TerraformStack(app, "harbour")
    AwsProvider(stack, "aws", region="us-east-1")
    Aspects.of(stack).add(Checks(customer_managed_keys=True))
    _BROKEN[problem](stack)
    with pytest.raises(RuntimeError) as failure:
        app.synth()
    assert f"[harbour/broken] {problem}" in str(failure.value)
    assert not list(tmp_path.rglob("cdk.tf.json"))
