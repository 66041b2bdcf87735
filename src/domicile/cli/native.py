"""``domicile native check``: whether the native tables may be changed now."""
# ruff: noqa: PLC0415  # imports stand in the command, so that each start pays only for what it uses

from __future__ import annotations

import json
from dataclasses import asdict

import typer

from domicile.cli.options import DEFAULT_FILE, DeploymentFile, Json, Profiles, accounts_of
from domicile.errors import UserError

app = typer.Typer(no_args_is_help=True, help="The tables that DynamoDB replicates itself.")


@app.callback()
def _group() -> None:
    """Keep ``check`` a command of the group: typer runs a group's only one as the group itself."""


@app.command()
def check(file: DeploymentFile = DEFAULT_FILE, profiles: Profiles = None, as_json: Json = False) -> None:
    """Look at the native tables before an apply: replicas, keys, roles, changes. Exit code 1: something is wrong."""
    from domicile.deployment import Deployment
    from domicile.native_reading import look

    deployment = Deployment.load(file)
    if not deployment.native:
        raise UserError(f"{file}: tables: none is native; accepted: a deployment with a native table")
    found = look(deployment, accounts_of(profiles))
    wrong = any(one.wrong for one in found)
    if as_json:
        typer.echo(json.dumps({"fine": not wrong, "findings": [asdict(one) for one in found]}))
    else:
        for one in found:
            typer.echo(f"{one.table}  {one.region}  {'wrong' if one.wrong else 'note'}: {one.text}")
        typer.echo("mend what is wrong before an apply" if wrong else "the native tables may be changed")
    if wrong:
        raise typer.Exit(1)
