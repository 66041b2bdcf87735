"""``domicile bridge credentials``: the access keys of the couriers, which Terraform must not see."""
# ruff: noqa: PLC0415  # imports stand in the commands, so that each start pays only for what it uses

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from domicile.cli.options import DEFAULT_FILE, NOTHING_DONE, DeploymentFile, Json, Profiles, Yes, accounts_of
from domicile.errors import OperationError, UserError

if TYPE_CHECKING:
    from domicile.bridge_credentials import Direction, State, Step

app = typer.Typer(no_args_is_help=True, help="The bridges between the partitions of AWS.")
credentials = typer.Typer(
    no_args_is_help=True, help="The access keys by which couriers write into the other partition."
)
app.add_typer(credentials, name="credentials")


@app.callback()
def _group() -> None:
    """Keep ``credentials`` a group of its own: typer runs a group's only one as the group itself."""


@credentials.command()
def init(
    file: DeploymentFile = DEFAULT_FILE, profiles: Profiles = None, yes: Yes = False, as_json: Json = False
) -> None:
    """Plan to make the first key of each direction and to put it into the secret; --yes does it."""
    from domicile.bridge_credentials import plan_init

    _act(_directions(file, profiles), plan_init, yes=yes, as_json=as_json)


@credentials.command()
def rotate(
    file: DeploymentFile = DEFAULT_FILE,
    profiles: Profiles = None,
    *,
    delete: Annotated[
        bool, typer.Option("--delete", help="Remove a former key that is inactive, and no more.")
    ] = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Plan the next step of a rotation: a second key, then the former one inactive, then deleted; --yes does it."""
    from domicile.bridge_credentials import plan_rotation

    _act(_directions(file, profiles), lambda state: plan_rotation(state, delete=delete), yes=yes, as_json=as_json)


@credentials.command()
def check(
    file: DeploymentFile = DEFAULT_FILE,
    profiles: Profiles = None,
    max_age_days: Annotated[int, typer.Option(min=1, help="How old an active key may be.")] = 90,
    as_json: Json = False,
) -> None:
    """Look at every key, try the secrets' own, and say what is wrong; then the exit code is 1."""
    found = [_checked(direction, max_age_days) for direction in _directions(file, profiles)]
    if as_json:
        typer.echo(json.dumps(found))
    else:
        for one in found:
            _print_checked(one)
    wrong = [f"{one['sender']} -> {one['receiver']}: {problem}" for one in found for problem in one["problems"]]
    if wrong:
        raise OperationError("\n".join(wrong))


def _act(directions: list[Direction], plan: Callable[[State], Step], *, yes: bool, as_json: bool) -> None:
    """Show the plan, and do it if that is wanted; one direction's problem holds up no other."""
    from domicile.bridge_credentials import Action

    steps: list[tuple[Direction, State, Step]] = []
    problems: list[str] = []
    for direction in directions:
        try:
            state = direction.read()
        except OperationError as error:
            problems.append(f"{_arrow(direction)}: {error}")
        else:
            steps.append((direction, state, plan(state)))
    planned = [{**_named(direction), "action": step.action.value, "text": step.text} for direction, _, step in steps]
    if not as_json:
        for one in planned:
            typer.echo(f"{one['sender']} -> {one['receiver']}  {one['user']}  {one['text']}")
    problems += [f"{_arrow(direction)}: {step.text}" for direction, _, step in steps if step.action is Action.BLOCKED]
    todo = [one for one in steps if one[2].action not in (Action.BLOCKED, Action.NOTHING)]
    done: list[dict[str, str]] = []
    for direction, state, step in todo if yes else ():
        try:
            done.append({**_named(direction), "result": direction.perform(step, state)})
        except OperationError as error:
            problems.append(str(error))
    if as_json:
        typer.echo(json.dumps({"plan": planned, "done": done, "problems": problems}))
    elif todo and not yes:
        typer.echo(NOTHING_DONE)
    else:
        for one in done:
            typer.echo(f"{one['sender']} -> {one['receiver']}  {one['user']}  {one['result']}")
    if problems:
        raise OperationError("\n".join(problems))


def _checked(direction: Direction, max_age_days: int) -> dict[str, Any]:
    from domicile.bridge_credentials import problems

    try:
        state = direction.read()
    except OperationError as error:
        return {**_named(direction), "keys": [], "addresses": None, "problems": [str(error)]}
    now, addresses = datetime.now(UTC), direction.addresses()
    wrong = list(problems(state, addresses, max_age_days, now))
    if state.stored and state.current:
        try:
            direction.try_key(state.stored, state)
        except OperationError as error:
            wrong.append(str(error))
    return {
        **_named(direction),
        "keys": [
            {
                "id_ends": key.tail,
                "active": key.active,
                "in_secret": key == state.current,
                "age_days": (now - key.created).days,
                "last_used": key.last_used.isoformat() if key.last_used else None,
            }
            for key in state.keys
        ],
        "addresses": addresses,
        "problems": wrong,
    }


def _print_checked(found: dict[str, Any]) -> None:
    addresses = "can't be read" if found["addresses"] is None else ", ".join(found["addresses"]) or "none"
    typer.echo(f"{found['sender']} -> {found['receiver']}  {found['user']}  may put from: {addresses}")
    for key in found["keys"]:
        status = "active" if key["active"] else "inactive"
        place = "in the secret" if key["in_secret"] else "not in the secret"
        used = f"last used {key['last_used']}" if key["last_used"] else "never used"
        typer.echo(f"  {key['id_ends']}  {status}  {place}  {key['age_days']} days old  {used}")


def _named(direction: Direction) -> dict[str, str]:
    return {
        "sender": direction.sender,
        "receiver": direction.receiver,
        "user": direction.user,
        "secret": direction.secret,
    }


def _arrow(direction: Direction) -> str:
    return f"{direction.sender} -> {direction.receiver}"


def _directions(file: Path, profiles: list[str] | None) -> list[Direction]:
    from domicile.bridge_credentials import directions
    from domicile.deployment import Deployment

    deployment = Deployment.load(file)
    if not deployment.bridges:
        raise UserError(f"{file}: bridges: there is none; accepted: a deployment with a bridge")
    return directions(deployment, accounts_of(profiles))
