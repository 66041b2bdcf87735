"""The deployment in memory: what arrives, when, and what an outage does."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import boto3
import pytest
from boto3.dynamodb.conditions import Key
from botocore.exceptions import EndpointConnectionError
from moto import mock_aws

from domicile.client import Event, HomeRegionUnavailable, Options, SessionBehind, UnsafeOperation
from domicile.client.events import Kind
from domicile.client.testing import InMemory
from domicile.deployment import Deployment

HERE, HOME, ELSEWHERE = "eu-west-1", "ap-south-1", "us-east-1"
DEPLOYMENT = Deployment.model_validate(
    {
        "name": "shop",
        "regions": [HOME, ELSEWHERE, HERE],
        "authorities": {"EU": HERE, "IN": HOME},
        "tables": {
            "stock": {"hash_key": {"name": "sku", "type": "S"}, "ttl_attribute": "gone_at"},
            "orders": {
                "hash_key": {"name": "pk", "type": "S"},
                "range_key": {"name": "sk", "type": "N"},
                "sensitive": {"recipient": {"strategy": "mask", "keep": {"first": 1}}},
                "indexes": [
                    {"name": "by-status", "hash_key": {"name": "status", "type": "S"}, "projection": ["total"]},
                    {"name": "by-total", "hash_key": {"name": "total", "type": "N"}, "projection": "keys-only"},
                ],
            },
        },
    }
)
KEY: dict[str, Any] = {"pk": "c1", "sk": 1}
ORDER: dict[str, Any] = {**KEY, "localization_authority": "IN", "recipient": "Asha"}


@pytest.fixture
def shop() -> InMemory:
    return InMemory(DEPLOYMENT)


@pytest.fixture
def slow() -> InMemory:
    return InMemory(DEPLOYMENT, replicate="on settle")


def stock(shop: InMemory, region: str, **key: str) -> Any:
    return shop.client(region).table("stock").get_item(Key=key or {"sku": "a"}).get("Item")


def order(shop: InMemory, region: str, **arguments: Any) -> Any:
    return shop.client(region).table("orders").get_item(Key=KEY, **arguments).get("Item")


def test_a_global_item_is_everywhere_when_its_write_returns(shop: InMemory) -> None:
    shop.client(HERE).table("stock").put_item(Item={"sku": "a", "count": 3})
    assert [stock(shop, region) for region in DEPLOYMENT.regions] == [{"sku": "a", "count": 3}] * 3


def test_values_of_every_type_arrive(shop: InMemory) -> None:
    values: dict[str, Any] = {
        "sku": "a",
        "binary": b"\xff",
        "binaries": {b"1", b"2"},
        "numbers": {1, Decimal("2.5")},
        "list": [None, True, {"deep": b""}],
    }
    for count in (1, 2):  # the second write's record has an image of before
        shop.client(HERE).table("stock").put_item(Item={**values, "count": count})
        assert stock(shop, ELSEWHERE) == stock(shop, HERE)
    assert bytes(stock(shop, ELSEWHERE)["list"][2]["deep"]) == b""
    assert shop.quarantined(HERE) == []


def test_a_localized_item_is_whole_at_home_alone(shop: InMemory) -> None:
    shop.client(HERE).table("orders").put_item(Item=ORDER)
    assert order(shop, HOME) == ORDER
    for region in (HERE, ELSEWHERE):
        stub = order(shop, region)
        assert (stub.is_stub, stub.home_region, stub["recipient"]) == (True, HOME, "A***")
    assert order(shop, HERE, resolve="home") == ORDER


def test_an_update_and_a_delete_of_a_stub_are_done_at_home(shop: InMemory) -> None:
    told: list[Event] = []
    shop.client(HOME).table("orders").put_item(Item=ORDER)
    orders = shop.client(HERE, on_event=told.append).table("orders")
    orders.update_item(
        Key=KEY, UpdateExpression="SET recipient = :r", ExpressionAttributeValues={":r": "Ravi"}, ReturnValues="ALL_NEW"
    )
    assert order(shop, HOME)["recipient"] == "Ravi"
    assert order(shop, ELSEWHERE)["recipient"] == "R***"
    assert [(event.kind, event.to_region) for event in told] == [(Kind.REDIRECT, HOME)]
    orders.delete_item(Key=KEY)
    assert [order(shop, region) for region in DEPLOYMENT.regions] == [None] * 3


def test_on_settle_nothing_arrives_before(slow: InMemory) -> None:
    orders = slow.client(HERE).table("orders")
    orders.put_item(Item=ORDER, placement="local")
    assert (order(slow, HERE), order(slow, HOME), order(slow, ELSEWHERE)) == (ORDER, None, None)
    slow.settle()
    assert order(slow, HOME) == ORDER
    assert order(slow, HERE).is_stub
    assert order(slow, ELSEWHERE).is_stub


def test_a_session_reads_what_it_wrote_before_it_has_arrived(slow: InMemory) -> None:
    client = slow.client(HERE)
    session = client.session()
    client.table("stock", session).put_item(Item={"sku": "a"})
    other = slow.client(ELSEWHERE)
    assert stock(slow, ELSEWHERE) is None
    continued = other.table("stock", other.session(session.token))
    assert continued.get_item(Key={"sku": "a"})["Item"] == {"sku": "a"}
    slow.cut_off(HERE)
    with pytest.raises(SessionBehind):
        continued.get_item(Key={"sku": "a"})


def test_ordinary_code_meets_the_same_tables(shop: InMemory) -> None:
    plain: Any = shop.session.resource("dynamodb", region_name=HERE).Table("shop-orders")
    plain.put_item(Item=ORDER)
    assert order(shop, HOME) == ORDER
    assert plain.get_item(Key=KEY)["Item"]["_dom"]["l"] == HOME


def test_a_write_onto_a_stub_is_told_and_anonymized_again(shop: InMemory) -> None:
    shop.client(HOME).table("orders").put_item(Item=ORDER)
    plain: Any = shop.session.resource("dynamodb", region_name=HERE).Table("shop-orders")
    plain.update_item(Key=KEY, UpdateExpression="SET recipient = :r", ExpressionAttributeValues={":r": "Ravi"})
    assert shop.quarantined(HERE) == ["stub_write"]
    assert shop.quarantined(HOME) == []
    assert order(shop, HERE)["recipient"] == "R***"
    assert order(shop, HOME)["recipient"] == "Asha"


def test_an_outage_of_the_nearest_region(shop: InMemory) -> None:
    told: list[Event] = []
    shop.client(HERE).table("stock").put_item(Item={"sku": "a"})
    shop.cut_off(HERE)
    table = shop.client(HERE, failover=[ELSEWHERE], on_event=told.append).table("stock")
    assert table.get_item(Key={"sku": "a"})["Item"] == {"sku": "a"}
    table.put_item(Item={"sku": "b"})
    assert {(event.kind, event.region, event.to_region) for event in told} == {(Kind.FAILOVER, HERE, ELSEWHERE)}
    with pytest.raises(EndpointConnectionError):
        shop.session.client("dynamodb", region_name=HERE).list_tables()
    shop.restore(HERE)
    assert stock(shop, HERE, sku="b") == {"sku": "b"}


def test_an_outage_of_the_home(shop: InMemory) -> None:
    shop.cut_off(HOME)
    with pytest.raises(HomeRegionUnavailable):
        shop.client(HERE).table("orders").put_item(Item=ORDER)
    assert order(shop, HERE) is None
    shop.client(HERE, options=Options(home_unavailable="hold-local")).table("orders").put_item(Item=ORDER)
    assert order(shop, HERE) == ORDER
    shop.restore(HOME)
    assert order(shop, HOME) == ORDER
    assert order(shop, HERE).is_stub


def test_nothing_leaves_a_region_that_is_cut_off(slow: InMemory) -> None:
    slow.client(HERE).table("stock").put_item(Item={"sku": "a"})
    slow.cut_off(HERE)
    slow.settle()
    assert stock(slow, ELSEWHERE) is None
    slow.restore(HERE)
    assert stock(slow, ELSEWHERE) is None
    slow.settle()
    assert stock(slow, ELSEWHERE) == {"sku": "a"}


def test_a_large_item_waits_for_the_region_that_it_is_read_in(slow: InMemory) -> None:
    text = "".join(chr(0x4E00 + number * 7919 % 20000) for number in range(120_000))  # compresses badly
    slow.client(HERE).table("stock").put_item(Item={"sku": "a", "text": text})
    network = slow._network
    assert network.regions[HERE].work()
    slow.cut_off(HERE)
    slow.settle()
    assert stock(slow, ELSEWHERE) is None
    slow.restore(HERE)
    slow.settle()
    assert stock(slow, ELSEWHERE) == {"sku": "a", "text": text}


def test_a_transaction_is_done_in_one_region_or_refused(shop: InMemory) -> None:
    client = shop.client(HERE)
    put = {"TableName": "orders", "Item": ORDER}
    client.transact_write_items(TransactItems=[{"Put": put}, {"Put": {**put, "Item": {**ORDER, "sk": 2}}}])
    assert order(shop, HOME) == ORDER
    european = {**ORDER, "sk": 3, "localization_authority": "EU"}
    with pytest.raises(UnsafeOperation, match="ap-south-1 and eu-west-1"):
        client.transact_write_items(TransactItems=[{"Put": put}, {"Put": {**put, "Item": european}}])
    with pytest.raises(client.exceptions.TransactionCanceledException):
        client.transact_write_items(TransactItems=[{"Put": {**put, "ConditionExpression": "attribute_not_exists(pk)"}}])


def test_queries_of_tables_and_indexes(shop: InMemory) -> None:
    orders = shop.client(HERE).table("orders")
    with orders.batch_writer() as batch:
        for number in range(30):
            batch.put_item(Item={"pk": "c2", "sk": number, "status": "new", "total": number})
    pages = list(orders.get_paginator("query").paginate(KeyConditionExpression=Key("pk").eq("c2"), Limit=20))
    assert [page["Count"] for page in pages] == [20, 10]
    found = orders.query(IndexName="by-status", KeyConditionExpression=Key("status").eq("new"))["Items"]
    assert sorted(int(str(item["total"])) for item in found) == list(range(30))
    assert shop.client(ELSEWHERE).table("orders").scan()["Count"] == 30


def test_an_expired_item_goes_from_every_region_and_is_not_deleted(slow: InMemory) -> None:
    for sku, gone_at in (("a", 100), ("b", 200)):
        slow.client(HERE).table("stock").put_item(Item={"sku": sku, "gone_at": gone_at})
    slow.settle()
    slow.cut_off(ELSEWHERE)
    slow.expire(150)
    slow.restore(ELSEWHERE)
    slow.settle()
    assert [stock(slow, region) is None for region in (HERE, HOME, ELSEWHERE)] == [True, True, False]
    assert stock(slow, HERE, sku="b") == {"sku": "b", "gone_at": 200}
    slow.expire()
    assert [stock(slow, region, sku="b") for region in DEPLOYMENT.regions] == [None] * 3


def test_each_is_apart_from_others_and_from_what_the_application_mocks(shop: InMemory) -> None:
    shop.client(HERE).table("stock").put_item(Item={"sku": "a"})
    with mock_aws():
        assert boto3.client("dynamodb", region_name=HERE).list_tables()["TableNames"] == []
        assert stock(shop, HERE) == {"sku": "a"}
    assert stock(shop, HERE) == {"sku": "a"}
    assert stock(InMemory(DEPLOYMENT), HERE) is None


def test_it_needs_no_environment_and_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    shop = InMemory(DEPLOYMENT)
    shop.client(HERE).table("stock").put_item(Item={"sku": "a"})
    assert stock(shop, ELSEWHERE) == {"sku": "a"}
    with pytest.raises(EndpointConnectionError):
        shop.session.client("sqs", region_name=HERE).list_queues()


def test_a_deployment_file_is_read_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "domicile.yaml"
    path.write_text(
        f"name: shop\nregions: [{HERE}, {HOME}]\nauthorities: {{EU: {HERE}}}\n"
        "tables: {stock: {hash_key: {name: sku, type: S}}}\n"
    )
    for given in (path, str(path)):
        shop = InMemory(given)
        shop.client(HERE).table("stock").put_item(Item={"sku": "a"})
        assert stock(shop, HOME) == {"sku": "a"}


def test_what_cannot_be_meant_is_refused(shop: InMemory) -> None:
    with pytest.raises(ValueError, match="replicate: must be at once or on settle"):
        InMemory(DEPLOYMENT, replicate="never")  # type: ignore[arg-type]
    accepted = "eu-west-2: must be one of ap-south-1, us-east-1, eu-west-1"
    for call in (shop.client, shop.cut_off, shop.restore, shop.quarantined, shop.async_client):
        with pytest.raises(ValueError, match=accepted):
            call("eu-west-2")


def test_an_update_that_makes_an_item_is_one_change(slow: InMemory) -> None:
    """moto tells of it twice, first with the key alone: as a plain write of the same second, that once won."""
    table = slow.session.resource("dynamodb", region_name=HERE).Table("shop-stock")
    table.update_item(Key={"sku": "s1"}, UpdateExpression="SET pieces = :n", ExpressionAttributeValues={":n": 1})
    (records,) = slow._network.regions[HERE].tables.changes.values()
    (change,) = (record["dynamodb"] for record in records)
    assert change["NewImage"] == {"sku": {"S": "s1"}, "pieces": {"N": "1"}}
    assert "OldImage" not in change
