"""The protocol's invariants on random schedules of the real steps, and negative controls that must break them."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from domicile.core.change import Change
from domicile.core.control import Control, Image
from domicile.core.policy import TablePolicy
from domicile.core.routing import Kind, Verdict, classify
from domicile.core.version import Version
from domicile.core.writes import Below, Delete, NotAbove, SameControl
from domicile.pipeline.apply import LEDGER_TOMBSTONE, Applier, Outcome
from domicile.pipeline.listener import Listener
from domicile.pipeline.report import Report
from tests.simulation.cluster import Cluster, Faults

SEEDS = 1500


def run(cluster: type[Cluster], seed: int, faults: Faults | None = None) -> str | None:
    return cluster(seed, faults).run(random.Random(seed).choice([10, 30, 80]))


# All writes within a second or two: records then have equal times, and every version is forced above another.
BURST = (0, 1, 1, 5)


@pytest.mark.parametrize("plain_writers", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("steps_ms", [Faults().steps_ms, BURST], ids=["spread", "burst"])
def test_every_schedule_converges_without_loss_or_leak(plain_writers: float, steps_ms: tuple[int, ...]) -> None:
    faults = Faults(plain_writers=plain_writers, steps_ms=steps_ms)
    failures = {seed: problem for seed in range(SEEDS // 3) if (problem := run(Cluster, seed, faults)) is not None}
    assert not failures


# (seed, skew_ms_max): a mark whose delete never came, a stamp whose ledger check never came, and a forced version that
# a retry could not compute again. Each was a crash between two effects.
FOUND = [(333, 500), (2198, 500), (20564, 500), (32362, 500)]


@pytest.mark.parametrize(("seed", "skew_ms_max"), FOUND)
def test_a_schedule_that_failed_once_converges(seed: int, skew_ms_max: int) -> None:
    assert run(Cluster, seed, Faults(skew_ms_max=skew_ms_max)) is None


# Two writes on one base whose sequence numbers lay around the base's own, and a version that was forced above its
# record's time by a base that a remote delete then took.
FOUND_IN_BURSTS = [1197, 1352, 1677, 3094, 3267, 4258]


@pytest.mark.parametrize("seed", FOUND_IN_BURSTS)
def test_a_burst_that_failed_once_converges(seed: int) -> None:
    assert run(Cluster, seed, Faults(plain_writers=0.7, steps_ms=BURST)) is None


def no_ledger_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Applier, "honour_tombstone", lambda *_: None)


def no_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    def delete(self: Applier, table: TablePolicy, key: Image, version: Version, _origin: str) -> Outcome:
        self._remember(table, key, LEDGER_TOMBSTONE, version)
        condition = Below(table.control_attribute, version)
        self._world.store.write(Delete(table=table.name, key=key, condition=condition))
        return Outcome.APPLIED

    monkeypatch.setattr(Applier, "delete", delete)


def no_tie_break(monkeypatch: pytest.MonkeyPatch) -> None:
    def holds(self: NotAbove, item: Image | None) -> bool:
        found = Control.of(item, self.control)
        return found is None or found.version.ms < self.version.ms

    monkeypatch.setattr(NotAbove, "holds", holds)


def no_local_restore(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Listener, "_put_back", lambda *_: None)


def no_local_delete(monkeypatch: pytest.MonkeyPatch) -> None:
    def one(self: Listener, record: Any, change: Change, report: Report) -> Any:
        if change.new is not None:
            return original(self, record, change, report)
        delete = self._applier.delete
        self._applier.delete = lambda *_: Outcome.STALE  # type: ignore[method-assign]
        try:
            return original(self, record, change, report)
        finally:
            self._applier.delete = delete  # type: ignore[method-assign]

    original = Listener._one
    monkeypatch.setattr(Listener, "_one", one)


def no_version_condition(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SameControl, "holds", lambda _self, item: item is not None)


def no_loop_prevention(monkeypatch: pytest.MonkeyPatch) -> None:
    def replicas_are_writes(change: Change, table: TablePolicy, _region: str) -> Verdict:
        verdict = classify(change, table, verdict_region(change, table))
        return verdict if verdict.reason != "own_stamp" else replace(verdict, kind=Kind.STAMPED)

    def verdict_region(change: Change, table: TablePolicy) -> str:
        control = Control.of(change.new, table.control_attribute)
        return control.origin if control is not None else ""

    monkeypatch.setattr("domicile.pipeline.listener.classify", replicas_are_writes)


@pytest.mark.parametrize(
    "control",
    [
        no_ledger_check,
        no_mark,
        no_tie_break,
        no_local_restore,
        no_local_delete,
        no_version_condition,
        no_loop_prevention,
    ],
)
def test_taking_one_rule_out_breaks_some_schedule(
    control: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checker that no broken protocol can fail proves nothing."""
    control(monkeypatch)
    assert any(run(Cluster, seed, Faults(skew_ms_max=3000)) is not None for seed in range(SEEDS))
