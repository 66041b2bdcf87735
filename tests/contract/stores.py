"""The implementations of the port ``Store`` that the contract tests compare."""

from __future__ import annotations

import boto3

from domicile.aws.store import DynamoDbStore
from domicile.core.control import Image

KEY: Image = {"pk": {"S": "k"}, "sk": {"N": "1"}}


def moto_store() -> DynamoDbStore:
    """The adapter over moto's DynamoDB, with two tables; call it within ``mock_aws``."""
    client = boto3.client("dynamodb", region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")
    for table in ("t", "ledger"):
        client.create_table(
            TableName=table,
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            AttributeDefinitions=[
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "sk", "AttributeType": "N"},
            ],
            BillingMode="PAY_PER_REQUEST",
        )
    return DynamoDbStore(client)
