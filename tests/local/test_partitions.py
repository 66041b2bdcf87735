"""A server of aws-cn is of that partition everywhere, and shares nothing with the one of aws."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from domicile.core.partitions import CHINA
from domicile.local.account import client_environment
from domicile.local.adaptations import IncompatibleError, china
from domicile.local.terraform import Stacks, find_terraform
from domicile.progress import progress
from domicile.project import find_root
from tests.plane import BEIJING, Plane, eventually, free_port, start_server

# Any ARN of a partition but aws-cn, wherever it stands in an answer.
WRONG = "arn:aws:"
ECHO = """
import json, os

def handler(event, context):
    print(json.dumps({"event": event, "environ": dict(os.environ), "arn": context.invoked_function_arn}))
"""


@pytest.fixture(scope="module")
def beijing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plane]:
    """A server of aws-cn."""
    port = free_port()
    server = start_server(tmp_path_factory.mktemp("china"), port, CHINA)
    yield Plane(port, BEIJING)
    server.terminate()
    assert server.wait(15) == 0


def test_the_account_is_chinas(beijing: Plane) -> None:
    identity = beijing.client("sts").get_caller_identity()
    assert (identity["Account"], identity["Arn"]) == ("444455556666", "arn:aws-cn:iam::444455556666:root")


def test_what_a_function_gets_names_china_alone(beijing: Plane) -> None:
    function = beijing.function(ECHO)
    table, stream = beijing.table()
    beijing.map(function, stream)
    beijing.put(table, "a")
    (seen,) = eventually(lambda: beijing.logged(function))
    assert seen["event"]["Records"][0]["eventSourceARN"] == stream
    assert stream.startswith(f"arn:aws-cn:dynamodb:{BEIJING}:444455556666:table/{table}/stream/")
    assert seen["arn"] == beijing.arn("lambda", f"function:{function}")
    assert (seen["environ"]["AWS_REGION"], seen["environ"]["AWS_ENDPOINT_URL"]) == (BEIJING, beijing.endpoint)
    assert WRONG not in json.dumps(seen)


def test_events_cross_to_another_region_and_into_queues(beijing: Plane) -> None:
    there = "cn-northwest-1"
    beijing.client("events", there).create_event_bus(Name="mine")
    url, queue = beijing.queue(there)
    source = beijing.rule(beijing.arn("events", "event-bus/mine", there))
    beijing.route({"source": [source]}, queue, there, "mine")
    beijing.put_event(source)
    (message,) = eventually(lambda: beijing.receive(url, there))
    assert (json.loads(message["Body"])["region"], WRONG in message["Body"]) == (BEIJING, False)


def test_what_an_item_says_stays_as_it_is(beijing: Plane) -> None:
    table, _ = beijing.table()
    said = {"S": f"{WRONG}s3:::bucket, not arn:aws-cn:s3:::bucket"}
    beijing.client("dynamodb").put_item(TableName=table, Item={"pk": {"S": WRONG}, "said": said})
    assert beijing.client("dynamodb").get_item(TableName=table, Key={"pk": {"S": WRONG}})["Item"]["said"] == said


def test_an_arn_of_another_partition_is_none_of_chinas(beijing: Plane) -> None:
    _, stream = beijing.stream()
    kinesis = beijing.client("kinesis")
    assert kinesis.describe_stream_summary(StreamARN=stream)["StreamDescriptionSummary"]["StreamARN"] == stream
    with pytest.raises(kinesis.exceptions.ClientError):
        kinesis.describe_stream_summary(StreamARN=stream.replace("aws-cn", "aws"))


def test_a_function_reaches_the_other_partition_with_keys_of_its_own(plane: Plane, beijing: Plane) -> None:
    source = """
import boto3

def handler(event, context):
    keys = {"aws_access_key_id": event["key"], "aws_secret_access_key": event["secret"]}
    there = boto3.client("sts", event["region"], endpoint_url=event["endpoint"], **keys)
    return [client.get_caller_identity()["Arn"] for client in (there, boto3.client("sts"))]
"""
    iam, user = beijing.client("iam"), f"courier-{beijing.port}"
    iam.create_user(UserName=user)
    key = iam.create_access_key(UserName=user)["AccessKey"]
    event = {"key": key["AccessKeyId"], "secret": key["SecretAccessKey"]}
    answer = plane.invoke(plane.function(source), {**event, "region": BEIJING, "endpoint": beijing.endpoint})
    there, here = answer["Payload"]
    assert there == beijing.arn("iam", f"user/{user}")
    assert here.startswith(f"arn:aws:sts::{plane.account}:assumed-role/")


def test_terraform_sees_china(beijing: Plane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configuration = {
        "provider": {"aws": {"region": BEIJING}},
        "data": {"aws_partition": {"p": {}}, "aws_caller_identity": {"c": {}}},
        "output": {
            "seen": {"value": ["${data.aws_partition.p.partition}", "${data.aws_caller_identity.c.account_id}"]}
        },
    }
    (tmp_path / "stack").mkdir()
    (tmp_path / "stack" / "cdk.tf.json").write_text(json.dumps(configuration))
    bindings = {"stack": client_environment(beijing.endpoint, CHINA)}
    root = find_root(Path.cwd())
    Stacks.prepare(find_terraform(), tmp_path, tmp_path, root, bindings).apply(progress(io.StringIO()))
    state = json.loads((tmp_path / "stack" / "terraform.tfstate").read_text())
    assert state["outputs"]["seen"]["value"] == [CHINA, beijing.account]


def test_a_ministack_that_is_loaded_already_cannot_become_chinas() -> None:
    import ministack  # noqa: F401, PLC0415

    with pytest.raises(IncompatibleError, match="imported before"):
        china.install()
