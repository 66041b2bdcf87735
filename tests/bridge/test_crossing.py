"""What crosses a bridge, seen from outside: items, moves, deletes and what stays on its side."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable

import pytest

from domicile.core.control import Image
from tests.bridge.sides import (
    BEIJING,
    GATEWAYS,
    IRELAND,
    NINGXIA,
    SINGAPORE,
    Sides,
    assert_may_cross,
    await_images,
    contents,
)
from tests.local.failures import fresh
from tests.local.regions import eventually, text

pytestmark = pytest.mark.slow
EVERYWHERE = dict.fromkeys((SINGAPORE, IRELAND, BEIJING, NINGXIA), "full")
NOWHERE = dict.fromkeys(EVERYWHERE, "nothing")


def customer(authority: str | None) -> tuple[Image, Image, str]:
    """Return a new customer's key and item, and the value that only its home may keep."""
    secret = f"canary-{secrets.token_hex(12)}"
    key: Image = {"customer_id": {"S": fresh("c")}}
    law: Image = {"localization_authority": {"S": authority}} if authority else {}
    return key, {**key, **law, "name": {"S": secret}, "email": {"S": f"{secret}@example.com"}}, secret


@pytest.mark.parametrize("region", EVERYWHERE)
def test_a_global_item_reaches_every_region_of_both_sides(sides: Sides, region: str) -> None:
    item: Image = {"sku": {"S": fresh("global")}, "n": {"N": "12345678901234567890.5"}, "b": {"B": "AP+A"}}
    sides.put(region, "inventory", item)
    images = await_images(sides, "inventory", {"sku": item["sku"]}, EVERYWHERE)
    assert contents(images) == [item] * 4


def test_of_writes_on_both_sides_at_once_the_greater_wins_everywhere(sides: Sides) -> None:
    key: Image = {"sku": {"S": fresh("conflict")}}
    for n, region in enumerate(EVERYWHERE):
        sides.put(region, "inventory", {**key, "n": {"N": str(n)}})
    held = contents(sides.await_version("inventory", key, lambda _: True))
    assert held == [held[0]] * len(EVERYWHERE)


@pytest.mark.parametrize(("writer", "eraser"), [(IRELAND, NINGXIA), (NINGXIA, IRELAND)])
def test_a_delete_on_one_side_erases_on_both(sides: Sides, writer: str, eraser: str) -> None:
    key: Image = {"sku": {"S": fresh("erased")}}
    sides.put(writer, "inventory", {**key, "n": {"N": "1"}})
    await_images(sides, "inventory", key, EVERYWHERE)
    sides.delete(eraser, "inventory", key)
    await_images(sides, "inventory", key, NOWHERE)


def test_an_item_of_china_that_is_written_in_singapore_moves_to_beijing(sides: Sides) -> None:
    key, item, secret = customer("CN")
    sides.put(SINGAPORE, "customers", item)
    # No stub of China's law crosses: Singapore keeps the one that it made itself, and Ireland hears of nothing.
    expected = {SINGAPORE: "stub", IRELAND: "nothing", BEIJING: "full", NINGXIA: "stub"}
    images = await_images(sides, "customers", key, expected)
    assert [region for region, image in images.items() if secret in text(image)] == [BEIJING]
    sides.delete(SINGAPORE, "customers", key)
    await_images(sides, "customers", key, NOWHERE)


def test_an_item_of_europe_that_is_written_in_ningxia_moves_to_ireland(sides: Sides) -> None:
    key, item, secret = customer("EU")
    sides.put(NINGXIA, "customers", item)
    expected = {**dict.fromkeys(EVERYWHERE, "stub"), IRELAND: "full"}
    images = await_images(sides, "customers", key, expected)
    assert [region for region, image in images.items() if secret in text(image)] == [IRELAND]
    sides.delete(BEIJING, "customers", key)
    await_images(sides, "customers", key, NOWHERE)


def test_an_item_whose_stub_may_not_cross_is_not_known_beyond(sides: Sides) -> None:
    key, item, _ = customer("SG")
    sides.put(IRELAND, "customers", item)
    await_images(sides, "customers", key, {**NOWHERE, SINGAPORE: "full", IRELAND: "stub"})
    assert not [parcel for parcel in sides.crossed(BEIJING) if parcel.fields["key"] == key]


def test_a_global_item_that_becomes_one_of_singapore_is_deleted_beyond(sides: Sides) -> None:
    key, item, _ = customer(None)
    sides.put(IRELAND, "customers", item)
    await_images(sides, "customers", key, EVERYWHERE)
    sides.update(IRELAND, "customers", key, "localization_authority", {"S": "SG"})
    await_images(sides, "customers", key, {**NOWHERE, SINGAPORE: "full", IRELAND: "stub"})


@pytest.mark.parametrize(
    ("authority", "writer", "expected"),
    [
        (None, IRELAND, EVERYWHERE),
        (None, NINGXIA, EVERYWHERE),
        ("CN", IRELAND, {SINGAPORE: "nothing", IRELAND: "stub", BEIJING: "full", NINGXIA: "stub"}),
    ],
)
def test_an_item_that_no_event_can_carry_crosses(
    sides: Sides, authority: str | None, writer: str, expected: dict[str, str]
) -> None:
    key, item, _ = customer(authority)
    large = {**item, "photo": {"B": base64.b64encode(secrets.token_bytes(390_000)).decode()}}
    sides.put(writer, "customers", large)
    images = await_images(sides, "customers", key, expected)
    whole = [region for region, kind in expected.items() if kind == "full"]
    assert contents({region: images[region] for region in whole}) == [large] * len(whole)


@pytest.mark.parametrize("receiver", GATEWAYS)
def test_nothing_crossed_that_the_bridge_does_not_let_pass(sides: Sides, receiver: str) -> None:
    """All that ever crossed, in this and all other tests: the stream keeps a day."""
    await_something_of_each(sides, receiver, customer)
    for parcel in sides.crossed(receiver):
        assert_may_cross(parcel)


def await_something_of_each(sides: Sides, receiver: str, new: Callable[[str | None], tuple[Image, Image, str]]) -> None:
    """Write one item of each authority on the other side, and wait until those that may cross have."""
    writer = IRELAND if receiver == BEIJING else NINGXIA
    keys = []
    for authority in (None, "EU", "CN", "SG"):
        key, item, _ = new(authority)
        sides.put(writer, "customers", item)
        keys.append(key)
    crosses = {BEIJING: [keys[0], keys[1], keys[2]], SINGAPORE: [keys[0], keys[1], keys[3]]}[receiver]
    eventually(
        lambda: [parcel.fields["key"] for parcel in sides.crossed(receiver)],
        lambda crossed: all(key in crossed for key in crosses),
        "what may cross",
    )
