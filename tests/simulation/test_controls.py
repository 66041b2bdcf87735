"""A checker that no broken protocol can fail proves nothing: without any one of its rules, some schedule fails."""

from __future__ import annotations

import json
from typing import Any

import pytest

from domicile.core.control import Control as ControlAttribute
from domicile.core.control import Image
from domicile.core.events import EVERYWHERE, Addressed, Mutation, Operation, pack_mutations
from domicile.core.version import Version
from domicile.pipeline.apply import Applier
from domicile.pipeline.inbox import Message
from domicile.simulator.campaign import run
from domicile.simulator.faults import Faults
from domicile.simulator.region import CONTROL, TABLE
from domicile.simulator.schedule import Schedule
from tests.simulation.bridge_rules import tell_everybody
from tests.simulation.controls import CONTROLS, Control
from tests.simulation.rules import nonce, own_version_in_the_ledger

KEY: Image = {"pk": {"S": "k0"}}


@pytest.mark.parametrize("control", CONTROLS, ids=[control.rule for control in CONTROLS])
def test_without_the_rule_some_schedule_fails(control: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    control.take_out(monkeypatch)
    assert any(control.fails(seed) for seed in control.seeds), (
        "python -m tests.simulation.controls tells which seeds show the rule's absence now"
    )


def test_the_courier_lets_nothing_leave_that_was_addressed_wrongly(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the second of two guards: it keeps what the first let pass in its quarantine."""
    tell_everybody(monkeypatch)
    problems = [problem for seed in range(30) for problem in run(seed, 4, partitions=2)]
    assert any("not_allowed_to_cross" in problem for problem in problems)
    leaks = [problem for problem in problems if problem.startswith(("residency", "bridge_rules: write"))]
    assert leaks == []


@pytest.mark.parametrize(("nonces", "content"), [(True, "2"), (False, "1")])
def test_without_nonces_a_version_lands_on_an_older_image(
    nonces: bool, content: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So rare that its schedule is written out.

    An item is put, updated by ordinary code, and deleted at a version below that of the update. A late duplicate puts
    it once more, and the listener handles the update before the duplicate's look at the ledger.
    """
    if not nonces:
        nonce(monkeypatch)
    schedule = Schedule(0, regions=2, faults=Faults(pause=0, crash=0))
    schedule.calm = True
    here, now_ms = schedule.by_name["eu-west-1"], schedule.now_ms

    def receive(operation: Operation, ms: int, **more: Any) -> None:
        version = Version(ms, plain=True, tie=1, region="ap-south-1")
        change = Mutation(operation=operation, table=TABLE, key=KEY, version=version, origin="ap-south-1", **more)
        (entry,) = pack_mutations([Addressed(EVERYWHERE, change)], "ap-south-1", {})
        here.replicator.handle([Message("m", json.dumps({"detail": json.loads(entry.detail)}))])

    receive(Operation.PUT, now_ms - 9000, image={**KEY, "value": {"N": "1"}})
    item = here.store.get(TABLE, KEY)
    here.store.replace(TABLE, KEY, {**(item or {}), "value": {"N": "2"}})
    update = here.stream.all[-1]
    receive(Operation.DELETE, now_ms - 5000)

    def look_late(self: Applier, *arguments: Any) -> None:
        monkeypatch.setattr(Applier, "honour_tombstone", look)
        here.listener.handle([update])
        look(self, *arguments)

    look = Applier.honour_tombstone
    monkeypatch.setattr(Applier, "honour_tombstone", look_late)
    receive(Operation.PUT, now_ms - 9000, image={**KEY, "value": {"N": "1"}})
    assert (here.store.get(TABLE, KEY) or {})["value"] == {"N": content}


@pytest.mark.parametrize(("remembered", "versions"), [(True, 1), (False, 2)])
def test_without_its_own_version_in_the_ledger_a_retried_write_falls_behind_the_one_before_it(
    remembered: bool, versions: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So rare that its schedule is written out.

    Two ordinary puts follow a stamp that is ahead of the clock. The first is forced above it, and the second above the
    first, whose version is replaced in the ledger. Then both are handled again.
    """
    if not remembered:
        own_version_in_the_ledger(monkeypatch)
    schedule = Schedule(0, regions=2, faults=Faults(pause=0, crash=0))
    schedule.calm = True
    here = schedule.by_name["eu-west-1"]
    ahead = ControlAttribute(version=Version(schedule.now_ms + 9000, False, 0, here.name), origin=here.name)
    here.store.replace(TABLE, KEY, {**KEY, CONTROL: ahead.to_value()})
    for number in ("1", "2"):
        here.store.replace(TABLE, KEY, {**KEY, "value": {"N": number}})
    records = here.stream.all[-2:]
    here.listener.handle(records)
    here.listener.handle(records)
    assert len({version for _, _, version in schedule.history.sent}) == versions
