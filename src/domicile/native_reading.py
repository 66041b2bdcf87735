"""Reads what AWS says of the native tables: each table in each Region, its keys, and the account's roles."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from domicile.accounts import Clients
from domicile.aws.failures import code_of
from domicile.core.partitions import partition_of
from domicile.deployment import Deployment
from domicile.naming import Names
from domicile.native_check import (
    REPLICATION_ROLE,
    SCALING_ROLE,
    Deployed,
    Finding,
    Found,
    Key,
    Replica,
    Unreadable,
    check,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TableDescriptionTypeDef
    from mypy_boto3_iam import IAMClient

# A Region that is cut off must not hold up the picture of the others.
_IMPATIENT = Config(connect_timeout=5, read_timeout=20, retries={"total_max_attempts": 2})
_CLASSES = {"STANDARD": "standard", "STANDARD_INFREQUENT_ACCESS": "standard-infrequent-access"}


def look(deployment: Deployment, clients: Clients) -> list[Finding]:
    """Read everything that there is of the native tables, and return what is to be said of it."""
    primaries = {partition_of(table.primary): table.primary for table in deployment.native.values()}
    regions = [
        _Region(
            Names(deployment.name, region, account=""),
            clients.client("dynamodb", region, config=_IMPATIENT),
            clients.client("kms", region, config=_IMPATIENT),
        )
        for region in deployment.regions
        if partition_of(region) in primaries
    ]
    roles = {
        partition: dict(_missing_roles(clients.client("iam", primary, config=_IMPATIENT)))
        for partition, primary in primaries.items()
    }
    with ThreadPoolExecutor(len(regions)) as threads:
        found = threads.map(lambda region: region.read(list(deployment.native)), regions)
        return check(deployment, {one.names.region: all_ for one, all_ in zip(regions, found, strict=True)}, roles)


def _missing_roles(iam: IAMClient) -> Iterator[tuple[str, str]]:
    for role in (REPLICATION_ROLE, SCALING_ROLE):
        try:
            iam.get_role(RoleName=role)
        except (ClientError, BotoCoreError) as error:
            yield role, _code(error)


@dataclass(frozen=True)
class _Region:
    names: Names
    dynamodb: DynamoDBClient
    kms: Any

    def read(self, tables: list[str]) -> Found | Unreadable:
        found: dict[str, Deployed] = {}
        try:
            for name in tables:
                with suppress(self.dynamodb.exceptions.ResourceNotFoundException):
                    table = self.dynamodb.describe_table(TableName=self.names.table(name))["Table"]
                    found[name] = self._deployed(table)
        except (ClientError, BotoCoreError) as error:
            return Unreadable(_code(error))
        return Found(found, self._key(self.names.key_alias))

    def _deployed(self, table: TableDescriptionTypeDef) -> Deployed:
        key = table.get("SSEDescription", {}).get("KMSMasterKeyArn")
        types = {one["AttributeName"]: one["AttributeType"] for one in table["AttributeDefinitions"]}
        return Deployed(
            status=table["TableStatus"],
            schema=tuple((one["AttributeName"], types[one["AttributeName"]]) for one in table["KeySchema"]),
            consistency=table.get("MultiRegionConsistency", "EVENTUAL").lower(),
            witnesses={
                witness["RegionName"]: witness["WitnessStatus"] for witness in table.get("GlobalTableWitnesses", [])
            },
            table_class=_CLASSES[table.get("TableClassSummary", {}).get("TableClass", "STANDARD")],
            protected=table.get("DeletionProtectionEnabled", False),
            key=self._key(key) if key else None,
            replicas={
                replica["RegionName"]: Replica(replica["ReplicaStatus"], replica.get("ReplicaInaccessibleDateTime"))
                for replica in table.get("Replicas", [])
                if replica["RegionName"] != self.names.region
            },
        )

    def _key(self, id_: str) -> Key | Unreadable:
        """Return a key, by its ARN or alias. One that can't be described is not worse than one that is gone."""
        try:
            found = self.kms.describe_key(KeyId=id_)["KeyMetadata"]
            of_aws = found.get("KeyManager") == "AWS"
            policy = "" if of_aws else self.kms.get_key_policy(KeyId=found["KeyId"], PolicyName="default")["Policy"]
        except (ClientError, BotoCoreError) as error:
            return Unreadable(_code(error))
        return Key(found["Arn"], of_aws, found["KeyState"], found.get("DeletionDate"), policy)


def _code(error: ClientError | BotoCoreError) -> str:
    return code_of(error) if isinstance(error, ClientError) else type(error).__name__
