"""The application's library end to end: three clients, one in each Region, on the deployed replication."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import boto3
import pytest
from boto3.dynamodb.conditions import Attr, Key

from domicile.client import Client, Event, HomeRegionUnavailable, Options
from domicile.client.events import Kind
from domicile.core.control import Control, Image
from domicile.local import api
from domicile.local.api import LocalAws
from tests.local.failures import IRELAND, MUMBAI, NAME, VIRGINIA, stream_records
from tests.local.regions import CONTROL, Regions, eventually, text

_OPTIONS = Options(connect_timeout_s=5, read_timeout_s=5, failures_max=2, retry_after_s=0.5)


@dataclass(frozen=True)
class Order:
    """A new order whose recipient is a value that occurs nowhere else."""

    key: dict[str, str]
    canary: str

    @property
    def image_key(self) -> Image:
        """The key in DynamoDB JSON."""
        return {name: {"S": value} for name, value in self.key.items()}

    def item(self, authority: str | None = "IN") -> dict[str, Any]:
        """Return the whole item."""
        law = {"localization_authority": authority} if authority else {}
        return {**self.key, **law, "recipient": self.canary, "note": "x"}


@pytest.fixture
def order() -> Order:
    return Order({"pk": f"c-{secrets.token_hex(6)}", "sk": "o1"}, f"canary-{secrets.token_hex(12)}")


class Applications:
    """A client in each Region, which falls over to the other two, and what they tell."""

    def __init__(self, local: LocalAws) -> None:
        self._session = boto3.Session(aws_access_key_id=local.access_key, aws_secret_access_key=local.secret_key)
        self.regions = local.regions
        self.events: list[Event] = []

    def client(self, region: str, options: Options = _OPTIONS) -> Client:
        """Return a new client, which reads the policy from AppConfig."""
        failover = [other for other in self.regions if other != region]
        return Client(
            NAME, region=region, failover=failover, session=self._session, options=options, on_event=self.events.append
        )

    def orders(self, region: str) -> Any:
        """Return the orders as a new client of the Region has them."""
        return self.client(region).table("orders")

    def count(self, kind: Kind) -> int:
        """How many events of a kind were told."""
        return sum(event.kind == kind for event in self.events)


@pytest.fixture
def applications(local_aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> Iterator[Applications]:
    monkeypatch.setenv("AWS_ENDPOINT_URL", local_aws.endpoint)
    yield Applications(local_aws)


def await_home(regions: Regions, order: Order, home: str) -> dict[str, Image]:
    """Wait until the home has the item whole and the others its stub, in one version."""

    def settled() -> dict[str, Image] | None:
        images = regions.images("orders", order.image_key)
        controls = {region: Control.of(image, CONTROL) for region, image in images.items()}
        homes = {region: control and control.home for region, control in controls.items()}
        one = len({control and control.version for control in controls.values()}) == 1
        whole = {region: image for region, image in images.items() if image is not None}
        return whole if one and homes == {region: None if region == home else home for region in homes} else None

    return eventually(settled, lambda images: images is not None, "one home and its stubs") or {}


def test_what_is_placed_home_never_rests_elsewhere(regions: Regions, applications: Applications, order: Order) -> None:
    applications.orders(VIRGINIA).put_item(Item=order.item())
    images = await_home(regions, order, MUMBAI)
    for region, image in images.items():
        assert (order.canary in text(image)) is (region == MUMBAI)
    for region in (VIRGINIA, IRELAND):
        records = stream_records(regions, region, order.key["pk"])
        assert records
        assert order.canary not in text(records)


def test_what_is_placed_here_moves(regions: Regions, applications: Applications, order: Order) -> None:
    applications.orders(VIRGINIA).put_item(Item=order.item(), placement="local")
    assert order.canary in text(stream_records(regions, VIRGINIA, order.key["pk"]))
    images = await_home(regions, order, MUMBAI)
    assert [region for region, image in images.items() if order.canary in text(image)] == [MUMBAI]


@pytest.mark.parametrize("region", [MUMBAI, VIRGINIA, IRELAND])
def test_a_moved_item_is_updated_and_deleted_from_each_region(
    regions: Regions, applications: Applications, order: Order, region: str
) -> None:
    applications.orders(IRELAND).put_item(Item=order.item())
    await_home(regions, order, MUMBAI)
    orders = applications.orders(region)
    answer = orders.update_item(
        Key=order.key,
        UpdateExpression="SET recipient = :r REMOVE note",
        ConditionExpression=Attr("recipient").eq(order.canary),
        ExpressionAttributeValues={":r": f"{order.canary}-2"},
        ReturnValues="ALL_NEW",
    )
    expected = {**order.item(), "recipient": f"{order.canary}-2"}
    del expected["note"]
    assert answer["Attributes"] == expected
    images = await_home(regions, order, MUMBAI)
    assert images[MUMBAI]["recipient"] == {"S": f"{order.canary}-2"}
    deleted = orders.delete_item(Key=order.key, ReturnValues="ALL_OLD")
    assert deleted["Attributes"]["recipient"] == f"{order.canary}-2"
    regions.await_absence("orders", order.image_key)
    assert applications.count(Kind.REDIRECT) == (0 if region == MUMBAI else 2)


def test_stubs_are_told_and_resolved(regions: Regions, applications: Applications, order: Order) -> None:
    orders = applications.orders(VIRGINIA)
    orders.put_item(Item=order.item())
    orders.put_item(Item={**order.item(None), "sk": "o2"})
    await_home(regions, order, MUMBAI)
    condition = Key("pk").eq(order.key["pk"])
    moved, here = orders.query(KeyConditionExpression=condition)["Items"]
    assert (moved.is_stub, moved.home_region, moved["recipient"]) == (True, MUMBAI, "c***")
    assert (here.is_stub, here.home_region, here["recipient"]) == (False, None, order.canary)
    for asked in ({"resolve": "home"}, {"ProjectionExpression": "recipient"}):
        answer = orders.query(KeyConditionExpression=condition, **asked)
        assert [item["recipient"] for item in answer["Items"]] == [order.canary] * 2
        assert orders.get_item(Key=order.key, **asked)["Item"]["recipient"] == order.canary
    (whole,) = orders.batch_get(Keys=[order.key], resolve="home")
    assert whole == order.item()


def test_a_session_reads_its_writes_in_another_region(applications: Applications, order: Order) -> None:
    """Ten times: the other Region is asked at once, before anything can have arrived."""
    here, there = applications.client(VIRGINIA), applications.client(IRELAND)
    for number in range(10):
        session = here.session()
        here.table("orders", session).put_item(Item={**order.item(None), "n": number})
        continued = there.session(session.token)
        assert there.table("orders", continued).get_item(Key=order.key)["Item"]["n"] == number


def test_an_update_right_after_a_put_keeps_the_item(regions: Regions, applications: Applications, order: Order) -> None:
    """The put went home, and no stub of it has arrived here yet."""
    orders = applications.orders(IRELAND)
    orders.put_item(Item=order.item())
    orders.update_item(Key=order.key, UpdateExpression="SET note = :n", ExpressionAttributeValues={":n": "y"})
    images = await_home(regions, order, MUMBAI)
    assert images[MUMBAI]["recipient"] == {"S": order.canary}
    assert images[MUMBAI]["note"] == {"S": "y"}


def test_two_clients_that_race_on_one_key_end_with_one_winner(
    regions: Regions, applications: Applications, order: Order
) -> None:
    def race(region: str) -> None:
        orders = applications.orders(region)
        for number in range(20):
            orders.put_item(Item={**order.item(None), "winner": f"{region} {number}"})

    with ThreadPoolExecutor(2) as pool:
        for ended in [pool.submit(race, region) for region in (VIRGINIA, IRELAND)]:
            ended.result()
    images = regions.await_version("orders", order.image_key, lambda _: True)
    (winner,) = {image["winner"]["S"] for image in images.values()}
    assert winner.endswith(" 19")


class TestARegionThatIsCutOff:
    @pytest.mark.parametrize(
        "fault",
        [
            pytest.param({"status": 503}, id="refuses"),
            pytest.param({"latency_ms": 5000}, id="hangs", marks=pytest.mark.slow),
        ],
    )
    def test_leaves_global_items_to_the_next_region(
        self, regions: Regions, applications: Applications, order: Order, fault: dict[str, int]
    ) -> None:
        orders = applications.client(VIRGINIA, replace(_OPTIONS, read_timeout_s=2)).table("orders")
        orders.put_item(Item=order.item(None))
        regions.await_version("orders", order.image_key, lambda _: True)
        api.faults_add({"service": "dynamodb", "region": VIRGINIA, **fault})
        orders.update_item(Key=order.key, UpdateExpression="SET note = :n", ExpressionAttributeValues={":n": "y"})
        for _ in range(2):
            assert orders.get_item(Key=order.key)["Item"]["note"] == "y"
        assert applications.count(Kind.CIRCUIT_OPENED) == 1
        api.faults_clear()
        eventually(
            lambda: (orders.get_item(Key=order.key), applications.count(Kind.CIRCUIT_CLOSED))[1],
            bool,
            "the Region is asked again",
        )
        images = regions.await_version("orders", order.image_key, lambda image: image["note"] == {"S": "y"})
        assert set(images) == set(regions.all)

    def test_keeps_what_lives_there_to_itself(self, regions: Regions, applications: Applications, order: Order) -> None:
        orders = applications.orders(VIRGINIA)
        api.faults_add({"service": "dynamodb", "region": MUMBAI, "status": 503})
        with pytest.raises(HomeRegionUnavailable, match=MUMBAI):
            orders.put_item(Item=order.item())
        api.faults_clear()
        assert regions.images("orders", order.image_key) == dict.fromkeys(regions.all)

    def test_can_have_its_items_held_elsewhere_until_it_is_back(
        self, regions: Regions, applications: Applications, order: Order
    ) -> None:
        holding = Options(home_unavailable="hold-local", failures_max=2)
        orders = applications.client(VIRGINIA, holding).table("orders")
        api.faults_add({"service": "dynamodb", "region": MUMBAI, "status": 503})
        orders.put_item(Item=order.item())
        assert applications.count(Kind.HELD_LOCAL) == 1
        held = regions.get(VIRGINIA, "orders", order.image_key)
        assert held is not None
        assert held["recipient"] == {"S": order.canary}
        api.faults_clear()
        images = await_home(regions, order, MUMBAI)
        assert [region for region, image in images.items() if order.canary in text(image)] == [MUMBAI]
