"""``domicile local``: the deployment on a local AWS, to try, to test and to demonstrate."""
# ruff: noqa: PLC0415  # imports stand in the commands, so that each start pays only for what it uses

from __future__ import annotations

import json
import shlex
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from domicile.cli.options import DEFAULT_FILE, DeploymentFile, Json
from domicile.progress import progress

if TYPE_CHECKING:
    from domicile.local.api import LocalAws

app = typer.Typer(no_args_is_help=True, help="The deployment on a local AWS, in the background.")
faults = typer.Typer(no_args_is_help=True, help="Make calls and deliveries of the local AWS fail or wait.")
app.add_typer(faults, name="faults")


@app.command()
def up(
    file: DeploymentFile = DEFAULT_FILE,
    port: Annotated[
        int,
        typer.Option(min=1, max=65535, help="Where it listens, on 127.0.0.1; a second partition on the next port."),
    ] = 4566,
    as_json: Json = False,
) -> None:
    """Start the local AWS, apply every Region's stack with Terraform, and wait until a write has replicated."""
    from domicile.local import api

    _show(api.up(file, port, progress()), as_json)


@app.command(context_settings={"ignore_unknown_options": True})
def run(
    command: Annotated[list[str], typer.Argument(help="The command and its arguments, after --.")],
    port: Annotated[int, typer.Option(min=1, max=65535, help="Where the local AWS listens, on 127.0.0.1.")] = 4566,
) -> None:
    """Run a command against a local AWS that is empty, and exit as it does."""
    from domicile.local import api

    raise typer.Exit(api.run(command, port, progress()))


@app.command()
def status(as_json: Json = False) -> None:
    """Say what runs, and how to reach it."""
    from domicile.local import api

    _show(api.status(), as_json)


@app.command()
def down() -> None:
    """Stop the local AWS. What it held is gone."""
    from domicile.local import api

    api.down(progress())


@faults.command("add")
def faults_add(
    *,
    service: Annotated[str, typer.Option(help="As the AWS CLI spells it: dynamodb, events, lambda, sqs, ...")],
    operation: Annotated[str | None, typer.Option(help="As PutItem; all of the service without it.")] = None,
    region: Annotated[str | None, typer.Option(help="All Regions without it.")] = None,
    code: Annotated[str | None, typer.Option(help="The error's code, as ThrottlingException.")] = None,
    status: Annotated[int | None, typer.Option(help="The error's HTTP status, 400 to 599.")] = None,
    latency_ms: Annotated[int | None, typer.Option(help="Wait before the call, in milliseconds.")] = None,
    probability: Annotated[float | None, typer.Option(help="Of each call, above 0 to 1; always without it.")] = None,
    times: Annotated[int | None, typer.Option(help="How many calls; without end without it.")] = None,
    partial: Annotated[
        bool | None, typer.Option("--partial", help="Refuse single entries of PutEvents or PutRecords.")
    ] = None,
    answer_lost: Annotated[
        bool | None, typer.Option("--answer-lost", help="Do the call, and answer with the error all the same.")
    ] = None,
) -> None:
    """Add a rule, for API calls and for deliveries inside the local AWS, and print it for each partition."""
    from domicile.local import api

    rule = {
        "service": service,
        "operation": operation,
        "region": region,
        "code": code,
        "status": status,
        "latency_ms": latency_ms,
        "probability": probability,
        "times": times,
        "partial": partial,
        "answer_lost": answer_lost,
    }
    for added in api.faults_add({field: value for field, value in rule.items() if value is not None}):
        _print(added)


@faults.command("list")
def faults_list() -> None:
    """Print each rule with the number of calls that it took, one JSON object a line."""
    from domicile.local import api

    for rule in api.faults_list():
        _print(rule)


@faults.command("clear")
def faults_clear() -> None:
    """Remove all rules."""
    from domicile.local import api

    typer.echo(f"removed {api.faults_clear()} rules")


def _show(local_aws: LocalAws, as_json: bool) -> None:
    if as_json:
        _print(asdict(local_aws))
        return
    for partition, plane in local_aws.planes.items():
        typer.echo(f"partition   {partition}")
        typer.echo(f"endpoint    {plane.endpoint}")
        typer.echo(f"access key  {plane.access_key}")
        typer.echo(f"secret key  {plane.secret_key}")
        typer.echo(f"Regions     {', '.join(plane.regions)}")
    for table, name in local_aws.tables.items():
        typer.echo(f"table       {table}: {name}")
    typer.echo("Operator commands, and the AWS CLI with --profile, reach it with:")
    for name, value in local_aws.environment.items():
        typer.echo(f"  export {name}={shlex.quote(value)}")


def _print(value: dict[str, Any]) -> None:
    typer.echo(json.dumps(value))
