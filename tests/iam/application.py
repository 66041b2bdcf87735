"""An application whose role has the managed policy of its Region, and every operation of the client library."""

from __future__ import annotations

from typing import Any

import boto3
from boto3.dynamodb.conditions import Key

from domicile.client import Client, Options, Table
from domicile.core.partitions import partition_of
from domicile.local import api
from domicile.local.account import ACCOUNTS
from domicile.naming import Names
from tests.bridge.sides import NAME, Sides
from tests.iam.workload import HOMES, TABLE, sibling_of
from tests.local.failures import fresh
from tests.plane import policy

_PATIENT = Options(connect_timeout_s=30, read_timeout_s=30)


def run(sides: Sides, region: str) -> None:
    """Give an application in a Region a role with the managed policy, and let it do all it can.

    It writes items of each home of its partition, and searches: here, and in the next Region while this one is down.
    """
    sibling = sibling_of(sides, region)
    client = Client(NAME, region=region, failover=[sibling], session=_session(sides, region), options=_PATIENT)
    table = client.table(TABLE)
    for authority in (None, *(law for law, home in HOMES.items() if partition_of(home) == partition_of(region))):
        law = {"localization_authority": authority} if authority else {}
        _write(client, table, law)
    _search(table)
    for operation in ("Query", "Scan"):
        api.faults_add({"service": "dynamodb", "operation": operation, "region": region, "code": "ServiceUnavailable"})
    _search(table)
    api.faults_clear()


def _write(client: Client, table: Table, law: dict[str, str]) -> None:
    key = {"customer_id": fresh("application")}
    item = {**key, **law, "tier": "a", "name": "raw"}
    table.put_item(Item=item)
    table.get_item(Key=key, resolve="home")
    table.update_item(
        Key=key,
        UpdateExpression="SET tier = :b",
        ConditionExpression="attribute_exists(customer_id)",
        ExpressionAttributeValues={":b": "b"},
    )
    table.batch_get(Keys=[key], resolve="home")
    with table.batch_writer() as batch:
        batch.put_item(Item=item | {"customer_id": fresh("application-batch")})
    change: dict[str, Any] = {"TableName": TABLE, "Item": item | {"customer_id": fresh("application-transaction")}}
    check = {"TableName": TABLE, "Key": key, "ConditionExpression": "attribute_exists(customer_id)"}
    client.transact_write_items(TransactItems=[{"Put": change}, {"ConditionCheck": check}])
    table.delete_item(Key=key)


def _search(table: Table) -> None:
    table.scan()
    table.scan(IndexName="by-tier")
    table.query(KeyConditionExpression=Key("customer_id").eq("a"))
    table.query(KeyConditionExpression=Key("tier").eq("a"), IndexName="by-tier")


def _session(sides: Sides, region: str) -> boto3.Session:
    iam, name, partition = sides.client("iam", region), f"{NAME}-application-{region}", partition_of(region)
    root = {"AWS": f"arn:{partition}:iam::{ACCOUNTS[partition]}:root"}
    trust = {"Effect": "Allow", "Principal": root, "Action": "sts:AssumeRole"}
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(trust))["Role"]["Arn"]
    managed = Names(NAME, region, ACCOUNTS[partition], partition).application_policy
    (arn,) = (found["Arn"] for found in iam.list_policies()["Policies"] if found["PolicyName"] == managed)
    iam.attach_role_policy(RoleName=name, PolicyArn=arn)
    keys = sides.client("sts", region).assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
    return sides.session(
        region,
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )
