from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient
from botocore.config import Config
from moto import mock_aws

from domicile.aws.batch import QueueBatch
from domicile.aws.link import AccessKey
from domicile.aws.settings import CourierSettings, GatewaySettings, Settings
from domicile.aws.world import LINK_CONFIG, THREADS, make_doorstep, make_link, make_world
from domicile.core.parcels import Record
from domicile.pipeline.replicator import Replicator

SETTINGS = Settings(
    name="shop",
    region="us-east-1",
    policy="shop/live/policy",
    bus="shop",
    quarantine_url="https://sqs.us-east-1.amazonaws.com/123456789012/shop-quarantine",
    hash_secret="shop/hash-key",
)
COURIER = CourierSettings(
    **asdict(SETTINGS), receiver="cn-north-1", stream="shop-from-us-east-1", secret="shop/courier"
)
FUNCTION_TIMEOUT_S = 60
PROXY = "http://10.0.0.8:3128"
STREAM_URL = "https://kinesis.cn-north-1.amazonaws.com.cn"
ANSWERS: dict[str, Callable[[], dict[str, Any]]] = {
    "GetSecretValue": lambda: {"SecretString": AccessKey("AKIA", "secret").to_text()},
    "PutRecords": lambda: {"Records": [{}]},
    "GetItem": dict,
    "Invoke": lambda: {"Payload": io.BytesIO(b'{"batchItemFailures": []}')},
}


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, Config]]:
    """The clients that were made: service, Region and configuration."""
    made: list[tuple[str, str, Config]] = []
    client_of = boto3.Session.client

    def client(session: boto3.Session, service_name: Any, **more: Any) -> Any:
        made.append((service_name, more.get("region_name") or session.region_name, more["config"]))
        return client_of(session, service_name, **more)

    monkeypatch.setattr(boto3.Session, "client", client)
    return made


def test_every_client_is_of_the_region_and_gives_up_well_within_the_function_s_timeout(
    made: list[tuple[str, str, Any]],
) -> None:
    QueueBatch(SETTINGS.to_env() | {"AWS_REGION": "us-east-1"}, Replicator)
    services = ["dynamodb", "events", "sqs", "appconfigdata", "secretsmanager", "sqs"]
    assert [(service, region) for service, region, _ in made] == [(service, "us-east-1") for service in services]
    for _, _, config in made:
        attempts = config.retries["total_max_attempts"]
        assert attempts * (config.connect_timeout + config.read_timeout) <= FUNCTION_TIMEOUT_S / 2
        assert config.max_pool_connections >= THREADS


def test_a_claim_check_is_read_in_the_region_that_it_names(made: list[tuple[str, str, Any]]) -> None:
    world = make_world(SETTINGS)
    made.clear()
    with mock_aws():
        boto3.client("dynamodb", region_name="eu-west-1", config=Config()).create_table(
            TableName="t",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        assert world.peers.get("eu-west-1", "t", {"pk": {"S": "k"}}) is None
    assert [(service, region) for service, region, _ in made[1:]] == [("dynamodb", "eu-west-1")]


def test_the_clock_is_in_milliseconds_and_no_nonce_is_given_twice() -> None:
    world = make_world(SETTINGS)
    assert 1_700_000_000_000 < world.now_ms() < 10_000_000_000_000
    assert len({world.nonce() for _ in range(1_000)}) == 1_000


def test_many_items_are_handled_at_once_and_answered_in_their_order() -> None:
    assert list(make_world(SETTINGS).each(lambda n: n * n, range(50))) == [n * n for n in range(50)]


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, Any]]:
    """The calls that were made: operation, URL of the endpoint and configuration."""
    called = []

    def call(client: Any, operation: str, _: Any) -> Any:
        called.append((operation, client.meta.endpoint_url, client.meta.config))
        return ANSWERS[operation]()

    monkeypatch.setattr(BaseClient, "_make_api_call", call)
    return called


@pytest.mark.parametrize(
    ("settings", "endpoint", "proxies"),
    [
        ({}, STREAM_URL, None),
        ({"endpoint": "https://kinesis.example:8443"}, "https://kinesis.example:8443", None),
        ({"proxy": PROXY}, STREAM_URL, {"http": PROXY, "https": PROXY}),
    ],
)
def test_the_link_goes_to_the_stream_beyond_by_the_way_that_is_set(
    called: list[tuple[str, str, Any]], settings: dict[str, str], endpoint: str, proxies: dict[str, str] | None
) -> None:
    link = make_link(CourierSettings(**asdict(COURIER) | settings))
    assert link.send([Record("key", b"data")]) == {}
    (secret, url, own), put = called
    assert (secret, url, own.proxies) == ("GetSecretValue", "https://secretsmanager.us-east-1.amazonaws.com", None)
    operation, url, config = put
    assert (operation, url, config.proxies) == ("PutRecords", endpoint, proxies)
    assert (config.connect_timeout, config.read_timeout) == (LINK_CONFIG.connect_timeout, LINK_CONFIG.read_timeout)  # type: ignore[attr-defined]  # botocore sets them
    assert config.retries["total_max_attempts"] == 1  # it tries again by itself, what was not taken alone


def test_a_claim_check_of_another_region_is_read_through_the_proxy(called: list[tuple[str, str, Any]]) -> None:
    env = COURIER.to_env() | {"AWS_REGION": "us-east-1", "DOMICILE_PROXY": PROXY}
    world = make_world(Settings.from_env(env))  # as the courier's handler does
    for region in ("us-east-1", "eu-west-1"):
        world.peers.get(region, "t", {"pk": {"S": "k"}})
    world.store.get("t", {"pk": {"S": "k"}})
    through = [(url, config.proxies) for _, url, config in called]
    own = ("https://dynamodb.us-east-1.amazonaws.com", None)  # which has an endpoint in the courier's VPC
    assert through == [own, ("https://dynamodb.eu-west-1.amazonaws.com", {"http": PROXY, "https": PROXY}), own]


def test_the_doorstep_invokes_the_replicator_of_a_region_once(called: list[tuple[str, str, Any]]) -> None:
    make_doorstep(GatewaySettings(**asdict(SETTINGS), replicator="shop-replicator")).deliver("eu-west-1", "message")
    ((operation, url, config),) = called
    assert (operation, url) == ("Invoke", "https://lambda.eu-west-1.amazonaws.com")
    assert config.read_timeout > FUNCTION_TIMEOUT_S  # the replicator's
    assert config.retries["total_max_attempts"] == 1
