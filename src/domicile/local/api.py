"""Start, look at and stop the local AWS; its fault rules. Everything that ``domicile local`` does.

Each partition of AWS that a deployment has Regions in is a server of its own, with a port and an account: on AWS, too,
partitions share nothing.

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
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from operator import ne
from pathlib import Path
from typing import Any

from domicile import secrets
from domicile.core.partitions import WORLD, partition_of
from domicile.deployment import Deployment
from domicile.errors import UserError
from domicile.local.account import ACCOUNTS, SECRET_KEY, client, client_environment, write_profiles
from domicile.local.bridges import bind_bridges, make_keys
from domicile.local.canary import replicate_canaries
from domicile.local.errors import LocalError
from domicile.local.providers import cli_configuration
from domicile.local.state import StateFolder, tail
from domicile.local.terraform import Stacks, find_terraform
from domicile.naming import Names
from domicile.native_table import stacks_before
from domicile.progress import Progress
from domicile.project import find_root

STATE_VARIABLE = "DOMICILE_LOCAL_STATE"
_START_DEADLINE_S = 30.0


@dataclass(frozen=True)
class Plane:
    """How to reach one partition of the local AWS; ``regions`` are the deployment's in it."""

    endpoint: str
    access_key: str
    secret_key: str
    regions: list[str]


@dataclass(frozen=True)
class LocalAws:
    """How to reach a deployment on the local AWS.

    ``endpoint`` and keys are those of the first Region's partition, ``planes`` those of each partition. ``tables``: the
    name in the deployment file -> the table's name. ``environment``: the variables with which operator commands, and
    the AWS CLI with ``--profile``, reach each partition.
    """

    endpoint: str
    access_key: str
    secret_key: str
    regions: list[str]
    tables: dict[str, str]
    planes: dict[str, Plane]
    environment: dict[str, str]

    def client(self, service: str, region: str, **options: Any) -> Any:
        """Return a boto3 client of a Region, bound to its partition; ``options`` are boto3's."""
        return client(service, region, self.planes[partition_of(region)].endpoint, **options)

    def binding(self, region: str) -> dict[str, str]:
        """Return the ``AWS_*`` variables that bind an SDK, or Terraform, to a Region's partition."""
        partition = partition_of(region)
        return client_environment(self.planes[partition].endpoint, partition)


def up(deployment_file: Path, port: int, progress: Progress) -> LocalAws:
    """Start the local AWS, apply every Region's stack, and return when a write replicates.

    The first Region's partition is served on a port of 127.0.0.1, a second one on the port after it. They go on after
    this process. Raises :class:`~domicile.errors.UserError` before anything was changed, or :class:`LocalError`, and
    then nothing runs and the logs are there to read.
    """
    root = find_root(Path.cwd())
    state = state_folder(root)
    deployment = Deployment.load(deployment_file)
    _check_native(deployment, deployment_file)
    terraform = find_terraform()
    ports = {partition: port + n for n, partition in enumerate(dict.fromkeys(map(partition_of, deployment.regions)))}
    _make_ready(state, ports.values())
    local_aws = _describe(deployment, ports, state)
    endpoints = {partition: plane.endpoint for partition, plane in local_aws.planes.items()}
    source = bind_bridges(deployment_file, endpoints, state.folder / "domicile.json")
    environment = {"DOMICILE_FILE": str(source.resolve()), "CDKTF_OUTDIR": str(state.synthesized)}
    with progress.step("Build the functions' zips"):
        _run(root, state.logs / "build.log", {}, "-m", "infra.artifacts")
    with progress.step("Synthesize"):
        _run(root, state.logs / "synth.log", environment, "main.py")
    names = Names(deployment.name, region="", account="")
    bindings = {names.in_region(region).stack: local_aws.binding(region) for region in local_aws.regions}
    stacks = Stacks.prepare(terraform, state.synthesized / "stacks", state.logs, root, bindings)
    before = {
        names.in_region(region).stack: {names.in_region(other).stack for other in others}
        for region, others in stacks_before(deployment.native).items()
    }
    try:
        with progress.step("Start the local AWS"):
            for partition, number in ports.items():
                _start(state, partition, number)
        key_clients = {region: local_aws.client("secretsmanager", region) for region in local_aws.regions}
        secrets.apply(secrets.plan(names.hash_secret, key_clients), key_clients)
        stacks.apply(progress, before)
        if deployment.bridges:
            with progress.step("Make the couriers' access keys"):
                make_keys(deployment, local_aws)
        with progress.step("Replicate a canary from each Region to every other that it reaches"):
            clients = {region: local_aws.client("dynamodb", region) for region in local_aws.regions}
            tables = {local_aws.tables[name]: table for name, table in deployment.localized.items()}
            replicate_canaries(clients, tables, lambda origin, region: _reaches(deployment, origin, region))
            for name, native in deployment.native.items():
                replicas = {region: clients[region] for region in native.regions}
                replicate_canaries(replicas, {local_aws.tables[name]: native}, ne)
    except BaseException:
        state.stop_servers()
        raise
    state.description.write_text(json.dumps(asdict(local_aws)), encoding="utf-8")
    return local_aws


def run(command: Sequence[str], port: int, progress: Progress) -> int:
    """Run a command of the user's against a local AWS that is empty, and return its exit code.

    The command inherits the user's environment but for what could lead it, or a Terraform that it starts, to a real
    account. The local AWS, which is of the partition aws, is stopped afterwards.
    """
    root = find_root(Path.cwd())
    state = state_folder(root)
    _make_ready(state, [port])
    with progress.step("Start the local AWS"):
        _start(state, WORLD, port)
    try:
        configuration = state.folder / "terraform.rc"
        configuration.write_text(cli_configuration(root, os.environ), encoding="utf-8")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TF_"))}
        bound = {**client_environment(_endpoint(port)), "TF_CLI_CONFIG_FILE": str(configuration)}
        return subprocess.run(command, env={**inherited, **bound}, check=False).returncode  # noqa: S603 - the user's
    except FileNotFoundError:
        raise UserError(f"{command[0]} is not a command on the PATH") from None
    finally:
        _stop(state, progress)


def status() -> LocalAws:
    """Return how to reach the local AWS. Raises :class:`LocalError` if it, or a part of it, does not run (yet)."""
    state = state_folder(find_root(Path.cwd()))
    running = state.server_pids()
    if not running:
        raise LocalError("the local AWS is not running; `domicile local up` starts it")
    if not state.description.exists():
        raise LocalError(f"the local AWS is being started; see {state.logs}")
    described = json.loads(state.description.read_text(encoding="utf-8"))
    planes = {partition: Plane(**plane) for partition, plane in described.pop("planes").items()}
    if ended := [partition for partition in planes if partition not in running]:
        raise LocalError(f"the server of {ended[0]} has ended, see {state.logs}; `domicile local down` stops the rest")
    return LocalAws(**described, planes=planes)


def down(progress: Progress) -> None:
    """Stop the local AWS with all its processes, and remove what it held; its logs are kept."""
    _stop(state_folder(find_root(Path.cwd())), progress)


def faults_add(rule: Mapping[str, object]) -> list[dict[str, Any]]:
    """Add a fault rule to the partition of its Region, or to each one without a Region.

    Return it with its id as each partition took it. Raises :class:`~domicile.errors.UserError` if it can't be used.
    """
    planes, region = status().planes, rule.get("region")
    theirs = [partition for partition in planes if region is None or partition_of(str(region)) == partition]
    if not theirs:
        served = ", ".join(name for plane in planes.values() for name in plane.regions)
        raise UserError(f"region: {region} is not served; accepted: {served}")
    return [_call(planes[partition], "POST", json.dumps(rule)) | {"partition": partition} for partition in theirs]


def faults_list() -> list[dict[str, Any]]:
    """Return the fault rules of every partition, each with the number of calls that it took."""
    return [
        rule | {"partition": partition}
        for partition, plane in status().planes.items()
        for rule in _call(plane, "GET")["rules"]
    ]


def faults_clear() -> int:
    """Remove all fault rules and return how many there were."""
    return sum(_call(plane, "DELETE")["cleared"] for plane in status().planes.values())


def state_folder(root: Path) -> StateFolder:
    """Return the state folder of the project with this root."""
    return StateFolder(Path(os.environ.get(STATE_VARIABLE) or root / ".domicile" / "local").resolve())


def _endpoint(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def _check_native(deployment: Deployment, file: Path) -> None:
    """Raise a ``UserError`` for what the local AWS has no part of."""
    missing = {
        "consistency: strong": [name for name, table in deployment.native.items() if table.consistency == "strong"],
        "provisioned billing": [name for name, table in deployment.native.items() if table.billing != "on-demand"],
    }
    problems = [
        f"{file}: tables.{name}: the local AWS has no {what}; accepted there: consistency: eventual, billing: on-demand"
        for what, names in missing.items()
        for name in names
    ]
    if problems:
        raise UserError("\n".join(problems))


def _describe(deployment: Deployment, ports: Mapping[str, int], state: StateFolder) -> LocalAws:
    """Return how a deployment with its partitions on these ports is reached, and write the profiles for that."""
    planes = {
        partition: Plane(
            endpoint=_endpoint(port),
            access_key=ACCOUNTS[partition],
            secret_key=SECRET_KEY,
            regions=[region for region in deployment.regions if partition_of(region) == partition],
        )
        for partition, port in ports.items()
    }
    first = next(iter(planes.values()))
    names = Names(deployment.name, region="", account="")
    return LocalAws(
        endpoint=first.endpoint,
        access_key=first.access_key,
        secret_key=first.secret_key,
        regions=deployment.regions,
        tables={table: names.table(table) for table in deployment.tables},
        planes=planes,
        environment=write_profiles(
            state.aws_config, {name: (plane.endpoint, plane.regions[0]) for name, plane in planes.items()}
        ),
    )


def _reaches(deployment: Deployment, origin: str, region: str) -> bool:
    """Return whether a global item of one Region comes to another: a bridge may leave them on their side."""
    partitions = {partition_of(origin), partition_of(region)}
    crossing = [set(map(partition_of, bridge.between)) for bridge in deployment.bridges if bridge.global_items]
    return origin != region and (len(partitions) == 1 or partitions in crossing)


def _make_ready(state: StateFolder, ports: Iterable[int]) -> None:
    """Empty the state folder for a start, or raise an error if something runs in it or on a port."""
    if state.server_pids():
        raise LocalError(f"the local AWS of {state.folder} is running; `domicile local down` stops it")
    for port in ports:
        _check_free(port)
    state.clean()
    state.logs.mkdir(parents=True, exist_ok=True)


def _stop(state: StateFolder, progress: Progress) -> None:
    with progress.step("Stop the local AWS") as step:
        if not state.stop_servers():
            step.update("it was not running")
        state.clean()


def _check_free(port: int) -> None:
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError) as error:
            reason = error.strerror if isinstance(error, OSError) else "is above 65535"
            raise UserError(f"port {port}: {reason}; accepted: a free port of 127.0.0.1 (--port)") from error


def _run(root: Path, log: Path, environment: Mapping[str, str], *program: str) -> None:
    """Run one of the project's own programs, with this Python, in the project's root, where no real AWS is named."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    with log.open("w", encoding="utf-8") as output:
        done = subprocess.run(  # noqa: S603 - the project's own
            [sys.executable, *program],
            cwd=root,
            env={**inherited, **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode:
        raise LocalError(f"{' '.join(program)} failed; its output ends:\n{tail(log)}")


def _start(state: StateFolder, partition: str, port: int) -> None:
    """Start a partition's server in a session of its own, and return when it answers."""
    folder, server_log = state.planes[partition].folder, state.server_log(partition)
    place = ["--partition", partition, "--port", str(port), "--state", str(folder)]
    with server_log.open("w", encoding="utf-8") as log:
        server = subprocess.Popen(  # noqa: S603 - our own
            [sys.executable, "-m", "domicile.local.server", *place],
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
            raise LocalError(f"the local AWS did not start; its log ends:\n{tail(server_log)}")
        time.sleep(0.05)


def _answers(port: int) -> bool:
    try:
        return _request(port, "GET", "/_domicile/health")[0] == http.HTTPStatus.OK
    except OSError:
        return False


def _call(plane: Plane, method: str, body: str | None = None) -> Any:
    port = int(plane.endpoint.rpartition(":")[2])
    code, answer = _request(port, method, "/_domicile/faults", body)
    if code == http.HTTPStatus.BAD_REQUEST:
        raise UserError(answer["error"])
    return answer


def _request(port: int, method: str, path: str, body: str | None = None) -> tuple[int, Any]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
        connection.request(method, path, body)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
