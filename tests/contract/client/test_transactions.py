"""TransactWriteItems in one Region, as boto3 does it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from boto3.dynamodb.conditions import Attr

from tests.contract.client.seeds import SEEDS, K
from tests.contract.client.sides import Pair

NEW = {"pk": "new", "sk": "1"}
SHOWN: dict[str, Any] = {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}


def put(item: dict[str, Any], table: str = "orders", **more: Any) -> dict[str, Any]:
    return {"Put": {"TableName": table, "Item": item, **more}}


def update(key: dict[str, Any] = K, table: str = "orders", **more: Any) -> dict[str, Any]:
    given = {"UpdateExpression": "SET note = :n", "ExpressionAttributeValues": {":n": "x"}, **more}
    return {"Update": {"TableName": table, "Key": key, **given}}


def delete(key: dict[str, Any] = K, table: str = "orders", **more: Any) -> dict[str, Any]:
    return {"Delete": {"TableName": table, "Key": key, **more}}


def check(condition: str, key: dict[str, Any] = K, table: str = "orders", **more: Any) -> dict[str, Any]:
    return {"ConditionCheck": {"TableName": table, "Key": key, "ConditionExpression": condition, **more}}


THERE, ABSENT = "attribute_exists(pk)", "attribute_not_exists(pk)"
TRANSACTIONS: dict[str, list[dict[str, Any]]] = {
    "put": [put(NEW)],
    "put_over": [put(K)],
    "update": [update()],
    "update_new": [update(NEW)],
    "delete": [delete()],
    "delete_absent": [delete(NEW)],
    "check": [check(THERE), put(NEW)],
    "all": [put(NEW), update(), delete({"pk": "c1", "sk": "o2"}), check(THERE, {"pk": "c1", "sk": "o3"})],
    "tables": [put(NEW), put({"sku": "new", "n": 1}, "stock"), delete({"sku": "s1"}, "stock")],
    "localized_here": [put({**NEW, "localization_authority": "US"}), update({"pk": "c1", "sk": "o3"})],
    "put_refused": [put(K, ConditionExpression=ABSENT)],
    "put_refused_shown": [put(K, ConditionExpression=ABSENT, **SHOWN)],
    "update_refused": [put(NEW), update(ConditionExpression=ABSENT)],
    "update_refused_shown": [put(NEW), update(ConditionExpression=ABSENT, **SHOWN)],
    "delete_refused": [delete(NEW, ConditionExpression=THERE)],
    "check_refused": [put(NEW), check(ABSENT)],
    "check_refused_shown": [put(NEW), check(ABSENT, **SHOWN)],
    "several_refused": [put(K, ConditionExpression=ABSENT), delete(NEW, ConditionExpression=THERE), update()],
    "same_item_twice": [update(), delete()],
    "bad_key": [delete({"pk": "c1"})],
    "bad_expression": [update(UpdateExpression="SET note", ExpressionAttributeValues={":n": "x"})],
    "nothing": [],
    "put_of_nothing": [{"Put": {"TableName": "orders"}}],
    "delete_without_key": [{"Delete": {"TableName": "orders"}}],
    "names_and_values": [
        update(
            UpdateExpression="ADD #t :n SET #set = :s",
            ConditionExpression="#st = :st",
            ExpressionAttributeNames={"#t": "amount", "#set": "set", "#st": "status"},
            ExpressionAttributeValues={":n": 1, ":s": b"x", ":st": "open"},
        )
    ],
}


@pytest.fixture
def pair(both: Pair) -> Iterator[Pair]:
    both.reset(SEEDS)
    yield both


@pytest.mark.parametrize("items", TRANSACTIONS.values(), ids=TRANSACTIONS)
def test_transact_write_items(pair: Pair, items: list[dict[str, Any]]) -> None:
    pair.agree(("*", "transact_write_items", {"TransactItems": items}), message=False)


def test_reported_capacity(pair: Pair) -> None:
    pair.agree(("*", "transact_write_items", {"TransactItems": [put(NEW)], "ReturnConsumedCapacity": "TOTAL"}))


def test_a_condition_object_in_a_transaction_is_spelled_out(both: Pair) -> None:
    """boto3 cannot do this: it puts the placeholders beside the transaction's items."""
    both.reset(SEEDS)
    both.ours.transact_write_items(TransactItems=[update(ConditionExpression=Attr("note").eq("first"))])
    assert both.ours.table("orders").get_item(Key=K)["Item"]["note"] == "x"
