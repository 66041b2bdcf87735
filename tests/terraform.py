"""Terraform on a local AWS of its own, in the folder of a synthesized stack, with none of the shell's settings."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from domicile.local.account import client_environment
from domicile.local.providers import cli_configuration
from domicile.local.terraform import find_terraform
from infra.artifacts import ROOT
from tests.plane import free_port, start_server

_TIMEOUT_S = 300


@contextmanager
def empty_aws(partition: str, folder: Path) -> Iterator[dict[str, str]]:
    """Run a local AWS, and give the variables that bind Terraform to it alone."""
    port = free_port()
    server = start_server(folder, port, partition)
    try:
        yield client_environment(f"http://127.0.0.1:{port}", partition)
    finally:
        server.terminate()
        server.wait(15)


class Terraform:
    """An initialized stack; ``binding`` are the variables that bind it to a local AWS.

    Its state is beside it; with ``backend``, settings for its own backend at ``terraform init``, it is where that says.
    """

    def __init__(self, stack: Path, binding: Mapping[str, str], backend: Mapping[str, str] | None = None) -> None:
        self._stack, self._program = stack, find_terraform()
        if backend is None:
            beside = {"terraform": {"backend": {"local": {"path": "terraform.tfstate"}}}}
            (stack / "local_override.tf.json").write_text(json.dumps(beside), encoding="utf-8")
        configuration = stack / "terraform.rc"
        configuration.write_text(cli_configuration(ROOT, os.environ), encoding="utf-8")
        passed_on = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        own = {"TF_CLI_CONFIG_FILE": str(configuration), "CHECKPOINT_DISABLE": "1", "TF_INPUT": "0"}
        self._environment = {**passed_on, **binding, **own}
        self.run("init", *(f"-backend-config={name}={value}" for name, value in (backend or {}).items()))

    def run(self, command: str, *arguments: str) -> str:
        """Return what a command prints; fail with what it says if it fails."""
        done = self.attempt(command, *arguments)
        assert done.returncode == 0, f"terraform {command} in {self._stack.name}: {done.stderr}"
        return done.stdout

    def attempt(self, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Return how a command ended, whether well or not."""
        return subprocess.run(  # noqa: S603  # found on the path
            [self._program, command, "-no-color", *arguments],
            cwd=self._stack,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )

    def plan(self) -> dict[str, Any]:
        """Return what Terraform would change, as ``terraform show -json`` gives it."""
        self.run("plan", "-out=plan.out")
        planned: dict[str, Any] = json.loads(self.run("show", "-json", "plan.out"))
        return planned
