"""What takes one rule out of the protocol each; ``controls`` says where its absence shows."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any
from unittest.mock import ANY

import pytest

from domicile.core import events
from domicile.core import routing as routing_module
from domicile.core.change import Change
from domicile.core.control import Control as ControlAttribute
from domicile.core.control import Image
from domicile.core.errors import UnknownAuthorityError
from domicile.core.events import EVERYWHERE, Addressed, Mutation, Operation, Receipt, coalesce
from domicile.core.policy import Policy, TablePolicy
from domicile.core.routing import Kind, Ledger, Verdict, classify, plain_version, route_write
from domicile.core.version import Version
from domicile.core.writes import Below, Delete, NotAbove, SameValue, Written
from domicile.pipeline import apply as apply_module
from domicile.pipeline import listener as listener_module
from domicile.pipeline.anonymizer import Anonymizer
from domicile.pipeline.apply import LEDGER_TOMBSTONE, Applier, Outcome
from domicile.pipeline.listener import Listener
from domicile.pipeline.replicator import Replicator
from domicile.pipeline.report import Report
from domicile.simulator.region import CONTROL, LIMITS
from domicile.simulator.schedule import Schedule

Patch = pytest.MonkeyPatch


def tie_break(patch: Patch) -> None:
    """Of two versions of one millisecond the greater wins."""

    def holds(self: NotAbove, item: Image | None) -> bool:
        found = ControlAttribute.of(item, self.control)
        return found is None or found.version.ms < self.version.ms

    patch.setattr(NotAbove, "holds", holds)


def compressed_moves_go_home_alone(patch: Patch) -> None:
    """An observer must see through the compression, and schedules must have such moves."""

    def route(*arguments: Any) -> list[Addressed]:
        return [
            replace(item, destination=EVERYWHERE)
            if item.mutation.operation is Operation.MOVE
            and len(json.dumps(item.mutation.image)) > LIMITS.chunk_bytes_max
            else item
            for item in original(*arguments)
        ]

    original = route_write
    patch.setattr(listener_module, "route_write", route)


def ledger_check(patch: Patch) -> None:
    """After a put, a tombstone above it deletes it."""
    patch.setattr(Applier, "honour_tombstone", lambda *_: None)


def ledger_check_of_lost_claims(patch: Patch) -> None:
    """Also where a claim check can no longer be read."""

    def one(self: Replicator, mutation: Mutation, *rest: Any) -> None:
        if not mutation.claim:
            original(self, mutation, *rest)
            return
        applier, self._applier = self._applier, NoLedgerCheck(self._world)
        try:
            original(self, mutation, *rest)
        finally:
            self._applier = applier

    class NoLedgerCheck(Applier):
        def put(self, table: TablePolicy, mutation: Mutation) -> Outcome:
            return Applier(self._world).put(table, mutation)

        def honour_tombstone(self, *_: Any) -> None:
            return

    original = Replicator._one
    patch.setattr(Replicator, "_one", one)


def mark(patch: Patch) -> None:
    """A delete marks the item before it removes it."""

    def delete(self: Applier, table: TablePolicy, key: Image, version: Version, _origin: str) -> Outcome:
        self._remember(table, key, LEDGER_TOMBSTONE, version)
        condition = Below(table.control_attribute, version)
        self._world.store.write(Delete(table=table.name, key=key, condition=condition))
        return Outcome.APPLIED

    patch.setattr(Applier, "delete", delete)


def nonce(patch: Patch) -> None:
    """Two applications of one version are told apart."""
    patch.setattr(Schedule, "nonce", lambda _: "0")


def anonymizer_condition(patch: Patch) -> None:
    """The anonymizer's update holds only of the item that it read."""

    class Any_(SameValue):  # noqa: N801
        def holds(self, item: Image | None) -> bool:
            return item is not None

    patch.setattr("domicile.pipeline.anonymizer.SameValue", Any_)


def anonymizer_version(patch: Patch) -> None:
    """The anonymizer acts on the finished version alone."""

    def one(self: Anonymizer, receipt: Receipt, report: Report) -> None:
        control = ControlAttribute.of(self._world.store.get(receipt.table, receipt.key), CONTROL)
        original(self, replace(receipt, version=control.version) if control is not None else receipt, report)

    original = Anonymizer._one
    patch.setattr(Anonymizer, "_one", one)


def local_restore(patch: Patch) -> None:
    """A plain write that a lower version overwrote is put back."""
    patch.setattr(Listener, "_put_back", lambda *_: None)


def local_restore_as_a_whole(patch: Patch) -> None:
    """It is put back whole, for its home may have to read it here."""

    def put_back(self: Listener, change: Change, version: Version, policy: Policy) -> None:
        table = policy.table(change.table)
        home = policy.home_of(change.new or {}, table)
        if home in (None, self._world.region):
            original(self, change, version, policy)
            return
        image = self._stub_of(table, Report())(change.new or {})
        stub = Mutation(
            operation=Operation.STUB,
            table=table.name,
            key=change.key,
            version=version,
            origin=self._world.region,
            home=home,
            image=image,
        )
        self._applier.stub(table, stub)

    original = Listener._put_back
    patch.setattr(Listener, "_put_back", put_back)


def local_delete(patch: Patch) -> None:
    """An application's delete is applied here too: a late write may have come back."""

    def one(self: Listener, record: Any, change: Change, later: Any, report: Report) -> Any:
        if change.new is not None:
            return original(self, record, change, later, report)
        applier, self._applier = self._applier, NoDelete(self._world)
        try:
            return original(self, record, change, later, report)
        finally:
            self._applier = applier

    class NoDelete(Applier):
        def delete(self, *_: Any) -> Outcome:
            return Outcome.STALE

    original = Listener._one
    patch.setattr(Listener, "_one", one)


def fail_closed(patch: Patch) -> None:
    """An item of an unknown authority is not global."""

    def authority_of(self: Policy, image: Image, table: TablePolicy) -> str | None:
        try:
            return original(self, image, table)
        except UnknownAuthorityError:
            return None

    original = Policy.authority_of
    patch.setattr(Policy, "authority_of", authority_of)


def claim_check_authority(patch: Patch) -> None:
    """The image that a claim check reads must have the authority that it was sent for."""

    def redeem(self: Replicator, mutation: Mutation, table: TablePolicy) -> Mutation | None:
        any_authority: Any = ANY
        return original(self, replace(mutation, authority=any_authority), table)

    original = Replicator._redeem
    patch.setattr(Replicator, "_redeem", redeem)


def claim_checks_of_other_maps(patch: Patch) -> None:
    """A claim check is read whatever this Region's map says of the authority."""

    def redeem(self: Replicator, mutation: Mutation, table: TablePolicy) -> Mutation | None:
        redeemed = original(self, mutation, table)
        if redeemed is None or redeemed.operation is Operation.DELETE:
            return redeemed
        home = self._world.policy.get().authorities.get((mutation.authority or {}).get("S", ""))
        return redeemed if home in (None, self._world.region) else None

    original = Replicator._redeem
    patch.setattr(Replicator, "_redeem", redeem)


def stubs_are_no_arrival(patch: Patch) -> None:
    """A home that has but the stub of a version does not say that it arrived."""

    def outcome(written: Written, found: ControlAttribute | None, control: ControlAttribute) -> Outcome:
        same = found is not None and not written.applied and found.version == control.version
        return Outcome.DUPLICATE if same else original(written, found, control)

    original = apply_module._outcome
    patch.setattr(apply_module, "_outcome", outcome)


def expiries(patch: Patch) -> None:
    """What expires is buried."""

    def skipped(change: Change, table: TablePolicy, region: str) -> Verdict:
        verdict = classify(change, table, region)
        return replace(verdict, kind=Kind.SKIP) if verdict.kind is Kind.EXPIRY else verdict

    patch.setattr(listener_module, "classify", skipped)


def expiries_without_version(patch: Patch) -> None:
    """What is gone before its record is handled is put back, unless a delete says why."""
    patch.setattr(Listener, "_is_deleted_by", lambda *_: True)


def claim_checks_of_what_is_gone(patch: Patch) -> None:
    """What is gone before its claim check is read is buried."""

    def redeem(self: Replicator, mutation: Mutation, table: TablePolicy) -> Mutation | None:
        redeemed = original(self, mutation, table)
        return redeemed if redeemed is not None and redeemed.operation is not Operation.DELETE else None

    original = Replicator._redeem
    patch.setattr(Replicator, "_redeem", redeem)


def others_hear_of_what_is_gone(patch: Patch) -> None:
    """And a home tells it to those whom nobody else tells."""

    def to_others(self: Replicator, mutation: Mutation, *arguments: Any) -> Any:
        return None if mutation.operation is Operation.DELETE else original(self, mutation, *arguments)

    original = Replicator._to_others
    patch.setattr(Replicator, "_to_others", to_others)


def versions_ahead_of_their_expiry(patch: Patch) -> None:
    """What is written after an expiry lies above the expired version, even if that was ahead of the clock."""

    def version(self: Listener, change: Change, verdict: Verdict, table: TablePolicy) -> Version:
        if verdict.kind is Kind.EXPIRY and verdict.old is not None:
            return verdict.old.version
        return original(self, change, verdict, table)

    original = Listener._version
    patch.setattr(Listener, "_version", version)


def loop_prevention(reason: str, kind: Kind) -> Callable[[Patch], None]:
    """Return the control that handles records which the replication made as an application's."""

    def control(patch: Patch) -> None:
        def taken_for_an_application(change: Change, table: TablePolicy, region: str) -> Verdict:
            verdict = classify(change, table, region)
            return replace(verdict, kind=kind) if verdict.reason == reason else verdict

        patch.setattr(listener_module, "classify", taken_for_an_application)

    return control


def forced_versions(patch: Patch) -> None:
    """A version that its base forced up is remembered."""
    patch.setattr(Applier, "remember_forced", lambda *_: None)


def own_version_in_the_ledger(patch: Patch) -> None:
    """A retried record takes the version that its first run left in the ledger."""

    def version(change: Change, verdict: Verdict, region: str, ledger: Ledger) -> Version:
        mine = [
            entry if entry is None or entry.tie != change.sequence else None
            for entry in (ledger.tombstone, ledger.forced)
        ]
        return plain_version(change, verdict, region, Ledger(*mine))

    patch.setattr(listener_module, "plain_version", version)


def ledger_under_own_stamps(patch: Patch) -> None:
    """The ledger is asked also where an image shows a plain version of this Region."""

    def needs(verdict: Verdict, _: str) -> bool:
        return verdict.old is None or verdict.new is None

    patch.setattr(listener_module, "needs_ledger", needs)
    patch.setattr(routing_module, "needs_ledger", needs)


def later_changes_wait(patch: Patch) -> None:
    """The later changes of a key wait for one that failed."""

    def in_order(self: Listener, records: Any, positions: Iterable[int]) -> Any:
        return {position: self._guarded(records[position], []) for position in positions}

    patch.setattr(Listener, "_in_order", in_order)


def every_change_travels(patch: Patch) -> None:
    """Where stubs do not go everywhere, no change is left out for a later one."""

    def all_tables(addressed: Any, _tables: Any) -> Any:
        return coalesce(addressed)

    patch.setattr(listener_module, "coalesce", all_tables)


def claim_checks_that_arrived(patch: Patch) -> None:
    """A claim check that was read before is read where it is now."""

    def redeem(self: Replicator, mutation: Mutation, table: TablePolicy) -> Mutation | None:
        nothing_here = replace(self._world, store=Empty())
        return original(Replicator(nothing_here), mutation, table)

    class Empty:
        def get(self, *_: Any) -> None:
            return None

        def write(self, *_: Any) -> Written:
            raise AssertionError("a claim check is only read")

    original = Replicator._redeem
    patch.setattr(Replicator, "_redeem", redeem)


def ttl_of_large_stubs(patch: Patch) -> None:
    """A stub without its largest attributes keeps its small ones."""

    def smallest(image: Image, first: Iterable[str], _bytes_max: int) -> Image:
        return {name: image[name] for name in first if name in image}

    patch.setattr(events, "_smallest", smallest)


def stub_repair(patch: Patch) -> None:
    """What an application brought to a stub is anonymized again."""
    patch.setattr(listener_module, "values_at", lambda *_: None)
