"""ShopEase's service in one Region, over the library on moto: its answers, failovers and logs."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError
from fastapi.testclient import TestClient
from moto import mock_aws

from domicile.client import Client
from domicile.core.control import Control
from domicile.core.policy import Policy
from domicile.core.version import stamp
from domicile.deployment import Deployment
from domicile.project import find_root
from examples.shopease.monitor import Monitor
from examples.shopease.service import create_app
from examples.shopease.shop import Shop

MUMBAI, VIRGINIA, IRELAND = "ap-south-1", "us-east-1", "eu-west-1"
DEPLOYMENT = Deployment.load(find_root(Path(__file__)) / "domicile.yaml")
ANA = {
    "authority": "EU",
    "name": "Ana Horvat",
    "email": "ana@example.eu",
    "address": {"street": "Ilica 1", "city": "Z"},
}
ORDER = {"sku": "tea", "quantity": 2, "recipient": "Ana Horvat", "shipping_address": "Ilica 1"}


class Aws:
    """DynamoDB of every Region on moto, without the replication; ``down`` Regions take no connection."""

    def __init__(self) -> None:
        self.down: set[str] = set()
        self.session = boto3.Session()
        self.session.events.register("before-call.dynamodb", self._refuse)
        for region in DEPLOYMENT.regions:
            dynamodb: Any = boto3.client("dynamodb", region)
            for name, table in DEPLOYMENT.localized.items():
                keys = [(key, kind) for key, kind in ((table.hash_key, "HASH"), (table.range_key, "RANGE")) if key]
                dynamodb.create_table(
                    TableName=f"shopease-{name}",
                    KeySchema=[{"AttributeName": key.name, "KeyType": kind} for key, kind in keys],
                    AttributeDefinitions=[{"AttributeName": key.name, "AttributeType": key.type} for key, _ in keys],
                    BillingMode="PAY_PER_REQUEST",
                )

    def _refuse(self, context: dict[str, Any], **_: Any) -> None:
        if context["client_region"] in self.down:
            raise EndpointConnectionError(endpoint_url="the Region")

    def shop(self, region: str) -> TestClient:
        """Return the service of a Region."""
        start = DEPLOYMENT.regions.index(region)
        order = [*DEPLOYMENT.regions[start:], *DEPLOYMENT.regions[:start]]
        monitor = Monitor(region)
        policy = Policy.parse(DEPLOYMENT.policy_document())
        shop = Shop(order, partial(Client, "shopease", policy=policy, session=self.session), monitor)
        peers = dict.fromkeys(DEPLOYMENT.regions, "http://127.0.0.1:1")
        return TestClient(create_app(shop, monitor, peers))

    def table(self, region: str, table: str) -> Any:
        """Return boto3's own table, which is never down."""
        return boto3.resource("dynamodb", region).Table(f"shopease-{table}")

    def replicate(self, origin: str, table: str, key: dict[str, str]) -> dict[str, Any]:
        """Do by hand what the pipeline does with an item at home: give the others stubs; return the item."""
        item: dict[str, Any] = self.table(origin, table).get_item(Key=key)["Item"]
        control = Control(version=stamp(1, None, origin), origin=origin, home=origin).to_value()["M"]
        flat = {name: next(iter(value.values())) for name, value in control.items()}
        stub = {**item, "_dom": flat} | {name: "***" for name in DEPLOYMENT.localized[table].sensitive if name in item}
        for region in DEPLOYMENT.regions:
            if region != origin:
                self.table(region, table).put_item(Item=stub)
        return item


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        yield Aws()


def stocked(shop: TestClient, sku: str = "tea", pieces: int = 10) -> None:
    assert shop.put(f"/products/{sku}", json={"name": "Tea", "price_cents": 450}).status_code == 204
    assert shop.post(f"/products/{sku}/deliveries", json={"quantity": pieces}).status_code == 204


def signed_up(shop: TestClient) -> str:
    answer = shop.post("/customers", json=ANA)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["customer_id"])


def test_the_catalogue_and_the_stock_of_every_warehouse(aws: Aws) -> None:
    shop = aws.shop(IRELAND)
    stocked(shop)
    tea = {"sku": "tea", "name": "Tea", "price_cents": 450, "stock": {IRELAND: 10, MUMBAI: 0, VIRGINIA: 0}}
    assert shop.get("/products").json() == [tea]
    assert shop.get("/products/tea").json() == tea
    assert shop.get("/products/coffee").status_code == 404
    boto3.resource("dynamodb", region_name=IRELAND).Table("shopease-inventory").put_item(Item={"sku": "sample"})
    assert shop.get("/products").json() == [tea], "what has no price is not for sale"
    assert shop.get("/products/sample").status_code == 404


def test_stock_is_never_sold_twice_and_another_warehouse_helps_out(aws: Aws) -> None:
    shop = aws.shop(IRELAND)
    stocked(shop, pieces=3)
    stocked(aws.shop(VIRGINIA), pieces=3)
    reserved = [shop.post("/products/tea/reservations", json={"quantity": 2}) for _ in range(3)]
    assert [answer.status_code for answer in reserved] == [201, 201, 409]
    assert [answer.json().get("warehouse") for answer in reserved] == [IRELAND, VIRGINIA, None]


def test_a_customer_is_written_at_home_and_nowhere_else(aws: Aws) -> None:
    customer_id = signed_up(aws.shop(VIRGINIA))
    held = {
        region: aws.table(region, "customers").get_item(Key={"customer_id": customer_id}).get("Item")
        for region in DEPLOYMENT.regions
    }
    assert held[IRELAND]["name"] == ANA["name"]
    assert held[VIRGINIA] is held[MUMBAI] is None


def test_a_session_reads_its_own_customer_before_the_stub_is_here(aws: Aws) -> None:
    shop = aws.shop(VIRGINIA)
    answer = shop.post("/customers", json=ANA)
    path = f"/customers/{answer.json()['customer_id']}"
    assert shop.get(path).status_code == 404
    found = shop.get(path, headers={"x-session": answer.headers["x-session"]})
    assert found.json()["item"]["email"] == ANA["email"]


def test_a_moved_customer_is_a_stub_here_full_from_home_and_changed_there(aws: Aws) -> None:
    shop = aws.shop(VIRGINIA)
    customer_id = signed_up(shop)
    aws.replicate(IRELAND, "customers", {"customer_id": customer_id})
    stub = shop.get(f"/customers/{customer_id}").json()
    assert (stub["is_stub"], stub["home"], stub["item"]["name"]) == (True, IRELAND, "***")
    assert shop.patch(f"/customers/{customer_id}", json={"phone": "1"}).status_code == 204
    full = shop.get(f"/customers/{customer_id}?full=true").json()
    assert (full["is_stub"], full["item"]["name"], full["item"]["phone"]) == (False, ANA["name"], "1")
    status = shop.get("/status").json()
    assert (status["events"]["redirect"], status["events"]["resolve"]) == (1, 1)
    assert status["reads"] == {"customers": {VIRGINIA: 1, IRELAND: 1}}


def test_an_order_takes_stock_here_rests_at_home_and_may_be_repeated(aws: Aws) -> None:
    shop = aws.shop(VIRGINIA)
    stocked(shop)
    customer_id = signed_up(shop)
    aws.replicate(IRELAND, "customers", {"customer_id": customer_id})
    path = f"/customers/{customer_id}/orders/o-1"
    answers = [shop.put(path, json=ORDER) for _ in range(2)]
    assert [(answer.status_code, answer.json()) for answer in answers] == [
        (201, {"warehouse": VIRGINIA}),
        (200, {"warehouse": VIRGINIA}),
    ]
    assert shop.get("/products/tea").json()["stock"][VIRGINIA] == 8
    key = {"pk": customer_id, "sk": "o-1"}
    assert aws.replicate(IRELAND, "orders", key)["recipient"] == ORDER["recipient"]
    assert shop.get(path).json()["item"]["recipient"] == ORDER["recipient"]
    (listed,) = shop.get(f"/customers/{customer_id}/orders").json()
    assert (listed["is_stub"], listed["item"]["recipient"], listed["item"]["status"]) == (True, "***", "placed")


def test_an_order_that_is_placed_twice_at_once_gives_its_stock_back(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = aws.shop(IRELAND)
    stocked(shop)
    path = f"/customers/{signed_up(shop)}/orders/o-1"
    assert shop.put(path, json=ORDER).status_code == 201
    monkeypatch.setattr(Shop, "_placed", lambda *_: None)  # as the other request saw it
    assert shop.put(path, json=ORDER).status_code == 409
    assert shop.get("/products/tea").json()["stock"][IRELAND] == 8


def test_a_region_without_its_tables_serves_what_is_global_from_the_next(aws: Aws) -> None:
    shop, next_one = aws.shop(VIRGINIA), aws.shop(IRELAND)
    stocked(next_one)
    aws.down = {VIRGINIA}
    assert shop.get("/products/tea").json()["name"] == "Tea"
    assert shop.put("/products/tea", json={"name": "Green tea", "price_cents": 1}).status_code == 204
    assert shop.post("/products/tea/reservations", json={"quantity": 1}).json() == {"warehouse": IRELAND}
    delivery = shop.post("/products/tea/deliveries", json={"quantity": 1})
    assert (delivery.status_code, VIRGINIA in delivery.json()["error"]) == (503, True), "counted in Virginia alone"
    assert shop.get("/copies?table=inventory&key=tea").status_code == 503
    assert shop.get("/health").status_code == 200
    status = shop.get("/status").json()
    assert status["reads"] == {"inventory": {IRELAND: 2}}
    assert status["events"]["failover"] == 3
    assert status["circuits_open"] == [VIRGINIA]
    aws.down = set()
    assert next_one.get("/products/tea").json()["name"] == "Green tea"


def test_while_a_home_is_cut_off_new_customers_are_held_and_the_rest_is_refused_by_its_name(aws: Aws) -> None:
    shop = aws.shop(VIRGINIA)
    stocked(shop)
    customer_id = signed_up(shop)
    aws.replicate(IRELAND, "customers", {"customer_id": customer_id})
    aws.down = {IRELAND}
    held = shop.post("/customers", json=ANA).json()
    assert held["held_in"] == VIRGINIA
    assert aws.table(VIRGINIA, "customers").get_item(Key={"customer_id": held["customer_id"]})["Item"]["name"]
    refused = [
        shop.get(f"/customers/{customer_id}?full=true"),
        shop.patch(f"/customers/{customer_id}", json={"phone": "1"}),
        shop.put(f"/customers/{customer_id}/orders/o-1", json=ORDER),
    ]
    for answer in refused:
        assert (answer.status_code, answer.json()["kind"]) == (503, "HomeRegionUnavailable")
        assert IRELAND in answer.json()["error"]
        assert "retry-after" in answer.headers
    assert shop.get(f"/customers/{customer_id}").json()["is_stub"]
    assert shop.get("/products/tea").json()["stock"][VIRGINIA] == 10, "no stock is taken for an order that is refused"
    status = shop.get("/status").json()
    assert status["errors"] == {"HomeRegionUnavailable": 3}
    assert status["events"]["held_local"] == 1


@pytest.mark.parametrize(
    ("method", "path", "body", "said"),
    [
        ("PUT", "/products/tea", {"name": "Tea", "price_cents": -1}, "price_cents: "),
        ("PUT", "/products/Tea", {"name": "Tea", "price_cents": 1}, "sku: "),
        ("POST", "/products/tea/deliveries", {"quantity": 0}, "quantity: "),
        ("POST", "/customers", {**ANA, "authority": "XX"}, "authority: accepted"),
        ("POST", "/customers", {**ANA, "email": "secret"}, "email: "),
        ("POST", "/customers", {**ANA, "secret": 1}, "secret: Extra inputs"),
        ("PATCH", "/customers/c-1", {}, "accepted: name, email, phone"),
        ("PUT", "/customers/c-1/orders/o-1", {**ORDER, "quantity": "secret"}, "quantity: "),
    ],
)
def test_bad_input_is_answered_by_the_fields_name_without_its_value(
    aws: Aws, method: str, path: str, body: dict[str, Any], said: str
) -> None:
    answer = aws.shop(IRELAND).request(method, path, json=body)
    assert (answer.status_code, said in answer.json()["error"]) == (422, True), answer.text
    assert "secret" not in answer.json()["error"].removeprefix("secret: ")


def test_what_is_no_session_and_what_is_not_there(aws: Aws) -> None:
    shop = aws.shop(IRELAND)
    assert "x-session" in shop.get("/customers/c-1", headers={"x-session": "?"}).json()["error"]
    for path in ("/customers/c-1", "/customers/c-1/orders/o-1", "/copies?table=x&key=1", "/copies?table=orders&key=1"):
        assert shop.get(path).status_code == 404, path
    assert shop.patch("/customers/c-1", json={"phone": "1"}).status_code == 404


def test_the_log_and_the_counters_know_no_key_and_no_value(
    aws: Aws, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    shop = aws.shop(IRELAND)
    customer_id = signed_up(shop)
    shop.get(f"/customers/{customer_id}?full=true")

    def fails(*_: object, **__: object) -> None:
        raise RuntimeError(ANA["name"])

    monkeypatch.setattr(Shop, "customer", fails)
    answer = shop.get(f"/customers/{customer_id}")
    assert (answer.status_code, answer.json()["kind"]) == (500, "RuntimeError")
    own = [record.getMessage() for record in caplog.records if record.name == "shopease"]
    assert [line.rsplit(" ", 2)[0] for line in own] == [
        "POST /customers 201 ok",
        "GET /customers/{customer_id} 200 ok",
        "GET /customers/{customer_id} 500 RuntimeError",
    ]
    for value in (customer_id, *ANA.values()):
        assert str(value) not in "".join(own)
    assert ANA["name"] not in shop.get("/status").text


def test_the_page_shows_the_same_items_of_every_region(aws: Aws) -> None:
    shop = aws.shop(IRELAND)
    customer_id = signed_up(shop)
    aws.replicate(IRELAND, "customers", {"customer_id": customer_id})
    ((table, (latest,)),) = shop.get("/status").json()["latest"].items()
    assert (table, latest["key"]) == ("customers", {"customer_id": customer_id})
    query = f"/copies?table=customers&key={customer_id}&key=c-none"
    here, missing = shop.get(query).json()
    there, _ = aws.shop(VIRGINIA).get(query).json()
    assert missing is None
    assert (here["is_stub"], there["is_stub"], there["home"]) == (False, True, IRELAND)
    assert "</html>" in shop.get("/").text
    assert shop.get("/page.js").status_code == 200
    assert set(shop.get("/regions").json()) == set(DEPLOYMENT.regions)
