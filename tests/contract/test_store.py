"""One suite for every implementation of the port ``Store``: memory, and the adapter over moto and over the local AWS.

The conditions are stated twice in ``core.writes``, as a predicate and as an expression; here both must give the same
answer for every pair of a condition and an item.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from domicile.core.control import Control, Image
from domicile.core.errors import ItemTooLargeError
from domicile.core.version import Version
from domicile.core.writes import (
    AbsentOrBelow,
    AbsentOrLower,
    Below,
    Condition,
    Delete,
    Marked,
    NotAbove,
    Put,
    SameValue,
    Update,
)
from domicile.pipeline.ports import Store
from domicile.simulator.store import MemoryStore
from tests.contract.stores import KEY, local_store, meant, moto_store

LOW, MID, HIGH = (Version(ms, plain=False, tie=0, region="us-east-1") for ms in (1, 2, 3))
MID_PLAIN = Version(2, plain=True, tie=7, region="us-east-1")


def control(version: Version, **more: Any) -> Image:
    return {"_dom": Control(version=version, origin="us-east-1", **more).to_value()}


ITEMS: dict[str, Image | None] = {
    "absent": None,
    "uncontrolled": {"a": {"S": "x"}},
    "low": control(LOW),
    "mid": control(MID),
    "mid_plain": control(MID_PLAIN),
    "mid_with_nonce": control(MID, nonce="n"),
    "marked": control(MID, deleting=True),
    "stub": control(MID, home="eu-west-1"),
    "high": control(HIGH),
    "buried": {"t": {"S": str(MID)}},
}
CONDITIONS: dict[str, Condition] = {
    "not_above_mid": NotAbove("_dom", MID),
    "absent_or_below_mid": AbsentOrBelow("_dom", MID, "pk"),
    "below_mid": Below("_dom", MID),
    "marked_mid": Marked("_dom", MID),
    "no_control": SameValue("_dom", None, "pk"),
    "same_value": SameValue("_dom", control(MID)["_dom"], "pk"),
    "absent_or_lower": AbsentOrLower("t", str(MID)),
    "absent_or_lower_than_high": AbsentOrLower("t", str(HIGH)),
}


@pytest.fixture(params=["memory", "moto", "local_aws"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    match request.param:
        case "memory":
            yield MemoryStore()
        case "moto":
            with moto_store() as store:
                yield store
        case _:
            with local_store(request.getfixturevalue("plane")) as store:
                yield store


def seed(store: Store, item: Image | None) -> None:
    existing = store.get("items", KEY)
    if existing is not None:
        store.write(Delete(table="items", key=KEY, condition=SameValue("none", None, "pk")))
    if item is not None:
        store.write(Put(table="items", key=KEY, image={**KEY, **item}, condition=NotAbove("none", HIGH)))


def test_every_condition_on_every_item_agrees_with_its_predicate(store: Store) -> None:
    for (name, condition), (kind, item) in itertools.product(CONDITIONS.items(), ITEMS.items()):
        seed(store, item)
        before = store.get("items", KEY)
        written = store.write(Put(table="items", key=KEY, image={**KEY, "new": {"BOOL": True}}, condition=condition))
        assert written.applied is condition.holds(before), (name, kind)
        assert written.before == before, (name, kind)
        assert store.get("items", KEY) == ({**KEY, "new": {"BOOL": True}} if written.applied else before), (name, kind)


def test_an_update_sets_and_removes_top_level_attributes_only(store: Store) -> None:
    seed(store, {"a": {"S": "1"}, "b": {"S": "2"}, "c": {"M": {"d": {"N": "3"}}}})
    written = store.write(
        Update(
            table="items",
            key=KEY,
            assign={"a": {"S": "x"}, "e": {"NULL": True}},
            remove=("b",),
            condition=SameValue("_dom", None, "pk"),
        )
    )
    assert written.applied
    assert store.get("items", KEY) == {**KEY, "a": {"S": "x"}, "c": {"M": {"d": {"N": "3"}}}, "e": {"NULL": True}}


def test_an_update_may_only_remove(store: Store) -> None:
    seed(store, {"a": {"S": "1"}, "b": {"S": "2"}})
    update = Update(table="items", key=KEY, assign={}, remove=("b",), condition=SameValue("_dom", None, "pk"))
    assert store.write(update).applied
    assert store.get("items", KEY) == {**KEY, "a": {"S": "1"}}


def test_an_update_creates_the_item_that_its_condition_admits(store: Store) -> None:
    update = Update(table="items", key=KEY, assign={"t": {"S": "v"}}, condition=AbsentOrLower("t", "v"))
    assert store.write(update).before is None
    assert store.get("items", KEY) == {**KEY, "t": {"S": "v"}}


def test_a_delete_removes_the_item_that_its_condition_admits(store: Store) -> None:
    seed(store, control(MID, deleting=True))
    assert store.write(Delete(table="items", key=KEY, condition=Marked("_dom", MID))).applied
    assert store.get("items", KEY) is None


def test_every_type_survives(store: Store) -> None:
    image: Image = {
        "digits": {"N": "12345678901234567890123456789012345678"},
        "small": {"N": "-1E-130"},
        "binary": {"B": "AP+AfyA="},
        "binaries": {"BS": ["AA==", "AQ=="]},
        "strings": {"SS": ["a", "b"]},
        "numbers": {"NS": ["1", "2.5"]},
        "nested": {"M": {"list": {"L": [{"B": "/w=="}, {"NULL": True}, {"BOOL": False}, {"M": {}}]}}},
        "empty": {"S": ""},
    }
    seed(store, image)
    assert meant(store.get("items", KEY)) == meant({**KEY, **image})


def test_an_item_above_the_limit_is_a_permanent_error(store: Store) -> None:
    with pytest.raises(ItemTooLargeError) as raised:
        seed(store, {"big": {"S": "secret" * 70_000}})
    assert "secret" not in str(raised.value)
    assert raised.value.__cause__ is None
