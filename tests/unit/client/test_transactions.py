"""Transactions: all in one Region, or refused."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError, ParamValidationError

from domicile.client.errors import HomeRegionUnavailable, UnsafeOperation, WriteContention
from domicile.client.events import Kind
from domicile.client.options import Options
from tests.unit.client.scripted import (
    EU,
    IN,
    KEY,
    NOW_MS,
    OK,
    US,
    Scripted,
    cancelled,
    down,
    error,
    full,
    item,
    marked,
    stub,
    version,
)

OTHER = {"pk": "k", "sk": "other"}


def put(item: dict[str, Any] = KEY, **more: Any) -> dict[str, Any]:
    return {"Put": {"TableName": "orders", "Item": item, **more}}


def update(key: dict[str, Any] = KEY, **more: Any) -> dict[str, Any]:
    return {"Update": {"TableName": "orders", "Key": key, "UpdateExpression": "REMOVE a", **more}}


def check(key: dict[str, Any] = OTHER) -> dict[str, Any]:
    return {"ConditionCheck": {"TableName": "orders", "Key": key, "ConditionExpression": "attribute_exists(pk)"}}


def of(authority: str, key: dict[str, Any] = KEY) -> dict[str, Any]:
    return put({**key, "localization_authority": authority})


@pytest.fixture
def client() -> Scripted:
    return Scripted()


def transact(client: Scripted, *items: dict[str, Any], placement: Any = None, **more: Any) -> Any:
    return client.batches.transact_write_items({"TransactItems": list(items), **more}, placement)


def member(client: Scripted, call: int, number: int) -> Any:
    ((_, request),) = client.sent[call].parameters["TransactItems"][number].items()
    return request


def test_global_items_are_written_here(client: Scripted) -> None:
    client.run(transact(client, put(), check()), OK)
    assert client.went_to == [US]
    assert member(client, 0, 0)["TableName"] == "shop-orders"
    assert "_dom" in member(client, 0, 0)["Item"]


def test_localized_items_of_one_home_are_written_there(client: Scripted) -> None:
    client.run(transact(client, of("IN"), put(OTHER)), OK)
    client.run(transact(client, of("IN"), placement="local"), OK)
    assert client.went_to == [IN, US]


def test_two_homes_are_refused_before_any_call(client: Scripted) -> None:
    with pytest.raises(UnsafeOperation, match="ap-south-1 and eu-west-1"):
        client.run(transact(client, of("IN"), of("EU", OTHER)))
    assert client.sent == []


def test_stubs_lead_to_their_home_or_are_refused_where_there_are_two(client: Scripted) -> None:
    client.run(transact(client, update(), check()), cancelled(stub(IN), True), OK)
    assert client.went_to == [US, IN]
    assert client.kinds == [Kind.REDIRECT]
    with pytest.raises(UnsafeOperation, match="transaction for each"):
        client.run(transact(client, update(), check()), cancelled(stub(IN), stub(EU)))


def test_items_that_live_in_different_regions_do_not_play_ping_pong(client: Scripted) -> None:
    with pytest.raises(UnsafeOperation, match="ap-south-1 and us-east-1"):
        client.run(transact(client, update(), check()), cancelled(stub(IN), True), cancelled(True, stub(US)))


def test_a_greater_version_stamps_its_member_anew(client: Scripted) -> None:
    found = version(NOW_MS + 5000, EU)
    client.run(transact(client, put(), put(OTHER)), cancelled(full(found), True), OK)
    assert member(client, 1, 0)["Item"]["_dom"]["M"]["v"]["S"] > str(found)
    assert "_dom" in member(client, 1, 1)["Item"]
    assert client.kinds == [Kind.RESTAMP]


def test_a_marked_item_is_waited_for_within_a_bound() -> None:
    client = Scripted(options=Options(attempts_max=2))
    with pytest.raises(WriteContention):
        client.run(transact(client, put()), cancelled(marked()), cancelled(marked()))
    assert client.pauses_s == [0.05, 0.1]


def test_an_update_at_a_home_without_the_item_creates_it_under_the_stubs_authority(client: Scripted) -> None:
    client.run(transact(client, update(), check()), cancelled(stub(IN), True), cancelled(None, True), OK)
    created = member(client, 2, 0)
    assert created["ExpressionAttributeValues"][":dom_authority"] == {"S": "IN"}


def test_a_member_on_what_has_not_arrived_goes_where_it_was_written(client: Scripted) -> None:
    client.run(transact(client, of("IN")), OK)
    client.run(transact(client, update()), cancelled(None), OK)
    assert client.went_to == [IN, US, IN]


def test_reasons_come_back_as_the_caller_asked_for_them(client: Scripted) -> None:
    hidden: dict[str, Any] = {"ConditionExpression": "attribute_exists(a)"}
    shown = {**hidden, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    with pytest.raises(ClientError) as raised:
        client.run(
            transact(client, update(**shown), update(OTHER, **hidden), check({"pk": "k", "sk": "3"})),
            cancelled(full(), full(), True),
        )
    reasons: Any = raised.value.response["CancellationReasons"]
    assert reasons[0]["Item"] == {"pk": {"S": "k"}, "sk": {"S": "s"}}
    assert "Item" not in reasons[1]
    assert reasons[2] == {"Code": "None"}


def test_what_is_not_a_condition_passes_through(client: Scripted) -> None:
    with pytest.raises(ClientError, match="ValidationException"):
        client.run(transact(client, put()), error("ValidationException", 400))
    with pytest.raises(HomeRegionUnavailable):
        client.run(transact(client, of("IN")), down())


def test_a_malformed_control_attribute_is_refused_with_the_way_out(client: Scripted) -> None:
    with pytest.raises(UnsafeOperation, match="boto3"):
        client.run(transact(client, put()), cancelled(item(None, _dom={"S": "x"})))


def test_what_cannot_be_safe_is_refused_before_any_call(client: Scripted) -> None:
    with pytest.raises(UnsafeOperation, match="leave it out"):
        client.run(transact(client, put(), ClientRequestToken="t"))
    with pytest.raises(UnsafeOperation, match="leave it out"):
        client.run(transact(client, put({**KEY, "_dom": 1})))
    with pytest.raises(ParamValidationError, match="ConditionCheck"):
        client.run(transact(client, {"Upsert": {"TableName": "orders", "Key": KEY}}))
    for incomplete in ({"Put": {"TableName": "orders"}}, {"Delete": {"Key": KEY}}, {"Update": {"TableName": "orders"}}):
        with pytest.raises(ParamValidationError, match="Missing required"):
            client.run(transact(client, incomplete))
    assert client.sent == []


def test_another_region_gets_a_stamp_of_its_own(client: Scripted) -> None:
    client.run(transact(client, put()), down(), OK)
    first, second = (member(client, call, 0)["Item"]["_dom"]["M"]["o"]["S"] for call in range(2))
    assert (first, second) == (US, EU)
