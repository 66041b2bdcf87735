"""``domicile backfill``: the items of one table into another one, which replaces it."""
# ruff: noqa: PLC0415  # imports stand in the functions, so that each start pays only for what it uses

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
from domicile.errors import OperationError, UserError
from domicile.progress import progress

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from domicile.backfill.checkpoint import Counts
    from domicile.backfill.move import Move
    from domicile.backfill.session import Session
    from domicile.core.copying import Outcome
    from domicile.deployment import Deployment


def backfill(
    source: Annotated[str, typer.Option("--from", help="The table to copy, by its name in the deployment file.")],
    target: Annotated[str, typer.Option("--to", help="The table to copy into: one of both is native.")],
    file: DeploymentFile = DEFAULT_FILE,
    region: OneRegion = None,
    rate: Annotated[float, typer.Option(min=1, max=100_000, help="Items read a second, at most.")] = 200,
    *,
    profiles: Profiles = None,
    remove: Annotated[
        bool, typer.Option("--remove", help="Also remove the copies of items that are gone from --from.")
    ] = False,
    finish: Annotated[
        bool, typer.Option("--finish", help="Instead, end the copying into a native table: take off the copies' marks.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Leave out what a run that ended early had done, changed since or not.")
    ] = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Copy a table's items into another table, each where it may be; what applications write there wins.

    It can be repeated: then it copies what has changed since. Exit code 1: some items can't be copied as they are.
    """
    from domicile.backfill.move import resolve
    from domicile.backfill.session import Session

    deployment, _ = regions_of(file, region)
    move = resolve(deployment, str(file), source, target)
    if region not in (None, *move.regions):
        raise UserError(f"--region {region}: has nothing to copy; accepted: {', '.join(move.regions)}")
    if finish and (remove or resume or not move.into_native):
        raise UserError("--finish: accepted: into a native table, and without --remove and --resume")
    if resume and not yes:
        raise UserError("--resume: accepted: with --yes; a plan has nothing to go on with")
    clients = _clients(deployment, profiles)
    session = Session(move, clients, rate, writes=yes, removes=remove)
    if finish:
        compare = Session(move, clients, rate, writes=False, removes=False)
        _refuse_differences(_copy(compare, move, move.native.primary, None, resume=False))
        _say_finished(session.finish(), yes=yes, as_json=as_json)
        return
    session.check()
    counts: dict[str, Counts] = {}
    folder = file.resolve().parent / ".domicile" / "backfill"
    for name in [region] if region else move.regions:
        path = folder / f"{source}-{target}-{name}.jsonl"
        counts[name] = _copy(session, move, name, path if yes else None, resume=resume)
        if not as_json:
            _say(name, counts[name])
    _end(counts, yes=yes, as_json=as_json)


def _copy(session: Session, move: Move, region: str, path: Path | None, *, resume: bool) -> Counts:
    from domicile.backfill.checkpoint import opened, unkept

    with progress().step(f"{region}: {'copy' if path else 'compare'} {move.source}") as step:
        segments = session.segments(region)
        opening = opened(path, move.fingerprint(), segments, resume=resume) if path else unkept(segments)
        try:
            with opening as checkpoint:
                step.update(f"{len(checkpoint.left)} of {checkpoint.segments} segments left")
                return session.copy(region, checkpoint)
        except (OperationError, KeyboardInterrupt) as error:
            again = "; --resume goes on" if path else ""
            raise OperationError(f"{str(error) or 'interrupted'}{again}") from None


def _refuse_differences(counts: Counts) -> None:
    """Raise :class:`UserError` unless the tables are the same: without their marks, copies can't be told any more."""
    from domicile.core.copying import SETTLED

    found = {outcome.value: items for (_, outcome), items in _ordered(counts) if outcome not in SETTLED}
    if found:
        differences = ", ".join(f"{name} {items}" for name, items in found.items())
        raise UserError(
            f"--finish: the tables differ: {differences}; accepted: tables of which a run without --yes counts "
            f"{' and '.join(outcome.value for outcome in SETTLED)} alone"
        )


def _clients(deployment: Deployment, profiles: list[str] | None) -> dict[str, DynamoDBClient]:
    from botocore.config import Config

    from domicile.backfill.session import WORKERS

    config = Config(max_pool_connections=WORKERS, retries={"mode": "standard", "total_max_attempts": 8})
    accounts = accounts_of(profiles)
    return {region: accounts.client("dynamodb", region, config=config) for region in deployment.regions}


def _say(region: str, counts: Counts) -> None:
    said: dict[str, list[str]] = {}
    for (authority, outcome), items in _ordered(counts):
        said.setdefault(authority, []).append(f"{outcome.value} {items}")
    for authority, texts in said.items():
        typer.echo(f"{region}  {authority}  {', '.join(texts)}")
    if not counts:
        typer.echo(f"{region}  no items")


def _ordered(counts: Counts) -> list[tuple[tuple[str, Outcome], int]]:
    return sorted(counts.items(), key=lambda row: (row[0][0], row[0][1].value))


def _say_finished(marked: int, *, yes: bool, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"marked": marked, "done": yes}))
        return
    typer.echo(f"copies with a mark: {marked}")
    typer.echo("done" if yes else NOTHING_DONE)


def _end(counts: dict[str, Counts], *, yes: bool, as_json: bool) -> None:
    from domicile.core.copying import NOT_COPIED

    if as_json:
        rows = [
            {"region": region, "authority": authority, "outcome": outcome.value, "items": items}
            for region, of_region in counts.items()
            for (authority, outcome), items in _ordered(of_region)
        ]
        typer.echo(json.dumps({"counts": rows, "done": yes}))
    else:
        typer.echo("done" if yes else NOTHING_DONE)
    refused = sum(
        items for of_region in counts.values() for (_, outcome), items in of_region.items() if outcome in NOT_COPIED
    )
    if refused:
        raise OperationError(f"{refused} items can't be copied as they are: {', '.join(o.value for o in NOT_COPIED)}")
