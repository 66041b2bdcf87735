"""An application's client on one side of a bridge: with credentials of the other side, and without."""

from __future__ import annotations

from typing import Any

import pytest

from domicile.client import Client, HomeRegionUnavailable, Options, Table
from domicile.core.control import Image
from tests.bridge.sides import BEIJING, IRELAND, NAME, NINGXIA, SINGAPORE, Sides, await_images
from tests.local.failures import fresh

pytestmark = pytest.mark.slow
IN_BEIJING = {SINGAPORE: "stub", IRELAND: "nothing", BEIJING: "full", NINGXIA: "stub"}
PATIENT = Options(connect_timeout_s=30, read_timeout_s=30)
"""What a busy machine does late is no outage."""


def customers(sides: Sides, region: str, beyond: str | None = None) -> Table:
    """Return the customers as an application in ``region`` has them, with credentials of ``beyond``'s side if given."""
    other = sides.session(beyond) if beyond else None
    return Client(NAME, region=region, session=sides.session(region), beyond=other, options=PATIENT).table("customers")


def customer(authority: str) -> tuple[dict[str, Any], Image]:
    """Return a new customer, and its key as DynamoDB spells it."""
    identity = fresh("client")
    item = {"customer_id": identity, "localization_authority": authority, "name": "Mei", "email": "mei@example.com"}
    return item, {"customer_id": {"S": identity}}


def rename(item: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of an update that gives a customer another name."""
    return {
        "Key": {"customer_id": item["customer_id"]},
        "UpdateExpression": "SET #name = :name",
        "ExpressionAttributeNames": {"#name": "name"},
        "ExpressionAttributeValues": {":name": "Li"},
    }


def test_without_credentials_a_put_and_a_delete_cross_by_the_bridge_and_no_more(sides: Sides) -> None:
    item, key = customer("CN")
    of_item = {"customer_id": item["customer_id"]}
    table = customers(sides, SINGAPORE)
    table.put_item(Item=item)
    await_images(sides, "customers", key, IN_BEIJING)
    assert customers(sides, BEIJING).get_item(Key=of_item)["Item"] == item
    with pytest.raises(HomeRegionUnavailable, match="beyond="):
        table.update_item(**rename(item))
    with pytest.raises(HomeRegionUnavailable, match="beyond="):
        table.get_item(Key=of_item, resolve="home")
    assert table.get_item(Key=of_item)["Item"]["email"] == "***@example.com"
    table.delete_item(Key=of_item)
    await_images(sides, "customers", key, dict.fromkeys(IN_BEIJING, "nothing"))


def test_with_credentials_an_item_is_read_and_updated_beyond(sides: Sides) -> None:
    item, key = customer("CN")
    customers(sides, SINGAPORE).put_item(Item=item)
    await_images(sides, "customers", key, IN_BEIJING)
    table = customers(sides, SINGAPORE, beyond=BEIJING)
    of_item = {"customer_id": item["customer_id"]}
    assert table.get_item(Key=of_item, resolve="home")["Item"] == item
    table.update_item(**rename(item))
    assert customers(sides, BEIJING).get_item(Key=of_item)["Item"] == {**item, "name": "Li"}
    # A new version that no Region beyond may be told of: what Singapore had of the one before is deleted.
    await_images(sides, "customers", key, {**IN_BEIJING, SINGAPORE: "nothing"})


def test_with_credentials_a_put_goes_straight_to_its_home(sides: Sides) -> None:
    item, key = customer("EU")
    table = customers(sides, NINGXIA, beyond=IRELAND)
    table.put_item(Item=item)
    assert customers(sides, IRELAND).get_item(Key={"customer_id": item["customer_id"]})["Item"] == item
    await_images(sides, "customers", key, {**dict.fromkeys(IN_BEIJING, "stub"), IRELAND: "full"})
    changed = table.update_item(**rename(item), ReturnValues="ALL_NEW")["Attributes"]
    assert changed == {**item, "name": "Li"}
