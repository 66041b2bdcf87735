"""``domicile quarantine``: what the functions could not handle, by Region."""
# ruff: noqa: PLC0415  # imports stand in the commands, so that each start pays only for what it uses

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from domicile.cli.options import DEFAULT_FILE, DeploymentFile, DryRun, Json, OneRegion, Yes, age, regions_of
from domicile.errors import OperationError

if TYPE_CHECKING:
    from domicile.quarantine import Kept, Quarantine

app = typer.Typer(no_args_is_help=True, help="The records that could not be handled. No attribute's value is shown.")

Limit = Annotated[int, typer.Option(min=1, max=10_000, help="How many messages are looked at in a Region, at most.")]
Reason = Annotated[str | None, typer.Option(help="Only records with this reason.")]


@app.command("list")
def show(
    file: DeploymentFile = DEFAULT_FILE, region: OneRegion = None, limit: Limit = 1000, as_json: Json = False
) -> None:
    """Count the records by Region, reason, step and table."""
    from domicile.quarantine import summarize

    records = []
    for quarantine in _open(file, region).values():
        taken = quarantine.take(limit)
        quarantine.release(taken)
        records += taken
    groups = summarize(records)
    if as_json:
        typer.echo(json.dumps([asdict(group) for group in groups]))
        return
    for group in groups:
        typer.echo(
            f"{group.region}  {group.reason}  {group.step}  {group.table}  {group.records} records of {group.keys} keys"
            f"  oldest {age(group.oldest_age_s)}"
        )
    if not groups:
        typer.echo("the quarantines are empty")


@app.command()
def redrive(
    file: DeploymentFile = DEFAULT_FILE,
    region: OneRegion = None,
    reason: Reason = None,
    limit: Limit = 100,
    *,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Hand the records back to the step that quarantined them, and delete what it took."""
    _act(_open(file, region), reason, limit, "hand back", dry_run=dry_run, yes=yes)


@app.command()
def discard(
    file: DeploymentFile = DEFAULT_FILE,
    region: OneRegion = None,
    reason: Reason = None,
    limit: Limit = 100,
    *,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Delete the records for good."""
    _act(_open(file, region), reason, limit, "delete", dry_run=dry_run, yes=yes)


def _act(
    quarantines: dict[str, Quarantine], reason: str | None, limit: int, verb: str, *, dry_run: bool, yes: bool
) -> None:
    """Show the plan, and do it if that is wanted. What is left is released, also after an error or a refusal."""
    left: dict[str, list[Kept]] = {}
    problems: list[str] = []
    try:
        for name, quarantine in quarantines.items():
            left[name] = quarantine.take(limit)
        chosen = [kept for taken in left.values() for kept in taken if reason in (None, kept.reason)]
        _show_plan(chosen, verb)
        if dry_run or not chosen or not (yes or typer.confirm("Do it?", err=True)):
            return
        for kept in chosen:
            quarantine = quarantines[kept.region]
            if verb == "delete":
                quarantine.discard(kept)
            elif problem := quarantine.redrive(kept):
                problems.append(f"{kept.region}: {kept.id}: {problem}")
                continue
            left[kept.region].remove(kept)
    finally:
        for name, kept_back in left.items():
            quarantines[name].release(kept_back)
    typer.echo(f"done: {len(chosen) - len(problems)} of {len(chosen)} records")
    if problems:
        raise OperationError("\n".join(problems))


def _show_plan(chosen: Iterable[Kept], verb: str) -> None:
    from domicile.quarantine import summarize

    useless = {kept.reason: kept.useless for kept in chosen if kept.useless}
    for group in summarize(chosen):
        advice = useless.get(group.reason) if verb == "hand back" else None
        action = f"keep: {advice}" if advice else verb
        typer.echo(
            f"{group.region}  {group.reason}  {group.step}  {group.table}  {group.records} records of {group.keys} keys"
            f"  {action}"
        )
    if not chosen:
        typer.echo("nothing to do")


def _open(file: Path, region: str | None) -> dict[str, Quarantine]:
    import boto3
    from botocore.config import Config

    from domicile.naming import Names
    from domicile.quarantine import Quarantine

    deployment, regions = regions_of(file, region)
    # Longer than the listener may take.
    patient = Config(read_timeout=150, retries={"total_max_attempts": 2})
    return {
        name: Quarantine(
            Names(deployment.name, name, account=""),
            boto3.client("sqs", region_name=name),
            boto3.client("lambda", region_name=name, config=patient),
        )
        for name in regions
    }
