"""What a client is made of: the policy from AppConfig, the clients' timeouts, and use by many threads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from threading import Event
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import EndpointConnectionError
from moto import mock_aws

from domicile.client import Client, Options
from domicile.client.setup import KeptPolicy, configured, policy_of_appconfig
from domicile.client.testing import InMemory
from domicile.core.errors import PolicyUnavailableError
from domicile.core.policy import Policy
from domicile.project import find_root
from tests import policies
from tests.plane import eventually


class AppConfig:
    """AppConfig Data, as much of it as is asked."""

    def __init__(self, content: bytes | None) -> None:
        self.content = content
        self.calls = 0

    def start_configuration_session(self, **_: Any) -> dict[str, Any]:
        self.calls += 1
        if self.content is None:
            raise EndpointConnectionError(endpoint_url="https://appconfigdata")
        return {"InitialConfigurationToken": "t"}

    def get_latest_configuration(self, **_: Any) -> dict[str, Any]:
        return {"NextPollConfigurationToken": "t", "Configuration": BytesIO(self.content or b"")}


DOCUMENT = json.dumps(policies.DOCUMENT).encode()


def test_the_policy_is_that_of_the_first_region_that_has_it() -> None:
    sources = {"a": AppConfig(None), "b": AppConfig(DOCUMENT), "c": AppConfig(DOCUMENT)}
    read = policy_of_appconfig("shop", list(sources), sources.__getitem__)
    policy = read()
    assert policy == policies.policy()
    assert read() is policy
    assert [source.calls for source in sources.values()] == [1, 1, 0]


def test_no_region_has_a_policy() -> None:
    sources = {"a": AppConfig(None), "b": AppConfig(None)}
    with pytest.raises(PolicyUnavailableError, match="a, b"):
        policy_of_appconfig("shop", list(sources), sources.__getitem__)()


def test_no_call_waits_while_the_policy_is_read_anew() -> None:
    now_s, asked, answer = [0.0], Event(), Event()
    policies_read = [policies.policy(), policies.policy(directory="origin")]

    def read() -> Policy:
        if len(policies_read) == 1:
            asked.set()
            assert answer.wait(10)
        return policies_read.pop(0)

    kept = KeptPolicy(read, lambda: now_s[0])
    first = kept.get()
    now_s[0] = 60
    assert kept.get() is kept.get() is first
    assert asked.wait(10)
    assert kept.get() is first
    answer.set()
    assert eventually(kept.get, lambda policy: policy is not first) == policies.policy(directory="origin")


def test_a_policy_that_cannot_be_read_anew_is_kept(caplog: pytest.LogCaptureFixture) -> None:
    now_s, answers = [0.0], iter([policies.policy()])

    def read() -> Policy:
        for policy in answers:
            return policy
        raise PolicyUnavailableError("AppConfig gave no policy")

    kept = KeptPolicy(read, lambda: now_s[0])
    first = kept.get()
    now_s[0] = 60
    assert kept.get() is first
    eventually(lambda: caplog.records)
    assert kept.get() is first


def test_the_callers_configuration_wins_over_the_clients_own() -> None:
    config: Any = configured(Options(connect_timeout_s=2), Config(read_timeout=7, user_agent_extra="app"))
    assert (config.connect_timeout, config.read_timeout, config.user_agent_extra) == (2, 7, "app")
    assert config.retries == {"mode": "standard", "total_max_attempts": 2}


@pytest.mark.parametrize(
    "options", [{"placement": "there"}, {"home_unavailable": "wait"}, {"failures_max": 0}, {"pause_s": -1}]
)
def test_options_that_cannot_be_meant_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be"):
        Options(**options)


@pytest.fixture
def client() -> Iterator[Client]:
    with mock_aws():
        session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test")
        for region in ("us-east-1", "ap-south-1"):
            session.client("dynamodb", region_name=region).create_table(
                TableName=policies.TABLE,
                KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
                AttributeDefinitions=[
                    {"AttributeName": "pk", "AttributeType": "S"},
                    {"AttributeName": "sk", "AttributeType": "S"},
                ],
                BillingMode="PAY_PER_REQUEST",
            )
        yield Client("shop", region="us-east-1", policy=policies.policy(), session=session)


def test_threads_share_a_client(client: Client) -> None:
    """Each may be the first to need a Region's client, and no two stamp alike."""
    orders = client.table("orders")

    def put(number: int) -> None:
        authority = {"localization_authority": "IN"} if number % 2 else {}
        orders.put_item(Item={"pk": "k", "sk": str(number), **authority})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(put, range(48)))
    written = [
        boto3.resource("dynamodb", region_name=region).Table(policies.TABLE).scan()["Items"]
        for region in ("us-east-1", "ap-south-1")
    ]
    assert [len(items) for items in written] == [24, 24]
    control = policies.policy().tables[policies.TABLE].control_attribute
    assert len({str(item[control]) for items in written for item in items}) == 48


def test_no_count_of_threads_that_share_a_client_is_lost() -> None:
    """In memory, where one request is answered at a time: moto by itself reads and writes in two steps."""
    shop = InMemory(find_root(Path(__file__)) / "domicile.yaml", replicate="on settle")
    inventory = shop.client("eu-west-1").table("inventory")

    def count(_: int) -> None:
        inventory.update_item(Key={"sku": "counter"}, UpdateExpression="ADD n :n", ExpressionAttributeValues={":n": 1})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(count, range(48)))
    assert inventory.get_item(Key={"sku": "counter"})["Item"]["n"] == 48
