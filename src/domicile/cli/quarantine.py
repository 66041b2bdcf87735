"""``domicile quarantine``: what the functions could not handle, by Region."""
# ruff: noqa: PLC0415  # imports stand in the commands, so that each start pays only for what it uses

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from domicile.cli.options import (
    DEFAULT_FILE,
    NOTHING_DONE,
    DeploymentFile,
    Json,
    OneRegion,
    Profiles,
    Yes,
    accounts_of,
    age,
    regions_of,
)
from domicile.errors import OperationError, UserError

if TYPE_CHECKING:
    from domicile.accounts import Accounts
    from domicile.deployment import Deployment
    from domicile.quarantine import Group, Kept, Quarantine

app = typer.Typer(no_args_is_help=True, help="The records that could not be handled.")

Limit = Annotated[int, typer.Option(min=1, max=10_000, help="How many messages are looked at in a Region, at most.")]
Reason = Annotated[str | None, typer.Option(help="Only records with this reason.")]
Id = Annotated[str | None, typer.Option("--id", help="Only the record with this id.")]
Reveal = Annotated[bool, typer.Option("--reveal", help="Print keys and values too; needs --region.")]


@app.command("list")
def list_(
    file: DeploymentFile = DEFAULT_FILE,
    region: OneRegion = None,
    limit: Limit = 1000,
    *,
    profiles: Profiles = None,
    as_json: Json = False,
) -> None:
    """Count the records by Region, reason, step and table."""
    from domicile.quarantine import summarize

    groups = summarize(_look(_open(*regions_of(file, region), accounts_of(profiles)), limit))
    if as_json:
        typer.echo(json.dumps([asdict(group) for group in groups]))
        return
    for group in groups:
        typer.echo(f"{_line(group)}  oldest {age(group.oldest_age_s)}")
    if not groups:
        typer.echo("the quarantines are empty")


@app.command()
def show(
    file: DeploymentFile = DEFAULT_FILE,
    region: OneRegion = None,
    reason: Reason = None,
    record: Id = None,
    limit: Limit = 100,
    *,
    profiles: Profiles = None,
    reveal: Reveal = False,
    as_json: Json = False,
) -> None:
    """Describe each record; its keys and values are printed with --reveal only, from one Region at a time."""
    from domicile.quarantine import describe

    deployment, regions = regions_of(file, region)
    if reveal and region is None:
        raise UserError(f"--reveal: needs --region, the one that holds the values; accepted: {', '.join(regions)}")
    control_of = {table: rules["control_attribute"] for table, rules in deployment.policy_document()["tables"].items()}
    shown = [
        asdict(describe(kept, control_of)) | ({"record": kept.record} if reveal else {})
        for kept in _look(_open(deployment, regions, accounts_of(profiles)), limit)
        if reason in (None, kept.reason) and record in (None, kept.id)
    ]
    if as_json:
        typer.echo(json.dumps(shown))
        return
    for one in shown:
        typer.echo(
            f"{one['region']}  {one['id']}  {one['reason']}  {one['step']}  {', '.join(one['tables'])}"
            f"  {one['keys']} keys  attributes {', '.join(one['attributes']) or 'unknown'}"
            f"  version {', '.join(one['versions']) or 'none'}  {age(one['age_s'])} old"
        )
        if reveal:
            typer.echo(json.dumps(one["record"], indent=2))
    if not shown:
        typer.echo("there is no such record")


@app.command("redrive", help="Plan to hand the records back to the step that quarantined them; --yes does it.")
@app.command("discard", help="Plan to delete the records for good; --yes does it.")
def act(
    context: typer.Context,
    file: DeploymentFile = DEFAULT_FILE,
    region: OneRegion = None,
    reason: Reason = None,
    limit: Limit = 100,
    *,
    profiles: Profiles = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Show the plan, and do it if that is wanted. What is left is released, also after an error."""
    discards = context.info_name == "discard"
    quarantines = _open(*regions_of(file, region), accounts_of(profiles))
    left: dict[str, list[Kept]] = {}
    try:
        for name, quarantine in quarantines.items():
            left[name] = quarantine.take(limit)
        chosen = [kept for taken in left.values() for kept in taken if reason in (None, kept.reason)]
        plan = _plan(chosen, discards=discards)
        if not as_json:
            for group, action in plan:
                typer.echo(f"{_line(group)}  {action}")
        done, problems = _carry_out(quarantines, left, chosen if yes else [], discards=discards)
    finally:
        for name, kept_back in left.items():
            quarantines[name].release(kept_back)
    if as_json:
        actions = [asdict(group) | {"action": action} for group, action in plan]
        typer.echo(json.dumps({"plan": actions, "done": done, "problems": problems}))
    elif not chosen:
        typer.echo("nothing to do")
    else:
        typer.echo(f"done: {done} of {len(chosen)} records" if yes else NOTHING_DONE)
    if problems:
        raise OperationError("\n".join(problems))


def _look(quarantines: dict[str, Quarantine], limit: int) -> list[Kept]:
    """Return the records, and leave them to others; say where there may be more."""
    records = []
    for region, quarantine in quarantines.items():
        taken = quarantine.take(limit)
        quarantine.release(taken)
        if sum(len(kept.receipts) for kept in taken) >= limit:
            typer.echo(f"{region}: no more than {limit} messages were looked at; --limit takes more", err=True)
        records += taken
    return records


def _carry_out(
    quarantines: dict[str, Quarantine], left: dict[str, list[Kept]], chosen: Sequence[Kept], *, discards: bool
) -> tuple[int, list[str]]:
    """Return how many records were done, and why others were not. A service that refuses ends it."""
    problems: list[str] = []
    for done, kept in enumerate(chosen):
        quarantine = quarantines[kept.region]
        perform: Callable[[Kept], str | None] = quarantine.discard if discards else quarantine.redrive
        try:
            problem = perform(kept)
        except OperationError as error:
            return done - len(problems), [*problems, str(error)]
        if problem:
            problems.append(f"{kept.region}: {kept.id}: {problem}")
        else:
            left[kept.region].remove(kept)
    return len(chosen) - len(problems), problems


def _plan(chosen: Sequence[Kept], *, discards: bool) -> list[tuple[Group, str]]:
    """Return the chosen records by group, and what is done with each group."""
    from domicile.quarantine import summarize

    keep = {kept.reason: f"keep: {kept.useless}" for kept in chosen if kept.useless}
    return [(group, "delete" if discards else keep.get(group.reason, "hand back")) for group in summarize(chosen)]


def _line(group: Group) -> str:
    return f"{group.region}  {group.reason}  {group.step}  {group.table}  {group.records} records of {group.keys} keys"


def _open(deployment: Deployment, regions: list[str], accounts: Accounts) -> dict[str, Quarantine]:
    from botocore.config import Config

    from domicile.naming import Names
    from domicile.quarantine import Quarantine

    # Longer than the listener may take.
    patient = Config(read_timeout=150, retries={"total_max_attempts": 2})
    return {
        name: Quarantine(
            Names(deployment.name, name, account=""),
            accounts.client("sqs", name),
            accounts.client("lambda", name, config=patient),
        )
        for name in regions
    }
