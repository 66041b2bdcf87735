"""Rules: what a table asks of its replication, and which kinds of replication can't give it.

The facts are AWS's own; each rule that rests on one says where it is written down.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from domicile.core.partitions import partition_of
from domicile.native_table import STRONG_REGION_SETS, STRONG_REGIONS
from domicile.table import Table

_AWS = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/"
GLOBAL_TABLES = f"{_AWS}V2globaltables_HowItWorks.html"


class Choice(Enum):
    """A kind of replication; of two that cost the same the first one is chosen."""

    NATIVE_EVENTUAL = "native eventual"
    NATIVE_STRONG = "native strong"
    LOCALIZED = "localized"

    @property
    def replication(self) -> str:
        """The kind without its consistency: ``native`` or ``localized``."""
        return self.value.partition(" ")[0]

    @property
    def consistency(self) -> str | None:
        """A native table's consistency: ``eventual`` or ``strong``."""
        return self.value.partition(" ")[2] or None


_NATIVE = (Choice.NATIVE_EVENTUAL, Choice.NATIVE_STRONG)


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What the deployment file doesn't say of a table."""

    strong_reads: bool = False
    transactions: bool = False
    localized_share: float = 0.0


@dataclass(frozen=True)
class Reason:
    """What a rule found: the choices that it excludes, none where it only informs, and why."""

    rule: str
    text: str
    excludes: tuple[Choice, ...] = ()
    source: str | None = None


def localizes(table: Table) -> bool:
    """Whether the file says that some items must not be whole in each Region."""
    return bool(table.sensitive) or table.directory == "origin"


def reasons(regions: Sequence[str], table: Table, needs: Needs) -> list[Reason]:
    """Return what the rules find for a table that is wanted in these Regions."""
    return [
        *_residency(table, needs),
        *_partitions(regions),
        *_consistency(needs),
        *(_regions(regions) if needs.strong_reads else ()),
        *_expiry(table),
        *_transactions(needs),
        Reason(
            "streams",
            "a native replica's stream shows replicated changes too; a localized table's has the listener as one of "
            "two readers, and shows the control attribute",
            source=GLOBAL_TABLES,
        ),
    ]


def possible(found: list[Reason]) -> list[Choice]:
    """Return the choices that no reason excludes, in their order."""
    excluded = {choice for reason in found for choice in reason.excludes}
    return [choice for choice in Choice if choice not in excluded]


def _residency(table: Table, needs: Needs) -> Iterator[Reason]:
    if table.sensitive:
        why = f"it has sensitive attributes ({', '.join(table.sensitive)})"
    elif table.directory == "origin":
        why = "directory: origin keeps an item from other Regions"
    elif needs.localized_share > 0:
        why = "some of its items have an authority"
    else:
        yield Reason("residency", "nothing in it is sensitive: its items may be whole in every Region")
        return
    text = f"{why}; a Global Table holds every item whole in every replica"
    yield Reason("residency", text, _NATIVE, GLOBAL_TABLES)


def _partitions(regions: Sequence[str]) -> Iterator[Reason]:
    partitions = sorted(set(map(partition_of, regions)))
    if len(partitions) > 1:
        text = f"its Regions are in {' and '.join(partitions)}; a Global Table's replicas are in one partition"
        yield Reason("partitions", text, _NATIVE, GLOBAL_TABLES)


def _consistency(needs: Needs) -> Iterator[Reason]:
    if needs.strong_reads:
        text = "a read must see the last write of any Region, which only multi-Region strong consistency gives"
        yield Reason("consistency", text, (Choice.NATIVE_EVENTUAL, Choice.LOCALIZED), GLOBAL_TABLES)
    else:
        text = "a read may miss another Region's last write for some seconds, so writes need not wait for other Regions"
        yield Reason("consistency", text, (Choice.NATIVE_STRONG,), GLOBAL_TABLES)


def _regions(regions: Sequence[str]) -> Iterator[Reason]:
    count, given = len(regions), set(regions)
    if count > STRONG_REGIONS or not any(given <= set(region_set) for region_set in STRONG_REGION_SETS):
        sets = "; ".join(", ".join(region_set) for region_set in STRONG_REGION_SETS)
        text = (
            f"strong consistency is for exactly three Regions of one set ({sets}), not for {', '.join(sorted(given))}"
        )
        yield Reason("regions", text, (Choice.NATIVE_STRONG,), GLOBAL_TABLES)
    elif count < STRONG_REGIONS:
        text = "strong consistency needs a witness in a third Region beside these two"
        yield Reason("regions", text, source=GLOBAL_TABLES)


def _expiry(table: Table) -> Iterator[Reason]:
    if table.ttl_attribute:
        text = (
            "items expire, which they can't under strong consistency. A native expiry costs a replicated write in each "
            "other Region; localized, each Region expires its own copy and buries it in its ledger"
        )
        yield Reason("ttl", text, (Choice.NATIVE_STRONG,), GLOBAL_TABLES)


def _transactions(needs: Needs) -> Iterator[Reason]:
    if needs.transactions:
        text = (
            "there are none under strong consistency. Native and localized alike they are atomic in the Region of the "
            "write, and their items arrive elsewhere one by one"
        )
        yield Reason("transactions", text, (Choice.NATIVE_STRONG,), GLOBAL_TABLES)
