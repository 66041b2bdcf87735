"""``up``, ``run`` and ``down``: one local AWS per state folder, and exactly that one is stopped."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from domicile.cli.local import app
from domicile.core.partitions import WORLD
from domicile.errors import UserError
from domicile.local import api, state
from domicile.local.errors import LocalError
from domicile.local.providers import MIRROR_VARIABLE
from domicile.local.state import StateFolder
from domicile.progress import progress
from tests.plane import Plane, eventually, free_port, start_server

DEPLOYMENT = Path("domicile.yaml")
TERRAFORM_THAT_FAILS = """#!/bin/sh
[ "$1" = version ] && echo '{"terraform_version": "1.9.0"}' && exit 0
echo "no such luck"
exit 1
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StateFolder:
    """A state folder that the API works on."""
    monkeypatch.setenv(api.STATE_VARIABLE, str(tmp_path / "state"))
    return StateFolder(tmp_path / "state")


@pytest.fixture
def no_registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mirror of the provider, which nothing asks the registry for."""
    mirror = tmp_path / "mirror"
    (mirror / "registry.terraform.io/hashicorp/aws").mkdir(parents=True)
    monkeypatch.setenv(MIRROR_VARIABLE, str(mirror))
    monkeypatch.setattr("domicile.local.providers.registry_answers", lambda: False)


@contextmanager
def _bystander() -> Iterator[subprocess.Popen[bytes]]:
    """A process that must not be touched."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        assert process.poll() is None, "it was stopped"
        process.kill()


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_busy_port_is_refused_before_anything_starts(folder: StateFolder) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with pytest.raises(UserError, match=r"port \d+: .*; accepted: a free port"):
            api.up(DEPLOYMENT, listener.getsockname()[1], progress())
    assert not folder.folder.exists()


def test_a_second_up_is_refused_and_the_first_goes_on(folder: StateFolder) -> None:
    server = start_server(folder.planes[WORLD].folder, free_port())
    with pytest.raises(LocalError, match="is running; `domicile local down` stops it"):
        api.up(DEPLOYMENT, free_port(), progress())
    with pytest.raises(LocalError, match="is being started"):
        api.status()
    assert server.poll() is None
    api.down(progress())
    assert server.wait(1) == 0


def test_a_second_server_of_a_folder_does_not_start(folder: StateFolder) -> None:
    server = start_server(folder.planes[WORLD].folder, free_port())
    second = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "domicile.local.server", "--port", "0", "--state", str(folder.planes[WORLD].folder)],
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )
    assert (second.returncode, "another local AWS uses" in second.stderr) == (1, True)
    assert folder.server_pids() == {WORLD: server.pid}
    api.down(progress())
    assert server.wait(1) == 0


def test_a_stale_pid_file_harms_nobody(folder: StateFolder) -> None:
    plane = folder.planes[WORLD]
    plane.folder.mkdir(parents=True)
    with _bystander() as process:
        plane.pid_file.write_text(f"{process.pid}\n")
        with pytest.raises(LocalError, match="not running"):
            api.status()
        api.down(progress())


def test_down_stops_the_server_and_its_sandboxes_and_keeps_the_logs(folder: StateFolder) -> None:
    port = free_port()
    server = start_server(folder.planes[WORLD].folder, port)
    plane = Plane(port)
    sandbox = plane.invoke(plane.function("import os\ndef handler(event, context): return os.getpid()"))["Payload"]
    folder.logs.mkdir()
    folder.server_log(WORLD).write_text("a line")
    with _bystander():
        api.down(progress())
        assert server.wait(1) == 0
        eventually(lambda: not _alive(sandbox))
    assert [path.name for path in folder.folder.iterdir()] == ["logs"]
    assert folder.server_log(WORLD).read_text() == "a line"
    api.down(progress())


BUSY = """
import os, time

def handler(event, context):
    open(f"{os.environ['PIDS']}/{os.getpid()}", "w").close()
    time.sleep(60)
"""


def test_invocations_that_run_do_not_hold_up_the_end(folder: StateFolder, tmp_path: Path) -> None:
    port, pids = free_port(), tmp_path / "pids"
    pids.mkdir()
    server = start_server(folder.planes[WORLD].folder, port)
    plane = Plane(port)
    function = plane.function(BUSY, Timeout=60, Environment={"Variables": {"PIDS": str(pids)}})
    queue, arn = plane.queue(VisibilityTimeout="60")
    plane.map(function, arn)
    plane.client("sqs").send_message(QueueUrl=queue, MessageBody="m")
    with ThreadPoolExecutor(1) as pool:
        pool.submit(plane.invoke, function)
        sandboxes = eventually(lambda: [int(path.name) for path in pids.iterdir()], lambda found: len(found) == 2)
        started = time.monotonic()
        api.down(progress())
        assert time.monotonic() - started < 8
    assert server.wait(1) == 0
    eventually(lambda: not any(map(_alive, sandboxes)))


def test_a_server_that_hangs_is_ended_with_its_sandboxes(folder: StateFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "_TERM_GRACE_S", 0.2)
    port = free_port()
    server = start_server(folder.planes[WORLD].folder, port)
    plane = Plane(port)
    sandbox = plane.invoke(plane.function("import os\ndef handler(event, context): return os.getpid()"))["Payload"]
    server.send_signal(signal.SIGSTOP)
    api.down(progress())
    assert server.wait(1) == -signal.SIGKILL
    eventually(lambda: not _alive(sandbox))


def test_what_fails_after_the_start_stops_the_server_and_leaves_the_logs(
    folder: StateFolder, no_registry: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    terraform = tmp_path / "bin" / "terraform"
    terraform.write_text(TERRAFORM_THAT_FAILS)
    terraform.chmod(0o755)
    monkeypatch.setenv("PATH", f"{terraform.parent}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(LocalError) as failed:
        api.up(DEPLOYMENT, free_port(), progress())
    assert "terraform init of shopease-" in str(failed.value)
    assert "no such luck" in str(failed.value)
    assert str(folder.logs) in str(failed.value)
    assert folder.server_pids() == {}
    assert folder.server_log(WORLD).exists()


COMMAND = """
import boto3, json, os, sys

boto3.client("sqs", "eu-west-1").create_queue(QueueName="mine")
bound = {name: value for name, value in os.environ.items() if name.startswith(("AWS_", "TF_", "MY_"))}
print(json.dumps([sys.argv[1:], bound]))
sys.exit(7)
"""


def test_a_command_runs_bound_to_an_empty_local_aws_that_is_stopped_afterwards(
    folder: StateFolder,
    no_registry: None,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("TF_WORKSPACE", "production")
    monkeypatch.setenv("MY_SETTING", "1")
    port = free_port()
    options = ["--port", str(port), "--", sys.executable, "-c", COMMAND, "--port", "1"]
    result = CliRunner().invoke(app, ["run", *options])
    assert result.exit_code == 7
    arguments, bound = json.loads(capfd.readouterr().out)
    assert arguments == ["--port", "1"]
    assert bound["AWS_ENDPOINT_URL"] == f"http://127.0.0.1:{port}"
    assert bound["MY_SETTING"] == "1"
    assert not {"AWS_PROFILE", "TF_WORKSPACE"} & set(bound)
    assert Path(bound["TF_CLI_CONFIG_FILE"]).parent == folder.folder
    assert folder.server_pids() == {}
    assert [path.name for path in folder.folder.iterdir()] == ["logs"]


def test_a_command_that_is_not_there_leaves_nothing_running(folder: StateFolder, no_registry: None) -> None:
    with pytest.raises(UserError, match="no-such-command is not a command on the PATH"):
        api.run(["no-such-command"], free_port(), progress())
    assert folder.server_pids() == {}


def test_a_command_is_not_run_on_a_local_aws_that_is_in_use(folder: StateFolder, tmp_path: Path) -> None:
    server = start_server(folder.planes[WORLD].folder, free_port())
    with pytest.raises(LocalError, match="is running; `domicile local down` stops it"):
        api.run(["touch", str(tmp_path / "ran")], free_port(), progress())
    assert not (tmp_path / "ran").exists()
    assert server.poll() is None
    api.down(progress())
