"""The operator's command line. This file wires the commands; each group has a file of its own."""

from __future__ import annotations

import sys
from importlib import metadata
from typing import Annotated

import typer

from domicile.cli import (
    advise,
    backfill,
    bridge,
    demo,
    deployer,
    deployment,
    dlq,
    load,
    local,
    native,
    project,
    quarantine,
    review,
    secrets,
    simulate,
    status,
)
from domicile.errors import OperationError, UserError
from domicile.local.errors import LocalError


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(metadata.version("domicile"))
        raise typer.Exit


app = typer.Typer(
    name="domicile",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,  # they may hold an item or a secret
    help="DynamoDB replication across AWS Regions that keeps personal data in the Region its law names.",
)


@app.callback()
def options(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Take the options that stand before a command."""


app.command()(deployment.validate)
app.command()(deployment.schema)
app.command()(project.synth)
app.command()(project.build)
app.command()(demo.demo)
app.command()(simulate.simulate)
app.command()(load.load)
app.command()(backfill.backfill)
app.command()(status.status)
app.command()(review.review)
app.command()(deployer.deployer_policy)
app.command()(advise.advise)
app.add_typer(secrets.app, name="secrets")
app.add_typer(local.app, name="local")
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(dlq.app, name="dlq")
app.add_typer(bridge.app, name="bridge")
app.add_typer(native.app, name="native")


def main() -> None:
    """Run a command. Exit code 2: something that was given can't be used. Exit code 1: it failed on the way."""
    try:
        app()
    except UserError as error:
        _exit(error, 2)
    except (OperationError, LocalError) as error:
        _exit(error, 1)


def _exit(error: Exception, code: int) -> None:
    typer.echo(str(error), err=True)
    sys.exit(code)
