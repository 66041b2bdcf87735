"""Terraform itself accepts what is synthesized."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from domicile.local.providers import cli_configuration
from domicile.local.terraform import find_terraform
from infra.artifacts import ROOT

_TIMEOUT_S = 120


@pytest.mark.parametrize(
    ("fixture", "name"),
    [("stacks", "us-east-1"), ("bridged", "cn-north-1"), ("natively", "us-east-1"), ("natively", "us-west-2")],
)
def test_a_stack_is_valid_and_its_lock_admits_the_provider(
    request: pytest.FixtureRequest, tmp_path: Path, fixture: str, name: str
) -> None:
    stack = tmp_path / "stack"
    shutil.copytree(request.getfixturevalue(fixture) / f"harbour-{name}", stack)
    configuration = tmp_path / "terraform.rc"
    configuration.write_text(cli_configuration(ROOT, os.environ), encoding="utf-8")
    environment = {**os.environ, "TF_CLI_CONFIG_FILE": str(configuration), "CHECKPOINT_DISABLE": "1"}
    terraform = find_terraform()

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603  # found on the path
            [terraform, *arguments],
            cwd=stack,
            env=environment,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )

    initialized = run("init", "-backend=false", "-no-color")
    assert initialized.returncode == 0, initialized.stderr
    validation = json.loads(run("validate", "-json").stdout)
    assert validation["diagnostics"] == []
    assert validation["valid"]
