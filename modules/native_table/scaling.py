"""Application Auto Scaling of a table's provisioned capacity."""

from __future__ import annotations

from typing import Literal

from cdktf_cdktf_provider_aws.appautoscaling_policy import (
    AppautoscalingPolicy,
    AppautoscalingPolicyTargetTrackingScalingPolicyConfiguration,
    AppautoscalingPolicyTargetTrackingScalingPolicyConfigurationPredefinedMetricSpecification,
)
from cdktf_cdktf_provider_aws.appautoscaling_target import AppautoscalingTarget
from cdktf_cdktf_provider_aws.dynamodb_table import DynamodbTable
from constructs import Construct

from domicile.native_table import Capacity


class Scaling(Construct):
    """Keeps the capacity to read or to write between its limits, and used to its target."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        table: DynamodbTable,
        dimension: Literal["Read", "Write"],
        capacity: Capacity,
    ) -> None:
        super().__init__(scope, id_)
        target = AppautoscalingTarget(
            self,
            "target",
            service_namespace="dynamodb",
            resource_id=f"table/{table.name}",
            scalable_dimension=f"dynamodb:table:{dimension}CapacityUnits",
            min_capacity=capacity.min,
            max_capacity=capacity.max,
        )
        metric = AppautoscalingPolicyTargetTrackingScalingPolicyConfigurationPredefinedMetricSpecification(
            predefined_metric_type=f"DynamoDB{dimension}CapacityUtilization"
        )
        AppautoscalingPolicy(
            self,
            "policy",
            name=f"DynamoDB{dimension}CapacityUtilization:{target.resource_id}",
            policy_type="TargetTrackingScaling",
            service_namespace=target.service_namespace,
            resource_id=target.resource_id,
            scalable_dimension=target.scalable_dimension,
            target_tracking_scaling_policy_configuration=AppautoscalingPolicyTargetTrackingScalingPolicyConfiguration(
                predefined_metric_specification=metric, target_value=capacity.target_percent
            ),
        )
