"""The promises of the replication on random schedules of the real steps, and on those that broke one of them once."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from domicile.core.control import Image
from domicile.simulator.campaign import run, run_all
from domicile.simulator.faults import Faults
from domicile.simulator.history import CANARY
from domicile.simulator.schedule import Schedule
from domicile.simulator.store import MemoryStore
from tests.simulation.controls import CONTROLS

FOUND: list[dict[str, Any]] = json.loads(Path(__file__).with_name("found_seeds.json").read_text())


@pytest.mark.parametrize(
    ("regions", "partitions", "seeds"), [(2, 1, 500), (3, 1, 1200), (5, 1, 200), (2, 2, 60), (3, 2, 60), (4, 2, 120)]
)
def test_every_schedule_keeps_every_promise(regions: int, partitions: int, seeds: int) -> None:
    failed = {
        seed: problems
        for results in run_all(range(seeds), regions, None, jobs=1, partitions=partitions)
        for seed, problems in results.items()
        if problems
    }
    options = f"--regions {regions} --partitions {partitions}"
    assert not failed, f"domicile simulate --seed {min(failed)} {options} --trace"


@pytest.mark.parametrize("found", FOUND, ids=[found["why"] for found in FOUND])
def test_a_schedule_that_broke_a_promise_once_keeps_it(found: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """And breaks it still without the rule: a seed means another schedule as soon as anything draws otherwise."""
    faults = Faults(**found["faults"]) if found["faults"] is not None else None
    schedule = partial(run, found["seed"], found["regions"], faults, partitions=found.get("partitions", 1))
    assert schedule() == []
    (control,) = (control for control in CONTROLS if control.rule == found["rule"])
    control.take_out(monkeypatch)
    assert schedule() != []


def lines_of(seed: int, partitions: int) -> list[str]:
    lines: list[str] = []
    run(seed, trace=lines.append, partitions=partitions)
    return lines


@pytest.mark.parametrize("partitions", [1, 2])
@pytest.mark.parametrize("seed", range(6))
def test_a_seed_replays_to_the_letter_with_or_without_a_trace(seed: int, partitions: int) -> None:
    traced: list[str] = []
    observed = Schedule(seed, partitions=partitions, trace=traced.append).run()
    assert lines_of(seed, partitions)[: len(traced)] == traced
    assert Schedule(seed, partitions=partitions).run() == observed


@pytest.mark.parametrize("partitions", [1, 2])
def test_a_trace_holds_no_sensitive_value(partitions: int) -> None:
    assert not [line for seed in range(20) for line in lines_of(seed, partitions) if CANARY.search(line)]


def test_nobody_changes_an_image_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """The store hands out what it holds, for speed: a step that changed it would write without a condition."""

    def get(self: MemoryStore, table: str, key: Image) -> Image | None:
        image = original(self, table, key)
        if image is not None:
            text = json.dumps(image)
            handed_out.append((image, text))
        return image

    handed_out: list[tuple[Image, str]] = []
    original = MemoryStore.get
    monkeypatch.setattr(MemoryStore, "get", get)
    for seed in range(30):
        Schedule(seed).run()
    assert len(handed_out) > 100
    assert all(json.dumps(image) == text for image, text in handed_out)


def test_what_the_filters_of_the_streams_drop_the_listener_would_have_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are the first of two guards against loops: without them the second holds alone."""
    monkeypatch.setattr("domicile.simulator.region.Region.passes", lambda *_: True)
    assert not [seed for seed in range(100) if run(seed)]


def test_one_bad_clock_does_not_win_elsewhere() -> None:
    """A stamp ten minutes ahead is quarantined; no other Region takes it, and nothing else is disturbed by it."""
    faults = Faults(skew_ms_max=3_600_000, plain_writers=0.0, keys=1)
    far = [
        seed for seed in range(60) if (problems := run(seed, faults=faults)) and "version_in_future" in str(problems)
    ]
    assert far
    for seed in far[:10]:
        schedule = Schedule(seed, faults=faults)
        history = schedule.run()
        quarantined = {
            (record.region, record.sequence) for record in history.quarantined if record.reason == "version_in_future"
        }
        versions = {w.version for w in history.writes if (w.region, w.sequence) in quarantined}
        assert not versions & {version for _, _, version in history.sent}
