"""Native tables of the deployment in memory: the last writer of an item wins, in every Region that it reaches."""

from __future__ import annotations

from typing import Any

import pytest
from boto3.dynamodb.conditions import Key

from domicile.client import Event, UnsafeOperation
from domicile.client.events import Kind
from domicile.client.testing import InMemory
from domicile.deployment import Deployment

HERE, HOME, ELSEWHERE = "eu-west-1", "ap-south-1", "us-east-1"
DEPLOYMENT = Deployment.model_validate(
    {
        "name": "shop",
        "regions": [HOME, ELSEWHERE, HERE, "eu-west-2", "eu-west-3"],
        "authorities": {"EU": HERE, "IN": HOME},
        "tables": {
            "orders": {"hash_key": {"name": "pk", "type": "S"}},
            "catalogue": {
                "replication": "native",
                "hash_key": {"name": "sku", "type": "B"},
                "primary": HOME,
                "regions": [HOME, ELSEWHERE, HERE],
                "ttl_attribute": "gone_at",
                "indexes": [{"name": "by-brand", "hash_key": {"name": "brand", "type": "S"}}],
            },
            "prices": {
                "replication": "native",
                "hash_key": {"name": "sku", "type": "B"},
                "consistency": "strong",
                "primary": HERE,
                "regions": [HERE, "eu-west-2", "eu-west-3"],
            },
        },
    }
)
SKU: dict[str, Any] = {"sku": b"\xffa"}


@pytest.fixture
def shop() -> InMemory:
    return InMemory(DEPLOYMENT)


@pytest.fixture
def slow() -> InMemory:
    return InMemory(DEPLOYMENT, replicate="on settle")


def catalogue(shop: InMemory) -> list[Any]:
    """The item as it lies in each Region."""
    return [
        shop.session.resource("dynamodb", region_name=region).Table("shop-catalogue").get_item(Key=SKU).get("Item")
        for region in DEPLOYMENT.native["catalogue"].regions
    ]


def put(shop: InMemory, region: str, **attributes: Any) -> None:
    shop.client(region).table("catalogue").put_item(Item={**SKU, **attributes})


def test_an_item_arrives_as_it_is_and_goes_again(shop: InMemory) -> None:
    item = {**SKU, "brand": "Halo", "blobs": {b"\xff"}, "localization_authority": "IN"}
    shop.client(HERE).table("catalogue").put_item(Item=item)
    assert catalogue(shop) == [item] * 3
    found = (
        shop.client(ELSEWHERE)
        .table("catalogue")
        .query(IndexName="by-brand", KeyConditionExpression=Key("brand").eq("Halo"))
    )
    assert found["Items"] == [item]
    shop.client(HOME).table("catalogue").delete_item(Key=SKU)
    assert catalogue(shop) == [None] * 3
    assert [shop.quarantined(region) for region in DEPLOYMENT.regions] == [[]] * 5


def test_the_last_writer_of_an_item_wins_whole(slow: InMemory) -> None:
    put(slow, HERE, brand="Halo", price=1)
    put(slow, ELSEWHERE, brand="Oak")
    assert catalogue(slow) == [None, {**SKU, "brand": "Oak"}, {**SKU, "brand": "Halo", "price": 1}]
    slow.settle()
    assert catalogue(slow) == [{**SKU, "brand": "Oak"}] * 3


def test_a_delete_wins_over_an_earlier_write_and_a_write_over_an_earlier_delete(slow: InMemory) -> None:
    put(slow, HERE, brand="Halo")
    slow.settle()
    put(slow, ELSEWHERE, brand="Oak")
    slow.client(HERE).table("catalogue").delete_item(Key=SKU)
    slow.settle()
    assert catalogue(slow) == [None] * 3
    put(slow, HERE, brand="Elm")
    slow.settle()
    slow.client(HERE).table("catalogue").delete_item(Key=SKU)
    put(slow, ELSEWHERE, brand="Ash")
    slow.settle()
    assert catalogue(slow) == [{**SKU, "brand": "Ash"}] * 3


def test_a_region_that_was_cut_off_catches_up(shop: InMemory) -> None:
    told: list[Event] = []
    client = shop.client(HERE, failover=[ELSEWHERE], on_event=told.append)
    table = client.table("catalogue")
    table.put_item(Item={**SKU, "brand": "Halo"})
    shop.cut_off(HERE)
    assert table.get_item(Key=SKU)["Item"]["brand"] == "Halo"
    table.put_item(Item={**SKU, "brand": "Oak"})
    with client.table("catalogue").batch_writer() as batch:
        batch.put_item(Item={"sku": b"b"})
    assert {(event.kind, event.region, event.to_region) for event in told if event.to_region} == {
        (Kind.FAILOVER, HERE, ELSEWHERE)
    }
    shop.restore(HERE)
    assert catalogue(shop) == [{**SKU, "brand": "Oak"}] * 3
    assert shop.client(HERE).table("catalogue").scan()["Count"] == 2


def test_what_a_region_wrote_before_it_was_cut_off_waits(slow: InMemory) -> None:
    put(slow, HERE, brand="Halo")
    slow.cut_off(HERE)
    slow.settle()
    assert "Item" not in slow.client(ELSEWHERE).table("catalogue").get_item(Key=SKU)
    put(slow, ELSEWHERE, brand="Oak")
    slow.settle()
    slow.restore(HERE)
    slow.settle()
    assert catalogue(slow) == [{**SKU, "brand": "Oak"}] * 3


def test_an_expired_item_goes_everywhere(shop: InMemory) -> None:
    put(shop, HERE, gone_at=100)
    shop.expire(150)
    assert catalogue(shop) == [None] * 3


def test_a_region_without_the_table_is_served_by_another(shop: InMemory) -> None:
    shop.client("eu-west-3").table("catalogue").put_item(Item={**SKU, "brand": "Halo"})
    assert catalogue(shop) == [{**SKU, "brand": "Halo"}] * 3


def test_a_strong_table_is_the_same_in_all_regions_at_any_time(slow: InMemory) -> None:
    slow.client(HERE).table("prices").put_item(Item={**SKU, "price": 1})
    other = slow.client("eu-west-2", failover=["eu-west-3"])
    assert other.table("prices").get_item(Key=SKU, ConsistentRead=True)["Item"]["price"] == 1
    slow.cut_off("eu-west-2")
    assert other.table("prices").get_item(Key=SKU, ConsistentRead=True)["Item"]["price"] == 1
    with pytest.raises(UnsafeOperation, match="no transactions"):
        other.transact_write_items(TransactItems=[{"Put": {"TableName": "prices", "Item": SKU}}])


def test_a_transaction_with_a_localized_item_is_done_at_its_home(slow: InMemory) -> None:
    order_of_asha = {"pk": "c1", "localization_authority": "IN"}
    slow.client(HERE).transact_write_items(
        TransactItems=[
            {"Put": {"TableName": "orders", "Item": order_of_asha}},
            {"Put": {"TableName": "catalogue", "Item": {**SKU, "brand": "Halo"}}},
        ]
    )
    assert catalogue(slow) == [{**SKU, "brand": "Halo"}, None, None]


def test_a_batch_takes_both_kinds_of_tables(shop: InMemory) -> None:
    client = shop.client(HERE)
    client.batch_write_item(
        RequestItems={
            "catalogue": [{"PutRequest": {"Item": SKU}}],
            "orders": [{"PutRequest": {"Item": {"pk": "c1"}}}],
        }
    )
    found = client.batch_get_item(RequestItems={"catalogue": {"Keys": [SKU]}, "orders": {"Keys": [{"pk": "c1"}]}})[
        "Responses"
    ]
    assert found == {"catalogue": [SKU], "orders": [{"pk": "c1"}]}
