"""Terraform's own plans of the example deployments: ``python -m tests.policy.plans`` writes them and prints the files.

Before its first apply a stack asks AWS for the account, the partition and the zones alone, which a local AWS answers
that is empty.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from domicile.core.partitions import partition_of
from domicile.deployment import Deployment
from domicile.local.account import client_environment
from domicile.local.providers import cli_configuration
from domicile.local.terraform import find_terraform
from infra.artifacts import ROOT
from tests.infra.synthesized import synthesize_stand_ins
from tests.plane import free_port, start_server

_DEPLOYMENTS = (ROOT / "domicile.yaml", ROOT / "examples" / "bridge" / "domicile.yaml")
_PLANS = ROOT / ".domicile" / "plans"
_TIMEOUT_S = 180


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


def plan(stack: Path, binding: Mapping[str, str]) -> dict[str, Any]:
    """Return Terraform's first plan of a synthesized stack."""
    backend = {"terraform": {"backend": {"local": {"path": "terraform.tfstate"}}}}
    (stack / "local_override.tf.json").write_text(json.dumps(backend), encoding="utf-8")
    configuration = stack / "terraform.rc"
    configuration.write_text(cli_configuration(ROOT, os.environ), encoding="utf-8")
    passed_on = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    environment = {**passed_on, **binding, "TF_CLI_CONFIG_FILE": str(configuration), "CHECKPOINT_DISABLE": "1"}
    terraform = find_terraform()

    def run(*arguments: str) -> str:
        return subprocess.run(  # noqa: S603  # found on the path
            [terraform, *arguments], cwd=stack, env=environment, capture_output=True, check=True, timeout=_TIMEOUT_S
        ).stdout.decode()

    run("init", "-input=false")
    run("plan", "-input=false", "-out=plan.out")
    planned: dict[str, Any] = json.loads(run("show", "-json", "plan.out"))
    return planned


def main() -> None:
    """Write a plan for each Region of the example deployments."""
    shutil.rmtree(_PLANS, ignore_errors=True)
    _PLANS.mkdir(parents=True)
    for number, file in enumerate(_DEPLOYMENTS):
        deployment = Deployment.load(file)
        with tempfile.TemporaryDirectory() as folder:
            stacks = synthesize_stand_ins(deployment, Path(folder))
            for partition in dict.fromkeys(map(partition_of, deployment.regions)):
                with empty_aws(partition, Path(folder) / partition) as binding:
                    for region in (one for one in deployment.regions if partition_of(one) == partition):
                        written = _PLANS / f"{file.parent.name if number else file.stem}-{region}.json"
                        planned = plan(stacks / f"{deployment.name}-{region}", binding)
                        written.write_text(json.dumps(planned), encoding="utf-8")
                        sys.stdout.write(f"{written.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
