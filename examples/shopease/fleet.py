"""The three services, one process for each Region, against a running local AWS."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from http import HTTPStatus
from pathlib import Path

import httpx

from domicile.errors import OperationError, UserError
from domicile.local.account import client_environment
from domicile.project import find_root

_START_DEADLINE_S = 60.0
_STOP_DEADLINE_S = 10.0


def addresses(regions: Sequence[str], first_port: int) -> dict[str, str]:
    """Return the address of each Region's service: one port after the other. Raises :class:`UserError`."""
    for port in range(first_port, first_port + len(regions)):
        with closing(socket.socket()) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except (OSError, OverflowError) as error:
                message = f"--service-port {first_port}: {port}: {error}; accepted: {len(regions)} free ports in a row"
                raise UserError(message) from None
    return {region: f"http://127.0.0.1:{first_port + number}" for number, region in enumerate(regions)}


@contextmanager
def running(deployment: str, services: Mapping[str, str], endpoint: str, logs: Path) -> Iterator[None]:
    """Run each Region's service while the block does; each writes a log of its Region's name to ``logs``.

    Raises :class:`OperationError` if one does not answer.
    """
    logs.mkdir(parents=True, exist_ok=True)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    peers = [f"--peer={region}={url}" for region, url in services.items()]
    started: list[subprocess.Popen[bytes]] = []
    try:
        for region, url in services.items():
            own = ["--deployment", deployment, "--region", region, "--port", url.rpartition(":")[2]]
            with (logs / f"{region}.log").open("wb") as log:
                service = subprocess.Popen(  # noqa: S603 - our own
                    [sys.executable, "-m", "examples.shopease.service", *own, *peers],
                    cwd=find_root(Path(__file__).parent),
                    env=inherited | client_environment(endpoint),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,  # Ctrl-C is for this process, which then stops them.
                )
            started.append(service)
        for service, (region, url) in zip(started, services.items(), strict=True):
            _await_health(service, region, url, logs)
        yield
    finally:
        _stop(started)


def _await_health(service: subprocess.Popen[bytes], region: str, url: str, logs: Path) -> None:
    deadline = time.monotonic() + _START_DEADLINE_S
    while not _is_healthy(url):
        if service.poll() is not None or time.monotonic() > deadline:
            raise OperationError(f"ShopEase in {region} did not start; see {logs / region}.log")
        time.sleep(0.1)


def _is_healthy(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", timeout=5, trust_env=False).status_code == HTTPStatus.OK
    except httpx.TransportError:
        return False


def _stop(services: Sequence[subprocess.Popen[bytes]]) -> None:
    for service in services:
        service.terminate()
    for service in services:
        try:
            service.wait(_STOP_DEADLINE_S)
        except subprocess.TimeoutExpired:
            service.kill()
            service.wait()
