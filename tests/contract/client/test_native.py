"""A native table: whatever boto3 does, since the library sends each call as it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from boto3.dynamodb.conditions import Attr, Key

from tests.contract.client.seeds import SEEDS
from tests.contract.client.sides import CONTROL, DEPLOYMENT, Call, Pair

K = {"brand": "halo", "sku": 1}
NEW = {"brand": "oak", "sku": 1}
SET: dict[str, Any] = {"Key": K, "UpdateExpression": "SET price = :p", "ExpressionAttributeValues": {":p": 9}}
SHOWN: dict[str, Any] = {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
CHEAP = Attr("price").lt(1)
CALLS: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "put": [("put_item", {"Item": {**NEW, "localization_authority": "XX"}, "ReturnValues": "ALL_OLD"})],
    "put_over": [("put_item", {"Item": K, "ReturnValues": "ALL_OLD", "ReturnConsumedCapacity": "TOTAL"})],
    "put_refused": [("put_item", {"Item": K, "ConditionExpression": CHEAP, **SHOWN})],
    "update": [("update_item", {**SET, "ReturnValues": "UPDATED_NEW"})],
    "update_new": [("update_item", {**SET, "Key": NEW, "ReturnValues": "ALL_NEW"})],
    "update_refused": [("update_item", {**SET, "ConditionExpression": "price < :p AND price > :p"})],
    "delete": [("delete_item", {"Key": K, "ReturnValues": "ALL_OLD"})],
    "get": [("get_item", {"Key": K, "ConsistentRead": True}), ("get_item", {"Key": NEW})],
    "get_projected": [
        ("get_item", {"Key": K, "ProjectionExpression": "#dom_0", "ExpressionAttributeNames": {"#dom_0": "price"}})
    ],
    "query": [("query", {"KeyConditionExpression": Key("brand").eq("halo"), "Limit": 2, "ScanIndexForward": False})],
    "query_index": [("query", {"IndexName": "by-day", "KeyConditionExpression": Key("day").eq("2026-03-01")})],
    "pages": [("pages_of_scan", {"FilterExpression": Attr("price").gt(2), "PaginationConfig": {"PageSize": 2}})],
    "batch_get": [("batch_get", {"Keys": [K, NEW]})],
    "batch_writer": [("batch_writer", {"requests": [("put_item", {"Item": NEW}), ("delete_item", {"Key": K})]})],
    "no_key": [("get_item", {}), ("get_item", {"Key": {"brand": "halo"}})],
    "bad_expression": [("update_item", {**SET, "UpdateExpression": "SET price"})],
}
ORDER = {"pk": "new", "sk": "1"}
# The library calls for localized tables first, and so says their capacity.
TOGETHER: dict[str, Call] = {
    "batch_write": (
        "*",
        "batch_write_item",
        {
            "RequestItems": {
                "stock": [{"PutRequest": {"Item": {"sku": "n"}}}],
                "catalogue": [{"PutRequest": {"Item": NEW}}, {"DeleteRequest": {"Key": K}}],
            }
        },
    ),
    "batch_get": (
        "*",
        "batch_get_item",
        {"RequestItems": {"stock": {"Keys": [{"sku": "s1"}]}, "catalogue": {"Keys": [K]}}},
    ),
    "transaction": (
        "*",
        "transact_write_items",
        {
            "TransactItems": [
                {"Put": {"TableName": "catalogue", "Item": NEW}},
                {"Put": {"TableName": "orders", "Item": ORDER}},
            ]
        },
    ),
    "transaction_refused": (
        "*",
        "transact_write_items",
        {
            "TransactItems": [
                {
                    "Put": {
                        "TableName": "catalogue",
                        "Item": K,
                        "ConditionExpression": "attribute_not_exists(sku)",
                        **SHOWN,
                    }
                },
                {"Put": {"TableName": "orders", "Item": ORDER}},
            ]
        },
    ),
}


@pytest.fixture
def pair(both: Pair) -> Iterator[Pair]:
    both.reset(SEEDS)
    yield both
    stored = both.raw.Table(f"{DEPLOYMENT.name}-catalogue").scan(ConsistentRead=True)["Items"]
    assert all(CONTROL not in item for item in stored)


@pytest.mark.parametrize("calls", CALLS.values(), ids=CALLS)
def test_calls_on_one_table(pair: Pair, calls: list[tuple[str, dict[str, Any]]]) -> None:
    pair.agree(*[("catalogue", method, arguments) for method, arguments in calls])


@pytest.mark.parametrize("call", TOGETHER.values(), ids=TOGETHER)
def test_calls_with_localized_tables(pair: Pair, call: Call) -> None:
    pair.agree(call)
