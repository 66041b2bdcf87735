"""The native tables of a deployment file: DynamoDB Global Tables, whose items are whole in every Region.

What AWS refuses is refused here, with the reason, before anything is changed. The sources are AWS's developer guide,
"How DynamoDB global tables work", and CloudFormation's reference of ``AWS::DynamoDB::GlobalTable``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Literal

from pydantic import Field, PositiveInt, ValidationInfo, field_validator
from pydantic_core import ErrorDetails

from domicile.core.partitions import partition_of
from domicile.model import ONE_ERROR, Model, Problem, refuse
from domicile.table import (
    INDEXES,
    INDEXES_MAX,
    KEY,
    REPLICATION,
    AttributeName,
    Index,
    Key,
    Table,
    index_problems,
    role_problems,
)
from domicile.tags import TAGS, Tags

STRONG_REGIONS = 3
STRONG_REGION_SETS = (
    ("us-east-1", "us-east-2", "us-west-2"),
    ("eu-west-1", "eu-west-2", "eu-west-3", "eu-central-1"),
    ("ap-northeast-1", "ap-northeast-2", "ap-northeast-3"),
)
_TARGET_PERCENT = (20, 90)  # what DynamoDB's auto scaling takes

_WHOLE = "is for localized tables: a Global Table holds every item whole in every Region, and keeps nothing from one"
_LOCALIZED = "replication: localized, or a native table without this key"
_PER_REGION = "is set for each Region"
# The keys that only other tables have, or that stand elsewhere: what is wrong with them, and what is accepted.
_ELSEWHERE = {
    **dict.fromkeys(
        ("authority_attribute", "control_attribute", "sensitive", "directory", "writers"), (_WHOLE, _LOCALIZED)
    ),
    **{
        key: (_PER_REGION, f"replicas: {{a Region: {{{key}: ...}}}}")
        for key in ("deletion_protection", "point_in_time_recovery", "table_class", "tags")
    },
}
_BILLING = (
    "on-demand, or {read: {min: N, max: N, target_percent: N}, write: {...}} in capacity units, min from 1 to max, and "
    f"target_percent from {_TARGET_PERCENT[0]} to {_TARGET_PERCENT[1]}"
)


class Capacity(Model):
    """Between what limits, and to what utilization, Application Auto Scaling moves a provisioned capacity."""

    min: PositiveInt = Field(description="capacity units, from 1 to max")
    max: PositiveInt = Field(description="capacity units, min or more")
    target_percent: int = Field(
        70, ge=_TARGET_PERCENT[0], le=_TARGET_PERCENT[1], description="how much of the capacity is to be used"
    )

    @field_validator("max")
    @classmethod
    def _not_below_min(cls, value: int, info: ValidationInfo) -> int:
        if value < info.data.get("min", value):
            refuse([Problem("is below min", str(cls.model_fields["max"].description))])
        return value


class Provisioned(Model):
    """Provisioned capacity. A Global Table takes it with auto scaling alone."""

    read: Capacity = Field(description="{min: N, max: N, target_percent: N}")
    write: Capacity = Field(description="{min: N, max: N, target_percent: N}")


class Replica(Model):
    """What a table has in one Region, and AWS does not synchronize with the others."""

    table_class: Literal["standard", "standard-infrequent-access"] = Field(
        "standard", description="standard or standard-infrequent-access"
    )
    point_in_time_recovery: bool = Field(True, description="true or false")
    deletion_protection: bool = Field(True, description="true or false")
    tags: Tags = Field({}, description=TAGS)


_DEFAULTS = Replica.model_validate({})


class NativeTable(Model):
    """One table that DynamoDB replicates itself."""

    replication: Literal["native"] = Field(description=REPLICATION)
    hash_key: Key = Field(description=KEY)
    range_key: Key | None = Field(None, description=KEY)
    consistency: Literal["eventual", "strong"] = Field(
        "eventual", description="eventual, or strong (a read sees the last write of any Region)"
    )
    primary: str = Field(description="the Region of this deployment whose stack owns the table")
    regions: list[str] = Field(
        [], description="Regions of this deployment, of one partition, among them primary; without it, all of them"
    )
    witness: str | None = Field(
        None, description="with consistency: strong, the third Region beside two, which holds no items"
    )
    billing: Annotated[Literal["on-demand"] | Provisioned, ONE_ERROR] = Field("on-demand", description=_BILLING)
    encryption: Literal["customer-managed", "aws-managed", "aws-owned"] | None = Field(
        None, description="customer-managed (each Region's key), aws-managed or aws-owned; without it, the deployment's"
    )
    replicas: dict[str, Replica] = Field(
        {}, description="a Region -> {table_class, point_in_time_recovery, deletion_protection, tags}"
    )
    ttl_attribute: AttributeName | None = Field(None, description="the attribute that DynamoDB expires items by")
    indexes: list[Index] = Field([], max_length=INDEXES_MAX, description=INDEXES)

    @classmethod
    def _worded(cls, error: ErrorDetails) -> str:
        if error["type"] == "extra_forbidden" and error["loc"][0] in _ELSEWHERE:
            text, accepted = _ELSEWHERE[str(error["loc"][0])]
            return f"{text}; accepted: {accepted}"
        return super()._worded(error)

    @field_validator("hash_key", "range_key", "ttl_attribute")
    @classmethod
    def _one_role_each(cls, value: Key | str | None, info: ValidationInfo) -> Key | str | None:
        refuse(role_problems(value, info.data))
        return value

    @field_validator("ttl_attribute")
    @classmethod
    def _no_expiry_under_strong(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value and info.data.get("consistency") == "strong":
            text = "can't stand beside consistency: strong: such a table has no TTL"
            refuse([Problem(text, "consistency: eventual")])
        return value

    @field_validator("indexes")
    @classmethod
    def _indexes_work(cls, indexes: list[Index], info: ValidationInfo) -> list[Index]:
        refuse(index_problems(indexes, info.data))
        if indexes and isinstance(info.data.get("billing"), Provisioned):
            text = "can't stand beside provisioned billing: Terraform would undo what auto scaling did to an index"
            refuse([Problem(text, "billing: on-demand")])
        return indexes

    def replica(self, region: str) -> Replica:
        """Return what the table has in a Region."""
        return self.replicas.get(region, _DEFAULTS)

    def as_localized(self) -> Table:
        """Return the table that Domicile would replicate in its place."""
        return Table.model_construct(
            hash_key=self.hash_key, range_key=self.range_key, ttl_attribute=self.ttl_attribute, indexes=self.indexes
        )

    def spread(self, regions: Sequence[str]) -> NativeTable:
        """Return the table with its Regions named: without any, those of ``regions`` in the primary's partition."""
        here = [region for region in regions if partition_of(region) == partition_of(self.primary)]
        return self if self.regions else self.model_copy(update={"regions": here})


def native_problems(tables: Mapping[str, NativeTable], regions: Sequence[str]) -> Iterator[Problem]:
    """Yield what is wrong with the native tables, whose Regions are named, of a deployment with some ``regions``."""
    for name, table in tables.items():
        for problem in _region_problems(table, regions):
            yield Problem(problem.text, problem.accepted, (name, *problem.loc))


def stacks_before(tables: Mapping[str, NativeTable]) -> dict[str, set[str]]:
    """Return, for each Region that waits for others, those whose stacks must be applied before its own.

    ``tables`` have their Regions and their encryption named. A replica is made of a table that exists. A strong table
    is made with all its replicas at once, so that the other Regions' keys must exist, if they are customer-managed.
    """
    before: dict[str, set[str]] = {}
    for table in tables.values():
        for region in set(table.regions) - {table.primary}:
            if table.consistency == "eventual":
                before.setdefault(region, set()).add(table.primary)
            elif table.encryption == "customer-managed":
                before.setdefault(table.primary, set()).add(region)
    return before


def _region_problems(table: NativeTable, regions: Sequence[str]) -> Iterator[Problem]:
    known = ", ".join(regions)
    if table.primary not in regions:
        yield Problem(f"{table.primary} is not a Region of this deployment", known, ("primary",))
        return
    for position, region in enumerate(table.regions):
        if region not in regions:
            yield Problem(f"{region} is not a Region of this deployment", known, ("regions", position))
        if region in table.regions[:position]:
            yield Problem(f"{region} is given twice", "each Region once", ("regions", position))
    partitions = sorted({partition_of(region) for region in table.regions})
    if len(partitions) > 1:
        text = f"lie in the partitions {' and '.join(partitions)}, and a Global Table's replicas are all in one"
        yield Problem(text, "Regions of one partition, or replication: localized and a bridge", ("regions",))
    elif table.primary not in table.regions:
        yield Problem(f"leave out the primary, {table.primary}", "Regions with it", ("regions",))
    elif len(table.regions) == 1:
        yield Problem(f"are {table.primary} alone", "two or more Regions of one partition", ("regions",))
    for region in table.replicas:
        if region not in table.regions:
            text = f"{region} is not a Region of this table"
            yield Problem(text, ", ".join(table.regions), ("replicas", region))
    yield from _strong_problems(table) if table.consistency == "strong" else _eventual_problems(table)


def _eventual_problems(table: NativeTable) -> Iterator[Problem]:
    if table.witness:
        text = "can't stand beside consistency: eventual: only strong tables have a witness"
        yield Problem(text, "consistency: strong, or no witness", ("witness",))


def _strong_problems(table: NativeTable) -> Iterator[Problem]:
    if table.witness in table.regions:
        yield Problem(f"{table.witness} has a replica", "a Region without one", ("witness",))
    places = [*table.regions, *([table.witness] if table.witness else [])]
    if len(places) != STRONG_REGIONS or len(table.regions) == 1:
        text = f"are {len(table.regions)} with {'a' if table.witness else 'no'} witness, under consistency: strong"
        yield Problem(text, "three Regions, or two and a witness", ("regions",))
    if not any(set(places) <= set(region_set) for region_set in STRONG_REGION_SETS):
        text = f"{', '.join(places)} are not all in one set of AWS's Regions for consistency: strong"
        sets = "; or ".join(", ".join(region_set) for region_set in STRONG_REGION_SETS)
        yield Problem(text, sets, ("regions",))
