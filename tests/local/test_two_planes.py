"""Two partitions are two servers of one local AWS: described, reached, made to fail and stopped as one."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import boto3
import pytest

from domicile.core.partitions import CHINA, WORLD
from domicile.deployment import Deployment
from domicile.errors import UserError
from domicile.local import api
from domicile.local.api import LocalAws
from domicile.local.errors import LocalError
from domicile.local.state import StateFolder
from domicile.progress import progress
from tests.plane import BEIJING, eventually, free_port, start_server

DUBLIN, LONDON, NINGXIA = "eu-west-1", "eu-west-2", "cn-northwest-1"
DEPLOYMENT = """
name: shop
regions: [eu-west-1, eu-west-2, cn-north-1, cn-northwest-1]
authorities: {EU: eu-west-1, CN: cn-north-1}
tables: {customers: {hash_key: {name: id, type: S}, sensitive: {name: redact}}}
bridges: [{between: [eu-west-1, cn-north-1]}]
"""
RULE = {"service": "dynamodb", "operation": "ListTables", "code": "ValidationException"}


@pytest.fixture
def deployment(tmp_path: Path) -> Path:
    """A deployment file with Regions in both partitions."""
    file = tmp_path / "domicile.yaml"
    file.write_text(DEPLOYMENT)
    return file


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StateFolder:
    """A state folder that the API works on."""
    monkeypatch.setenv(api.STATE_VARIABLE, str(tmp_path / "state"))
    return StateFolder(tmp_path / "state")


@pytest.fixture
def local(folder: StateFolder, deployment: Path) -> Iterator[LocalAws]:
    """Both servers without anything on them, described as ``up`` does."""
    ports = {WORLD: free_port(), CHINA: free_port()}
    servers = [start_server(folder.planes[name].folder, port, name) for name, port in ports.items()]
    local = api._describe(Deployment.load(deployment), ports, folder)
    folder.description.write_text(json.dumps(asdict(local)))
    yield local
    api.down(progress())
    for server in servers:
        server.wait(15)


def test_each_partition_has_a_server_and_an_account(local: LocalAws) -> None:
    assert api.status() == local
    assert {name: plane.regions for name, plane in local.planes.items()} == {
        WORLD: [DUBLIN, LONDON],
        CHINA: [BEIJING, NINGXIA],
    }
    for region, arn in (
        (LONDON, "arn:aws:iam::111122223333:root"),
        (NINGXIA, "arn:aws-cn:iam::444455556666:root"),
    ):
        assert local.client("sts", region).get_caller_identity()["Arn"] == arn
    first = local.planes[WORLD]
    assert (local.endpoint, local.access_key, local.secret_key) == (first.endpoint, first.access_key, first.secret_key)


def test_the_profiles_reach_each_partition_from_a_users_shell(local: LocalAws) -> None:
    source = (
        "import boto3, sys; print(boto3.Session(profile_name=sys.argv[1]).client('sts').get_caller_identity()['Arn'])"
    )
    for pair in local.environment["DOMICILE_PROFILES"].split():
        partition, profile = pair.split("=")
        arn = subprocess.run(  # noqa: S603
            [sys.executable, "-c", source, profile],
            env={"PATH": os.environ["PATH"], **local.environment},
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        ).stdout
        assert arn.startswith(f"arn:{partition}:iam::{local.planes[partition].access_key}:")


def test_a_fault_goes_to_its_regions_partition_or_to_both(local: LocalAws) -> None:
    added = api.faults_add({**RULE, "region": BEIJING})
    assert [rule["partition"] for rule in added] == [CHINA]
    local.client("dynamodb", DUBLIN).list_tables()
    with pytest.raises(boto3.client("dynamodb", DUBLIN).exceptions.ClientError, match="ValidationException"):
        local.client("dynamodb", BEIJING).list_tables()
    assert {rule["partition"]: rule["hits"] > 0 for rule in api.faults_list()} == {CHINA: True}
    assert api.faults_clear() == 1
    assert [rule["partition"] for rule in api.faults_add(RULE)] == [WORLD, CHINA]
    assert [rule["partition"] for rule in api.faults_list()] == [WORLD, CHINA]
    assert api.faults_clear() == 2
    with pytest.raises(UserError, match="region"):
        api.faults_add({**RULE, "region": "Beijing"})


def test_down_stops_both(local: LocalAws, folder: StateFolder) -> None:
    assert set(folder.server_pids()) == {WORLD, CHINA}
    api.down(progress())
    assert folder.server_pids() == {}
    with pytest.raises(LocalError, match="is not running"):
        api.status()


def test_a_server_that_ended_is_told_and_down_stops_the_rest(local: LocalAws, folder: StateFolder) -> None:
    folder.planes[CHINA].stop_server()
    with pytest.raises(LocalError, match="the server of aws-cn has ended"):
        api.status()
    api.down(progress())
    eventually(lambda: folder.server_pids() == {})


def test_a_busy_second_port_is_refused_before_anything_starts(folder: StateFolder, deployment: Path) -> None:
    port = free_port(2)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", port + 1))
        listener.listen()
        with pytest.raises(UserError, match=rf"port {port + 1}: .*; accepted: a free port"):
            api.up(deployment, port, progress())
    assert not folder.folder.exists()
    with pytest.raises(UserError, match="port 65536: is above 65535"):
        api.up(deployment, 65535, progress())


@pytest.mark.parametrize(("crosses", "reached"), [(False, {LONDON}), (True, {LONDON, BEIJING, NINGXIA})])
def test_a_canary_crosses_only_a_bridge_for_global_items(crosses: bool, reached: set[str], deployment: Path) -> None:
    text = DEPLOYMENT.replace(
        "[eu-west-1, cn-north-1]}", f"[eu-west-1, cn-north-1], global_items: {str(crosses).lower()}}}"
    )
    deployment.write_text(text)
    loaded = Deployment.load(deployment)
    assert {region for region in loaded.regions if api._reaches(loaded, DUBLIN, region)} == reached
