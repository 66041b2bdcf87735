"""A key of an IAM user is checked as AWS does: it must exist, be active and sign, and the user's policies decide."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import boto3
import pytest

from tests.plane import THERE, Plane, allow, policy


class _User:
    """An IAM user that may put records into one stream, from some addresses."""

    def __init__(self, plane: Plane) -> None:
        self._plane, self._iam, self._name = plane, plane.client("iam"), f"u-{uuid4()}"
        self.stream, self._arn = plane.stream()
        self._iam.create_user(UserName=self._name)
        self.may_put_from("127.0.0.1/32")
        key = self._iam.create_access_key(UserName=self._name)["AccessKey"]
        self.key, self.secret = key["AccessKeyId"], key["SecretAccessKey"]
        self.arn = plane.arn("iam", f"user/{self._name}")

    def may_put_from(self, addresses: str) -> None:
        statement = {
            "Effect": "Allow",
            "Action": ["kinesis:PutRecord", "kinesis:PutRecords"],
            "Resource": self._arn,
            "Condition": {"IpAddress": {"aws:SourceIp": addresses}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self._iam.put_user_policy(UserName=self._name, PolicyName="put", PolicyDocument=policy)

    def set_key(self, status: str) -> None:
        self._iam.update_access_key(UserName=self._name, AccessKeyId=self.key, Status=status)

    def delete_key(self) -> None:
        self._iam.delete_access_key(UserName=self._name, AccessKeyId=self.key)

    def put(self, stream: str | None = None, **credentials: str) -> str:
        """Put a record and return the code of the answer."""
        kinesis = self._plane.client("kinesis", **{"key": self.key, "secret": self.secret, **credentials})
        return _code(
            kinesis, "put_records", StreamName=stream or self.stream, Records=[{"Data": b"x", "PartitionKey": "1"}]
        )


def _code(client: Any, operation: str, **arguments: Any) -> str:
    try:
        getattr(client, operation)(**arguments)
    except client.exceptions.ClientError as error:
        return str(error.response["Error"]["Code"])
    return "OK"


@pytest.fixture
def user(plane: Plane) -> _User:
    """A user of the account."""
    return _User(plane)


def test_a_user_acts_in_its_account_as_its_policies_allow(plane: Plane, user: _User) -> None:
    other, _ = plane.stream()
    assert user.put() == "OK"
    assert user.put(other) == "AccessDeniedException"
    assert user.put(region=THERE) == "AccessDeniedException"
    assert plane.client("sts", key=user.key, secret=user.secret).get_caller_identity()["Arn"] == user.arn
    kinesis = plane.client("kinesis", key=user.key, secret=user.secret)
    record = {"Data": b"x", "PartitionKey": "1"}
    assert _code(kinesis, "put_record", StreamName=user.stream, **record) == "OK"
    assert _code(kinesis, "put_record", StreamName=other, **record) == "AccessDeniedException"


def test_a_key_that_is_unknown_inactive_or_deleted_is_not_recognized(user: _User) -> None:
    assert user.put(key="AKIA0000000000000000") == "UnrecognizedClientException"
    user.set_key("Inactive")
    assert user.put() == "UnrecognizedClientException"
    user.set_key("Active")
    assert user.put() == "OK"
    user.delete_key()
    assert user.put() == "UnrecognizedClientException"


def test_the_query_apis_call_an_unknown_key_an_invalid_token(plane: Plane) -> None:
    for service, operation in (("iam", "list_users"), ("sts", "get_caller_identity"), ("sqs", "list_queues")):
        client = plane.client(service, key="AKIA0000000000000000")
        assert _code(client, operation) == "InvalidClientTokenId", service


def test_a_wrong_secret_does_not_sign(user: _User) -> None:
    assert user.put(secret="wrong") == "InvalidSignatureException"


def test_the_callers_address_is_a_condition(user: _User) -> None:
    user.may_put_from("203.0.113.7/32")
    assert user.put() == "AccessDeniedException"


def test_a_roles_session_acts_as_the_roles_policies_allow(plane: Plane) -> None:
    iam, name = plane.client("iam"), f"r-{uuid4()}"
    trust = allow("sts:AssumeRole", "*") | {"Principal": {"AWS": plane.arn("iam", "root")}}
    del trust["Resource"]
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(trust))["Role"]["Arn"]
    session = plane.client("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
    stream, arn = plane.stream()
    kinesis = boto3.client(
        "kinesis",
        region_name=plane.here,
        endpoint_url=plane.endpoint,
        aws_access_key_id=session["AccessKeyId"],
        aws_secret_access_key=session["SecretAccessKey"],
        aws_session_token=session["SessionToken"],
    )
    assert _code(kinesis, "describe_stream_summary", StreamName=stream) == "AccessDeniedException"
    iam.put_role_policy(
        RoleName=name, PolicyName="read", PolicyDocument=policy(allow("kinesis:DescribeStreamSummary", arn))
    )
    assert _code(kinesis, "describe_stream_summary", StreamName=stream) == "OK"
