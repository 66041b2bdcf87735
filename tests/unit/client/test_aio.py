"""The asyncio client over a deployment in memory, and what it alone has: tasks, cancellation, the policy read again."""

from __future__ import annotations

import asyncio
import io
import json
import time
from collections.abc import Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
from boto3.dynamodb.conditions import Key
from botocore.exceptions import ClientError, EndpointConnectionError

from domicile.client import Event, HomeRegionUnavailable, Options, UnsafeOperation, aio_driver
from domicile.client.aio import AsyncClient
from domicile.client.aio_driver import DeployedPolicy, Driver
from domicile.client.events import Kind
from domicile.client.steps import Pause, Request, Steps, Together
from domicile.client.testing import InMemory
from domicile.core.errors import PolicyInvalidError, PolicyUnavailableError
from domicile.deployment import Deployment

HERE, HOME, ELSEWHERE = "eu-west-1", "ap-south-1", "us-east-1"
DEPLOYMENT = Deployment.model_validate(
    {
        "name": "shop",
        "regions": [HOME, ELSEWHERE, HERE],
        "authorities": {"EU": HERE, "IN": HOME},
        "tables": {
            "stock": {"hash_key": {"name": "shelf", "type": "S"}, "range_key": {"name": "sku", "type": "S"}},
            "orders": {
                "hash_key": {"name": "pk", "type": "S"},
                "range_key": {"name": "sk", "type": "N"},
                "sensitive": {"recipient": {"strategy": "mask", "keep": {"first": 1}}},
            },
        },
    }
)
KEY: dict[str, Any] = {"pk": "c1", "sk": 1}
ORDER: dict[str, Any] = {**KEY, "localization_authority": "IN", "recipient": "Asha"}


@pytest.fixture
def shop() -> InMemory:
    return InMemory(DEPLOYMENT)


def run(shop: InMemory, scenario: Callable[[AsyncClient], Coroutine[Any, Any, None]], **settings: Any) -> None:
    """Run a scenario with a client here."""

    async def entered() -> None:
        async with shop.async_client(HERE, **settings) as client:
            await scenario(client)

    asyncio.run(entered())


def test_a_moved_item_is_written_and_read_at_home(shop: InMemory) -> None:
    told: list[Event] = []

    async def scenario(client: AsyncClient) -> None:
        orders = client.table("orders")
        await orders.put_item(Item=ORDER)
        stub: Any = (await orders.get_item(Key=KEY))["Item"]
        assert (stub.is_stub, stub["recipient"]) == (True, "A***")
        assert (await orders.get_item(Key=KEY, resolve="home"))["Item"] == ORDER
        assert (await orders.query(KeyConditionExpression=Key("pk").eq("c1"), resolve="home"))["Items"] == [ORDER]
        assert (await orders.scan(ProjectionExpression="recipient"))["Items"] == [{"recipient": "Asha"}]
        assert await orders.batch_get(Keys=[KEY], resolve="home") == [ORDER]
        changed = await orders.update_item(
            Key=KEY, UpdateExpression="SET paid = :p", ExpressionAttributeValues={":p": True}, ReturnValues="ALL_NEW"
        )
        assert changed["Attributes"] == {**ORDER, "paid": True}
        gone = await orders.delete_item(Key=KEY, ReturnValues="ALL_OLD")
        assert gone["Attributes"] == {**ORDER, "paid": True}
        assert "Item" not in await orders.get_item(Key=KEY)

    run(shop, scenario, on_event=told.append)
    assert {event.kind for event in told} == {Kind.REDIRECT, Kind.RESOLVE}


def test_the_calls_of_several_tables(shop: InMemory) -> None:
    async def scenario(client: AsyncClient) -> None:
        requests = [{"PutRequest": {"Item": {**ORDER, "sk": number}}} for number in range(3)]
        written = await client.batch_write_item(RequestItems={"orders": requests})  # type: ignore[dict-item]
        assert written["UnprocessedItems"] == {}
        found = await client.batch_get_item(RequestItems={"orders": {"Keys": [KEY]}}, resolve="home")
        assert found["Responses"]["orders"] == [ORDER]
        put = {"TableName": "orders", "Item": {**ORDER, "sk": 9}}
        await client.transact_write_items(TransactItems=[{"Put": put}])
        european = {"TableName": "orders", "Item": {**ORDER, "sk": 3, "localization_authority": "EU"}}
        with pytest.raises(UnsafeOperation):
            await client.transact_write_items(TransactItems=[{"Put": put}, {"Put": european}])

    run(shop, scenario)
    assert shop.client(HOME).table("orders").scan()["Count"] == 4


def test_an_error_of_dynamodb_passes_through(shop: InMemory) -> None:
    async def scenario(client: AsyncClient) -> None:
        with pytest.raises(client.exceptions.ConditionalCheckFailedException):
            await client.table("orders").put_item(Item=ORDER, ConditionExpression="attribute_exists(pk)")
        with pytest.raises(ClientError, match="ValidationException"):
            await client.table("orders").get_item(Key={"wrong": 1})

    run(shop, scenario)


def test_outages(shop: InMemory) -> None:
    told: list[Event] = []

    async def scenario(client: AsyncClient) -> None:
        orders = client.table("orders")
        await orders.put_item(Item={**KEY, "sk": 2})
        shop.cut_off(HERE)
        assert (await orders.get_item(Key={**KEY, "sk": 2}))["Item"] == {**KEY, "sk": 2}
        shop.cut_off(HOME)
        with pytest.raises(HomeRegionUnavailable):
            await orders.put_item(Item=ORDER)

    run(shop, scenario, failover=[ELSEWHERE], on_event=told.append)
    assert [(event.kind, event.to_region) for event in told] == [(Kind.FAILOVER, ELSEWHERE)]


def test_a_session_goes_on_in_another_region() -> None:
    shop = InMemory(DEPLOYMENT, replicate="on settle")

    async def scenario(client: AsyncClient) -> None:
        session = client.session()
        await client.table("orders", session).put_item(Item={**KEY, "paid": True})
        async with shop.async_client(ELSEWHERE) as other:
            assert "Item" not in await other.table("orders").get_item(Key=KEY)
            continued = other.table("orders", other.session(session.token))
            assert (await continued.get_item(Key=KEY))["Item"] == {**KEY, "paid": True}

    run(shop, scenario)


def test_pages_by_a_paginator_and_its_configuration(shop: InMemory) -> None:
    async def scenario(client: AsyncClient) -> None:
        stock = client.table("stock")
        async with stock.batch_writer() as batch:
            for number in range(60):
                await batch.put_item(Item={"shelf": "a", "sku": f"{number:02}"})
        query = {"KeyConditionExpression": Key("shelf").eq("a")}
        pages = stock.get_paginator("query").paginate(**query, PaginationConfig={"PageSize": 25})
        assert [page["Count"] async for page in pages] == [25, 25, 10]
        limit: dict[str, Any] = {"MaxItems": 7, "PageSize": 5}
        first = await stock.get_paginator("query").paginate(**query, PaginationConfig=limit).build_full_result()
        limit["StartingToken"] = first["NextToken"]
        then = await stock.get_paginator("query").paginate(**query, PaginationConfig=limit).build_full_result()
        assert [item["sku"] for page in (first, then) for item in page["Items"]] == [f"{n:02}" for n in range(14)]
        assert (await stock.get_paginator("scan").paginate(resolve="home").build_full_result())["Count"] == 60
        with pytest.raises(ValueError, match="must be query or scan"):
            stock.get_paginator("get_item")  # type: ignore[arg-type]

    run(shop, scenario)


def test_a_batch_writer_sends_the_last_of_a_key_and_what_waits_when_the_block_fails(shop: InMemory) -> None:
    async def scenario(client: AsyncClient) -> None:
        orders = client.table("orders")
        async with orders.batch_writer(overwrite_by_pkeys=["pk", "sk"]) as batch:
            await batch.put_item(Item={**KEY, "paid": False})
            await batch.delete_item(Key=KEY)
            await batch.put_item(Item={**KEY, "paid": True})
            assert "Item" not in await orders.get_item(Key=KEY)
        assert (await orders.get_item(Key=KEY))["Item"] == {**KEY, "paid": True}
        with pytest.raises(KeyError):
            async with orders.batch_writer() as batch:
                await batch.put_item(Item={**KEY, "sk": 2})
                raise KeyError
        assert "Item" in await orders.get_item(Key={**KEY, "sk": 2})
        with pytest.raises(asyncio.CancelledError):
            async with orders.batch_writer() as batch:
                await batch.put_item(Item={**KEY, "sk": 3})
                raise asyncio.CancelledError
        assert "Item" not in await orders.get_item(Key={**KEY, "sk": 3})

    run(shop, scenario)


def test_a_batch_writer_sends_unprocessed_items_again(shop: InMemory, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(client: AsyncClient) -> None:
        sent = []

        async def busy(RequestItems: Any, placement: Any) -> Any:  # noqa: N803
            sent.append((RequestItems["orders"], placement))
            left = RequestItems["orders"][1:]
            return {"UnprocessedItems": {"orders": left} if left else {}}

        monkeypatch.setattr(client, "batch_write_item", busy)
        async with client.table("orders").batch_writer(placement="local") as batch:
            for number in range(26):
                await batch.put_item(Item={"pk": "c2", "sk": number})
        assert [len(requests) for requests, _ in sent] == [25, 25, *range(24, 0, -1)]
        assert {placement for _, placement in sent} == {"local"}

    run(shop, scenario)


def test_one_connection_for_each_region_however_many_tasks(shop: InMemory, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    new = aio_driver.Clients.new

    def counted(self: aio_driver.Clients, service: str, region: str) -> Any:
        made.append(region)
        return new(self, service, region)

    monkeypatch.setattr(aio_driver.Clients, "new", counted)

    async def scenario(client: AsyncClient) -> None:
        orders = client.table("orders")
        await asyncio.gather(*(orders.put_item(Item={**ORDER, "sk": number}) for number in range(20)))

    run(shop, scenario)
    assert made == [HERE, HOME]
    assert shop.client(HOME).table("orders").scan()["Count"] == 20


def test_it_is_used_while_it_is_open(shop: InMemory) -> None:
    async def scenario() -> None:
        client = shop.async_client(HERE)
        for _ in range(2):
            with pytest.raises(RuntimeError, match="async with"):
                await client.table("orders").get_item(Key=KEY)
            async with client:
                await client.table("orders").get_item(Key=KEY)

    asyncio.run(scenario())


def test_a_cancelled_call_ends_at_once() -> None:
    begun: list[str] = []
    ended: list[str] = []

    def waiting(name: str) -> Steps[None]:
        begun.append(name)
        try:
            yield Pause(3600)
        finally:
            ended.append(name)

    def both() -> Steps[None]:
        try:
            yield Together(operations)
        finally:
            ended.append("both")

    operations, steps = (waiting("one"), waiting("other")), both()  # held, lest the garbage collector end them

    async def scenario() -> None:
        task = asyncio.create_task(driver_over().run(steps))
        while len(begun) < 2:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended == ["one", "other", "both"]

    asyncio.run(scenario())


def test_of_operations_together_one_that_fails_lets_the_others_end() -> None:
    ended = []

    def failing() -> Steps[None]:
        yield Request(HERE, "put_item", {})

    def ending() -> Steps[str]:
        yield Pause(0.01)
        ended.append("ended")
        return "ended"

    def both() -> Steps[Any]:
        return (yield Together((failing(), ending())))

    with pytest.raises(EndpointConnectionError):
        asyncio.run(driver_over(EndpointConnectionError(endpoint_url="x")).run(both()))
    assert ended == ["ended"]


def driver_over(error: Exception | None = None) -> Driver:
    """Return a driver whose calls all fail."""

    class Failing:
        async def of(self, _: str) -> Any:
            raise error or AssertionError

    return Driver(Failing())  # type: ignore[arg-type]


class AppConfig:
    """AppConfig's data clients: each Region's document, or the error that it fails with."""

    def __init__(self, documents: dict[str, Any]) -> None:
        self.documents = documents
        self.asked: list[str] = []

    @asynccontextmanager
    async def new(self, service: str, region: str) -> Any:
        assert service == "appconfigdata"
        self.asked.append(region)
        self._region = region
        yield self

    async def start_configuration_session(self, **names: str) -> Any:
        assert list(names.values()) == ["shop", "live", "policy"]
        return {"InitialConfigurationToken": self._region}

    async def get_latest_configuration(self, *, ConfigurationToken: str) -> Any:  # noqa: N803
        document = self.documents[ConfigurationToken]
        if isinstance(document, Exception):
            raise document
        return {"Configuration": _Stream(json.dumps(document).encode())}


class _Stream(io.BytesIO):
    async def read(self) -> bytes:  # type: ignore[override]
        return self.getvalue()


def test_the_policy_is_read_where_appconfig_answers_and_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aio_driver, "MAX_AGE_S", 0.001)
    document = DEPLOYMENT.policy_document()
    down = EndpointConnectionError(endpoint_url="x")
    app_config = AppConfig({HERE: down, ELSEWHERE: document})

    async def until(reached: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 10
        while not reached():
            assert time.monotonic() < deadline
            await asyncio.sleep(0.001)

    async def scenario() -> None:
        deployed = DeployedPolicy("shop", (HERE, ELSEWHERE), app_config)  # type: ignore[arg-type]
        await deployed.open()
        assert app_config.asked == [HERE, ELSEWHERE]
        assert deployed.get().authorities == {"EU": HERE, "IN": HOME}
        app_config.documents[HERE] = {**document, "authorities": {"EU": ELSEWHERE}}
        await until(lambda: deployed.get().authorities == {"EU": ELSEWHERE})
        for broken in ({"format": 99}, down):
            app_config.documents = dict.fromkeys((HERE, ELSEWHERE), broken)
            count = len(app_config.asked)
            await until(lambda count=count: len(app_config.asked) > count + 4)  # type: ignore[misc]
            assert deployed.get().authorities == {"EU": ELSEWHERE}
        await deployed.close()
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("document", "error"),
    [({"format": 99}, PolicyInvalidError), (EndpointConnectionError(endpoint_url="x"), PolicyUnavailableError)],
)
def test_a_client_is_not_opened_without_a_policy(document: Any, error: type[Exception]) -> None:
    async def scenario() -> None:
        deployed = DeployedPolicy("shop", (HERE,), AppConfig({HERE: document}))  # type: ignore[arg-type]
        with pytest.raises(error):
            await deployed.open()
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(scenario())


def test_the_deployed_policy_serves_a_client(shop: InMemory, monkeypatch: pytest.MonkeyPatch) -> None:
    app_config = AppConfig({HERE: DEPLOYMENT.policy_document()})
    new = aio_driver.Clients.new

    def routed(self: aio_driver.Clients, service: str, region: str) -> Any:
        return new(self, service, region) if service == "dynamodb" else app_config.new(service, region)

    monkeypatch.setattr(aio_driver.Clients, "new", routed)

    async def scenario() -> None:
        client = AsyncClient("shop", region=HERE, session=shop._async_session(), options=Options(failures_max=1))
        async with client:
            await client.table("orders").put_item(Item=ORDER)

    asyncio.run(scenario())
    assert shop.client(HOME).table("orders").get_item(Key=KEY)["Item"] == ORDER
