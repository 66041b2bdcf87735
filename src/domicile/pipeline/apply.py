"""Applying a version to this Region's table: "greater version wins", whatever the order or number of deliveries.

After a write onto nothing, or onto an item without control attribute, the ledger is read: a tombstone above the version
deletes what was written. Checking afterwards makes the pair safe in every interleaving without a transaction. A
delivery that finds its version there already, or a greater one, checks too: an earlier delivery of the same may have
crashed between its write and its check, and what came on top since may lie below the tombstone as well.
"""

from __future__ import annotations

from enum import Enum

from domicile.core.control import Control, Image, without
from domicile.core.events import Mutation
from domicile.core.policy import TablePolicy
from domicile.core.routing import Ledger
from domicile.core.version import Version
from domicile.core.writes import AbsentOrLower, Below, Delete, Marked, NotAbove, Put, Update, Written
from domicile.pipeline.ports import Place

LEDGER_TOMBSTONE = "dom_tombstone"
LEDGER_FORCED = "dom_forced"
LEDGER_REMOVING = "dom_removing"
"""The tombstone of a copy that other Regions may still have."""
LEDGER_EXPIRES_AT = "dom_expires_at"
LEDGER_SECONDS = 180 * 24 * 3600
"""Longer than streams, EventBridge's retries, queues, dead letters and quarantines, those of a bridge too, and one
redrive of each can hold a change back together: some 160 days."""


class Outcome(Enum):
    """What became of a version in this Region."""

    APPLIED = "applied"
    DUPLICATE = "duplicate"
    STALE = "stale"


class Applier:
    """The conditional writes of one Region, in the order that the protocol needs."""

    def __init__(self, world: Place) -> None:
        self._world = world

    def put(self, table: TablePolicy, mutation: Mutation) -> Outcome:
        """Put the full image unless the item has this version or a greater one."""
        return self._put(table, mutation, home=None)

    def stub(self, table: TablePolicy, mutation: Mutation) -> Outcome:
        """Put the anonymized image, by the same rule; the home itself keeps its full image."""
        if mutation.home == self._world.region:
            return Outcome.STALE
        return self._put(table, mutation, home=mutation.home)

    def delete(self, table: TablePolicy, key: Image, version: Version, origin: str) -> Outcome:
        """Bury the key, then mark the item if it is lower, then remove it if it still bears that mark."""
        self.bury(table, key, version)
        mark = Control(version=version, origin=origin, deleting=True)
        marked = self._world.store.write(
            Update(
                table=table.name,
                key=key,
                assign={table.control_attribute: mark.to_value()},
                condition=Below(table.control_attribute, version),
            )
        )
        still_marked = Marked(table.control_attribute, version)
        if not marked.applied and not still_marked.holds(marked.before):
            return Outcome.STALE
        self._world.store.write(Delete(table=table.name, key=key, condition=still_marked))
        return Outcome.APPLIED if marked.applied else Outcome.DUPLICATE

    def bury(self, table: TablePolicy, key: Image, version: Version, beside: Image | None = None) -> None:
        """Keep the key's tombstone, by which nothing of a lower version comes back, and ``beside`` it in one write."""
        self._remember(table, key, LEDGER_TOMBSTONE, version, beside)

    def honour_tombstone(self, table: TablePolicy, key: Image, version: Version) -> None:
        """Delete what is there with a lower version than the key's tombstone, if that is above ``version``."""
        tombstone = self.ledger(table, key).tombstone
        if tombstone is not None and tombstone > version:
            self.delete(table, key, tombstone, tombstone.region)

    def ledger(self, table: TablePolicy, key: Image) -> Ledger:
        """Read the key's ledger entry."""
        entry = self._world.store.get(table.ledger, key) or {}
        tombstone, forced = (
            Version.parse(entry[name]["S"]) if name in entry else None for name in (LEDGER_TOMBSTONE, LEDGER_FORCED)
        )
        return Ledger(tombstone, forced)

    def remember_forced(self, table: TablePolicy, key: Image, version: Version) -> None:
        """Keep a version that its base forced above the record's time, for the plain writes that follow."""
        self._remember(table, key, LEDGER_FORCED, version)

    def _put(self, table: TablePolicy, mutation: Mutation, home: str | None) -> Outcome:
        name, key = table.control_attribute, mutation.key
        control = Control(
            version=mutation.version,
            origin=mutation.origin,
            home=home,
            nonce=self._world.nonce(),
            partial=mutation.partial,
        )
        image = {**without(mutation.image or {}, name), name: control.to_value()}
        written = self._world.store.write(
            Put(table=table.name, key=key, image=image, condition=NotAbove(name, control.version))
        )
        found = Control.of(written.before, name)
        outcome = _outcome(written, found, control)
        if outcome is not Outcome.APPLIED or found is None:
            self.honour_tombstone(table, key, control.version)
        return outcome

    def _remember(
        self, table: TablePolicy, key: Image, attribute: str, version: Version, beside: Image | None = None
    ) -> None:
        expires_at_s = self._world.now_ms() // 1000 + LEDGER_SECONDS
        self._world.store.write(
            Update(
                table=table.ledger,
                key=key,
                assign={attribute: {"S": str(version)}, LEDGER_EXPIRES_AT: {"N": str(expires_at_s)}, **(beside or {})},
                condition=AbsentOrLower(attribute, str(version)),
            )
        )


def _outcome(written: Written, found: Control | None, control: Control) -> Outcome:
    """Return what became of a put.

    A home that has but the stub of the very version has not got it: between two deliveries of its record the map had
    made this Region the home, and it had moved to the former one. It stays there.
    """
    if written.applied:
        return Outcome.APPLIED
    same = found is not None and (found.version, found.is_stub) == (control.version, control.is_stub)
    return Outcome.DUPLICATE if same else Outcome.STALE
