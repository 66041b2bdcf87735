"""``domicile bridge credentials`` on the local AWS of both partitions, which checks users' keys as AWS does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from domicile.core.partitions import CHINA, WORLD
from domicile.local.account import write_profiles
from tests.plane import BEIJING, Plane, free_port, start_server

SINGAPORE = "ap-southeast-1"
USER, SECRET, STREAM = "shopease-courier-ap-southeast-1", "shopease/courier", "shopease-from-ap-southeast-1"
FILE = f"""
name: shopease
regions: [{SINGAPORE}, {BEIJING}]
authorities: {{CN: {BEIJING}}}
tables: {{orders: {{hash_key: {{name: pk, type: S}}}}}}
bridges: [{{between: [{SINGAPORE}, {BEIJING}]}}]
"""
Run = Callable[..., Any]


@pytest.fixture
def beijing(tmp_path: Path) -> Iterator[Plane]:
    """A bare server of AWS China."""
    port = free_port()
    server = start_server(tmp_path / "state", port, CHINA)
    yield Plane(port, BEIJING)
    server.terminate()
    assert server.wait(15) == 0


@pytest.fixture
def run(plane: Plane, beijing: Plane, tmp_path: Path) -> Iterator[Run]:
    """Run the command by the profiles of both partitions, on what Terraform would have made for both directions."""
    (tmp_path / "domicile.yaml").write_text(FILE)
    planes = {WORLD: (plane, SINGAPORE), CHINA: (beijing, BEIJING)}
    endpoints = {name: (of.endpoint, region) for name, (of, region) in planes.items()}
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "DOMICILE_"))}
    environment |= write_profiles(tmp_path / "config", endpoints)
    for (of, region), user in zip(planes.values(), ("shopease-courier-cn-north-1", USER), strict=True):
        of.client("secretsmanager", region).create_secret(Name=SECRET)
        of.client("iam").create_user(UserName=user)
        statement = {
            "Effect": "Allow",
            "Action": "kinesis:PutRecords",
            "Resource": "*",
            "Condition": {"IpAddress": {"aws:SourceIp": "127.0.0.1/32"}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        of.client("iam").put_user_policy(UserName=user, PolicyName="write", PolicyDocument=policy)

    def call(*arguments: str) -> Any:
        done = subprocess.run(  # noqa: S603
            [Path(sys.executable).with_name("domicile"), "bridge", "credentials", *arguments, "--json"],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    yield call
    plane.client("secretsmanager", SINGAPORE).delete_secret(SecretId=SECRET, ForceDeleteWithoutRecovery=True)


def test_a_key_crosses_at_every_step_of_a_rotation_and_the_former_one_does_not_after_it(
    run: Run, plane: Plane, beijing: Plane
) -> None:
    beijing.client("kinesis").create_stream(StreamName=STREAM, ShardCount=1)
    secrets = plane.client("secretsmanager", SINGAPORE)

    def stored() -> dict[str, str]:
        value: dict[str, str] = json.loads(secrets.get_secret_value(SecretId=SECRET)["SecretString"])
        return value

    def put(key: dict[str, str]) -> str:
        kinesis = beijing.client("kinesis", key=key["access_key_id"], secret=key["secret_access_key"])
        try:
            kinesis.put_records(StreamName=STREAM, Records=[{"Data": b"x", "PartitionKey": "1"}])
        except kinesis.exceptions.ClientError as error:
            return str(error.response["Error"]["Code"])
        return "OK"

    run("init", "--yes")
    first = stored()
    assert put(first) == "OK"
    run("rotate", "--yes")
    second = stored()
    assert (put(first), put(second)) == ("OK", "OK")
    run("rotate", "--yes")
    assert (put(first) != "OK", put(second)) == (True, "OK")
    run("rotate", "--delete", "--yes")
    assert put(second) == "OK"
    there = run("check")[0]
    assert (there["addresses"], there["problems"]) == (["127.0.0.1/32"], [])
    assert [key["in_secret"] for key in there["keys"]] == [True]
