"""``domicile dlq``: what was tried until it was given up, by Region."""
# ruff: noqa: PLC0415  # imports stand in the commands, so that each start pays only for what it uses

from __future__ import annotations

import json
from pathlib import Path
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
    regions_of,
)
from domicile.errors import OperationError

if TYPE_CHECKING:
    from domicile.dead_letters import DeadLetters

app = typer.Typer(no_args_is_help=True, help="The messages and events that were tried until they were given up.")


@app.command("list")
def list_(
    file: DeploymentFile = DEFAULT_FILE, region: OneRegion = None, profiles: Profiles = None, as_json: Json = False
) -> None:
    """Count the messages in each dead-letter queue."""
    found = _counts(_open(file, region, profiles))
    if as_json:
        typer.echo(json.dumps([{"region": name, "queue": role, "messages": n} for (name, role), n in found.items()]))
        return
    for (name, role), count in found.items():
        typer.echo(f"{name}  {role}  {count} messages")
    if not found:
        typer.echo("the dead-letter queues are empty")


@app.command()
def redrive(
    file: DeploymentFile = DEFAULT_FILE,
    region: OneRegion = None,
    limit: Annotated[int, typer.Option(min=1, help="How many events a bus gets again, at most.")] = 1000,
    *,
    profiles: Profiles = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Plan to bring the messages back to work, those of queues to their queue, events to their bus; --yes does it."""
    from domicile.dead_letters import LOST_HERE

    dead_letters = _open(file, region, profiles)
    found = _counts(dead_letters)
    plan = [
        {
            "region": name,
            "queue": role,
            "messages": count,
            "action": f"keep: {LOST_HERE}" if role == "stream-dlq" else "bring back",
        }
        for (name, role), count in found.items()
    ]
    if not as_json:
        for step in plan:
            typer.echo(f"{step['region']}  {step['queue']}  {step['messages']} messages  {step['action']}")
    done: list[dict[str, str]] = []
    problems: list[str] = []
    for name, role in found if yes else ():
        try:
            done.append({"region": name, "queue": role, "result": dead_letters[name].redrive(role, limit)})
        except OperationError as error:
            problems.append(str(error))
    if as_json:
        typer.echo(json.dumps({"plan": plan, "done": done, "problems": problems}))
    elif not plan:
        typer.echo("nothing to do")
    elif not yes:
        typer.echo(NOTHING_DONE)
    else:
        for one in done:
            typer.echo(f"{one['region']}  {one['queue']}  {one['result']}")
    if problems:
        raise OperationError("\n".join(problems))


def _counts(dead_letters: dict[str, DeadLetters]) -> dict[tuple[str, str], int]:
    counts = {(name, role): queues.count(role) for name, queues in dead_letters.items() for role in queues.roles}
    return {place: count for place, count in counts.items() if count}


def _open(file: Path, region: str | None, profiles: list[str] | None) -> dict[str, DeadLetters]:
    from domicile.dead_letters import DeadLetters
    from domicile.naming import Names

    deployment, regions = regions_of(file, region)
    accounts = accounts_of(profiles)
    return {
        name: DeadLetters(
            Names(deployment.name, name, account=""),
            accounts.client("sqs", name),
            accounts.client("events", name),
            gateway=deployment.bridge_of(name) is not None,
        )
        for name in regions
    }
