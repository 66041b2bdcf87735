"""``domicile advise``: native or localized replication for each table, with reasons and costs."""
# ruff: noqa: PLC0415  # imports stand in the command, so that each start pays only for what it uses

from __future__ import annotations

import json
from typing import Annotated

import typer

from domicile.cli.options import DEFAULT_FILE, DeploymentFile, Json
from domicile.errors import UserError

_LOCALIZED_SHARE = 0.5


def advise(
    *,
    file: DeploymentFile = DEFAULT_FILE,
    table: Annotated[str | None, typer.Option(help="Only this table; each one without it.")] = None,
    strong_reads: Annotated[
        bool, typer.Option("--strong-reads", help="Reads must see the last write of every Region.")
    ] = False,
    transactions: Annotated[bool, typer.Option("--transactions", help="The application writes transactions.")] = False,
    writes_per_second: Annotated[
        float, typer.Option(min=0, max=10_000_000, help="Writes a second, over all Regions.")
    ] = 10.0,
    item_bytes: Annotated[int, typer.Option(min=1, max=409_600, help="An item's size as DynamoDB counts it.")] = 800,
    insert_share: Annotated[float, typer.Option(min=0, max=1, help="Which share of the writes are inserts.")] = 0.3,
    delete_share: Annotated[float, typer.Option(min=0, max=1, help="Which share are deletes; updates the rest.")] = 0.1,
    localized_share: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="Which share of the items has an authority (else 0.5 where the file localizes, or 0).",
        ),
    ] = None,
    away_share: Annotated[
        float, typer.Option(min=0, max=1, help="Which share of their inserts is made away from home.")
    ] = 0.1,
    stamped_share: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Which share of the writes is stamped (else 1 with writers: stamped, or 0)."),
    ] = None,
    packing: Annotated[int, typer.Option(min=1, max=100, help="How many changes an event carries.")] = 1,
    call_ms: Annotated[
        float, typer.Option(min=0, max=1000, help="How long a function waits for a call of DynamoDB.")
    ] = 10.0,
    as_json: Json = False,
) -> None:
    """Say for each table whether DynamoDB Global Tables or Domicile should replicate it, why, and what either costs."""
    from domicile.advise import report
    from domicile.advise.cost import Workload
    from domicile.advise.requirements import Needs, localizes
    from domicile.deployment import Deployment

    deployment = Deployment.load(file)
    if table is not None and table not in deployment.tables:
        raise UserError(f"--table {table}: is not in {file}; accepted: {', '.join(deployment.tables)}")
    if insert_share + delete_share > 1:
        given = f"--insert-share {insert_share:g}, --delete-share {delete_share:g}"
        raise UserError(f"{given}: are more than all writes; accepted: shares that are at most 1 together")
    advice = []
    for name in [table] if table else deployment.tables:
        config = deployment.as_localized(name)
        localized = (_LOCALIZED_SHARE if localizes(config) else 0.0) if localized_share is None else localized_share
        stamped = float(config.writers == "stamped") if stamped_share is None else stamped_share
        load = Workload(
            writes_per_second=writes_per_second,
            item_bytes=item_bytes,
            insert_share=insert_share,
            delete_share=delete_share,
            localized_share=localized,
            away_share=away_share,
            stamped_share=stamped,
            packing=packing,
            call_ms=call_ms,
        )
        strong = strong_reads or (name in deployment.native and deployment.native[name].consistency == "strong")
        needs = Needs(strong_reads=strong, transactions=transactions, localized_share=localized)
        advice.append(report.advise(deployment, name, needs, load))
    if as_json:
        typer.echo(json.dumps(report.as_json(advice)))
    else:
        typer.echo("\n".join(report.as_text(advice)))
