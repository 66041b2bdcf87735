"""Start, look at and stop the local AWS; its fault rules. Everything that ``domicile local`` does.

The state folder is ``.domicile/local`` under the project's root; ``DOMICILE_LOCAL_STATE`` names another, so that tests
run beside a developer's own local AWS.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from domicile import secrets
from domicile.deployment import Deployment
from domicile.errors import UserError
from domicile.local.account import ACCESS_KEY, SECRET_KEY, client, client_environment
from domicile.local.canary import replicate_canaries
from domicile.local.errors import LocalError
from domicile.local.providers import cli_configuration
from domicile.local.state import StateFolder, tail
from domicile.local.terraform import Stacks, find_terraform
from domicile.naming import Names
from domicile.progress import Progress
from domicile.project import find_root

STATE_VARIABLE = "DOMICILE_LOCAL_STATE"
_START_DEADLINE_S = 30.0


@dataclass(frozen=True)
class LocalAws:
    """How to reach a deployment on the local AWS. ``tables``: the name in the deployment file -> the table's name."""

    endpoint: str
    access_key: str
    secret_key: str
    regions: list[str]
    tables: dict[str, str]


def up(deployment_file: Path, port: int, progress: Progress) -> LocalAws:
    """Start the local AWS on a port of 127.0.0.1, apply every Region's stack, and return when a write replicates.

    It goes on after this process. Raises :class:`~domicile.errors.UserError` before anything was changed, or
    :class:`LocalError`, and then nothing runs and the logs are there to read.
    """
    root = find_root(Path.cwd())
    state = state_folder(root)
    deployment = Deployment.load(deployment_file)
    terraform = find_terraform()
    _make_ready(state, port)
    names = Names(deployment.name, region="", account="")
    local_aws = LocalAws(
        endpoint=f"http://127.0.0.1:{port}",
        access_key=ACCESS_KEY,
        secret_key=SECRET_KEY,
        regions=deployment.regions,
        tables={table: names.table(table) for table in deployment.tables},
    )
    environment = {"DOMICILE_FILE": str(deployment_file.resolve()), "CDKTF_OUTDIR": str(state.synthesized)}
    with progress.step("Build the functions' zips"):
        _run(root, state.logs / "build.log", {}, "-m", "infra.artifacts")
    with progress.step("Synthesize"):
        _run(root, state.logs / "synth.log", environment, "main.py")
    stacks = Stacks.prepare(terraform, state.synthesized / "stacks", state.logs, root, local_aws.endpoint)
    try:
        with progress.step("Start the local AWS"):
            _start(state, port)
        key_clients = {region: client("secretsmanager", region, local_aws.endpoint) for region in local_aws.regions}
        secrets.apply(secrets.plan(names.hash_secret, key_clients), key_clients)
        stacks.apply(progress)
        with progress.step("Replicate a canary from each Region to every other"):
            clients = {region: client("dynamodb", region, local_aws.endpoint) for region in local_aws.regions}
            replicate_canaries(clients, {local_aws.tables[name]: table for name, table in deployment.tables.items()})
    except BaseException:
        state.stop_server()
        raise
    state.description.write_text(json.dumps(asdict(local_aws)), encoding="utf-8")
    return local_aws


def run(command: Sequence[str], port: int, progress: Progress) -> int:
    """Run a command of the user's against a local AWS that is empty, and return its exit code.

    The command inherits the user's environment but for what could lead it, or a Terraform that it starts, to a real
    account. The local AWS is stopped afterwards.
    """
    root = find_root(Path.cwd())
    state = state_folder(root)
    _make_ready(state, port)
    with progress.step("Start the local AWS"):
        _start(state, port)
    try:
        configuration = state.folder / "terraform.rc"
        configuration.write_text(cli_configuration(root, os.environ), encoding="utf-8")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TF_"))}
        bound = {**client_environment(f"http://127.0.0.1:{port}"), "TF_CLI_CONFIG_FILE": str(configuration)}
        return subprocess.run(command, env={**inherited, **bound}, check=False).returncode  # noqa: S603 - the user's
    except FileNotFoundError:
        raise UserError(f"{command[0]} is not a command on the PATH") from None
    finally:
        _stop(state, progress)


def status() -> LocalAws:
    """Return how to reach the local AWS. Raises :class:`LocalError` if none runs, or if it is still being started."""
    state = state_folder(find_root(Path.cwd()))
    if state.server_pid() is None:
        raise LocalError("the local AWS is not running; `domicile local up` starts it")
    if not state.description.exists():
        raise LocalError(f"the local AWS is being started; see {state.logs}")
    return LocalAws(**json.loads(state.description.read_text(encoding="utf-8")))


def down(progress: Progress) -> None:
    """Stop the local AWS with all its processes, and remove what it held; its logs are kept."""
    _stop(state_folder(find_root(Path.cwd())), progress)


def faults_add(rule: Mapping[str, object]) -> dict[str, Any]:
    """Add a fault rule and return it with its id. Raises :class:`~domicile.errors.UserError` if it can't be used."""
    added: dict[str, Any] = _call("POST", json.dumps(rule))
    return added


def faults_list() -> list[dict[str, Any]]:
    """Return the fault rules, each with the number of calls that it took."""
    rules: list[dict[str, Any]] = _call("GET")["rules"]
    return rules


def faults_clear() -> int:
    """Remove all fault rules and return how many there were."""
    return int(_call("DELETE")["cleared"])


def state_folder(root: Path) -> StateFolder:
    """Return the state folder of the project with this root."""
    return StateFolder(Path(os.environ.get(STATE_VARIABLE) or root / ".domicile" / "local").resolve())


def _make_ready(state: StateFolder, port: int) -> None:
    """Empty the state folder for a start, or raise an error if something runs in it or on the port."""
    if state.server_pid() is not None:
        raise LocalError(f"the local AWS of {state.folder} is running; `domicile local down` stops it")
    _check_free(port)
    state.clean()
    state.logs.mkdir(parents=True, exist_ok=True)


def _stop(state: StateFolder, progress: Progress) -> None:
    with progress.step("Stop the local AWS") as step:
        if not state.stop_server():
            step.update("it was not running")
        state.clean()


def _check_free(port: int) -> None:
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise UserError(f"port {port}: {error.strerror}; accepted: a free port of 127.0.0.1 (--port)") from error


def _run(root: Path, log: Path, environment: Mapping[str, str], *program: str) -> None:
    """Run one of the project's own programs, with this Python, in the project's root."""
    with log.open("w", encoding="utf-8") as output:
        done = subprocess.run(  # noqa: S603 - the project's own
            [sys.executable, *program],
            cwd=root,
            env={**os.environ, **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode:
        raise LocalError(f"{' '.join(program)} failed; its output ends:\n{tail(log)}")


def _start(state: StateFolder, port: int) -> None:
    """Start the server in a session of its own, and return when it answers."""
    command = [sys.executable, "-m", "domicile.local.server", "--port", str(port), "--state", str(state.folder)]
    with state.server_log.open("w", encoding="utf-8") as log:
        server = subprocess.Popen(  # noqa: S603 - our own
            command,
            # MiniStack has many settings; none of them is to come from the user's shell.
            env={name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "LANG") if name in os.environ},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    deadline = time.monotonic() + _START_DEADLINE_S
    while not _answers(port):
        if server.poll() is not None or time.monotonic() > deadline:
            raise LocalError(f"the local AWS did not start; its log ends:\n{tail(state.server_log)}")
        time.sleep(0.05)


def _answers(port: int) -> bool:
    try:
        return _request(port, "GET", "/_domicile/health")[0] == http.HTTPStatus.OK
    except OSError:
        return False


def _call(method: str, body: str | None = None) -> Any:
    port = int(status().endpoint.rpartition(":")[2])
    code, answer = _request(port, method, "/_domicile/faults", body)
    if code == http.HTTPStatus.BAD_REQUEST:
        raise UserError(answer["error"])
    return answer


def _request(port: int, method: str, path: str, body: str | None = None) -> tuple[int, Any]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
        connection.request(method, path, body)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
