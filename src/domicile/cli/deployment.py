"""``domicile validate`` and ``domicile schema``."""
# ruff: noqa: PLC0415  # imports stand in the commands, so that each start pays only for what it uses

from __future__ import annotations

import json

import typer

from domicile.cli.options import DEFAULT_FILE, DeploymentFile


def validate(file: DeploymentFile = DEFAULT_FILE) -> None:
    """Check the deployment file and report all of its problems."""
    from domicile.deployment import Deployment

    deployment = Deployment.load(file)
    typer.echo(f"{file}: valid; {len(deployment.tables)} tables in {len(deployment.regions)} Regions")


def schema() -> None:
    """Print the deployment file's JSON Schema, for editors."""
    from domicile.deployment import Deployment

    typer.echo(json.dumps(Deployment.json_schema(), indent=2))
