"""A native table, a DynamoDB Global Table, in one Region: the table itself in the primary, elsewhere its replica."""

from __future__ import annotations

from cdktf import TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.dynamodb_table import (
    DynamodbTable,
    DynamodbTablePointInTimeRecovery,
    DynamodbTableServerSideEncryption,
    DynamodbTableTtl,
)
from cdktf_cdktf_provider_aws.dynamodb_table_replica import DynamodbTableReplicaA
from constructs import Construct

from domicile.naming import Names
from domicile.native_table import NativeTable, Provisioned
from modules.alarm import Alarm, Metric
from modules.native_table.scaling import Scaling
from modules.schema import TABLE_CLASSES, attributes, global_index
from modules.text import literal

_RUNBOOK = "docs/runbooks/native-tables.md"
_LATE_MS = 60_000
_PERIODS = 3  # of five minutes each


class EventualTable(Construct):
    """One table of consistency ``eventual`` in one of its Regions, with an alarm for each other Region it writes to.

    One stack owns each thing: the primary's the table, with what DynamoDB keeps the same everywhere (keys, indexes,
    TTL, stream, capacity), each other Region's its own replica. No stack removes what another one added.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        names: Names,
        table: str,
        config: NativeTable,
        key_arn: str | None,
        alarm_topic: str | None,
    ) -> None:
        super().__init__(scope, id_)
        self._names, self._table, self._config = names, table, config
        self._settings = config.replica(names.region)
        self._key_arn = key_arn if config.encryption == "customer-managed" else None
        if names.region == config.primary:
            self._own()
        else:
            self._replicate()
        for receiver in config.regions:
            if receiver != names.region:
                self._watch(receiver, alarm_topic)

    def _own(self) -> None:
        config, settings = self._config, self._settings
        capacity = config.billing if isinstance(config.billing, Provisioned) else None
        table = DynamodbTable(
            self,
            "table",
            name=self._names.table(self._table),
            billing_mode="PROVISIONED" if capacity else "PAY_PER_REQUEST",
            read_capacity=capacity.read.min if capacity else None,
            write_capacity=capacity.write.min if capacity else None,
            hash_key=literal(config.hash_key.name),
            range_key=literal(config.range_key.name) if config.range_key else None,
            attribute=attributes((config, *config.indexes)),
            global_secondary_index=[global_index(index) for index in config.indexes],
            # DynamoDB would switch the stream on by itself, and Terraform then try to switch it off.
            stream_enabled=True,
            stream_view_type="NEW_AND_OLD_IMAGES",
            ttl=DynamodbTableTtl(enabled=True, attribute_name=literal(config.ttl_attribute))
            if config.ttl_attribute
            else None,
            table_class=TABLE_CLASSES[settings.table_class],
            point_in_time_recovery=DynamodbTablePointInTimeRecovery(enabled=settings.point_in_time_recovery),
            deletion_protection_enabled=settings.deletion_protection,
            # Said in any case: without the block Terraform would leave an earlier key as it is.
            server_side_encryption=DynamodbTableServerSideEncryption(
                enabled=config.encryption != "aws-owned", kms_key_arn=self._key_arn
            ),
            tags=settings.tags or None,
            lifecycle=TerraformResourceLifecycle(
                # The replicas are other stacks', and the capacity is auto scaling's.
                ignore_changes=["replica", *(("read_capacity", "write_capacity") if capacity else ())],
                prevent_destroy=settings.deletion_protection,
            ),
        )
        if capacity:
            # DynamoDB gives the replicas the same auto scaling.
            Scaling(self, "read", table=table, dimension="Read", capacity=capacity.read)
            Scaling(self, "write", table=table, dimension="Write", capacity=capacity.write)

    def _replicate(self) -> None:
        config, settings = self._config, self._settings
        primary_class = config.replica(config.primary).table_class
        other_class = settings.table_class != primary_class
        DynamodbTableReplicaA(
            self,
            "replica",
            global_table_arn=self._names.in_region(config.primary).table_arn(self._table),
            kms_key_arn=self._key_arn,
            # An override that says what the table has anyway is not read back, and would replace the replica.
            table_class_override=TABLE_CLASSES[settings.table_class] if other_class else None,
            point_in_time_recovery=settings.point_in_time_recovery,
            deletion_protection_enabled=settings.deletion_protection,
            tags=settings.tags or None,
            # Another key or class makes the provider delete the replica with its items and make it again.
            lifecycle=TerraformResourceLifecycle(prevent_destroy=settings.deletion_protection),
        )

    def _watch(self, receiver: str, topic: str | None) -> None:
        dimensions = {"TableName": self._names.table(self._table), "ReceivingRegion": receiver}
        Alarm(
            self,
            f"{self._table}-latency-{receiver}",
            names=self._names,
            topic=topic,
            description=f"Items of {self._table} take more than a minute to {receiver}: {_RUNBOOK}",
            of=Metric("AWS/DynamoDB", "ReplicationLatency", dimensions, "Maximum"),
            threshold=_LATE_MS,
            periods=_PERIODS,
        )
