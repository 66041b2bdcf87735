"""A started local AWS server and the small resources that the tests of its adaptations make on it."""

from __future__ import annotations

import http.client
import io
import json
import os
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import boto3
from botocore.config import Config

from domicile.core.partitions import WORLD, partition_of
from domicile.local.account import ACCOUNTS, SECRET_KEY

HERE, THERE, ELSEWHERE = "us-east-1", "ap-south-1", "eu-west-1"
BEIJING = "cn-north-1"
T = TypeVar("T")


def free_port(count: int = 1) -> int:
    """Return the first of so many consecutive ports of 127.0.0.1 that nothing listens on."""
    while True:
        with ExitStack() as probes:
            port = 0
            try:
                for n in range(count):
                    probe = probes.enter_context(closing(socket.socket()))
                    probe.bind(("127.0.0.1", port + n if n else 0))
                    port = port or int(probe.getsockname()[1])
            except (OSError, OverflowError):
                continue
            return port


def eventually(read: Callable[[], T], accept: Callable[[T], object] = bool, within_s: float = 10) -> T:
    """Return what ``read`` gives as soon as it is accepted; fail with the last value at the deadline."""
    deadline = time.monotonic() + within_s
    while not accept(value := read()):
        assert time.monotonic() < deadline, f"after {within_s} s still: {value}"
        time.sleep(0.02)
    return value


def start_server(state: Path, port: int, partition: str = WORLD, **environment: str) -> subprocess.Popen[bytes]:
    """Start the server of a partition and return when it answers."""
    command = [sys.executable, "-m", "domicile.local.server", "--partition", partition]
    command += ["--port", str(port), "--state", str(state)]
    server = subprocess.Popen(  # noqa: S603
        command, env={**os.environ, **environment}, start_new_session=True
    )
    eventually(lambda: server.poll() is not None or _answers(port), within_s=20)
    assert server.poll() is None, "the server ended at its start"
    return server


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    with closing(connection):
        try:
            connection.request("GET", "/_domicile/health")
            return connection.getresponse().status == 200
        except OSError:
            return False


def allow(action: str, resource: str) -> dict[str, Any]:
    """Return a statement that allows an action on a resource."""
    return {"Effect": "Allow", "Action": action, "Resource": resource}


def policy(*statements: dict[str, Any]) -> str:
    """Return the document of some statements."""
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


class Plane:
    """Access to a server: clients, its own paths, and resources with names of their own.

    What names no Region is in ``here``.
    """

    def __init__(self, port: int, here: str = HERE) -> None:
        self.port = port
        self.here = here
        self.partition = partition_of(here)
        self.account = ACCOUNTS[self.partition]
        self.endpoint = f"http://127.0.0.1:{port}"

    def client(self, service: Any, region: str | None = None, key: str | None = None, secret: str = SECRET_KEY) -> Any:
        """Return a client that does not retry: a test sees each answer. It has the account's key, or another one."""
        return boto3.client(
            service,
            region_name=region or self.here,
            endpoint_url=self.endpoint,
            aws_access_key_id=key or self.account,
            aws_secret_access_key=secret,
            config=Config(retries={"total_max_attempts": 1}),
        )

    def arn(self, service: str, resource: str, region: str | None = None) -> str:
        """Return the ARN of a resource of this partition."""
        place = "" if service == "iam" else region or self.here
        return f"arn:{self.partition}:{service}:{place}:{self.account}:{resource}"

    def own(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Call one of the plane's own paths and return status and answer."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)) as connection:
            connection.request(method, path, None if body is None else json.dumps(body))
            response = connection.getresponse()
            return response.status, json.loads(response.read())

    def role(self, *statements: dict[str, Any], services: Sequence[str] = ("lambda", "events")) -> str:
        """Return the ARN of a new role that some services may assume, with these statements as its policy."""
        iam, name = self.client("iam"), f"r-{uuid4()}"
        principal = {"Service": [f"{service}.amazonaws.com" for service in services]}
        trust = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(trust))
        if statements:
            iam.put_role_policy(RoleName=name, PolicyName="work", PolicyDocument=policy(*statements))
        return self.arn("iam", f"role/{name}")

    @cached_property
    def any_role(self) -> str:
        """The ARN of a role that may do everything."""
        return self.role(allow("*", "*"))

    def queue(self, region: str | None = None, **attributes: str) -> tuple[str, str]:
        """Return URL and ARN of a new queue, which takes what EventBridge sends unless it has another policy."""
        name = f"q-{uuid4()}"
        arn = self.arn("sqs", name, region)
        from_rules = allow("sqs:SendMessage", arn) | {"Principal": {"Service": "events.amazonaws.com"}}
        url = self.client("sqs", region).create_queue(
            QueueName=name, Attributes={"Policy": policy(from_rules), **attributes}
        )["QueueUrl"]
        return url, arn

    def receive(self, url: str, region: str | None = None) -> list[dict[str, Any]]:
        """Take what is in a queue (at most ten messages) out of it."""
        sqs = self.client("sqs", region)
        messages: list[dict[str, Any]] = sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        ).get("Messages", [])
        for message in messages:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return messages

    def table(self, time_to_live: str | None = None) -> tuple[str, str]:
        """Return name and stream ARN of a new table with the key ``pk``."""
        dynamodb, name = self.client("dynamodb"), f"t-{uuid4()}"
        description = dynamodb.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )["TableDescription"]
        if time_to_live:
            specification = {"Enabled": True, "AttributeName": time_to_live}
            dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification=specification)
        return name, description["LatestStreamArn"]

    def put(self, table: str, *keys: str) -> None:
        """Write an item for each key, in order."""
        for key in keys:
            self.client("dynamodb").put_item(TableName=table, Item={"pk": {"S": key}})

    def function(self, source: str, region: str | None = None, **settings: Any) -> str:
        """Return the name of a new function whose module is ``source`` and whose handler is ``handler``."""
        name, code = f"f-{uuid4()}", io.BytesIO()
        with zipfile.ZipFile(code, "w") as archive:
            archive.writestr("code.py", source)
        self.client("lambda", region).create_function(
            FunctionName=name,
            Runtime="python3.13",
            Handler="code.handler",
            Code={"ZipFile": code.getvalue()},
            **{"Role": self.any_role, "Timeout": 10, **settings},
        )
        return name

    def stream(self, shards: int = 1) -> tuple[str, str]:
        """Return name and ARN of a new Kinesis stream."""
        kinesis, name = self.client("kinesis"), f"s-{uuid4()}"
        kinesis.create_stream(StreamName=name, ShardCount=shards)
        kinesis.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 1})
        return name, self.arn("kinesis", f"stream/{name}")

    def map(self, function: str, source_arn: str, **settings: Any) -> str:
        """Map a stream (from its beginning) or a queue to a function and return the mapping's id."""
        start = {} if ":sqs:" in source_arn else {"StartingPosition": "TRIM_HORIZON"}
        mapping = self.client("lambda").create_event_source_mapping(
            FunctionName=function, EventSourceArn=source_arn, **{**start, **settings}
        )
        return str(mapping["UUID"])

    def invoke(self, function: str, event: object = None) -> dict[str, Any]:
        """Call a function and return the answer with its payload read."""
        answer = self.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event), LogType="Tail")
        return {**answer, "Payload": json.loads(answer["Payload"].read())}

    def logged(self, function: str) -> list[Any]:
        """Return the JSON lines that a function has printed, oldest invocation first."""
        logs = self.client("logs")
        try:
            events = logs.filter_log_events(logGroupName=f"/aws/lambda/{function}")["events"]
        except logs.exceptions.ResourceNotFoundException:
            return []
        return [json.loads(event["message"]) for event in events if event["message"].startswith(("[", "{", '"'))]

    def rule(self, target_arn: str, region: str | None = None, bus: str = "default", **target: Any) -> str:
        """Route events of a source of its own to the target, and return the source."""
        name = f"r-{uuid4()}"
        self.route({"source": [name]}, target_arn, region, bus, name, **target)
        return name

    def route(
        self,
        pattern: dict[str, Any],
        target_arn: str,
        region: str | None = None,
        bus: str = "default",
        name: str = "all",
        **target: Any,
    ) -> None:
        """Put a rule with one target on a bus."""
        events = self.client("events", region)
        events.put_rule(Name=name, EventBusName=bus, EventPattern=json.dumps(pattern))
        role = {"RoleArn": self.any_role} if ":event-bus/" in target_arn else {}
        targets = [{"Id": "t", "Arn": target_arn, **role, **target}]
        events.put_targets(Rule=name, EventBusName=bus, Targets=targets)

    def put_event(self, source: str, detail: str = "{}", bus: str = "default", region: str | None = None) -> Any:
        """Put one event and return its result entry."""
        entry = {"Source": source, "DetailType": "test", "Detail": detail, "EventBusName": bus}
        return self.client("events", region).put_events(Entries=[entry])["Entries"][0]
