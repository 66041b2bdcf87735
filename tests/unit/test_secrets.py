from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import TYPE_CHECKING

import boto3
import pytest
from moto import mock_aws

from domicile import secrets
from domicile.errors import OperationError, UserError

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

NAME = "shopease/hash-key"
REGIONS = ("ap-south-1", "us-east-1", "eu-west-1")
KEY = base64.b64encode(b"k" * 32).decode()
OTHER_KEY = base64.b64encode(b"o" * 32).decode()

Clients = dict[str, "SecretsManagerClient"]


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clients]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield {region: boto3.client("secretsmanager", region_name=region) for region in REGIONS}


def values(clients: Clients) -> dict[str, str]:
    found = {}
    for region, client in clients.items():
        for secret in client.list_secrets()["SecretList"]:
            found[region] = client.get_secret_value(SecretId=secret["Name"])["SecretString"]
    return found


def test_each_region_gets_the_same_random_key(clients: Clients) -> None:
    plan = secrets.plan(NAME, clients)
    assert values(clients) == {}, "the plan alone changes nothing"
    secrets.apply(plan, clients)
    found = values(clients)
    assert set(found) == set(REGIONS)
    assert len(set(found.values())) == 1
    assert len(base64.b64decode(found["eu-west-1"], validate=True)) == 32


def test_two_keys_are_never_the_same(clients: Clients) -> None:
    assert secrets.plan(NAME, clients).value != secrets.plan(NAME, clients).value


def test_a_key_that_is_there_is_copied_to_the_other_regions(clients: Clients) -> None:
    clients["us-east-1"].create_secret(Name=NAME, SecretString=KEY)
    plan = secrets.plan(NAME, clients)
    assert plan.actions == [
        "us-east-1: shopease/hash-key is there, nothing to do",
        "ap-south-1: create shopease/hash-key with the value of us-east-1",
        "eu-west-1: create shopease/hash-key with the value of us-east-1",
    ]
    secrets.apply(plan, clients)
    assert values(clients) == dict.fromkeys(REGIONS, KEY)


def test_a_second_run_changes_nothing(clients: Clients) -> None:
    secrets.apply(secrets.plan(NAME, clients), clients)
    before = values(clients)
    plan = secrets.plan(NAME, clients)
    assert plan.absent == ()
    secrets.apply(plan, clients)
    assert values(clients) == before


def test_different_keys_are_an_error_and_nothing_is_changed(clients: Clients) -> None:
    clients["us-east-1"].create_secret(Name=NAME, SecretString=KEY)
    clients["eu-west-1"].create_secret(Name=NAME, SecretString=OTHER_KEY)
    with pytest.raises(UserError, match=r"the values in us-east-1, eu-west-1 differ") as raised:
        secrets.plan(NAME, clients)
    assert KEY not in str(raised.value)
    assert OTHER_KEY not in str(raised.value)
    assert values(clients) == {"us-east-1": KEY, "eu-west-1": OTHER_KEY}


@pytest.mark.parametrize("value", ["password", "not base64!", "schlüssel", base64.b64encode(b"short").decode()])
def test_a_value_that_is_no_key_is_not_spread(clients: Clients, value: str) -> None:
    clients["eu-west-1"].create_secret(Name=NAME, SecretString=value)
    with pytest.raises(UserError, match="eu-west-1: secret shopease/hash-key holds no key") as raised:
        secrets.plan(NAME, clients)
    assert value not in str(raised.value)


def test_a_secret_in_its_deletion_window_is_an_error(clients: Clients) -> None:
    clients["ap-south-1"].create_secret(Name=NAME, SecretString=KEY)
    clients["ap-south-1"].delete_secret(SecretId=NAME, RecoveryWindowInDays=7)
    with pytest.raises(UserError, match="ap-south-1: secret shopease/hash-key is being deleted"):
        secrets.plan(NAME, clients)


def test_a_refused_creation_names_the_region(clients: Clients) -> None:
    plan = secrets.plan(NAME, clients)
    clients["us-east-1"].create_secret(Name=NAME, SecretString=KEY)
    with pytest.raises(OperationError, match="us-east-1: secret shopease/hash-key was not created"):
        secrets.apply(plan, clients)


def test_the_value_is_not_shown(clients: Clients) -> None:
    plan = secrets.plan(NAME, clients)
    assert plan.value not in repr(plan)
    assert all(plan.value not in action for action in plan.actions)
