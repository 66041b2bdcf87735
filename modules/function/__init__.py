"""A Lambda function with its role, its log group, its alias ``live`` and its event source mappings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cdktf import AssetType, TerraformAsset
from cdktf_cdktf_provider_aws.cloudwatch_log_group import CloudwatchLogGroup
from cdktf_cdktf_provider_aws.iam_role import IamRole
from cdktf_cdktf_provider_aws.iam_role_policy import IamRolePolicy
from cdktf_cdktf_provider_aws.lambda_alias import LambdaAlias
from cdktf_cdktf_provider_aws.lambda_event_source_mapping import (
    LambdaEventSourceMapping,
    LambdaEventSourceMappingDestinationConfig,
    LambdaEventSourceMappingDestinationConfigOnFailure,
    LambdaEventSourceMappingFilterCriteria,
    LambdaEventSourceMappingFilterCriteriaFilter,
    LambdaEventSourceMappingScalingConfig,
)
from cdktf_cdktf_provider_aws.lambda_function import (
    LambdaFunction,
    LambdaFunctionEnvironment,
    LambdaFunctionLoggingConfig,
    LambdaFunctionTracingConfig,
    LambdaFunctionVpcConfig,
)
from constructs import Construct

from domicile.naming import Names
from modules.function.permissions import InlinePolicies
from modules.partitions import has_tracing
from modules.policy import document, trust
from modules.queue import Queue
from modules.text import literal, to_json

_MEMORY_MB = 512
_STREAM_BATCH = 100
_QUEUE_BATCH = 10
_PARTIAL_FAILURES = ["ReportBatchItemFailures"]


class Function(Construct):
    """The function of one of the roles ``naming.FUNCTIONS`` and ``naming.BRIDGE_FUNCTIONS``.

    ``archive`` is its zip, whose SHA-256 in base64 is ``source_code_hash``. ``policies`` are its role's. It runs in the
    subnets of ``vpc``, or in Lambda's own network.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        names: Names,
        role: str,
        archive: Path,
        source_code_hash: str,
        environment: Mapping[str, str],
        policies: InlinePolicies,
        timeout_s: int,
        log_retention_days: int,
        key_arn: str | None,
        vpc: LambdaFunctionVpcConfig | None = None,
    ) -> None:
        super().__init__(scope, id_)
        log_group = CloudwatchLogGroup(
            self,
            "logs",
            name=names.log_group(role),
            retention_in_days=log_retention_days,
            kms_key_id=key_arn,
        )
        iam_role = IamRole(self, "role", name=names.role(role), assume_role_policy=trust("lambda.amazonaws.com"))
        granted = [
            IamRolePolicy(self, f"policy-{name}", name=name, role=iam_role.name, policy=document(statements))
            for name, statements in policies.items()
        ]
        asset = TerraformAsset(self, "zip", path=str(archive), type=AssetType.FILE)
        function = LambdaFunction(
            self,
            "function",
            function_name=names.function(role),
            role=iam_role.arn,
            filename=asset.path,
            source_code_hash=source_code_hash,
            handler=f"functions.{role}.handler.handler",
            runtime="python3.13",
            architectures=["arm64"],
            memory_size=_MEMORY_MB,
            timeout=timeout_s,
            publish=True,
            environment=LambdaFunctionEnvironment(variables=dict(environment)),
            logging_config=LambdaFunctionLoggingConfig(log_format="JSON", log_group=log_group.name),
            tracing_config=LambdaFunctionTracingConfig(mode="Active") if has_tracing(names.region) else None,
            vpc_config=vpc,
            depends_on=granted,  # a mapping is refused while its function's role can't read the source
        )
        self._live = LambdaAlias(
            self, "live", name="live", function_name=function.function_name, function_version=function.version
        )

    def follow_stream(
        self,
        id_: str,
        *,
        stream_arn: str,
        dead_letters: Queue,
        filters: Sequence[Mapping[str, Any]] = (),
        window_s: int | None = None,
        batches_per_shard: int | None = None,
    ) -> None:
        """Invoke the function with a stream's records that pass a filter, from the oldest, until they are done or gone.

        It waits up to ``window_s`` for a full batch. ``batches_per_shard`` batches of a shard may run at once.
        """
        LambdaEventSourceMapping(
            self,
            id_,
            function_name=self._live.arn,
            event_source_arn=stream_arn,
            starting_position="TRIM_HORIZON",
            batch_size=_STREAM_BATCH,
            function_response_types=_PARTIAL_FAILURES,
            bisect_batch_on_function_error=True,
            maximum_retry_attempts=-1,
            maximum_record_age_in_seconds=-1,
            maximum_batching_window_in_seconds=window_s,
            parallelization_factor=batches_per_shard,
            filter_criteria=LambdaEventSourceMappingFilterCriteria(
                filter=[
                    LambdaEventSourceMappingFilterCriteriaFilter(pattern=literal(to_json(pattern)))
                    for pattern in filters
                ]
            )
            if filters
            else None,
            destination_config=LambdaEventSourceMappingDestinationConfig(
                on_failure=LambdaEventSourceMappingDestinationConfigOnFailure(destination_arn=dead_letters.arn)
            ),
        )

    def consume(
        self, id_: str, *, queue: Queue, concurrency_max: int, batch: int = _QUEUE_BATCH, window_s: int | None = None
    ) -> None:
        """Invoke the function with a queue's messages, at most so many batches at once.

        It waits up to ``window_s`` for a full batch; SQS itself gives no more than ten messages at a time.
        """
        LambdaEventSourceMapping(
            self,
            id_,
            function_name=self._live.arn,
            event_source_arn=queue.arn,
            batch_size=batch,
            maximum_batching_window_in_seconds=window_s,
            function_response_types=_PARTIAL_FAILURES,
            scaling_config=LambdaEventSourceMappingScalingConfig(maximum_concurrency=concurrency_max),
        )
