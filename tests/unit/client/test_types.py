"""Code that is written for boto3's ``Table``, as boto3-stubs types it, type checks against the library's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_CODE = """
from decimal import Decimal

from boto3.dynamodb.conditions import Attr, Key
from {module} import Table


def use(table: Table) -> None:
    name: str = table.name
    item = table.get_item(Key={{"pk": "a", "sk": 1}}, ConsistentRead=True, ProjectionExpression="pk").get("Item")
    table.put_item(Item={{"n": Decimal(1), "s": {{"x"}}, "b": b"x"}}, ConditionExpression=Attr("pk").not_exists())
    updated = table.update_item(
        Key={{"pk": "a"}},
        UpdateExpression="SET n = :n",
        ExpressionAttributeNames={{"#n": "n"}},
        ExpressionAttributeValues={{":n": 1}},
        ReturnValues="ALL_NEW",
    )
    attributes = updated["Attributes"]
    old = table.delete_item(Key={{"pk": "a"}}, ReturnValues="ALL_OLD").get("Attributes")
    page = table.query(
        IndexName="i",
        KeyConditionExpression=Key("pk").eq("a") & Key("sk").begins_with("o"),
        FilterExpression="attribute_exists(n)",
        ScanIndexForward=False,
        Limit=3,
        Select="COUNT",
    )
    count: int = page["Count"]
    following = page.get("LastEvaluatedKey")
    if following is not None:
        table.scan(ExclusiveStartKey=following, Segment=0, TotalSegments=2)
    with table.batch_writer(overwrite_by_pkeys=["pk"]) as batch:
        batch.put_item(Item={{"pk": "a"}})
        batch.delete_item(Key={{"pk": "a"}})
    print(name, item, attributes, old, count)
"""
_WRONG = {
    "an unknown argument": "table.get_item(Key={}, Consistent=True)",
    "an unknown return value": 'table.put_item(Item={}, ReturnValues="ALL")',
    "a missing key": "table.get_item()",
    "an unknown answer": 'table.scan()["Rows"]',
}


def check(code: str, folder: Path) -> str:
    """Return what mypy says about the code; nothing where it is satisfied."""
    module = folder / "application.py"
    module.write_text(code, encoding="utf-8")
    found = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--cache-dir", folder / "cache", module],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )
    return found.stdout + found.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder, so that mypy reads the libraries once."""
    return tmp_path_factory.mktemp("types")


def test_what_is_written_for_boto3_type_checks_against_the_library(folder: Path) -> None:
    assert check(_CODE.format(module="mypy_boto3_dynamodb.service_resource"), folder) == ""
    assert check(_CODE.format(module="domicile.client"), folder) == ""


def test_what_boto3_does_not_take_is_an_error_here_too(folder: Path) -> None:
    lines = "".join(f"    {line}\n" for line in _WRONG.values())
    for module in ("mypy_boto3_dynamodb.service_resource", "domicile.client"):
        said = check(f"from {module} import Table\n\ndef use(table: Table) -> None:\n{lines}", folder)
        assert said.count("error:") == len(_WRONG), said
