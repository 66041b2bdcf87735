"""A table that is filled by copies while applications write it already: theirs win, on schedules with every failure.

What copies is written by the decisions of ``domicile backfill``, some time after it looked, from a source that changes.
Its checkers are those of any schedule: to them a copy is one more write, and the greatest version must survive.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import ClassVar

import pytest

from domicile.backfill.removal import Removals
from domicile.core import copying
from domicile.core.control import Control, Image, without
from domicile.core.copying import IntoLocalized, Verdict
from domicile.core.errors import TransientError
from domicile.core.policy import Policy
from domicile.core.version import COUNTER_MAX, Version, of_copy, stamp
from domicile.core.writes import Write as TableWrite
from domicile.core.writes import Written
from domicile.pipeline.apply import LEDGER_TOMBSTONE
from domicile.pipeline.ports import Store
from domicile.simulator.applications import Applications
from domicile.simulator.checkers import check
from domicile.simulator.faults import Faults
from domicile.simulator.history import Write, write_id
from domicile.simulator.region import CONTROL, LEDGER, TABLE, Region
from domicile.simulator.schedule import Schedule

SEEDS = range(200)
_COPIES = 0.5
_SOURCE_CHANGES = 0.4
_GONE = 0.2
_LATE = 0.2
_CUT_SHORT = 0.5
_WRITES_OF_A_REMOVAL = 11
"""In three Regions: the grave, three writes for each, and the end of the mark."""


@dataclass(frozen=True)
class Place:
    """What a removal needs of a Region."""

    region: str
    store: Store
    now_ms: Callable[[], int]
    nonce: Callable[[], str]


@dataclass(frozen=True)
class Dying:
    """A Region's tables, to which what removes makes no more than so many writes."""

    store: Store
    left: Iterator[int]

    def get(self, table: str, key: Image) -> Image | None:
        return self.store.get(table, key)

    def write(self, write: TableWrite) -> Written:
        if next(self.left, None) is None:
            raise TransientError("cut short")
        return self.store.write(write)


class Copying(Applications):
    """Beside what applications do it copies; between the look at an item and its copy anything may happen."""

    made: ClassVar[set[int]] = set()
    """The copies of the last schedule."""
    applications = 0.5
    """How much of what it does is what an application does."""

    def __init__(self, schedule: Schedule) -> None:
        super().__init__(schedule)
        self.made.clear()
        policy, regions = Policy.parse(json.loads(schedule.documents[-1])), schedule.topology.regions
        primary = regions[0]
        self._table = policy.table(TABLE)
        self._copiers = {
            region: IntoLocalized(policy=policy, table=self._table, regions=regions, primary=primary, region=region)
            for region in regions
        }
        self._source: dict[str, Image | None] = {}
        self._judged: list[tuple[Region, Verdict]] = []
        self._cut_short: dict[str, Image] = {}

    def act(self) -> None:
        if self._chance.random() < self.applications:
            super().act()
        elif self._judged and self._chance.random() < _COPIES:
            self._copy(*self._judged.pop())
        else:
            self._look(self._chance.choice(self._keys))

    def _look(self, key: Image) -> None:
        name = key["pk"]["S"]
        if name not in self._source or self._chance.random() < _SOURCE_CHANGES:
            self._source[name] = None if self._chance.random() < _GONE else {**self._whole(key), **key}
        # What the native table's replication brings late is as good as gone, and then there again, the same.
        image = None if self._chance.random() < _LATE else self._source[name]
        self._compare(key, image, cut_short=self._chance.random() < _CUT_SHORT)

    def end(self) -> None:
        """Look again at what removals left half done: the last pass ends, and only then do Regions agree."""
        self._judged.clear()
        for key in self._cut_short.values():
            self._resume(key)
            self._compare(key, self._source[key["pk"]["S"]], cut_short=False)
        for place, verdict in self._judged:
            self._copy(place, verdict)

    def _compare(self, key: Image, image: Image | None, *, cut_short: bool) -> None:
        if image is None:
            self._remove(key, cut_short=cut_short)
            return
        (copier,) = (copier for copier in self._copiers.values() if copier.share.holds(image))
        place = self._schedule.by_name[copier.place(image)]
        entry = place.store.get(LEDGER, key) or {}
        tombstone = Version.parse(entry[LEDGER_TOMBSTONE]["S"]) if LEDGER_TOMBSTONE in entry else None
        found, counter = place.store.get(TABLE, key), self._chance.randrange(COUNTER_MAX)
        verdict = copier.judge(image, found, tombstone, self._schedule.now_ms, counter)
        self._judged.append((place, verdict))

    def _copy(self, place: Region, verdict: Verdict) -> None:
        put = verdict.write
        if put is None:
            return
        before = place.store.get(TABLE, put.key)
        if place.store.write(put).applied:
            self._tell(place, put.key, before, put.image)

    def _remove(self, key: Image, *, cut_short: bool) -> None:
        """Remove a copy, wherever it is whole: what ``domicile backfill --remove`` does of a key."""
        for copier in self._copiers.values():
            place = self._schedule.by_name[copier.region]
            before = place.store.get(TABLE, key)
            control = Control.of(before, CONTROL)
            if before is None or control is None or not control.version.is_copy or control.is_stub:
                continue
            if not copier.share.holds(before):
                continue
            version = of_copy(self._schedule.now_ms, control.version, place.name, self._chance.randrange(COUNTER_MAX))
            self._tell(place, key, before, None, version)
            writes_max = None
            if cut_short:
                self._cut_short[key["pk"]["S"]] = key
                writes_max = self._chance.randrange(1, _WRITES_OF_A_REMOVAL)
            with suppress(TransientError):
                self._removals(writes_max).remove(key, version)
            return

    def _resume(self, key: Image) -> None:
        for region in self._schedule.by_name.values():
            entry = region.store.get(LEDGER, key) or {}
            if all(name in entry for name in Removals.unfinished.names.values()):
                self._removals().resume({**entry, **key})

    def _removals(self, writes_max: int | None = None) -> Removals:
        """Return removals that are cut short after some writes, or not at all."""
        left = itertools.count() if writes_max is None else iter(range(writes_max))
        places = {
            region.name: Place(region.name, Dying(region.store, left), region.now_ms, self._schedule.nonce)
            for region in self._schedule.by_name.values()
        }
        return Removals(self._table, places)

    def _tell(
        self, place: Region, key: Image, before: Image | None, after: Image | None, version: Version | None = None
    ) -> None:
        control, earlier = Control.of(after, CONTROL), Control.of(before, CONTROL)
        if after is None:
            self._ids += 1
        write = Write(
            id=int(after["value"]["N"]) if after is not None else self._ids,
            region=place.name,
            key=key["pk"]["S"],
            image=without(after, CONTROL) if after is not None else None,
            over=write_id(before),
            sequence=place.stream.sequence,
            over_version=str(earlier.version) if earlier is not None else None,
            version=str(control.version if control is not None else version),
        )
        self._schedule.history.writes.append(write)
        self.made.add(write.id)


class CopiedSchedule(Schedule):
    """A schedule at whose end a last pass is made, before what is left to do is done."""

    def _drain(self) -> None:
        assert isinstance(self._applications, Copying)
        self._applications.end()
        super()._drain()


def problems_of(seed: int) -> list[str]:
    """Return what is wrong with a schedule, or at its end: a copy where an application wrote or deleted the key."""
    drawn = Faults.drawn(seed)
    # A copy of an authority that the map does not have is never made, and one of a map that changes may be made twice.
    schedule = CopiedSchedule(seed, faults=replace(drawn, late_authority=0.0, re_pointed=0.0, directory="everywhere"))
    history = schedule.run()
    written = {write.key for write in history.writes if write.void is None and write.id not in Copying.made}
    return check(history) + [
        f"{key} is a copy in {region}"
        for key in written
        for region, image in history.final[key].items()
        if write_id(image) in Copying.made
    ]


def failed(monkeypatch: pytest.MonkeyPatch) -> dict[int, list[str]]:
    monkeypatch.setattr("domicile.simulator.schedule.Applications", Copying)
    return {seed: problems for seed in SEEDS if (problems := problems_of(seed))}


def test_what_applications_write_wins_over_copies_on_every_schedule(monkeypatch: pytest.MonkeyPatch) -> None:
    assert failed(monkeypatch) == {}


def test_removals_that_are_cut_short_leave_no_region_without_an_item(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where applications write little, since what they write heals a key."""
    monkeypatch.setattr(Copying, "applications", 0.05)
    assert failed(monkeypatch) == {}


def test_copies_that_are_not_dated_back_win_over_applications(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "of_copy", stamp)
    assert any("is a copy" in problem for problems in failed(monkeypatch).values() for problem in problems)
