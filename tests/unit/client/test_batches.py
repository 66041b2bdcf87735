"""BatchWriteItem, split by where the items live."""

from __future__ import annotations

from typing import Any

import pytest

from domicile.client.errors import HomeRegionUnavailable, UnsafeOperation
from domicile.client.events import Kind
from domicile.client.options import Options
from domicile.client.steps import Request
from domicile.core.errors import UnknownAuthorityError
from tests import policies
from tests.unit.client.scripted import IN, KEY, OK, US, Scripted, down, refused

GLOBAL = {"PutRequest": {"Item": {"pk": "k", "sk": "global"}}}
INDIAN = {"PutRequest": {"Item": {"pk": "k", "sk": "in", "localization_authority": "IN"}}}
DELETE = {"DeleteRequest": {"Key": KEY}}
DONE = {**OK, "UnprocessedItems": {}}


def write(client: Scripted, *requests: Any, placement: Any = None) -> Any:
    return client.batches.batch_write_item({"RequestItems": {"orders": list(requests)}}, placement)


def sent(request: Request) -> list[Any]:
    items: list[Any] = request.parameters["RequestItems"][policies.TABLE]
    return items


@pytest.fixture
def client() -> Scripted:
    return Scripted()


def test_each_put_goes_to_its_home_and_the_rest_stays_here(client: Scripted) -> None:
    client.run(write(client, GLOBAL, INDIAN, DELETE), DONE, DONE)
    assert client.went_to == [US, IN]
    assert [len(sent(request)) for request in client.sent] == [2, 1]
    control = sent(client.sent[1])[0]["PutRequest"]["Item"]["_dom"]["M"]
    assert control["o"] == {"S": IN}


def test_placed_here_all_goes_here(client: Scripted) -> None:
    client.run(write(client, GLOBAL, INDIAN, placement="local"), DONE)
    assert client.went_to == [US]


def test_unprocessed_items_come_back_from_every_region_without_control_attribute(client: Scripted) -> None:
    def leaves_all(request: Request) -> Any:
        return {**OK, "UnprocessedItems": request.parameters["RequestItems"]}

    response = client.run(write(client, GLOBAL, INDIAN, DELETE), leaves_all, leaves_all)
    assert response["UnprocessedItems"] == {"orders": [GLOBAL, DELETE, INDIAN]}


def test_a_delete_follows_what_this_client_wrote_elsewhere(client: Scripted) -> None:
    client.run(write(client, INDIAN), DONE)
    client.run(write(client, {"DeleteRequest": {"Key": {"pk": "k", "sk": "in"}}}), DONE)
    assert client.went_to == [IN, IN]


def test_an_update_after_a_batch_goes_where_the_item_is_and_not_where_it_was_left_unprocessed(client: Scripted) -> None:
    second = {"PutRequest": {"Item": {"pk": "k", "sk": "left", "localization_authority": "IN"}}}

    def leaves_second(request: Request) -> Any:
        return {**OK, "UnprocessedItems": {policies.TABLE: sent(request)[1:]}}

    client.run(write(client, INDIAN, second), leaves_second)
    for sk, answers in (("in", [refused(None), OK]), ("left", [OK])):
        arguments = {"Key": {"pk": "k", "sk": sk}, "UpdateExpression": "REMOVE a"}
        client.run(client.table().write("update_item", arguments, None), *answers)
    assert client.went_to == [IN, US, IN, US]
    assert ":dom_least" not in client.sent[-1].parameters["ExpressionAttributeValues"]


def test_a_home_that_is_down_fails_or_is_held(client: Scripted) -> None:
    with pytest.raises(HomeRegionUnavailable):
        client.run(write(client, INDIAN), down())
    holding = Scripted(options=Options(home_unavailable="hold-local"))
    holding.run(write(holding, INDIAN), down(), DONE)
    assert holding.went_to == [IN, US]
    assert holding.kinds[-1] == Kind.HELD_LOCAL


def test_capacity_is_that_of_all_regions(client: Scripted) -> None:
    used = [{**DONE, "ConsumedCapacity": [{"TableName": "t", "CapacityUnits": units}]} for units in (1.0, 2.0)]
    response = client.run(write(client, GLOBAL, INDIAN), *used)
    assert [one["CapacityUnits"] for one in response["ConsumedCapacity"]] == [1.0, 2.0]


def test_what_cannot_be_placed_is_refused_before_any_call(client: Scripted) -> None:
    with pytest.raises(UnknownAuthorityError):
        client.run(write(client, GLOBAL, {"PutRequest": {"Item": {**KEY, "localization_authority": "XX"}}}))
    with pytest.raises(UnsafeOperation):
        client.run(write(client, GLOBAL, {"PutRequest": {"Item": {**KEY, "_dom": 1}}}))
    assert client.sent == []
