"""A replicated table and its ledger."""

from __future__ import annotations

from collections.abc import Sequence

from cdktf_cdktf_provider_aws.dynamodb_table import (
    DynamodbTable,
    DynamodbTablePointInTimeRecovery,
    DynamodbTableServerSideEncryption,
    DynamodbTableTtl,
)
from constructs import Construct

from domicile.naming import Names
from domicile.pipeline.apply import LEDGER_EXPIRES_AT
from domicile.table import Index, Table
from modules.schema import attributes, global_index
from modules.text import literal


class ReplicatedTable(Construct):
    """One table of the deployment file in one Region, with its stream and its ledger.

    The ledger has the table's key and its durability, since a lost tombstone would let a deleted item return.
    """

    def __init__(
        self, scope: Construct, id_: str, *, names: Names, table: str, config: Table, key_arn: str | None
    ) -> None:
        super().__init__(scope, id_)
        self._config, self._key_arn = config, key_arn
        self._create("ledger", names.ledger(table), ttl_attribute=LEDGER_EXPIRES_AT)
        replicated = self._create(
            "table", names.table(table), ttl_attribute=config.ttl_attribute, indexes=config.indexes, stream=True
        )
        self.stream_arn = replicated.stream_arn

    def _create(
        self,
        id_: str,
        name: str,
        *,
        ttl_attribute: str | None,
        indexes: Sequence[Index] = (),
        stream: bool = False,
    ) -> DynamodbTable:
        config = self._config
        return DynamodbTable(
            self,
            id_,
            name=name,
            billing_mode="PAY_PER_REQUEST",
            hash_key=literal(config.hash_key.name),
            range_key=literal(config.range_key.name) if config.range_key else None,
            attribute=attributes((config, *indexes)),
            global_secondary_index=[global_index(index) for index in indexes],
            stream_enabled=stream,
            stream_view_type="NEW_AND_OLD_IMAGES" if stream else None,
            ttl=DynamodbTableTtl(enabled=True, attribute_name=literal(ttl_attribute)) if ttl_attribute else None,
            point_in_time_recovery=DynamodbTablePointInTimeRecovery(enabled=config.point_in_time_recovery),
            deletion_protection_enabled=config.deletion_protection,
            server_side_encryption=DynamodbTableServerSideEncryption(enabled=True, kms_key_arn=self._key_arn)
            if self._key_arn
            else None,
        )
