"""Whether the native tables may be changed: what AWS says of each in every Region, beside what the file asks for.

Reading it is :mod:`domicile.native_reading`'s, showing it the command line's. What could not be read is a finding, too:
nothing is called fine that nobody saw.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from domicile.core.partitions import partition_of
from domicile.deployment import Deployment
from domicile.key_policies import refused_uses
from domicile.naming import Names
from domicile.native_table import NativeTable, Provisioned

ACTIVE = "ACTIVE"
REPLICATION_ROLE = "AWSServiceRoleForDynamoDBReplication"
SCALING_ROLE = "AWSServiceRoleForApplicationAutoScaling_DynamoDBTable"

_CHANGING = "wait until it is ACTIVE"
_IN_TIME = "within 20 hours; later DynamoDB takes the replica out of the Global Table for good"
_DO = {
    "CREATING": _CHANGING,
    "UPDATING": _CHANGING,
    "DELETING": "wait until it is gone",
    "CREATION_FAILED": "delete the replica, mend what the console says, and apply its stack again",
    "INACCESSIBLE_ENCRYPTION_CREDENTIALS": f"enable its key again or restore the key's policy {_IN_TIME}",
    "REPLICATION_NOT_AUTHORIZED": f"give {REPLICATION_ROLE} its permissions back {_IN_TIME}",
    "REGION_DISABLED": f"enable the Region for the account again {_IN_TIME}",
    "ARCHIVING": "its key was out of reach for too long: restore the table from the backup that DynamoDB makes",
    "ARCHIVED": "its key was out of reach for too long: restore the table from the backup that DynamoDB made",
}
_UNKNOWN = "docs/runbooks/native-tables.md"
_WAIT = "until all are ACTIVE, change no key, role or policy"


@dataclass(frozen=True)
class Unreadable:
    """What could not be read; ``code`` is the error's, without a service's words."""

    code: str


@dataclass(frozen=True)
class Key:
    """A KMS key. ``policy`` is its document as JSON, empty for a key of AWS's own."""

    arn: str
    of_aws: bool
    state: str
    deleted_at: datetime | None = None
    policy: str = ""


@dataclass(frozen=True)
class Replica:
    """What one Region says of a replica in another; ``inaccessible_since`` is None where it is within reach."""

    status: str
    inaccessible_since: datetime | None = None


@dataclass(frozen=True)
class Deployed:
    """A table as DynamoDB describes it in one Region.

    ``schema`` has the name and the type of the hash key, and of the range key if there is one. ``witnesses`` has each
    witness's status by its Region. ``key`` is None under a key that DynamoDB owns.
    """

    status: str
    schema: tuple[tuple[str, str], ...]
    consistency: str
    witnesses: Mapping[str, str]
    table_class: str
    protected: bool
    key: Key | Unreadable | None
    replicas: Mapping[str, Replica]


@dataclass(frozen=True)
class Found:
    """What is in one Region: the tables by their names in the file, and the key that the stack's alias names."""

    tables: Mapping[str, Deployed]
    own_key: Key | Unreadable


@dataclass(frozen=True)
class Finding:
    """Something to know of a table in a Region; ``wrong`` is what should be mended before anything is applied."""

    table: str
    region: str
    wrong: bool
    text: str


Regions = Mapping[str, Found | Unreadable]
"""By name, every Region of the deployment in a partition that has native tables."""
Roles = Mapping[str, Mapping[str, str]]
"""By partition, the service-linked roles that could not be seen, with the error's code."""


def check(deployment: Deployment, regions: Regions, roles: Roles) -> list[Finding]:
    """Return what is to be said of every native table."""
    return [
        finding
        for name, table in deployment.native.items()
        for finding in _Table(deployment, name, table, regions).findings(roles[partition_of(table.primary)])
    ]


class _Table:
    """One table: ``deployed`` where it was seen, ``members`` where it is or is said to be."""

    def __init__(self, deployment: Deployment, name: str, config: NativeTable, regions: Regions) -> None:
        self._deployment, self._name, self._config, self._regions = deployment, name, config, regions
        self._deployed = {
            region: found.tables[name]
            for region, found in regions.items()
            if isinstance(found, Found) and name in found.tables
        }
        self._said: dict[str, list[Replica]] = {}
        for table in self._deployed.values():
            for region, replica in table.replicas.items():
                self._said.setdefault(region, []).append(replica)
        self._members = {*self._deployed, *self._said}

    def findings(self, roles: Mapping[str, str]) -> Iterator[Finding]:
        """Yield what is to be said, given the roles that could not be seen."""
        for region in dict.fromkeys((*self._config.regions, *sorted(self._members))):
            found = self._regions.get(region)
            if isinstance(found, Unreadable):
                yield self._wrong(region, f"can't be read: {found.code}")
        if not self._members:
            if all(isinstance(self._regions.get(region), Found) for region in self._config.regions):
                yield self._note(self._config.primary, "is not there yet: the first apply makes it")
            return
        yield from self._roles(roles)
        yield from self._witnesses()
        for region in sorted({*self._members, *self._config.regions}):
            yield from self._region(region)

    def _wrong(self, region: str, text: str) -> Finding:
        return Finding(self._name, region, True, text)

    def _note(self, region: str, text: str) -> Finding:
        return Finding(self._name, region, False, text)

    def _roles(self, missing: Mapping[str, str]) -> Iterator[Finding]:
        """Yield the roles that DynamoDB makes with the first Global Table, and needs as long as there is one."""
        wanted = [REPLICATION_ROLE, *([SCALING_ROLE] if isinstance(self._config.billing, Provisioned) else [])]
        for role in wanted if len(self._members) > 1 else ():
            if role in missing:
                text = f"the account's service-linked role {role} can't be seen: {missing[role]}"
                yield self._wrong(self._config.primary, text)

    def _witnesses(self) -> Iterator[Finding]:
        said = {witness for table in self._deployed.values() for witness in table.witnesses.items()}
        for region, status in sorted(said):
            if status != ACTIVE:
                yield self._wrong(region, f"is a witness, and {status}: {_DO.get(status, _UNKNOWN)}; {_WAIT}")

    def _region(self, region: str) -> Iterator[Finding]:
        table = self._deployed.get(region)
        if region not in self._members:
            if isinstance(self._regions.get(region), Found):
                yield self._absent(region)
            return
        yield from self._status(region)
        if region not in self._config.regions:
            yield self._left(region)
        elif table:
            yield from self._for_good(region, table)
            yield from self._settings(region, table)
        if table:
            yield from self._key(region, table)

    def _absent(self, region: str) -> Finding:
        if region == self._config.primary:
            return self._wrong(
                region,
                f"has no table, and {', '.join(sorted(self._members))} has: another primary would make the table anew",
            )
        if self._config.consistency == "strong":
            return self._wrong(
                region, "has no replica, and none joins a strong table: make another, and copy the items"
            )
        return self._note(region, "has no replica yet: the apply of its stack makes it")

    def _left(self, region: str) -> Finding:
        if region not in self._deployment.regions:
            text = "has a replica, and is no Region of the deployment: no stack owns it, and every item is whole there"
            return self._wrong(region, text)
        text = (
            "has a replica that the file does not name: the apply of its stack deletes it, and needs its key for that"
        )
        table = self._deployed.get(region)
        if table and table.protected:
            return self._wrong(region, f"{text}. Deletion protection goes first, by an apply of its own")
        return self._note(region, text)

    def _status(self, region: str) -> Iterator[Finding]:
        said = self._said.get(region, [])
        table = self._deployed.get(region)
        for status in sorted({*([table.status] if table else []), *(replica.status for replica in said)} - {ACTIVE}):
            since = min((one.inaccessible_since for one in said if one.inaccessible_since), default=None)
            when = f" since {since:%Y-%m-%d %H:%M} UTC" if since else ""
            yield self._wrong(region, f"is {status}{when}: {_DO.get(status, _UNKNOWN)}; {_WAIT}")
        # Of two tables that do not know each other the primary's is the one to keep.
        if table and not said and len(self._deployed) > 1 and (self._said or region != self._config.primary):
            text = "is a table of its own, which no other Region replicates with: copy what only it has, delete it, "
            yield self._wrong(region, f"{text}and apply its stack")

    def _for_good(self, region: str, table: Deployed) -> Iterator[Finding]:
        """Yield what a table has until its end, where the file wants something else."""
        config = self._config
        schema = [(key.name, key.type) for key in (config.hash_key, config.range_key) if key]
        for said, deployed, wanted in (
            ("has the key", _schema(table.schema), _schema(schema)),
            ("is of consistency", table.consistency, config.consistency),
            ("has the witness", ", ".join(table.witnesses) or "none", config.witness or "none"),
        ):
            if deployed != wanted:
                text = (
                    f"{said} {deployed}, and the file wants {wanted}: a table keeps that for good, and Terraform would"
                )
                yield self._wrong(region, f"{text} delete it or fail. Make another table, and copy the items")

    def _settings(self, region: str, table: Deployed) -> Iterator[Finding]:
        wanted, deployed = self._config.encryption, _encryption(table.key)
        if deployed and deployed != wanted:
            text = (
                f"is encrypted {deployed}, and the file wants {wanted}: Terraform would replace replicas, or leave them"
            )
            if deployed == "customer-managed" and self._deployment.encryption == "aws-owned":
                text += " and delete the key that they need"
            yield self._wrong(region, f"{text}. Remove the replicas, change it, add them again")
        named = self._config.replica(region).table_class
        if table.table_class != named:
            text = f"is of the class {table.table_class}, and the file wants {named}: Terraform would replace a replica"
            yield self._wrong(region, f"{text}. Change it by DynamoDB's UpdateTable first")

    def _key(self, region: str, table: Deployed) -> Iterator[Finding]:
        match table.key:
            case Unreadable(code):
                yield self._wrong(region, f"its key can't be read: {code}")
            case Key(of_aws=False) as key:
                yield from (self._wrong(region, text) for text in key_problems(key))
                found = self._regions[region]
                if isinstance(found, Found) and self._config.encryption == "customer-managed":
                    yield from self._own_key(region, key, found.own_key)

    def _own_key(self, region: str, key: Key, own: Key | Unreadable) -> Iterator[Finding]:
        alias = Names(self._deployment.name, region, account="").key_alias
        if isinstance(own, Unreadable):
            yield self._wrong(region, f"the key {alias} can't be read: {own.code}")
        elif own.arn != key.arn:
            text = f"is encrypted with {key.arn}, and {alias} is {own.arn}: Terraform would replace the replica"
            yield self._wrong(region, text)


def _schema(keys: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"{name} {type_}" for name, type_ in keys)


def _encryption(key: Key | Unreadable | None) -> str | None:
    """Return the kind of key as the file spells it, None where it can't be known."""
    if key is None:
        return "aws-owned"
    if isinstance(key, Unreadable):
        return None
    return "aws-managed" if key.of_aws else "customer-managed"


def key_problems(key: Key) -> Iterator[str]:
    """Yield why a customer-managed key does not serve a table, or will not for long."""
    if key.state != "Enabled":
        end = f", and is deleted at {key.deleted_at:%Y-%m-%d %H:%M} UTC" if key.deleted_at else ""
        mend = "cancel its deletion and enable it" if key.deleted_at else "enable it"
        yield (
            f"its key {key.arn} is {key.state}{end}: {mend} {_IN_TIME}. A key is disabled only after its replica was "
            "deleted and the table is ACTIVE"
        )
    if missing := refused_uses(key.arn, key.policy):
        yield f"the policy of its key {key.arn} does not let the account use it for DynamoDB: {', '.join(missing)}"
