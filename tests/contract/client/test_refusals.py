"""What the library answers otherwise than boto3, on purpose: before anything was sent or changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from domicile.client import UnsafeOperation
from domicile.core.errors import UnknownAuthorityError, UnknownTableError
from tests.contract.client.seeds import SEEDS, K
from tests.contract.client.sides import DEPLOYMENT, Pair

LEGACY: dict[str, tuple[str, dict[str, Any]]] = {
    "AttributesToGet": ("get_item", {"Key": K, "AttributesToGet": ["note"]}),
    "AttributeUpdates": ("update_item", {"Key": K, "AttributeUpdates": {"note": {"Value": "x", "Action": "PUT"}}}),
    "Expected": ("put_item", {"Item": K, "Expected": {"note": {"Value": "first"}}}),
    "ConditionalOperator": ("delete_item", {"Key": K, "ConditionalOperator": "AND"}),
    "KeyConditions": (
        "query",
        {"KeyConditions": {"pk": {"AttributeValueList": ["c1"], "ComparisonOperator": "EQ"}}},
    ),
    "QueryFilter": ("query", {"QueryFilter": {"note": {"AttributeValueList": ["x"], "ComparisonOperator": "EQ"}}}),
    "ScanFilter": ("scan", {"ScanFilter": {"note": {"AttributeValueList": ["x"], "ComparisonOperator": "EQ"}}}),
}


@pytest.fixture(scope="module")
def pair(both: Pair) -> Iterator[Pair]:
    both.reset(SEEDS)
    before = {name: both.contents(DEPLOYMENT.name, name) for name in DEPLOYMENT.localized}
    yield both
    assert {name: both.contents(DEPLOYMENT.name, name) for name in DEPLOYMENT.localized} == before


@pytest.mark.parametrize(("method", "arguments"), LEGACY.values(), ids=LEGACY)
def test_legacy_parameters_are_refused_with_the_alternative(pair: Pair, method: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(UnsafeOperation, match=r"use \w+Expression"):
        getattr(pair.ours.table("orders"), method)(**arguments)


def test_a_table_that_the_policy_does_not_name(pair: Pair) -> None:
    with pytest.raises(UnknownTableError):
        pair.ours.table("none").get_item(Key=K)
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        pair.plain.table("none").get_item(Key=K)


def test_an_unknown_authority(pair: Pair) -> None:
    with pytest.raises(UnknownAuthorityError):
        pair.ours.table("orders").put_item(Item={**K, "localization_authority": "XX"})


def test_a_request_token_of_a_transaction(pair: Pair) -> None:
    with pytest.raises(UnsafeOperation, match="ClientRequestToken"):
        pair.ours.transact_write_items(
            TransactItems=[{"Delete": {"TableName": "orders", "Key": K}}], ClientRequestToken="t"
        )


def test_another_paginator(pair: Pair) -> None:
    with pytest.raises(ValueError, match="query or scan"):
        pair.ours.table("orders").get_paginator("list_tables")
