"""Negative controls: each takes one rule out of the protocol, and the checkers must then find a schedule that fails.

``python -m tests.simulation.controls [SEEDS]`` prints how many of that many schedules fail without each rule.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest

from domicile.core.change import Change
from domicile.core.control import Control, Image
from domicile.core.errors import UnknownAuthorityError
from domicile.core.events import Mutation, Operation, Receipt, coalesce
from domicile.core.policy import Policy, TablePolicy
from domicile.core.routing import Kind, Ledger, Verdict, classify, plain_version
from domicile.core.version import Version
from domicile.core.writes import Below, Delete, NotAbove, SameControl
from domicile.pipeline import listener as listener_module
from domicile.pipeline.anonymizer import Anonymizer
from domicile.pipeline.apply import LEDGER_TOMBSTONE, Applier, Outcome
from domicile.pipeline.listener import Listener
from domicile.pipeline.replicator import Replicator
from domicile.pipeline.report import Report
from domicile.simulator.campaign import run
from domicile.simulator.region import CONTROL
from domicile.simulator.schedule import Schedule

Patch = pytest.MonkeyPatch


def tie_break(patch: Patch) -> None:
    """Of two versions of one millisecond the greater wins."""

    def holds(self: NotAbove, item: Image | None) -> bool:
        found = Control.of(item, self.control)
        return found is None or found.version.ms < self.version.ms

    patch.setattr(NotAbove, "holds", holds)


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


def finish_delete(patch: Patch) -> None:
    """Who finds an item marked removes it."""
    patch.setattr(Applier, "finish_delete", lambda *_: None)


def nonce(patch: Patch) -> None:
    """Two applications of one version are told apart."""
    patch.setattr(Schedule, "nonce", lambda _: "0")


def anonymizer_condition(patch: Patch) -> None:
    """The anonymizer's update holds only of the item that it read."""

    class Any_(SameControl):  # noqa: N801
        def holds(self, item: Image | None) -> bool:
            return item is not None

    patch.setattr("domicile.pipeline.anonymizer.SameControl", Any_)


def anonymizer_version(patch: Patch) -> None:
    """The anonymizer acts on the finished version alone."""

    def one(self: Anonymizer, receipt: Receipt, report: Report) -> None:
        control = Control.of(self._world.store.get(receipt.table, receipt.key), CONTROL)
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

    def one(self: Listener, record: Any, change: Change, report: Report) -> Any:
        if change.new is not None:
            return original(self, record, change, report)
        applier, self._applier = self._applier, NoDelete(self._world)
        try:
            return original(self, record, change, report)
        finally:
            self._applier = applier

    class NoDelete(Applier):
        def delete(self, *_: Any) -> Outcome:
            return Outcome.STALE

    original = Listener._one
    patch.setattr(Listener, "_one", one)


def fail_closed(patch: Patch) -> None:
    """An item of an unknown authority is not global."""

    def home_of(self: Policy, image: Image, table: TablePolicy) -> str | None:
        try:
            return original(self, image, table)
        except UnknownAuthorityError:
            return None

    original = Policy.home_of
    patch.setattr(Policy, "home_of", home_of)


def claim_check_home(patch: Patch) -> None:
    """The image that a claim check reads says where it may rest."""

    def redeem(self: Replicator, mutation: Mutation, policy: Policy, table: TablePolicy) -> Mutation | None:
        anywhere = replace(policy, authorities=dict.fromkeys(policy.authorities, self._world.region))
        return original(self, mutation, anywhere, table)

    original = Replicator._redeem
    patch.setattr(Replicator, "_redeem", redeem)


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


def later_changes_wait(patch: Patch) -> None:
    """The later changes of a key wait for one that failed."""

    def in_order(self: Listener, records: Any, positions: Iterable[int]) -> Any:
        return {position: self._guarded(records[position]) for position in positions}

    patch.setattr(Listener, "_in_order", in_order)


def every_change_travels(patch: Patch) -> None:
    """Where stubs do not go everywhere, no change is left out for a later one."""

    def all_tables(addressed: Any, _tables: Any) -> Any:
        return coalesce(addressed)

    patch.setattr(listener_module, "coalesce", all_tables)


def stub_repair(patch: Patch) -> None:
    """What an application brought to a stub is anonymized again."""
    patch.setattr(listener_module, "values_at", lambda *_: None)


CONTROLS: dict[str, Callable[[Patch], None]] = {
    "tie-break": tie_break,
    "ledger check": ledger_check,
    "ledger check of lost claim checks": ledger_check_of_lost_claims,
    "mark": mark,
    "finishing a found mark": finish_delete,
    "nonce": nonce,
    "anonymizer's condition": anonymizer_condition,
    "anonymizer's version": anonymizer_version,
    "local restore": local_restore,
    "local restore as a whole": local_restore_as_a_whole,
    "local delete": local_delete,
    "fail-closed on unknown authority": fail_closed,
    "home of a claim check": claim_check_home,
    "loop prevention: own stamps": loop_prevention("own_stamp", Kind.STAMPED),
    "loop prevention: replicas": loop_prevention("replica_applied", Kind.PLAIN),
    "loop prevention: stubs": loop_prevention("stub_applied", Kind.PLAIN),
    "forced versions": forced_versions,
    "own version in the ledger": own_version_in_the_ledger,
    "later changes wait": later_changes_wait,
    "every change travels where stubs do not": every_change_travels,
    "repair of a stub": stub_repair,
}


def main(seeds: int) -> None:
    """Print the table of ``docs/simulation.md``."""
    sys.stdout.write("| rule | schedules that fail without it | first seed |\n|---|---|---|\n")
    for name, control in {"(none)": lambda _: None, **CONTROLS}.items():
        with pytest.MonkeyPatch.context() as patch:
            control(patch)
            failed = [seed for seed in range(seeds) if run(seed)]
        sys.stdout.write(f"| {name} | {len(failed)} | {failed[0] if failed else ''} |\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
