"""What one change makes the replication do, Region by Region: the calls of its functions, its events and messages.

The numbers follow from the protocol and hold where each change is handled once, alone and within seconds: an end-to-end
test counts them on the local AWS. The application's own write is not among them. A plain update's version is counted
as read from the ledger: it is where the item's version was written here by plain code, the usual case.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What an application does to an item."""

    INSERT = "insert"
    UPDATE = "update"
    DELETE = "delete"


class Placement(Enum):
    """Where a change is made: of a global item anywhere, of a localized one at its home or away from it."""

    GLOBAL = "global"
    HOME = "home"
    AWAY = "away"


@dataclass(frozen=True)
class Change:
    """A change by plain or by stamping code. A delete is plain, and of the changes away from home only an insert is
    replicated: a write on a stub is not."""

    kind: Kind
    placement: Placement = Placement.GLOBAL
    stamped: bool = False


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How a table is replicated: between how many Regions, with stubs or none, and whether all its writers stamp."""

    regions: int
    stubs: bool = True
    all_stamp: bool = False


@dataclass(frozen=True, kw_only=True)
class Calls:
    """What happens in one Region.

    ``puts``, ``updates`` and ``deletes`` write whole items, and ``reads`` reads them. ``small_updates`` take one write
    unit: ledger entries, and a mark that finds no item. ``ledger_reads`` take one read unit. What is ``sent`` is put on
    the Region's bus, what is ``received`` comes from siblings' buses. ``messages`` go into its queues, and the
    ``records`` of its stream to its listener.
    """

    puts: int = 0
    updates: int = 0
    deletes: int = 0
    reads: int = 0
    small_updates: int = 0
    ledger_reads: int = 0
    changes_sent: int = 0
    receipts_sent: int = 0
    changes_received: int = 0
    receipts_received: int = 0
    messages: int = 0
    records: int = 0

    def operations(self) -> dict[str, int]:
        """Return the API calls by operation, where each event, message and record travels alone."""
        arrived = self.changes_received + self.receipts_received
        return {
            "PutItem": self.puts,
            "UpdateItem": self.updates + self.small_updates,
            "DeleteItem": self.deletes,
            "GetItem": self.reads + self.ledger_reads,
            "PutEvents": self.changes_sent + self.receipts_sent + arrived,
            "SendMessage": self.messages,
            "Invoke": self.messages + self.records,
        }


@dataclass(frozen=True)
class Part:
    """What a change causes in each of so many Regions that play the same role: origin, home or other."""

    role: str
    regions: int
    calls: Calls


def parts(change: Change, layout: Layout) -> list[Part]:
    """Return what a change causes, by role; its origin comes first, and is the home of a change made there."""
    if change.kind is Kind.DELETE:
        found = _delete(change, layout)
    elif change.placement is Placement.AWAY:
        found = _insert_away(change, layout)
    else:
        found = _write(change, layout)
    return [part for part in found if part.regions]


def _delete(change: Change, layout: Layout) -> list[Part]:
    others = layout.regions - 1
    # A tombstone, and a mark that finds no item any more.
    origin = Calls(small_updates=2, ledger_reads=1, changes_sent=1, records=1)
    if change.placement is Placement.GLOBAL or layout.stubs:
        other = Calls(small_updates=1, updates=1, deletes=1, changes_received=1, messages=1)
    else:
        other = Calls(small_updates=2, changes_received=1, messages=1)
    return [Part("origin", 1, origin), Part("other", others, other)]


def _write(change: Change, layout: Layout) -> list[Part]:
    """A global item is answered for by each Region, a stub by none."""
    others = layout.regions - 1
    answered = change.placement is Placement.GLOBAL
    sent = int(answered or layout.stubs)
    origin = Calls(
        **_versioned(change),
        changes_sent=sent,
        receipts_received=others * answered,
        records=1 + (not change.stamped),
    )
    other = Calls(
        puts=1,
        ledger_reads=int(change.kind is Kind.INSERT),
        changes_received=1,
        receipts_sent=int(answered),
        messages=1,
        records=_replica_records(layout),
    )
    return [Part("origin", 1, origin), Part("other", others * sent, other)]


def _insert_away(change: Change, layout: Layout) -> list[Part]:
    others = (layout.regions - 2) * layout.stubs
    versioned = _versioned(change)
    versioned["updates"] += 1  # the anonymizer's
    origin = Calls(
        **versioned,
        reads=1,
        changes_sent=1,
        receipts_received=1,
        messages=1,
        # Under stamping writers the anonymized image still names this Region as the origin, and passes.
        records=2 + (not change.stamped),
    )
    home = Calls(
        puts=1,
        ledger_reads=1,
        changes_sent=int(others > 0),
        receipts_sent=1,
        changes_received=1,
        messages=1,
        records=_replica_records(layout),
    )
    other = Calls(puts=1, ledger_reads=1, changes_received=1, messages=1, records=_replica_records(layout))
    return [Part("origin", 1, origin), Part("home", 1, home), Part("other", others, other)]


def _versioned(change: Change) -> dict[str, int]:
    """Return what giving a write its version costs: for a plain one two looks at the ledger, and the stamp."""
    if change.stamped:
        return {"updates": 0, "ledger_reads": int(change.kind is Kind.INSERT)}
    return {"updates": 1, "ledger_reads": 2}


def _replica_records(layout: Layout) -> int:
    """Return the stream records of an applied image: the listener skips it, unless the stream's filter drops it."""
    return int(not layout.all_stamp)
