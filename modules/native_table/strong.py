"""A native table of multi-Region strong consistency, with all its replicas.

The AWS provider 5.100.0 has neither a replica's consistency nor a witness, so CloudFormation makes the table.
"""

from __future__ import annotations

import re
from typing import Any

from cdktf import TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.cloudformation_stack import CloudformationStack
from cdktf_cdktf_provider_aws.kms_alias import KmsAlias
from constructs import Construct

from domicile.naming import Names
from domicile.native_table import Capacity, NativeTable, Provisioned
from domicile.table import Index
from modules.schema import PROJECTIONS, TABLE_CLASSES, key_types
from modules.text import literal, to_json


class StrongTable(Construct):
    """The table in its primary's stack, the one owner of all of it; the other Regions' stacks have no part of it.

    Keys are named by their alias, which ``key_alias`` is here, since their ARNs are known in their own stacks alone.
    CloudFormation refuses
    to replace a table that has a name, and DynamoDB to delete a protected replica.
    """

    def __init__(
        self, scope: Construct, id_: str, *, names: Names, table: str, config: NativeTable, key_alias: KmsAlias | None
    ) -> None:
        super().__init__(scope, id_)
        name = names.table(table)
        resource = {"Type": "AWS::DynamoDB::GlobalTable", "Properties": _table(names, name, config)}
        CloudformationStack(
            self,
            "stack",
            name=re.sub(r"[^A-Za-z0-9-]", "-", name),
            depends_on=[key_alias] if key_alias and config.encryption == "customer-managed" else None,
            template_body=literal(to_json({"Resources": {"Table": resource}})),
            lifecycle=TerraformResourceLifecycle(
                prevent_destroy=any(config.replica(region).deletion_protection for region in config.regions)
            ),
        )


def _table(names: Names, name: str, config: NativeTable) -> dict[str, Any]:
    capacity = config.billing if isinstance(config.billing, Provisioned) else None
    properties: dict[str, Any] = {
        "TableName": name,
        "MultiRegionConsistency": "STRONG",
        "BillingMode": "PROVISIONED" if capacity else "PAY_PER_REQUEST",
        "KeySchema": _keys(config),
        "AttributeDefinitions": [
            {"AttributeName": key, "AttributeType": type_}
            for key, type_ in key_types((config, *config.indexes)).items()
        ],
        "Replicas": [_replica(names, region, config, capacity) for region in config.regions],
    }
    if config.witness:
        properties["GlobalTableWitnesses"] = [{"Region": config.witness}]
    if config.indexes:
        properties["GlobalSecondaryIndexes"] = [
            {"IndexName": index.name, "KeySchema": _keys(index), "Projection": _projection(index)}
            for index in config.indexes
        ]
    if config.encryption != "aws-owned":
        properties["SSESpecification"] = {"SSEEnabled": True, "SSEType": "KMS"}
    if capacity:
        scaling = {"WriteCapacityAutoScalingSettings": _scaling(capacity.write)}
        properties["WriteProvisionedThroughputSettings"] = scaling
    return properties


def _replica(names: Names, region: str, config: NativeTable, capacity: Provisioned | None) -> dict[str, Any]:
    settings = config.replica(region)
    replica: dict[str, Any] = {
        "Region": region,
        "TableClass": TABLE_CLASSES[settings.table_class],
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": settings.point_in_time_recovery},
        "DeletionProtectionEnabled": settings.deletion_protection,
    }
    if settings.tags:
        replica["Tags"] = [{"Key": key, "Value": value} for key, value in settings.tags.items()]
    if config.encryption == "customer-managed":
        replica["SSESpecification"] = {"KMSMasterKeyId": names.key_alias}
    if capacity:
        replica["ReadProvisionedThroughputSettings"] = {"ReadCapacityAutoScalingSettings": _scaling(capacity.read)}
    return replica


def _keys(of: NativeTable | Index) -> list[dict[str, str]]:
    keys = {"HASH": of.hash_key, "RANGE": of.range_key}
    return [{"AttributeName": key.name, "KeyType": role} for role, key in keys.items() if key]


def _projection(index: Index) -> dict[str, Any]:
    if isinstance(index.projection, list):
        return {"ProjectionType": "INCLUDE", "NonKeyAttributes": index.projection}
    return {"ProjectionType": PROJECTIONS[index.projection]}


def _scaling(capacity: Capacity) -> dict[str, Any]:
    return {
        "MinCapacity": capacity.min,
        "MaxCapacity": capacity.max,
        "TargetTrackingScalingPolicyConfiguration": {"TargetValue": capacity.target_percent},
    }
