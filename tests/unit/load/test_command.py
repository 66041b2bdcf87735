"""The command ``load`` on two Regions that never agree, since nothing replicates between them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from domicile.load.reader import Found, Reader
from tests.unit.command_line import Run, command_line

REGIONS = ("us-east-1", "eu-west-1")
DEPLOYMENT = """
name: shopease
regions: [us-east-1, eu-west-1]
authorities: {EU: eu-west-1}
tables:
  orders: {hash_key: {name: pk, type: S}, range_key: {name: sk, type: N}, sensitive: {email: redact}}
  stamped: {hash_key: {name: pk, type: S}, writers: stamped}
"""
NEW = ("--table", "orders", "--region", "us-east-1", "--items", "12", "--rate", "1000", "--deadline", "0")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Run]:
    call = partial(command_line(DEPLOYMENT, tmp_path, monkeypatch, capsys), "load")
    with mock_aws():
        for region in REGIONS:
            dynamodb(region).create_table(
                TableName="shopease-orders",
                KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
                AttributeDefinitions=[
                    {"AttributeName": "pk", "AttributeType": "S"},
                    {"AttributeName": "sk", "AttributeType": "N"},
                ],
                BillingMode="PAY_PER_REQUEST",
            )
        yield call


def dynamodb(region: str) -> Any:
    return boto3.client("dynamodb", region_name=region)


def items(region: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = dynamodb(region).scan(TableName="shopease-orders")["Items"]
    return found


def runs(folder: Path) -> list[str]:
    return sorted(path.stem for path in (folder / ".domicile" / "load").glob("*.jsonl"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "--table: is missing; accepted: orders, stamped"),
        (("--table", "x"), "--table x: is not in domicile.yaml; accepted: orders, stamped"),
        (("--table", "stamped"), "--table stamped: its writers stamp versions, and load does not"),
        (("--table", "orders"), "--region: is missing; accepted: each at most once of us-east-1, eu-west-1"),
        ((*NEW, "--region", "us-east-1"), "--region: is given twice"),
        ((*NEW, "--region", "eu-north-1"), "--region eu-north-1: is not in domicile.yaml; accepted: us-east-1, eu-w"),
        (NEW[:4], "--items: is missing"),
        ((*NEW, "--mix", "put=1,drop=1"), "can't read 'drop=1'; accepted: NAME=SHARE,... with each of put, update, d"),
        ((*NEW, "--mix", "put=0,update=1"), "--mix put=0,update=1: puts nothing"),
        ((*NEW, "--authorities", "CN=1"), "can't read 'CN=1'; accepted: NAME=SHARE,... with each of global, EU"),
        (("--resume", "0123abcd"), "--resume 0123abcd: there is no such run in"),
        (("--remove", "0123abcd", "--items", "5"), "--items: a run's own are kept with it"),
        (("--remove", "0123abcd", "--resume", "0123abcd"), "--resume, --remove: accepted: one of them"),
        ((*NEW, "--profile", "aws=nobody"), "there is no such AWS profile"),
    ],
)
def test_what_can_not_be_used_is_refused_before_anything_is_written(
    run: Run, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert (items("us-east-1"), runs(tmp_path)) == ([], [])


@pytest.mark.parametrize("package", ["faker", "matplotlib"])
def test_without_its_packages_it_says_how_to_get_them(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setattr("domicile.cli.load.find_spec", lambda name: None if name == package else name)
    code, _, err = run(*NEW)
    assert (code, err) == (2, f"the package {package} is missing; accepted: domicile installed as domicile[load]\n")
    assert runs(tmp_path) == []


def test_regions_that_never_agree_are_reported_and_the_run_can_go_on(run: Run, tmp_path: Path) -> None:
    code, out, err = run(*NEW, "--mix", "put=1", "--authorities", "global=1", "--json")
    report = json.loads(out)
    (name,) = runs(tmp_path)
    assert (code, report["run"], report["writes"], report["converged_s"]) == (1, name, {"put": 12}, None)
    assert report["unseen"] == 12
    assert err.splitlines()[-1] == (
        "at the deadline 12 items are not as they should be: eu-west-1: 12 missing; us-east-1: 12 without a version; "
        f"domicile load --resume {name} looks again"
    )
    written = items("us-east-1")
    assert {item["domicile_load"]["S"] for item in written} == {f"{name}/{index}" for index in range(12)}
    assert run("--resume", name, "--deadline", "0")[0] == 1
    assert items("us-east-1") == written, "nothing was left to write"


def test_remove_deletes_what_is_still_the_runs(run: Run, tmp_path: Path) -> None:
    run(*NEW, "--mix", "put=1")
    (name,) = runs(tmp_path)
    first, second, *_ = items("us-east-1")
    dynamodb("us-east-1").put_item(TableName="shopease-orders", Item={key: first[key] for key in ("pk", "sk")})
    dynamodb("eu-west-1").put_item(TableName="shopease-orders", Item=second)
    code, _, err = run("--remove", name, "--rate", "1000", "--deadline", "0")
    assert (code, items("us-east-1")) == (1, [{key: first[key] for key in ("pk", "sk")}])
    assert "at the deadline 1 items are not as they should be: eu-west-1: 1 there, and should not be" in err
    assert runs(tmp_path) == [name], "it is kept until all are gone"
    dynamodb("eu-west-1").delete_item(TableName="shopease-orders", Key={key: second[key] for key in ("pk", "sk")})
    assert run("--remove", name)[:2] == (0, "0 items were deleted, and are gone everywhere\n")
    assert runs(tmp_path) == []


def test_what_an_application_replaces_at_the_last_moment_is_not_deleted(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(*NEW, "--mix", "put=1")
    (name,) = runs(tmp_path)
    replaced = {key: items("us-east-1")[0][key] for key in ("pk", "sk")}
    dynamodb("us-east-1").put_item(TableName="shopease-orders", Item=replaced)
    monkeypatch.setattr(Reader, "read", lambda _, region, numbers: dict.fromkeys(numbers, Found(0, None)))
    run("--remove", name, "--rate", "1000", "--deadline", "0")
    assert items("us-east-1") == [replaced]


def test_a_run_is_not_gone_on_with_after_its_table_changed(run: Run, tmp_path: Path) -> None:
    run(*NEW)
    (name,) = runs(tmp_path)
    (tmp_path / "domicile.yaml").write_text(DEPLOYMENT.replace("email: redact", "email: remove"))
    code, _, err = run("--resume", name)
    assert code == 2
    assert "accepted: the deployment file as it was when the run began" in err
