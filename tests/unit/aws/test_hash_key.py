from __future__ import annotations

import base64
import threading
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

from domicile.aws.cached import RETRY_S
from domicile.aws.hash_key import MAX_AGE_S, SecretsManagerHashKey
from domicile.core.errors import TransientError

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

NAME = "shop/hash-key"
KEY, OTHER = b"k" * 32, b"o" * 32


class Clock:
    """Time that passes only when it is told to."""

    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def client() -> Iterator[SecretsManagerClient]:
    with mock_aws():
        yield boto3.client("secretsmanager", region_name="us-east-1")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def hash_key(client: SecretsManagerClient, clock: Clock) -> SecretsManagerHashKey:
    return SecretsManagerHashKey(client, NAME, clock)


def encoded(key: bytes) -> str:
    return base64.b64encode(key).decode()


def test_the_key_is_the_secret_s_base64(client: SecretsManagerClient, hash_key: SecretsManagerHashKey) -> None:
    client.create_secret(Name=NAME, SecretString=encoded(KEY))
    assert hash_key.get() == KEY


def test_a_secret_that_does_not_exist_is_no_key(hash_key: SecretsManagerHashKey) -> None:
    assert hash_key.get() is None


@pytest.mark.parametrize(
    "secret",
    [
        {"SecretString": "not base64!"},
        {"SecretString": "schlüssel"},
        {"SecretString": "===="},
        {"SecretString": encoded(b"short")},
        {"SecretBinary": KEY},
    ],
    ids=str,
)
def test_a_secret_that_holds_no_key_of_at_least_32_bytes_in_base64_is_no_key(
    client: SecretsManagerClient, hash_key: SecretsManagerHashKey, secret: dict[str, Any]
) -> None:
    """An empty key above all: a hash without a secret can be undone by trying every telephone number."""
    client.create_secret(Name=NAME, **secret)
    assert hash_key.get() is None


def test_the_answer_is_kept_for_a_while(
    client: SecretsManagerClient, hash_key: SecretsManagerHashKey, clock: Clock
) -> None:
    assert hash_key.get() is None
    client.create_secret(Name=NAME, SecretString=encoded(KEY))
    assert hash_key.get() is None
    clock.now_s += MAX_AGE_S + 1
    assert hash_key.get() == KEY
    client.put_secret_value(SecretId=NAME, SecretString=encoded(OTHER))
    assert hash_key.get() == KEY
    clock.now_s += MAX_AGE_S + 1
    assert hash_key.get() == OTHER


def test_a_secret_that_cannot_be_read_is_not_taken_for_a_missing_one(
    client: SecretsManagerClient, hash_key: SecretsManagerHashKey, clock: Clock
) -> None:
    """Two Regions, of which one hashes and the other redacts, would disagree for ever."""
    client.create_secret(Name=NAME, SecretString=encoded(KEY))
    client.delete_secret(SecretId=NAME, RecoveryWindowInDays=7)
    with pytest.raises(TransientError, match="GetSecretValue: InvalidRequestException") as raised:
        hash_key.get()
    assert encoded(KEY) not in "".join(traceback.format_exception(raised.value))
    client.restore_secret(SecretId=NAME)
    clock.now_s += RETRY_S + 1
    assert hash_key.get() == KEY


def test_a_key_that_was_read_outlives_an_outage(
    client: SecretsManagerClient, hash_key: SecretsManagerHashKey, clock: Clock
) -> None:
    client.create_secret(Name=NAME, SecretString=encoded(KEY))
    assert hash_key.get() == KEY
    client.delete_secret(SecretId=NAME, RecoveryWindowInDays=7)
    clock.now_s += MAX_AGE_S + 1
    assert hash_key.get() == KEY


def test_threads_share_one_request(clock: Clock) -> None:
    requests: list[str] = []

    class Counting:
        def get_secret_value(self, *, SecretId: str) -> dict[str, str]:  # noqa: N803  # as boto3 calls it
            requests.append(SecretId)
            threading.Event().wait(0.01)  # as long as other threads need to come and ask as well
            return {"SecretString": encoded(KEY)}

    hash_key = SecretsManagerHashKey(Counting(), NAME, clock)  # type: ignore[arg-type]  # the one method it calls
    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(lambda _: hash_key.get(), range(64))) == {KEY}
    assert requests == [NAME]
