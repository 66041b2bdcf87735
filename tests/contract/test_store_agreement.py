"""All implementations of the port ``Store`` agree, whatever is written in whatever order: memory against the others."""

from __future__ import annotations

import itertools

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from domicile.core.control import Control, Image
from domicile.core.version import Version
from domicile.core.writes import (
    AbsentOrLower,
    Below,
    Condition,
    Delete,
    Marked,
    NotAbove,
    Put,
    SameValue,
    Update,
    Write,
)
from domicile.pipeline.ports import Store
from domicile.simulator.store import MemoryStore
from tests.contract.stores import local_store, meant, moto_store
from tests.plane import Plane
from tests.strategies import values

VERSIONS = [
    *(Version(ms, plain=False, tie=0, region="us-east-1") for ms in (1, 2, 3)),
    *(Version(2, plain=True, tie=tie, region="eu-west-1") for tie in (7, 11)),
]
versions = st.sampled_from(VERSIONS)
controls = st.builds(
    Control,
    version=versions,
    origin=st.just("us-east-1"),
    home=st.sampled_from([None, "eu-west-1"]),
    deleting=st.booleans(),
    nonce=st.sampled_from([None, "n"]),
)
attributes = st.dictionaries(st.sampled_from(["a", "b", "t"]), values, max_size=2)
controlled: st.SearchStrategy[Image] = st.one_of(
    st.just({}), controls.map(lambda control: {"_dom": control.to_value()})
)
keys = st.sampled_from([0, 1])
removed = st.sets(st.sampled_from(["a", "b"]))
buried = versions.map(lambda version: {"t": {"S": str(version)}})
conditions: st.SearchStrategy[Condition] = st.one_of(
    st.builds(NotAbove, st.just("_dom"), versions),
    st.builds(Below, st.just("_dom"), versions),
    st.builds(Marked, st.just("_dom"), versions),
    st.builds(SameValue, st.just("_dom"), st.none() | controls.map(Control.to_value), st.just("pk")),
)


class Agreement(RuleBasedStateMachine):
    """Every write is given to both, and must be answered alike. Each run has keys of its own: moto starts slowly."""

    runs = itertools.count()

    def __init__(self, other: Store) -> None:
        super().__init__()
        self.stores: tuple[Store, Store] = (MemoryStore(), other)
        run = {"pk": {"S": f"run {next(self.runs)}"}}
        self.keys: list[Image] = [{**run, "sk": {"N": number}} for number in ("1", "2")]

    def both(self, write: Write) -> None:
        memory, other = (store.write(write) for store in self.stores)
        assert memory.applied is other.applied
        assert meant(memory.before) == meant(other.before)
        self.same(write.table, write.key)

    def same(self, table: str, key: Image) -> None:
        memory, other = (store.get(table, key) for store in self.stores)
        assert meant(memory) == meant(other)

    @rule(n=keys, content=attributes, control=controlled, condition=conditions)
    def put(self, n: int, content: Image, control: Image, condition: Condition) -> None:
        self.both(
            Put(table="items", key=self.keys[n], image={**content, **control, **self.keys[n]}, condition=condition)
        )

    @rule(
        n=keys,
        content=attributes,
        control=controlled,
        remove=st.sets(st.sampled_from(["a", "b"])),
        condition=conditions,
    )
    def update(self, n: int, content: Image, control: Image, remove: set[str], condition: Condition) -> None:
        assign = {name: value for name, value in {**content, **control}.items() if name not in remove} or {
            "c": {"NULL": True}
        }
        self.both(
            Update(table="items", key=self.keys[n], assign=assign, remove=tuple(sorted(remove)), condition=condition)
        )

    @rule(n=keys, entry=buried)
    def remember(self, n: int, entry: Image) -> None:
        self.both(Update(table="ledger", key=self.keys[n], assign=entry, condition=AbsentOrLower("t", entry["t"]["S"])))

    @rule(n=keys, condition=conditions)
    def delete(self, n: int, condition: Condition) -> None:
        self.both(Delete(table="items", key=self.keys[n], condition=condition))

    def teardown(self) -> None:
        for table, key in itertools.product(("items", "ledger"), self.keys):
            self.same(table, key)


def agree_on(other: Store) -> None:
    run_state_machine_as_test(
        lambda: Agreement(other),  # type: ignore[arg-type]  # a factory will do, its documentation says
        settings=settings(max_examples=30, stateful_step_count=30, deadline=None),
    )


def test_memory_and_moto_agree() -> None:
    with moto_store() as other:
        agree_on(other)


def test_memory_and_the_local_aws_agree(plane: Plane) -> None:
    with local_store(plane) as other:
        agree_on(other)
