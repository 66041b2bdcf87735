"""``domicile load``: realistic items at a given rate, and how soon every Region has them."""
# ruff: noqa: PLC0415  # imports stand in the functions, so that each start pays only for what it uses

from __future__ import annotations

import json
import secrets
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from domicile.cli.options import DEFAULT_FILE, DeploymentFile, Json, Profiles, accounts_of
from domicile.errors import OperationError, UserError
from domicile.progress import progress

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from domicile.deployment import Deployment
    from domicile.load.plan import Settings
    from domicile.load.session import Session

_PACKAGES = ("faker", "matplotlib")
_RATE = 50.0
_MIX = "put=70,update=20,delete=10"


def load(
    *,
    file: DeploymentFile = DEFAULT_FILE,
    profiles: Profiles = None,
    table: Annotated[str | None, typer.Option(help="The table, by its name in the deployment file.")] = None,
    regions: Annotated[
        list[str] | None, typer.Option("--region", help="Where to write; repeat it to write in several at once.")
    ] = None,
    items: Annotated[int | None, typer.Option(min=1, max=1_000_000, help="How many items, over all Regions.")] = None,
    mix: Annotated[str | None, typer.Option(help=f"The shares of the writes. [default: {_MIX}]")] = None,
    authorities: Annotated[
        str | None, typer.Option(help="The items' authorities: global=50,EU=50. [default: equal shares of all]")
    ] = None,
    rate: Annotated[
        float | None, typer.Option(min=0.1, max=10_000, help="Writes a second, over all Regions. [default: 50]")
    ] = None,
    resume: Annotated[str | None, typer.Option(metavar="RUN", help="Go on with a run that ended early.")] = None,
    remove: Annotated[str | None, typer.Option(metavar="RUN", help="Delete the items of a run everywhere.")] = None,
    deadline: Annotated[float, typer.Option(min=0, help="How many seconds all Regions have to agree.")] = 300,
    as_json: Json = False,
) -> None:
    """Write realistic items, wait until every Region has what it should, and report throughput and lag.

    A run is kept below .domicile/load beside the deployment file, with its chart. Its items carry its id in the
    attribute domicile_load, and --remove deletes them.
    """
    from domicile.deployment import Deployment
    from domicile.load import journal
    from domicile.load.session import Session, fingerprint

    if missing := [package for package in _PACKAGES if find_spec(package) is None]:
        raise UserError(f"the package {missing[0]} is missing; accepted: domicile installed as domicile[load]")
    deployment, folder = Deployment.load(file), file.resolve().parent / ".domicile" / "load"
    clients = _clients(deployment, profiles)
    given = {"--table": table, "--region": regions, "--items": items, "--mix": mix, "--authorities": authorities}
    option, run = ("--resume", resume) if resume else ("--remove", remove)
    if resume and remove:
        raise UserError("--resume, --remove: accepted: one of them")
    if not run:
        settings = _settings(
            file=file,
            deployment=deployment,
            table=table,
            regions=regions,
            items=items,
            mix=mix,
            authorities=authorities,
        )
        opened = journal.create(folder, settings, rate or _RATE, fingerprint(deployment, settings.table))
    elif excess := [name for name, value in given.items() if value is not None]:
        raise UserError(
            f"{', '.join(excess)}: a run's own are kept with it; accepted beside {option}: --rate, --deadline"
        )
    else:
        opened = journal.resume(folder, run, lambda name: fingerprint(deployment, name), option)
    with opened as kept:
        session = Session(deployment, clients, kept)
        if remove:
            deleted = session.remove(rate or kept.rate, deadline, progress())
            journal.path_of(folder, remove).unlink()
            done = f"{deleted} items were deleted, and are gone everywhere"
            typer.echo(json.dumps({"deleted": deleted}) if as_json else done)
        else:
            _run(session, rate or kept.rate, deadline, folder / f"{kept.settings.run}.png", as_json=as_json)


def _settings(
    *,
    file: Path,
    deployment: Deployment,
    table: str | None,
    regions: list[str] | None,
    items: int | None,
    mix: str | None,
    authorities: str | None,
) -> Settings:
    from domicile.load.plan import GLOBAL, KINDS, Settings, parse_shares

    if table not in deployment.localized:
        given = f"--table {table}: is not in {file}" if table else "--table: is missing"
        raise UserError(f"{given}; accepted: {', '.join(deployment.localized)}")
    if deployment.localized[table].writers == "stamped":
        raise UserError(f"--table {table}: its writers stamp versions, and load does not; accepted: writers: any")
    known = ", ".join(deployment.regions)
    for region in regions or ():
        if region not in deployment.regions:
            raise UserError(f"--region {region}: is not in {file}; accepted: {known}")
    if not regions or len(set(regions)) < len(regions):
        raise UserError(
            f"--region: is {'given twice' if regions else 'missing'}; accepted: each at most once of {known}"
        )
    if items is None:
        raise UserError("--items: is missing; accepted: a number from 1 to 1000000")
    shares = parse_shares("--mix", mix or _MIX, KINDS)
    if not shares.get("put"):
        raise UserError(f"--mix {mix}: puts nothing; accepted: a share of put above 0")
    all_authorities = (GLOBAL, *deployment.authorities)
    return Settings(
        run=secrets.token_hex(4),
        table=table,
        regions=tuple(regions),
        items=items,
        mix=shares,
        authorities=parse_shares("--authorities", authorities, all_authorities)
        if authorities
        else dict.fromkeys(all_authorities, 1),
    )


def _clients(deployment: Deployment, profiles: list[str] | None) -> dict[str, DynamoDBClient]:
    from botocore.config import Config

    from domicile.load.writer import LANES

    config = Config(
        max_pool_connections=LANES + 2,  # the writes under way, and who watches and checks
        connect_timeout=10,
        read_timeout=20,
        retries={"mode": "standard", "total_max_attempts": 8},
    )
    accounts = accounts_of(profiles)
    return {region: accounts.client("dynamodb", region, config=config) for region in deployment.regions}


def _run(session: Session, rate: float, deadline: float, png: Path, *, as_json: bool) -> None:
    from domicile.load import chart, report

    journal = session.journal
    again = f"domicile load --resume {journal.settings.run}"
    typer.echo(f"run {journal.settings.run}: {len(session.planned)} writes", err=True)
    try:
        measured, problem = session.run(rate, deadline, progress())
    except (OperationError, KeyboardInterrupt) as error:
        raise OperationError(f"{str(error) or 'interrupted'}; {again} goes on") from None
    chart.draw(png, journal.settings.run, session.planned, journal.history)
    if as_json:
        typer.echo(json.dumps({**asdict(measured), "chart": str(png)}))
    else:
        for line in report.lines(measured, session.planned, journal.history):
            typer.echo(line)
        typer.echo(f"\nchart  {png}")
    if problem:
        raise OperationError(f"{problem}; {again} looks again")
