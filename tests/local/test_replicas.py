"""Replicas of Global Tables on the local AWS, as far as Terraform and operators look at them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.plane import Plane

PRIMARY, OTHER, TABLE = "eu-west-1", "us-east-1", "replicas-catalogue"


@pytest.fixture(scope="module")
def keys(plane: Plane) -> dict[str, str]:
    """A Global Table with another key and class in its second Region; the keys' ARNs by Region."""
    keys = {region: plane.client("kms", region).create_key()["KeyMetadata"]["Arn"] for region in (PRIMARY, OTHER)}
    dynamodb = plane.client("dynamodb", PRIMARY)
    dynamodb.create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "sku", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "sku", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        SSESpecification={"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": keys[PRIMARY]},
    )
    replica: dict[str, Any] = {
        "RegionName": OTHER,
        "KMSMasterKeyId": keys[OTHER],
        "TableClassOverride": "STANDARD_INFREQUENT_ACCESS",
    }
    dynamodb.update_table(TableName=TABLE, ReplicaUpdates=[{"Create": replica}])
    return keys


def test_a_replica_has_the_key_and_the_class_that_it_was_made_with(plane: Plane, keys: dict[str, str]) -> None:
    described = plane.client("dynamodb", OTHER).describe_table(TableName=TABLE)["Table"]
    assert described["SSEDescription"]["KMSMasterKeyArn"] == keys[OTHER]
    assert described["TableClassSummary"]["TableClass"] == "STANDARD_INFREQUENT_ACCESS"
    primary = plane.client("dynamodb", PRIMARY).describe_table(TableName=TABLE)["Table"]
    assert primary["SSEDescription"]["KMSMasterKeyArn"] == keys[PRIMARY]


def test_the_tables_description_says_so_of_each_replica(plane: Plane, keys: dict[str, str]) -> None:
    (replica,) = plane.client("dynamodb", PRIMARY).describe_table(TableName=TABLE)["Table"]["Replicas"]
    assert (replica["RegionName"], replica["ReplicaStatus"]) == (OTHER, "ACTIVE")
    assert replica["KMSMasterKeyId"] == keys[OTHER]
    assert replica["ReplicaTableClassSummary"]["TableClass"] == "STANDARD_INFREQUENT_ACCESS"


def test_the_account_has_the_role_that_replicates(plane: Plane, keys: dict[str, str]) -> None:
    role = plane.client("iam", OTHER).get_role(RoleName="AWSServiceRoleForDynamoDBReplication")["Role"]
    assert role["Arn"].endswith(
        "role/aws-service-role/replication.dynamodb.amazonaws.com/AWSServiceRoleForDynamoDBReplication"
    )


def test_the_key_that_aws_manages_for_a_service_is_there_when_asked_for(plane: Plane) -> None:
    kms = plane.client("kms", OTHER)
    arn = kms.describe_key(KeyId="alias/aws/dynamodb")["KeyMetadata"]["Arn"]
    assert f":{OTHER}:" in arn
    assert kms.describe_key(KeyId="alias/aws/dynamodb")["KeyMetadata"]["Arn"] == arn
    with pytest.raises(kms.exceptions.NotFoundException):
        kms.describe_key(KeyId="alias/mine")
