"""What the store asks of DynamoDB; ``tests/contract`` holds its answers against the port."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError
from botocore.stub import Stubber

from domicile.aws.cached import RETRY_S
from domicile.aws.store import DynamoDbPeers, DynamoDbStore
from domicile.core.control import Control, Image
from domicile.core.errors import ItemTooLargeError, TransientError
from domicile.core.version import Version
from domicile.core.writes import AbsentOrLower, Delete, Marked, NotAbove, Put, SameValue, Update, Write

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

CANARY = "canary-value"
VERSION = Version(1, plain=False, tie=0, region="us-east-1")
KEY: Image = {"pk": {"S": "k"}}
ITEM: Image = {**KEY, "photo": {"B": "AP8="}, "_dom": Control(version=VERSION, origin="us-east-1").to_value()}
BOTO_ITEM = {**ITEM, "photo": {"B": b"\x00\xff"}}
ALL_OLD = {"ReturnValues": "ALL_OLD", "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}


@pytest.fixture
def client() -> DynamoDBClient:
    return boto3.client("dynamodb", region_name="us-east-1")


@pytest.fixture
def stubber(client: DynamoDBClient) -> Iterator[Stubber]:
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.mark.parametrize(("response", "item"), [({"Item": BOTO_ITEM}, ITEM), ({}, None)])
def test_reads_are_strongly_consistent(
    client: DynamoDBClient, stubber: Stubber, response: dict[str, Any], item: Image | None
) -> None:
    stubber.add_response("get_item", response, {"TableName": "t", "Key": KEY, "ConsistentRead": True})
    assert DynamoDbStore(client).get("t", KEY) == item


def test_a_put_is_one_conditional_request(client: DynamoDBClient, stubber: Stubber) -> None:
    expected = {
        "TableName": "t",
        "Item": BOTO_ITEM,
        "ConditionExpression": "attribute_not_exists(#control) OR #control.#v < :version",
        "ExpressionAttributeNames": {"#control": "_dom", "#v": "v"},
        "ExpressionAttributeValues": {":version": {"S": str(VERSION)}},
        **ALL_OLD,
    }
    stubber.add_response("put_item", {"Attributes": BOTO_ITEM}, expected)
    write = Put(table="t", key=KEY, image=ITEM, condition=NotAbove("_dom", VERSION))
    written = DynamoDbStore(client).write(write)
    assert (written.applied, written.before) == (True, ITEM)


def test_an_update_is_one_conditional_request(client: DynamoDBClient, stubber: Stubber) -> None:
    expected = {
        "TableName": "t",
        "Key": KEY,
        "UpdateExpression": "SET #a0 = :a0, #a1 = :a1 REMOVE #r0, #r1",
        "ConditionExpression": "attribute_exists(#key) AND attribute_not_exists(#attribute)",
        "ExpressionAttributeNames": {
            "#a0": "size",
            "#a1": "photo",
            "#r0": "name",
            "#r1": "email",
            "#key": "pk",
            "#attribute": "_dom",
        },
        "ExpressionAttributeValues": {":a0": {"N": "1"}, ":a1": {"B": b"\x00\xff"}},
        **ALL_OLD,
    }
    stubber.add_response("update_item", {}, expected)
    write = Update(
        table="t",
        key=KEY,
        assign={"size": {"N": "1"}, "photo": {"B": "AP8="}},
        remove=("name", "email"),
        condition=SameValue("_dom", None, "pk"),
    )
    written = DynamoDbStore(client).write(write)
    assert (written.applied, written.before) == (True, None)


def test_a_delete_is_one_conditional_request(client: DynamoDBClient, stubber: Stubber) -> None:
    expected = {
        "TableName": "t",
        "Key": KEY,
        "ConditionExpression": "#control.#v = :version AND #control.#x = :true",
        "ExpressionAttributeNames": {"#control": "_dom", "#v": "v", "#x": "x"},
        "ExpressionAttributeValues": {":version": {"S": str(VERSION)}, ":true": {"BOOL": True}},
        **ALL_OLD,
    }
    stubber.add_response("delete_item", {"Attributes": BOTO_ITEM}, expected)
    assert DynamoDbStore(client).write(Delete(table="t", key=KEY, condition=Marked("_dom", VERSION))).applied


WRITES: list[Write] = [
    Put(table="t", key=KEY, image=ITEM, condition=NotAbove("_dom", VERSION)),
    Update(table="t", key=KEY, assign={"t": {"S": "1"}}, condition=AbsentOrLower("t", "1")),
    Delete(table="t", key=KEY, condition=Marked("_dom", VERSION)),
]
OPERATIONS = {Put: "put_item", Update: "update_item", Delete: "delete_item"}


@pytest.mark.parametrize("write", WRITES, ids=lambda write: type(write).__name__)
@pytest.mark.parametrize("exists", [True, False])
def test_a_condition_that_does_not_hold_answers_with_the_item_as_it_was(
    client: DynamoDBClient, stubber: Stubber, write: Write, exists: bool
) -> None:
    fields = {"Item": BOTO_ITEM} if exists else None
    stubber.add_client_error(OPERATIONS[type(write)], "ConditionalCheckFailedException", CANARY, modeled_fields=fields)
    written = DynamoDbStore(client).write(write)
    assert (written.applied, written.before) == (False, ITEM if exists else None)


@pytest.mark.parametrize("write", WRITES, ids=lambda write: type(write).__name__)
def test_a_failure_says_what_failed_and_no_value(client: DynamoDBClient, stubber: Stubber, write: Write) -> None:
    stubber.add_client_error(OPERATIONS[type(write)], "ThrottlingException", f"the item {CANARY}")
    with pytest.raises(TransientError, match=f"{type(write).__name__}: ThrottlingException") as raised:
        DynamoDbStore(client).write(write)
    assert CANARY not in "".join(traceback.format_exception(raised.value))


def test_an_item_that_is_too_large_is_told_apart(client: DynamoDBClient, stubber: Stubber) -> None:
    stubber.add_client_error("put_item", "ValidationException", "Item size has exceeded the maximum allowed size")
    with pytest.raises(ItemTooLargeError):
        DynamoDbStore(client).write(WRITES[0])


def test_a_read_that_fails_says_no_value(client: DynamoDBClient, stubber: Stubber) -> None:
    stubber.add_client_error("get_item", "InternalServerError", CANARY)
    with pytest.raises(TransientError, match="GetItem: InternalServerError") as raised:
        DynamoDbStore(client).get("t", KEY)
    assert CANARY not in "".join(traceback.format_exception(raised.value))


def test_peers_are_read_in_their_own_region_with_a_client_each_made_once(
    client: DynamoDBClient, stubber: Stubber
) -> None:
    made: list[str] = []

    def client_of(region: str) -> DynamoDBClient:
        made.append(region)
        return client

    for _ in range(2):
        stubber.add_response("get_item", {"Item": BOTO_ITEM}, {"TableName": "t", "Key": KEY, "ConsistentRead": True})
    peers = DynamoDbPeers(client_of)
    assert [peers.get("eu-west-1", "t", KEY) for _ in range(2)] == [ITEM, ITEM]
    assert made == ["eu-west-1"]


class Nowhere:
    """A client of a table that holds nothing."""

    def get_item(self, **_: Any) -> dict[str, Any]:
        return {}


def test_threads_that_meet_a_new_peer_make_its_client_once_and_one_after_the_other() -> None:
    """boto3 does not allow several threads to make clients of one session at once."""
    made: list[str] = []
    collisions: list[str] = []
    making = threading.Lock()

    def client_of(region: str) -> Any:
        if not making.acquire(blocking=False):
            collisions.append(region)
        else:
            threading.Event().wait(0.01)
            making.release()
        made.append(region)
        return Nowhere()

    peers = DynamoDbPeers(client_of)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda region: peers.get(region, "t", KEY), ["eu-west-1", "ap-south-1"] * 8))
    assert found == [None] * 16
    assert (sorted(made), collisions) == (["ap-south-1", "eu-west-1"], [])


class Unreachable:
    """A client whose Region does not answer; ``error`` is what its reads raise."""

    def __init__(self) -> None:
        self.error: Exception = ConnectTimeoutError(endpoint_url="https://dynamodb")
        self.reads = 0

    def get_item(self, **_: Any) -> dict[str, Any]:
        self.reads += 1
        raise self.error


def test_a_peer_that_cannot_be_reached_is_left_alone_for_a_moment() -> None:
    """Each claim check of a batch would wait for it on its own."""
    down, clock = Unreachable(), [0.0]
    clients: dict[str, Any] = {"eu-west-1": down, "ap-south-1": Nowhere()}
    peers = DynamoDbPeers(clients.__getitem__, lambda: clock[0])
    for clock[0] in (0.0, RETRY_S - 1, RETRY_S, RETRY_S + 1):
        with pytest.raises(TransientError):
            peers.get("eu-west-1", "t", KEY)
        assert peers.get("ap-south-1", "t", KEY) is None
    assert down.reads == 2


def test_a_peer_that_refuses_one_read_is_asked_for_the_next() -> None:
    down = Unreachable()
    down.error = ClientError({"Error": {"Code": "ThrottlingException"}}, "GetItem")
    peers = DynamoDbPeers({"eu-west-1": down}.__getitem__)  # type: ignore[arg-type]  # the one method
    for _ in range(2):
        with pytest.raises(TransientError):
            peers.get("eu-west-1", "t", KEY)
    assert down.reads == 2
