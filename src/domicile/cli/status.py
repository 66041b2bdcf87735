"""``domicile status``: lags, backlogs and dead letters of Regions, pairs of Regions, native tables and bridges."""
# ruff: noqa: PLC0415  # imports stand in the command, so that each start pays only for what it uses

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from domicile.cli.options import DEFAULT_FILE, DeploymentFile, Json, Profiles, accounts_of, age

if TYPE_CHECKING:
    from domicile.status import Backlog, DirectionStatus, Lag, NativePairStatus, RegionStatus, Status

_Rows = list[list[str]]
_UNREACHABLE = "unreachable"
_CLEAR = "\033[2J\033[H"  # echo leaves it out where the output is no terminal
_KB, _MB = 1000, 1000_000
_S, _MIN = 1000, 60_000


def status(
    file: DeploymentFile = DEFAULT_FILE,
    minutes: Annotated[int, typer.Option(min=1, max=1440, help="How far back lags and counts go.")] = 15,
    watch: Annotated[int | None, typer.Option(min=1, metavar="SECONDS", help="Look again, until Ctrl-C.")] = None,
    *,
    profiles: Profiles = None,
    as_json: Json = False,
) -> None:
    """Show lags, backlogs, dead letters, replicas, what crossed bridges. Exit code 1: not all could be read."""
    from domicile.deployment import Deployment
    from domicile.status_reading import StatusReader

    reader = StatusReader(Deployment.load(file), accounts_of(profiles))
    found = reader.look(minutes)
    _show(found, as_json=as_json)
    with suppress(KeyboardInterrupt):
        while watch:
            time.sleep(watch)
            found = reader.look(minutes)
            if not as_json:
                typer.echo(_CLEAR, nl=False)
            _show(found, as_json=as_json)
    if not found.complete:
        raise typer.Exit(1)


def _show(found: Status, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(asdict(found), default=datetime.isoformat))
        return
    typer.echo(f"{found.at:%Y-%m-%d %H:%M:%S} UTC; lags and counts are those of the last {found.minutes} minutes")
    tables: list[tuple[list[str], _Rows]] = [
        (["Region", "inbox", "receipts", "dead letters", "quarantined"], [_region(one) for one in found.regions]),
        (
            ["from", "to", "lag p50", "p99", "max"],
            [
                [one.origin, one.destination, *_lag(one.lag, reached=one.destination not in found.unreachable)]
                for one in found.pairs
            ],
        ),
    ]
    if found.native:
        head = ["native table", "from", "to", "replica there", "lag average", "max"]
        tables.append((head, [_native(one, reached=one.origin not in found.unreachable) for one in found.native]))
    if found.bridges:
        head = ["bridge from", "to", "outbox", "dead letters", "sent", "refused", "received"]
        head += ["stream age", "lag p50", "p99", "max", "last crossing"]
        tables.append((head, [_direction(one, found) for one in found.bridges]))
    for head, rows in tables:
        typer.echo("")
        for line in _aligned([head, *rows]):
            typer.echo(line)


def _region(one: RegionStatus) -> list[str]:
    if one.error:
        return [one.region, f"{_UNREACHABLE}: {one.error}"]
    dead = ", ".join(f"{role} {count}" for role, count in one.dead_letters.items() if count)
    backlogs = [_backlog(one.backlogs[role]) for role in ("inbox", "receipts")]
    return [one.region, *backlogs, dead or "0", str(one.quarantined)]


def _native(one: NativePairStatus, *, reached: bool) -> list[str]:
    lag = ["not measured" if one.consistency == "strong" else "no changes", ""]
    if one.lag:
        lag = [_ms(one.lag.average_ms), _ms(one.lag.max_ms)]
    replica = f"{_UNREACHABLE}: {one.error}" if one.error else one.replica or "none"
    return [one.table, one.origin, one.destination, *([replica, *lag] if reached else [_UNREACHABLE] * 3)]


def _direction(one: DirectionStatus, found: Status) -> list[str]:
    sends = one.sender not in found.unreachable
    receives = one.receiver not in found.unreachable
    return [
        one.sender,
        one.receiver,
        _backlog(one.outbox) if one.outbox else _UNREACHABLE,
        str(one.dead_letters) if sends else _UNREACHABLE,
        f"{one.sent}, {_bytes(one.sent_bytes)}" if sends else _UNREACHABLE,
        str(one.refused) if sends else _UNREACHABLE,
        f"{one.received}, {_bytes(one.received_bytes)}" if receives else _UNREACHABLE,
        ("unknown" if one.stream_age_ms is None else _ms(one.stream_age_ms)) if receives else _UNREACHABLE,
        *_lag(one.lag, reached=receives),
        _crossing(one, found) if receives else _UNREACHABLE,
    ]


def _backlog(queue: Backlog) -> str:
    counts = f"{queue.waiting} waiting, {queue.in_flight} in flight"
    return f"{counts}, oldest {'unknown' if queue.oldest_age_s is None else age(queue.oldest_age_s)}"


def _lag(lag: Lag | None, *, reached: bool) -> list[str]:
    if lag is None:
        return ["no changes" if reached else _UNREACHABLE, "", ""]
    return [_ms(lag.p50_ms), _ms(lag.p99_ms), _ms(lag.max_ms)]


def _crossing(one: DirectionStatus, found: Status) -> str:
    if one.last_crossing is None:
        return "none in a day"
    return f"{age(int((found.at - one.last_crossing).total_seconds()))} ago"


def _ms(duration_ms: int) -> str:
    if duration_ms < _S:
        return f"{duration_ms} ms"
    return f"{duration_ms / _S:.1f} s" if duration_ms < _MIN else age(duration_ms // _S)


def _bytes(count: int | None) -> str:
    size = count or 0
    if size < _MB:
        return f"{size} B" if size < _KB else f"{size / _KB:.1f} KB"
    return f"{size / _MB:.1f} MB"


def _aligned(rows: _Rows) -> Iterator[str]:
    """Yield the rows with their cells under each other; an unreachable Region's text takes the rest of its line."""
    columns = len(rows[0])
    whole = [row for row in rows if len(row) == columns]
    widths = [max(len(row[place]) for row in whole) for place in range(columns)]
    widths[0] = max(len(row[0]) for row in rows)
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip()
