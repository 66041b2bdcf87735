from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.config import Config
from moto import mock_aws

from domicile.aws.batch import QueueBatch
from domicile.aws.settings import Settings
from domicile.aws.world import THREADS, make_world
from domicile.pipeline.replicator import Replicator

SETTINGS = Settings(
    name="shop",
    region="us-east-1",
    policy="shop/live/policy",
    bus="shop",
    quarantine_url="https://sqs.us-east-1.amazonaws.com/123456789012/shop-quarantine",
    hash_secret="shop/hash-key",
)
FUNCTION_TIMEOUT_S = 60


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
