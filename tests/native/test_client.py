"""An application's client on a native table beside a localized one: an ordinary day, and a Region that is cut off."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from boto3.dynamodb.conditions import Key

from domicile.client import Client, Event, Options, RegionsUnavailable
from domicile.client.events import Kind
from domicile.local import api
from domicile.local.api import LocalAws
from domicile.naming import Names
from tests.local.regions import eventually
from tests.native.stacks import AMERICA, EUROPE, NAME, PRIMARY
from tests.plane import policy

pytestmark = pytest.mark.slow

TABLE = f"{NAME}-catalogue"
_OPTIONS = Options(connect_timeout_s=5, read_timeout_s=5, failures_max=2, retry_after_s=0.5)


@pytest.fixture
def told() -> list[Event]:
    """What the client tells."""
    return []


@pytest.fixture(scope="module")
def session(native: LocalAws) -> boto3.Session:
    """The credentials of a role with Europe's managed policy for applications, and no other."""
    iam, names = native.client("iam", EUROPE), Names(NAME, EUROPE, account=native.access_key)
    trust = {"Effect": "Allow", "Principal": {"AWS": native.access_key}, "Action": "sts:AssumeRole"}
    role = iam.create_role(RoleName=f"{NAME}-test-client", AssumeRolePolicyDocument=policy(trust))["Role"]
    managed = f"arn:aws:iam::{names.account}:policy/{names.application_policy}"
    iam.attach_role_policy(RoleName=role["RoleName"], PolicyArn=managed)
    keys = native.client("sts", EUROPE).assume_role(RoleArn=role["Arn"], RoleSessionName="test")["Credentials"]
    return boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])


@pytest.fixture
def shop(
    native: LocalAws, session: boto3.Session, told: list[Event], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Client]:
    """A client in Europe, which reads the policy from AppConfig."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", native.endpoint)
    failover = [AMERICA, PRIMARY]
    yield Client(NAME, region=EUROPE, failover=failover, session=session, options=_OPTIONS, on_event=told.append)
    api.faults_clear()


def await_item(native: LocalAws, key: dict[str, str], item: dict[str, Any] | None) -> None:
    """Wait until every Region has the item, or none has it; nothing but the item's own attributes is there."""

    account = boto3.Session(native.access_key, native.secret_key)
    tables = {region: account.resource("dynamodb", region_name=region).Table(TABLE) for region in native.regions}

    def held() -> dict[str, Any]:
        return {r: table.get_item(Key=key, ConsistentRead=True).get("Item") for r, table in tables.items()}

    eventually(held, dict.fromkeys(native.regions, item).__eq__, "one item in all Regions")


def test_both_kinds_of_tables_are_written_and_read_through_one_client(
    native: LocalAws, shop: Client, told: list[Event]
) -> None:
    sku, customer = {"sku": f"lamp-{secrets.token_hex(4)}"}, {"customer_id": f"c-{secrets.token_hex(4)}"}
    lamp = {**sku, "brand": "Halo", "stock": 2}
    asha = {**customer, "localization_authority": "IN", "name": "Asha"}
    puts: Any = {"catalogue": [{"PutRequest": {"Item": lamp}}], "customers": [{"PutRequest": {"Item": asha}}]}
    shop.batch_write_item(RequestItems=puts)
    await_item(native, sku, lamp)
    of_both: Any = {"catalogue": {"Keys": [sku]}, "customers": {"Keys": [customer]}}
    found = eventually(
        lambda: shop.batch_get_item(RequestItems=of_both, resolve="home")["Responses"],
        lambda responses: bool(responses["customers"]),
        "the customer's stub",
    )
    assert found == {"catalogue": [lamp], "customers": [asha]}
    bought = {"TableName": "catalogue", "Key": sku, "UpdateExpression": "SET stock = stock - :n"}
    of_asha = {"TableName": "customers", "Item": {**asha, "bought": sku["sku"]}}
    shop.transact_write_items(
        TransactItems=[{"Update": {**bought, "ExpressionAttributeValues": {":n": 1}}}, {"Put": of_asha}]
    )
    await_item(native, sku, {**lamp, "stock": 1})
    assert shop.table("customers").get_item(Key=customer, resolve="home")["Item"]["bought"] == sku["sku"]
    assert {event.kind for event in told} == {Kind.RESOLVE}


def test_a_region_that_is_cut_off_leaves_reads_and_writes_to_the_next(
    native: LocalAws, shop: Client, told: list[Event]
) -> None:
    catalogue = shop.table("catalogue")
    kept, gone = ({"sku": f"chair-{secrets.token_hex(4)}"} for _ in range(2))
    for sku in (kept, gone):
        catalogue.put_item(Item={**sku, "brand": "Oak"})
        await_item(native, sku, {**sku, "brand": "Oak"})

    api.faults_add({"service": "dynamodb", "region": EUROPE, "status": 503})
    assert catalogue.get_item(Key=kept)["Item"]["brand"] == "Oak"
    with pytest.raises(RegionsUnavailable, match="without ConsistentRead"):
        catalogue.get_item(Key=kept, ConsistentRead=True)
    catalogue.update_item(Key=kept, UpdateExpression="SET brand = :b", ExpressionAttributeValues={":b": "Elm"})
    catalogue.delete_item(Key=gone)
    assert catalogue.get_item(Key=kept)["Item"]["brand"] == "Elm"
    of_brand = catalogue.query(IndexName="by-brand", KeyConditionExpression=Key("brand").eq("Elm"))["Items"]
    assert kept["sku"] in [item["sku"] for item in of_brand]
    failovers = {(event.region, event.to_region, event.table) for event in told if event.kind is Kind.FAILOVER}
    assert failovers == {(EUROPE, AMERICA, TABLE)}

    api.faults_clear()
    eventually(
        lambda: (catalogue.get_item(Key=kept), told[-1].kind)[1],
        lambda kind: kind is Kind.CIRCUIT_CLOSED,
        "the Region is asked again",
    )
    assert catalogue.get_item(Key=kept, ConsistentRead=True)["Item"]["brand"] == "Elm"
    await_item(native, kept, {**kept, "brand": "Elm"})
    await_item(native, gone, None)
