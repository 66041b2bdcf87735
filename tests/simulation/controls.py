"""Negative controls: each takes one rule out of the protocol, and the checkers must then find a schedule that fails.

``python -m tests.simulation.controls [SEEDS [RULE ...]]`` prints how many of that many schedules fail without a rule.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from domicile.core import events
from domicile.core.change import Change
from domicile.core.control import Control as ControlAttribute
from domicile.core.control import Image
from domicile.core.errors import UnknownAuthorityError
from domicile.core.events import Mutation, Operation, Receipt, coalesce
from domicile.core.policy import Policy, TablePolicy
from domicile.core.routing import Kind, Ledger, Verdict, classify, plain_version
from domicile.core.version import Version
from domicile.core.writes import Below, Delete, NotAbove, SameControl, Written
from domicile.pipeline import listener as listener_module
from domicile.pipeline.anonymizer import Anonymizer
from domicile.pipeline.apply import LEDGER_TOMBSTONE, Applier, Outcome
from domicile.pipeline.listener import Listener
from domicile.pipeline.replicator import Replicator
from domicile.pipeline.report import Report
from domicile.simulator.campaign import run
from domicile.simulator.faults import Faults
from domicile.simulator.region import CONTROL
from domicile.simulator.schedule import Schedule

Patch = pytest.MonkeyPatch


def tie_break(patch: Patch) -> None:
    """Of two versions of one millisecond the greater wins."""

    def holds(self: NotAbove, item: Image | None) -> bool:
        found = ControlAttribute.of(item, self.control)
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


def claim_checks_that_arrived(patch: Patch) -> None:
    """A claim check that was read before is read where it is now."""

    def redeem(self: Replicator, mutation: Mutation, policy: Policy, table: TablePolicy) -> Mutation | None:
        nothing_here = replace(self._world, store=Empty())
        return original(Replicator(nothing_here), mutation, policy, table)

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


_CALM = Faults(
    keys=1,
    throttle=0,
    hours_pass=0,
    late_authority=0,
    expiring=0,
    stub_writes=0,
    cut_off=0,
    policy_outage=0,
    policy_garbage=0,
    table_outage=0,
    delay_ms_max=300,
)
"""Without what would only make a rare failure rarer."""


@dataclass(frozen=True)
class Control:
    """A rule, what takes it out, and where its absence shows soonest.

    ``faults``: None is what each seed draws. ``seeds`` hold one that fails; some rules are needed in few schedules.
    """

    rule: str
    take_out: Callable[[Patch], None]
    faults: Faults | None = None
    seeds: range = range(300)
    regions: int = 3

    def fails(self, seed: int) -> bool:
        """Whether a seed's schedule fails; the rule must have been taken out."""
        return bool(run(seed, self.regions, self.faults))


CONTROLS = (
    Control("tie-break", tie_break),
    Control("ledger check", ledger_check),
    Control(
        "ledger check of claim checks that cannot be read",
        ledger_check_of_lost_claims,
        replace(_CALM, large=0.8, deletes=0.4, crash=0.08, plain_writers=0.8),
        range(3300, 3310),
    ),
    Control("mark", mark),
    Control(
        "anonymizer's condition",
        anonymizer_condition,
        replace(_CALM, pause=0.6, localized=0.9, plain_writers=0.9, crash=0, deletes=0.1),
    ),
    Control("anonymizer's version", anonymizer_version),
    Control("local restore", local_restore),
    Control("local restore as a whole", local_restore_as_a_whole),
    Control("local delete", local_delete),
    Control("fail-closed on unknown authority", fail_closed),
    Control("home of a claim check", claim_check_home),
    Control("loop prevention: own stamps", loop_prevention("own_stamp", Kind.STAMPED)),
    Control("loop prevention: replicas", loop_prevention("replica_applied", Kind.PLAIN)),
    Control("loop prevention: stubs", loop_prevention("stub_applied", Kind.PLAIN)),
    Control(
        "forced versions",
        forced_versions,
        replace(_CALM, plain_writers=0.8, duplicate=0.4, skew_ms_max=3000),
        range(250, 280),
    ),
    Control(
        "every change travels where stubs do not",
        every_change_travels,
        replace(_CALM, directory="origin", deletes=0.3, localized=0.8),
    ),
    Control(
        "claim checks that arrived",
        claim_checks_that_arrived,
        replace(_CALM, large=0.8, crash=0.1, localized=0.9, deletes=0.1),
        range(120, 140),
    ),
    Control("TTL of a large stub", ttl_of_large_stubs, replace(_CALM, large=0.8, expiring=1.0)),
    Control("repair of a stub", stub_repair),
    Control(
        "own version in the ledger",
        own_version_in_the_ledger,
        replace(
            _CALM,
            plain_writers=0.7,
            deletes=0.4,
            localized=0,
            large=0,
            skew_ms_max=3000,
            service_skew_ms_max=2000,
            crash=0.2,
            lost_answer=0,
            refuse_entry=0.5,
            duplicate=0.3,
            lost_response=0.3,
        ),
        range(340, 360),
        regions=2,
    ),
    Control(
        "later changes wait",
        later_changes_wait,
        replace(_CALM, plain_writers=0.8, skew_ms_max=60_000, deletes=0.2, throttle=0.3),
    ),
)


def main(seeds: int, names: list[str]) -> None:
    """Print the table of ``docs/simulation.md``."""
    sys.stdout.write("| rule | schedules | failed | first |\n|---|---|---|---|\n")
    for control in CONTROLS:
        if names and control.rule not in names:
            continue
        with pytest.MonkeyPatch.context() as patch:
            control.take_out(patch)
            failed = [seed for seed in range(seeds) if control.fails(seed)]
        sys.stdout.write(f"| {control.rule} | {seeds} | {len(failed)} | {failed[0] if failed else ''} |\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000, sys.argv[2:])
