"""The implementations of the port ``Store`` that the contract tests compare."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import boto3
from moto import mock_aws

from domicile.aws.store import DynamoDbStore
from domicile.core.control import Image
from tests.plane import Plane

KEY: Image = {"pk": {"S": "k"}, "sk": {"N": "1"}}


@contextmanager
def moto_store() -> Iterator[DynamoDbStore]:
    """The adapter over moto's DynamoDB."""
    with mock_aws():
        yield from _with_tables(
            boto3.client("dynamodb", region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")
        )


@contextmanager
def local_store(plane: Plane) -> Iterator[DynamoDbStore]:
    """The adapter over the local AWS's DynamoDB."""
    yield from _with_tables(plane.client("dynamodb"))


def meant(value: Any) -> Any:
    """Return an attribute value, or anything of them, with its numbers as numbers and its sets in order.

    DynamoDB writes a number in its own spelling (1E+2 comes back as 100) and gives sets in any order.
    """
    match value:
        case {"N": str(number)}:
            return {"N": Decimal(number)}
        case {"NS": [*numbers]}:
            return {"NS": sorted(map(Decimal, numbers))}
        case {"SS": [*members]} | {"BS": [*members]}:
            return {kind: sorted(members) for kind in value}
        case dict():
            return {name: meant(member) for name, member in value.items()}
        case list():
            return [meant(member) for member in value]
        case _:
            return value


def _with_tables(client: Any) -> Iterator[DynamoDbStore]:
    tables = ("items", "ledger")
    for table in tables:
        client.create_table(
            TableName=table,
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            AttributeDefinitions=[
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "sk", "AttributeType": "N"},
            ],
            BillingMode="PAY_PER_REQUEST",
        )
    try:
        yield DynamoDbStore(client)
    finally:
        for table in tables:
            client.delete_table(TableName=table)
