"""Tables of moto, each for itself, of one native and one localized table; what is put and found in them."""

from __future__ import annotations

import json
from typing import Any

import boto3

from domicile.core.control import Control
from domicile.core.version import Version
from tests.unit.command_line import Run

PRIMARY, EUROPE, INDIA = REGIONS = ("us-east-1", "eu-west-1", "ap-south-1")
DEPLOYMENT = """
name: shop
regions: [us-east-1, eu-west-1, ap-south-1]
authorities: {EU: eu-west-1, IN: ap-south-1, US: us-east-1}
tables:
  goods: {replication: native, hash_key: {name: pk, type: S}, primary: us-east-1, regions: [us-east-1, eu-west-1]}
  people: {hash_key: {name: pk, type: S}, authority_attribute: law, sensitive: {name: redact}}
  orders: {hash_key: {name: pk, type: S}, range_key: {name: sk, type: N}}
"""
FORTH = ("backfill", "--from", "goods", "--to", "people")
BACK = ("backfill", "--from", "people", "--to", "goods")
SECRET = "secret-name"
WRITTEN = Version(1_700_000_000_000, plain=True, tie=1, region=PRIMARY)


def dynamodb(region: str) -> Any:
    return boto3.client("dynamodb", region_name=region)


def item(key: str, law: str | None = None, **attributes: str) -> dict[str, Any]:
    values = {"pk": f"secret-{key}", "name": SECRET, **({"law": law} if law else {}), **attributes}
    return {name: {"S": value} for name, value in values.items()}


def controlled(image: dict[str, Any], version: Version = WRITTEN, **more: Any) -> dict[str, Any]:
    return {**image, "_dom": Control(version=version, origin=version.region, **more).to_value()}


def put(table: str, *items: dict[str, Any], regions: tuple[str, ...] = (PRIMARY,)) -> None:
    for region in regions:
        for image in items:
            dynamodb(region).put_item(TableName=f"shop-{table}", Item=image)


def fill(*items: dict[str, Any]) -> None:
    """Write into the native table as if it were replicated."""
    put("goods", *items, regions=(PRIMARY, EUROPE))


def drop(key: str, table: str = "goods", regions: tuple[str, ...] = (PRIMARY, EUROPE)) -> None:
    for region in regions:
        dynamodb(region).delete_item(TableName=f"shop-{table}", Key={"pk": {"S": f"secret-{key}"}})


def held(table: str, region: str) -> dict[str, dict[str, Any]]:
    found = dynamodb(region).scan(TableName=f"shop-{table}")["Items"]
    return {image["pk"]["S"].removeprefix("secret-"): image for image in found}


def keys(table: str) -> dict[str, set[str]]:
    return {region: set(held(table, region)) for region in REGIONS}


def outcomes(out: str) -> dict[str, int]:
    return {f"{row['region']} {row['authority']} {row['outcome']}": row["items"] for row in json.loads(out)["counts"]}


def counted(run: Run, *arguments: str, code: int = 0) -> dict[str, int]:
    found, out, err = run(*arguments, "--json")
    assert found == code, err
    return outcomes(out)
