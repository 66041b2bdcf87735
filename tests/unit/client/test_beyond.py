"""A home in the other partition: called with credentials of it, and without them never."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from domicile.client import Client, HomeRegionUnavailable, Options, SessionBehind
from domicile.client.aio import AsyncClient
from domicile.client.events import Kind
from domicile.client.session import Seen, Session
from domicile.client.testing import InMemory
from domicile.core.partitions import CHINA, WORLD
from domicile.project import find_root
from tests.policies import BEIJING, IRELAND, NINGXIA, SINGAPORE, bridged
from tests.unit.client.scripted import KEY, OK, WIRE_KEY, Scripted, refused, stub, version

PUT: dict[str, Any] = {"Item": {**KEY, "localization_authority": "CN"}}
SET = {"Key": KEY, "UpdateExpression": "SET email = :e", "ExpressionAttributeValues": {":e": "b"}}
IF_NEW = {"ConditionExpression": "attribute_not_exists(pk)"}
BOTH = (WORLD, CHINA)


def client_of(*partitions: str, **options: Any) -> Scripted:
    """A client in Singapore with credentials of these partitions."""
    return Scripted(
        regions=(SINGAPORE, IRELAND),
        policy=bridged(),
        partitions=partitions,
        options=Options(failures_max=1, **options),
    )


@pytest.fixture
def client() -> Scripted:
    return client_of(WORLD)


def write(client: Scripted, operation: Any, arguments: dict[str, Any], placement: Any = None, **more: Any) -> Any:
    return client.table().write(operation, {**arguments, **more}, placement)


class TestWithCredentials:
    def test_a_put_goes_straight_to_its_home(self) -> None:
        client = client_of(*BOTH)
        client.run(write(client, "put_item", PUT), OK)
        assert client.went_to == [BEIJING]

    def test_a_stub_sends_an_update_to_its_home(self) -> None:
        client = client_of(*BOTH)
        client.run(write(client, "update_item", SET), refused(stub(BEIJING, authority="CN")), OK)
        assert client.went_to == [SINGAPORE, BEIJING]


class TestWithout:
    @pytest.mark.parametrize("placement", ["home", "local"])
    def test_a_whole_put_is_done_here(self, client: Scripted, placement: str) -> None:
        client.run(write(client, "put_item", PUT, placement), OK)
        assert client.went_to == [SINGAPORE]
        assert client.kinds == ([Kind.HELD_LOCAL] if placement == "home" else [])

    @pytest.mark.parametrize(("operation", "arguments"), [("put_item", PUT), ("delete_item", {"Key": KEY})])
    def test_a_whole_write_onto_a_stub_is_done_here(self, client: Scripted, operation: str, arguments: Any) -> None:
        steps = write(client, operation, arguments, "local")
        client.run(steps, refused(stub(BEIJING, authority="CN")), OK)
        assert client.went_to == [SINGAPORE] * 2
        assert "#dom_control.l" not in client.sent[-1].parameters["ConditionExpression"]

    @pytest.mark.parametrize("home_unavailable", ["fail", "hold-local"])
    @pytest.mark.parametrize(
        ("operation", "arguments"),
        [
            ("update_item", SET),
            ("put_item", {"Item": KEY, "ConditionExpression": "attribute_exists(pk)"}),
            ("delete_item", {"Key": KEY, "ReturnValues": "ALL_OLD"}),
        ],
        ids=["update", "conditional_put", "delete_that_returns"],
    )
    def test_what_needs_the_item_fails_at_once(self, home_unavailable: str, operation: str, arguments: Any) -> None:
        client = client_of(WORLD, home_unavailable=home_unavailable)
        with pytest.raises(HomeRegionUnavailable, match=r"cn-north-1 lies in aws-cn.*beyond=") as raised:
            client.run(write(client, operation, arguments), refused(stub(BEIJING, authority="CN")))
        assert raised.value.regions == (BEIJING,)
        assert client.went_to == [SINGAPORE]
        assert client.kinds == [Kind.REDIRECT]

    def test_a_conditional_put_is_not_judged_where_its_item_cannot_be_known(self, client: Scripted) -> None:
        with pytest.raises(HomeRegionUnavailable):
            client.run(write(client, "put_item", PUT, **IF_NEW))
        assert client.sent == []
        client.run(write(client, "put_item", PUT, "local", **IF_NEW), OK)
        assert client.went_to == [SINGAPORE]

    def test_puts_of_a_batch_are_done_here(self, client: Scripted) -> None:
        puts = [{"PutRequest": PUT}, {"PutRequest": {"Item": {**PUT["Item"], "localization_authority": "NX"}}}]
        client.run(client.batches.batch_write_item({"RequestItems": {"orders": puts}}, None), OK, OK)
        assert client.went_to == [SINGAPORE] * 2

    def test_a_transaction_fails_at_once(self, client: Scripted) -> None:
        put = {"Put": {"TableName": "orders", **PUT}}
        with pytest.raises(HomeRegionUnavailable):
            client.run(client.batches.transact_write_items({"TransactItems": [put]}, None))
        assert client.sent == []

    def test_a_read_that_resolves_fails_at_once(self, client: Scripted) -> None:
        found = stub(BEIJING, authority="CN")
        with pytest.raises(HomeRegionUnavailable, match='resolve="stub"'):
            client.run(client.table().get_item({"Key": KEY}, "home"), {**OK, "Item": found})
        with pytest.raises(HomeRegionUnavailable):
            client.run(client.table().page("scan", {}, "home"), {**OK, "Items": [found], "Count": 1})
        stubs = client.run(client.table().page("scan", {}, None), {**OK, "Items": [found], "Count": 1})
        assert stubs["Items"][0].home_region == BEIJING
        assert client.went_to == [SINGAPORE] * 3

    def test_a_session_that_was_beyond_is_ahead(self, client: Scripted) -> None:
        session = Session(None, 8)
        session.remember(bridged().table("shop-orders"), WIRE_KEY, Seen(version(region=BEIJING), BEIJING))
        with pytest.raises(SessionBehind, match="beyond="):
            client.run(client.table(session).get_item({"Key": KEY}, None), OK)
        with pytest.raises(SessionBehind, match="beyond="):
            client.run(client.table(session).write("update_item", SET, None), refused(None))
        assert client.went_to == [SINGAPORE] * 2

    def test_no_circuit_opens_for_what_is_never_called(self, client: Scripted) -> None:
        for _ in range(3):
            with pytest.raises(HomeRegionUnavailable):
                client.run(write(client, "put_item", PUT, **IF_NEW))
        assert client.events == []

    @pytest.mark.parametrize("made", [Client, AsyncClient])
    @pytest.mark.parametrize(("region", "other"), [(SINGAPORE, BEIJING), (NINGXIA, IRELAND)])
    def test_no_region_beyond_serves_in_the_place_of_the_nearest(self, made: Any, region: str, other: str) -> None:
        with pytest.raises(ValueError, match=f"^failover: {other} is not in .* beyond="):
            made("shop", region=region, failover=[other])


@pytest.fixture
def shop() -> InMemory:
    return InMemory(find_root(Path(__file__)) / "examples" / "bridge" / "domicile.yaml")


CUSTOMER = {"customer_id": "c1", "localization_authority": "CN", "name": "Mei"}
OF_MEI = {"customer_id": "c1"}
RENAME: dict[str, Any] = {
    "Key": OF_MEI,
    "UpdateExpression": "SET #n = :n",
    "ExpressionAttributeNames": {"#n": "name"},
    "ExpressionAttributeValues": {":n": "Li"},
}


def customer(shop: InMemory, region: str, **arguments: Any) -> Any:
    return shop.client(region).table("customers").get_item(Key=OF_MEI, **arguments).get("Item")


class TestInMemory:
    def test_a_global_item_is_on_both_sides(self, shop: InMemory) -> None:
        for region in shop.deployment.regions:
            shop.client(region).table("inventory").put_item(Item={"sku": region})
        for region in shop.deployment.regions:
            assert shop.client(region).table("inventory").scan()["Count"] == len(shop.deployment.regions)

    def test_what_is_put_without_credentials_moves_home_and_is_erased_from_here(self, shop: InMemory) -> None:
        customers = shop.client(IRELAND).table("customers")
        customers.put_item(Item=CUSTOMER)
        assert customer(shop, BEIJING) == CUSTOMER
        assert customer(shop, IRELAND).is_stub
        assert customer(shop, SINGAPORE) is None  # a stub of China's law does not cross
        with pytest.raises(HomeRegionUnavailable):
            customer(shop, IRELAND, resolve="home")
        customers.put_item(Item={**CUSTOMER, "name": "Li"})
        assert customer(shop, BEIJING)["name"] == "Li"
        customers.delete_item(Key=OF_MEI)
        assert [customer(shop, region) for region in shop.deployment.regions] == [None] * 4
        assert not any(shop.quarantined(region) for region in shop.deployment.regions)

    def test_a_client_with_credentials_reads_and_updates_beyond(self, shop: InMemory) -> None:
        shop.client(SINGAPORE).table("customers").put_item(Item=CUSTOMER)
        customers = shop.client(SINGAPORE, beyond=True).table("customers")
        assert customers.get_item(Key=OF_MEI, resolve="home")["Item"] == CUSTOMER
        customers.update_item(**RENAME)
        assert customer(shop, BEIJING)["name"] == "Li"

    def test_both_modes_over_asyncio(self, shop: InMemory) -> None:
        european = {**CUSTOMER, "localization_authority": "EU"}  # whose stubs cross

        async def scenario() -> None:
            async with shop.async_client(NINGXIA, beyond=True, failover=[SINGAPORE]) as near:
                await near.table("customers").put_item(Item=european)
                assert (await near.table("customers").get_item(Key=OF_MEI, resolve="home"))["Item"] == european
            async with shop.async_client(NINGXIA) as alone:
                with pytest.raises(HomeRegionUnavailable):
                    await alone.table("customers").update_item(**RENAME)

        asyncio.run(scenario())
        assert customer(shop, IRELAND) == european

    def test_a_large_item_crosses(self, shop: InMemory) -> None:
        text = "".join(chr(0x4E00 + number * 7919 % 20000) for number in range(120_000))  # compresses badly
        shop.client(NINGXIA).table("inventory").put_item(Item={"sku": "a", "text": text})
        assert shop.client(IRELAND).table("inventory").get_item(Key={"sku": "a"})["Item"]["text"] == text


class TestWhoseCredentials:
    """Each call is signed by the session of the Region's partition."""

    @pytest.fixture
    def signed(self) -> dict[str, list[str]]:
        return {"near": [], "beyond": []}

    def recorded(self, events: Any, regions: list[str]) -> None:
        events.register("before-sign.dynamodb", lambda region_name, **_: regions.append(region_name))

    @pytest.fixture
    def tables(self) -> Iterator[None]:
        with mock_aws():
            for region in (SINGAPORE, BEIJING):
                boto3.Session("k", "s").client("dynamodb", region_name=region).create_table(
                    TableName="shop-orders",
                    KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
                    AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
                    BillingMode="PAY_PER_REQUEST",
                )
            yield

    @pytest.mark.usefixtures("tables")
    def test_of_boto3(self, signed: dict[str, list[str]]) -> None:
        sessions = {name: boto3.Session("k", "s") for name in signed}
        for name, session in sessions.items():
            self.recorded(session.events, signed[name])
        client = Client("shop", region=SINGAPORE, policy=bridged(), session=sessions["near"], beyond=sessions["beyond"])
        client.table("orders").put_item(Item=PUT["Item"])
        client.table("orders").get_item(Key=KEY)
        assert signed == {"near": [SINGAPORE], "beyond": [BEIJING]}

    def test_of_aiobotocore(self, shop: InMemory, signed: dict[str, list[str]]) -> None:
        sessions = {name: shop._async_session() for name in signed}
        for name, session in sessions.items():
            self.recorded(session.get_component("event_emitter"), signed[name])

        async def scenario() -> None:
            async with AsyncClient(
                "shopease", region=BEIJING, policy=shop.policy, session=sessions["near"], beyond=sessions["beyond"]
            ) as client:
                await client.table("customers").put_item(Item=CUSTOMER)
                await client.table("customers").put_item(Item={**CUSTOMER, "localization_authority": "EU"})

        asyncio.run(scenario())
        assert signed == {"near": [BEIJING], "beyond": [IRELAND]}
