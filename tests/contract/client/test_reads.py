"""Every read, as boto3 does it."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from boto3.dynamodb.conditions import Attr, Key

from tests.contract.client.seeds import SEEDS, K
from tests.contract.client.sides import Pair

C1 = Key("pk").eq("c1")
OPEN = Key("status").eq("open")
NAMES = {"#n": "note", "#s": "set", "#d": "dot.ted"}

GET: dict[str, tuple[str, dict[str, Any]]] = {
    "whole": ("orders", {"Key": K}),
    "absent": ("orders", {"Key": {"pk": "c1", "sk": "none"}}),
    "hash_only": ("stock", {"Key": {"sku": "s1"}}),
    "hash_only_absent": ("stock", {"Key": {"sku": "none"}}),
    "binary_and_number_key": ("readings", {"Key": {"device": b"\x01\xff", "at": Decimal("0.5")}}),
    "number_in_other_spelling": ("readings", {"Key": {"device": b"\x00\xff", "at": Decimal("1.0")}}),
    "consistent": ("orders", {"Key": K, "ConsistentRead": True}),
    "capacity_total": ("orders", {"Key": K, "ReturnConsumedCapacity": "TOTAL"}),
    "capacity_indexes": ("orders", {"Key": K, "ReturnConsumedCapacity": "INDEXES"}),
    "capacity_none": ("orders", {"Key": K, "ReturnConsumedCapacity": "NONE"}),
    "absent_capacity": ("orders", {"Key": {"pk": "x", "sk": "x"}, "ReturnConsumedCapacity": "TOTAL"}),
    "projected": ("orders", {"Key": K, "ProjectionExpression": "note"}),
    "projected_many": ("orders", {"Key": K, "ProjectionExpression": "note, kind,  flag"}),
    "projected_keys": ("orders", {"Key": K, "ProjectionExpression": "pk, sk"}),
    "projected_missing": ("orders", {"Key": K, "ProjectionExpression": "lacking"}),
    "projected_nested": ("orders", {"Key": K, "ProjectionExpression": "address.city, address.geo.lat"}),
    "projected_index": ("orders", {"Key": K, "ProjectionExpression": "parcels[1]"}),
    "projected_in_index": ("orders", {"Key": K, "ProjectionExpression": "parcels[0].sku, parcels[1].n"}),
    "projected_beyond_list": ("orders", {"Key": K, "ProjectionExpression": "parcels[9]"}),
    "projected_authority": (
        "orders",
        {"Key": {"pk": "c1", "sk": "o3"}, "ProjectionExpression": "localization_authority"},
    ),
    "projected_sensitive": ("orders", {"Key": {"pk": "c1", "sk": "o3"}, "ProjectionExpression": "recipient, pk"}),
    "projected_name": (
        "orders",
        {"Key": K, "ProjectionExpression": "#n", "ExpressionAttributeNames": {"#n": "note"}},
    ),
    "projected_odd_names": (
        "orders",
        {"Key": K, "ProjectionExpression": "#n, #s, #d", "ExpressionAttributeNames": NAMES},
    ),
    "projected_nested_names": (
        "orders",
        {
            "Key": K,
            "ProjectionExpression": "#a.#c, #l[0].#k",
            "ExpressionAttributeNames": {"#a": "address", "#c": "city", "#l": "parcels", "#k": "sku"},
        },
    ),
}

FILTERS: dict[str, Any] = {
    "eq": Attr("status").eq("open"),
    "ne": Attr("status").ne("open"),
    "lt": Attr("amount").lt(9),
    "lte": Attr("amount").lte(9),
    "gt": Attr("amount").gt(Decimal("9.5")),
    "gte": Attr("amount").gte(9),
    "between": Attr("amount").between(5, 9),
    "in": Attr("status").is_in(["paid", "other"]),
    "begins": Attr("note").begins_with("fi"),
    "contains_text": Attr("note").contains("on"),
    "contains_member": Attr("tags").contains("red"),
    "exists": Attr("n").exists(),
    "not_exists": Attr("n").not_exists(),
    "type": Attr("tags").attribute_type("SS"),
    "size": Attr("parcels").size().gt(1),
    "nested": Attr("address.city").eq("Pune"),
    "in_list": Attr("parcels[0].sku").eq("s1"),
    "and": Attr("status").eq("open") & Attr("amount").lt(6),
    "or": Attr("status").eq("paid") | Attr("n").eq(5),
    "not": ~Attr("status").eq("open"),
    "mixed": ~(Attr("status").eq("open") & Attr("n").exists()) | Attr("flag").eq(True),
    "nothing": Attr("status").eq("none"),
    "binary": Attr("blob").eq(b"\x00\xff"),
    "set": Attr("sizes").eq({1, 2, 3}),
    "null": Attr("none").eq(None),
    "empty_text": Attr("empty").eq(""),
}

QUERY: dict[str, tuple[str, dict[str, Any]]] = {
    "partition": ("orders", {"KeyConditionExpression": C1}),
    "partition_text": (
        "orders",
        {"KeyConditionExpression": "pk = :pk", "ExpressionAttributeValues": {":pk": "c1"}},
    ),
    "empty": ("orders", {"KeyConditionExpression": Key("pk").eq("none")}),
    "one": ("orders", {"KeyConditionExpression": C1 & Key("sk").eq("o1")}),
    "begins": ("orders", {"KeyConditionExpression": C1 & Key("sk").begins_with("o")}),
    "between": ("orders", {"KeyConditionExpression": C1 & Key("sk").between("o2", "p1")}),
    "less": ("orders", {"KeyConditionExpression": C1 & Key("sk").lt("o3")}),
    "number_range": ("readings", {"KeyConditionExpression": Key("device").eq(b"\x00\xff") & Key("at").gte(1)}),
    "hash_only": ("stock", {"KeyConditionExpression": Key("sku").eq("s2")}),
    "backward": ("orders", {"KeyConditionExpression": C1, "ScanIndexForward": False}),
    "consistent": ("orders", {"KeyConditionExpression": C1, "ConsistentRead": True}),
    "limit": ("orders", {"KeyConditionExpression": C1, "Limit": 2}),
    "limit_beyond": ("orders", {"KeyConditionExpression": C1, "Limit": 50}),
    "start": ("orders", {"KeyConditionExpression": C1, "ExclusiveStartKey": {"pk": "c1", "sk": "o2"}}),
    "limit_backward": ("orders", {"KeyConditionExpression": C1, "Limit": 2, "ScanIndexForward": False}),
    "filter_limit": ("orders", {"KeyConditionExpression": C1, "FilterExpression": Attr("n").exists(), "Limit": 3}),
    "count": ("orders", {"KeyConditionExpression": C1, "Select": "COUNT"}),
    "count_filtered": (
        "orders",
        {"KeyConditionExpression": C1, "Select": "COUNT", "FilterExpression": Attr("n").exists()},
    ),
    "count_limited": ("orders", {"KeyConditionExpression": C1, "Select": "COUNT", "Limit": 2}),
    "all_attributes": ("orders", {"KeyConditionExpression": C1, "Select": "ALL_ATTRIBUTES"}),
    "specific": (
        "orders",
        {"KeyConditionExpression": C1, "Select": "SPECIFIC_ATTRIBUTES", "ProjectionExpression": "sk, n"},
    ),
    "projected": ("orders", {"KeyConditionExpression": C1, "ProjectionExpression": "amount"}),
    "projected_names_of_others": (
        "orders",
        {
            "KeyConditionExpression": "#pk = :pk",
            "FilterExpression": "#t > :t",
            "ProjectionExpression": "#n, address.#c",
            "ExpressionAttributeNames": {"#pk": "pk", "#t": "amount", "#n": "note", "#c": "city"},
            "ExpressionAttributeValues": {":pk": "c1", ":t": 4},
        },
    ),
    "condition_objects_and_names": (
        "orders",
        {
            "KeyConditionExpression": C1,
            "FilterExpression": Attr("amount").gt(4),
            "ProjectionExpression": "#n",
            "ExpressionAttributeNames": {"#n": "sk"},
        },
    ),
    "capacity": ("orders", {"KeyConditionExpression": C1, "ReturnConsumedCapacity": "TOTAL"}),
    "capacity_indexes": (
        "orders",
        {"IndexName": "by-status", "KeyConditionExpression": OPEN, "ReturnConsumedCapacity": "INDEXES"},
    ),
    "index_all": ("orders", {"IndexName": "by-status", "KeyConditionExpression": OPEN}),
    "index_range": ("orders", {"IndexName": "by-status", "KeyConditionExpression": OPEN & Key("amount").gt(4)}),
    "index_backward": (
        "orders",
        {"IndexName": "by-status", "KeyConditionExpression": OPEN, "ScanIndexForward": False},
    ),
    "index_limit": ("orders", {"IndexName": "by-status", "KeyConditionExpression": OPEN, "Limit": 2}),
    "index_filter": (
        "orders",
        {"IndexName": "by-status", "KeyConditionExpression": OPEN, "FilterExpression": Attr("n").exists()},
    ),
    "index_projected": (
        "orders",
        {"IndexName": "by-status", "KeyConditionExpression": OPEN, "ProjectionExpression": "note"},
    ),
    "index_count": ("orders", {"IndexName": "by-status", "KeyConditionExpression": OPEN, "Select": "COUNT"}),
    "index_projected_attributes": (
        "orders",
        {"IndexName": "by-status", "KeyConditionExpression": OPEN, "Select": "ALL_PROJECTED_ATTRIBUTES"},
    ),
    "keys_only": ("orders", {"IndexName": "by-kind", "KeyConditionExpression": Key("kind").eq("book")}),
    "keys_only_projected_attributes": (
        "orders",
        {
            "IndexName": "by-kind",
            "KeyConditionExpression": Key("kind").eq("book"),
            "Select": "ALL_PROJECTED_ATTRIBUTES",
        },
    ),
    "keys_only_count": (
        "orders",
        {"IndexName": "by-kind", "KeyConditionExpression": Key("kind").eq("book"), "Select": "COUNT"},
    ),
    "keys_only_projected": (
        "orders",
        {"IndexName": "by-kind", "KeyConditionExpression": Key("kind").eq("toy"), "ProjectionExpression": "sk"},
    ),
    "include": ("orders", {"IndexName": "by-day", "KeyConditionExpression": Key("day").eq("2026-03-01")}),
    "include_projected": (
        "orders",
        {
            "IndexName": "by-day",
            "KeyConditionExpression": Key("day").eq("2026-03-01"),
            "ProjectionExpression": "#t",
            "ExpressionAttributeNames": {"#t": "amount"},
        },
    ),
    "index_consistent": (
        "orders",
        {"IndexName": "by-status", "KeyConditionExpression": OPEN, "ConsistentRead": True},
    ),
}

SCAN: dict[str, tuple[str, dict[str, Any]]] = {
    "whole": ("orders", {}),
    "hash_only": ("stock", {}),
    "binary": ("readings", {}),
    "limit": ("orders", {"Limit": 3}),
    "count": ("orders", {"Select": "COUNT"}),
    "projected": ("orders", {"ProjectionExpression": "sk, amount"}),
    "index": ("orders", {"IndexName": "by-status"}),
    "index_keys_only": ("orders", {"IndexName": "by-kind"}),
    "index_include": ("orders", {"IndexName": "by-day", "ProjectionExpression": "note"}),
    "consistent": ("orders", {"ConsistentRead": True}),
    "capacity": ("orders", {"ReturnConsumedCapacity": "TOTAL"}),
    "filter_text": (
        "orders",
        {
            "FilterExpression": "#t BETWEEN :a AND :b",
            "ExpressionAttributeNames": {"#t": "amount"},
            "ExpressionAttributeValues": {":a": 1, ":b": 9},
        },
    ),
}


@pytest.fixture(scope="module")
def pair(both: Pair) -> Iterator[Pair]:
    both.reset(SEEDS)
    yield both
    both.reset({})


@pytest.mark.parametrize(("table", "arguments"), GET.values(), ids=GET)
def test_get_item(pair: Pair, table: str, arguments: dict[str, Any]) -> None:
    pair.agree((table, "get_item", arguments))


@pytest.mark.parametrize(("table", "arguments"), QUERY.values(), ids=QUERY)
def test_query(pair: Pair, table: str, arguments: dict[str, Any]) -> None:
    pair.agree((table, "query", arguments))


@pytest.mark.parametrize(("table", "arguments"), SCAN.values(), ids=SCAN)
def test_scan(pair: Pair, table: str, arguments: dict[str, Any]) -> None:
    pair.agree((table, "scan", arguments))


@pytest.mark.parametrize("condition", FILTERS.values(), ids=FILTERS)
def test_filters(pair: Pair, condition: Any) -> None:
    pair.agree(
        ("orders", "scan", {"FilterExpression": condition}),
        ("orders", "query", {"KeyConditionExpression": C1, "FilterExpression": condition}),
    )


PAGES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "query": ("orders", "query", {"KeyConditionExpression": C1, "Limit": 2}),
    "query_of_one": ("orders", "query", {"KeyConditionExpression": C1, "Limit": 1}),
    "query_backward": ("orders", "query", {"KeyConditionExpression": C1, "Limit": 2, "ScanIndexForward": False}),
    "query_filtered": (
        "orders",
        "query",
        {"KeyConditionExpression": C1, "FilterExpression": Attr("status").eq("paid"), "Limit": 2},
    ),
    "query_projected": ("orders", "query", {"KeyConditionExpression": C1, "ProjectionExpression": "note", "Limit": 2}),
    "query_count": ("orders", "query", {"KeyConditionExpression": C1, "Select": "COUNT", "Limit": 2}),
    "query_index": ("orders", "query", {"IndexName": "by-status", "KeyConditionExpression": OPEN, "Limit": 1}),
    "query_keys_only": (
        "orders",
        "query",
        {"IndexName": "by-kind", "KeyConditionExpression": Key("kind").eq("book"), "Limit": 1},
    ),
    "query_numbers": ("readings", "query", {"KeyConditionExpression": Key("device").eq(b"\x01\xff"), "Limit": 2}),
    "scan": ("orders", "scan", {"Limit": 2}),
    "scan_binary": ("readings", "scan", {"Limit": 3}),
    "scan_index": ("orders", "scan", {"IndexName": "by-day", "Limit": 1}),
    "scan_filtered": ("stock", "scan", {"FilterExpression": Attr("n").gt(2), "Limit": 2}),
}


@pytest.mark.parametrize(("table", "method", "arguments"), PAGES.values(), ids=PAGES)
def test_last_evaluated_keys_lead_through_all_pages(
    pair: Pair, table: str, method: str, arguments: dict[str, Any]
) -> None:
    following: dict[str, Any] = {}
    for _ in range(12):
        (page,) = pair.agree((table, method, {**arguments, **following}))
        if "LastEvaluatedKey" not in page:
            break
        following = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
    else:
        raise AssertionError("the pages never end")


@pytest.mark.parametrize(("table", "method", "arguments"), PAGES.values(), ids=PAGES)
def test_paginators(pair: Pair, table: str, method: str, arguments: dict[str, Any]) -> None:
    pair.agree((table, f"pages_of_{method}", arguments))


@pytest.mark.parametrize("config", [{"MaxItems": 3}, {"PageSize": 2}, {"MaxItems": 2, "PageSize": 1}], ids=str)
def test_a_paginators_configuration(pair: Pair, config: dict[str, int]) -> None:
    pair.agree(
        ("orders", "pages_of_query", {"KeyConditionExpression": C1, "PaginationConfig": config}),
        ("stock", "pages_of_scan", {"PaginationConfig": config}),
    )


def test_parallel_scan(pair: Pair) -> None:
    pair.agree(*(("stock", "scan", {"Segment": segment, "TotalSegments": 3}) for segment in range(3)))


BATCHES: dict[str, dict[str, Any]] = {
    "one": {"orders": {"Keys": [K]}},
    "some_absent": {"orders": {"Keys": [K, {"pk": "c9", "sk": "x"}]}},
    "all_absent": {"stock": {"Keys": [{"sku": "none"}]}},
    "tables": {
        "orders": {"Keys": [K]},
        "stock": {"Keys": [{"sku": "s1"}]},
        "readings": {"Keys": [{"device": b"\x01\xff", "at": Decimal("0.5")}]},
    },
    "projected": {"orders": {"Keys": [K, {"pk": "c1", "sk": "o2"}], "ProjectionExpression": "amount, note"}},
    "projected_nested": {
        "orders": {
            "Keys": [K],
            "ProjectionExpression": "#a.city, parcels[1].n",
            "ExpressionAttributeNames": {"#a": "address"},
        }
    },
    "consistent": {"orders": {"Keys": [K], "ConsistentRead": True}},
    "twice": {"orders": {"Keys": [K, K]}},
    "no_keys": {"orders": {"Keys": []}},
    "nothing": {},
    "bad_key": {"orders": {"Keys": [{"pk": "c1"}]}},
}


@pytest.mark.parametrize("requests", BATCHES.values(), ids=BATCHES)
def test_batch_get_item(pair: Pair, requests: dict[str, Any]) -> None:
    pair.agree(("*", "batch_get_item", {"RequestItems": requests, "ReturnConsumedCapacity": "TOTAL"}), message=False)


def test_batch_get(pair: Pair) -> None:
    keys = [{"sku": f"s{number}"} for number in range(250)]
    (found,) = pair.agree(("stock", "batch_get", {"Keys": keys}))
    assert len(found) == 6
    pair.agree(("stock", "batch_get", {"Keys": keys[:2], "ProjectionExpression": "n"}))
