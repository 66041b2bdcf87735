"""``domicile synth`` and ``domicile build``: the project's own programs, run in its root.

They run as programs of their own because only they import cdktf.
"""
# ruff: noqa: PLC0415  # imports stand in the commands, so that each start pays only for what it uses

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import typer

from domicile.cli.options import DEFAULT_FILE, DeploymentFile
from domicile.progress import progress
from domicile.project import find_root


def synth(file: DeploymentFile = DEFAULT_FILE) -> None:
    """Write the Terraform configuration of each Region to cdktf.out."""
    from domicile.deployment import Deployment

    Deployment.load(file)
    _run("Synthesize", "main.py", DOMICILE_FILE=str(file.resolve()))


def build() -> None:
    """Build the functions' zips and their manifest in dist."""
    _run("Build the functions' zips", "-m", "infra.artifacts")


def _run(step: str, *arguments: str, **environment: str) -> None:
    """Run the project's Python with these arguments; its failure is the command's, with the same exit code."""
    root = find_root(Path.cwd())
    with progress().step(step):
        done = subprocess.run(  # noqa: S603  # the arguments are the two above
            [sys.executable, *arguments],
            cwd=root,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,  # shown when the step has ended: a line within would break a moving bar
            text=True,
            check=False,
        )
        if done.returncode:
            raise typer.Exit(done.returncode)
    typer.echo(done.stdout, nl=False)
