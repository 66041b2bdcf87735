"""Which credentials and endpoint a Region's client gets, and how profiles are given and refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from domicile.accounts import Accounts, parse_profiles
from domicile.cli.main import app
from domicile.errors import UserError

CONFIG = """
[default]
endpoint_url = http://127.0.0.1:1000
aws_access_key_id = default
aws_secret_access_key = any
[profile world]
endpoint_url = http://127.0.0.1:1111
aws_access_key_id = world
aws_secret_access_key = any
[profile beijing]
endpoint_url = http://127.0.0.1:2222
aws_access_key_id = beijing
aws_secret_access_key = any
"""
DEPLOYMENT = """
name: shopease
regions: [us-east-1, eu-west-1]
authorities: {EU: eu-west-1}
tables: {orders: {hash_key: {name: pk, type: S}}}
"""


@pytest.fixture(autouse=True)
def configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "config").write_text(CONFIG)
    (tmp_path / "domicile.yaml").write_text(DEPLOYMENT)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_ENDPOINT_URL", "DOMICILE_FILE", "DOMICILE_PROFILES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def reached(accounts: Accounts, region: str) -> tuple[str, str, str]:
    """Return endpoint, access key and Region of a client."""
    client = accounts.client("sqs", region)
    return client.meta.endpoint_url, client._request_signer._credentials.access_key, client.meta.region_name


def test_each_partition_has_its_own_profile() -> None:
    accounts = Accounts(parse_profiles(["aws=world", "aws-cn=beijing"]))
    assert reached(accounts, "eu-west-1") == ("http://127.0.0.1:1111", "world", "eu-west-1")
    assert reached(accounts, "cn-north-1") == ("http://127.0.0.1:2222", "beijing", "cn-north-1")


def test_a_partition_without_one_uses_the_default() -> None:
    accounts = Accounts({"aws-cn": "beijing"})
    assert reached(accounts, "eu-west-1") == ("http://127.0.0.1:1000", "default", "eu-west-1")
    assert reached(accounts, "cn-north-1")[1] == "beijing"


def test_a_profile_goes_before_credentials_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "environment")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "any")
    accounts = Accounts({"aws-cn": "beijing"})
    assert [reached(accounts, region)[1] for region in ("eu-west-1", "cn-north-1")] == ["environment", "beijing"]


def test_a_client_takes_boto3_s_options() -> None:
    client = Accounts({}).client("sqs", "eu-west-1", endpoint_url="http://127.0.0.1:3333")
    assert client.meta.endpoint_url == "http://127.0.0.1:3333"


@pytest.mark.parametrize("given", ["beijing", "china=beijing", "aws-cn=", "aws-us-gov=x", "=x"])
def test_what_is_no_profile_of_a_partition_is_refused(given: str) -> None:
    with pytest.raises(UserError) as raised:
        parse_profiles([given])
    assert str(raised.value) == f"--profile {given}: accepted: PARTITION=NAME, where PARTITION is aws or aws-cn"


def test_a_partition_has_one_profile() -> None:
    with pytest.raises(UserError, match="--profile aws=other: aws has a profile already"):
        parse_profiles(["aws=world", "aws=other"])


def test_a_profile_that_boto3_does_not_know_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError) as raised:
        Accounts({"aws-cn": "nobody"})
    assert (
        str(raised.value) == "--profile aws-cn=nobody: there is no such AWS profile; accepted: default, world, beijing"
    )
    monkeypatch.setenv("AWS_PROFILE", "somebody")
    with pytest.raises(UserError, match="AWS_PROFILE: there is no such AWS profile"):
        Accounts({})


@pytest.mark.parametrize(
    "command",
    [
        ["dlq", "list"],
        ["dlq", "redrive"],
        ["quarantine", "list"],
        ["quarantine", "show"],
        ["quarantine", "discard"],
        ["secrets", "init"],
    ],
)
@pytest.mark.parametrize("environment", [None, "aws=world aws-cn=nobody"])
def test_commands_take_profiles_as_options_and_from_the_environment(
    command: list[str], environment: str | None
) -> None:
    options = [] if environment else ["--profile", "aws=world", "--profile", "aws-cn=nobody"]
    result = CliRunner().invoke(app, [*command, *options], env={"DOMICILE_PROFILES": environment})
    assert isinstance(result.exception, UserError)
    assert "--profile aws-cn=nobody" in str(result.exception)
