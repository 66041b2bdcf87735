"""``make shopease``: the shop under load, a Region cut off and brought back, and what came of it."""

from __future__ import annotations

import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Literal

import httpx
import typer
from rich.console import Console
from rich.table import Table

from domicile.deployment import Deployment
from domicile.errors import OperationError, UserError
from domicile.local import api
from domicile.local.api import LocalAws
from domicile.local.errors import LocalError
from domicile.progress import Progress, progress
from domicile.project import find_root
from examples.shopease import fleet
from examples.shopease.audit import Audit
from examples.shopease.monitor import percentile
from examples.shopease.traffic import HOMES, Call, Traffic

PHASES = ("before", "during", "after")
FAULTS: Mapping[str, Mapping[str, object]] = {
    "refuse": {"code": "ServiceUnavailable"},
    "hang": {"code": "ServiceUnavailable", "latency_ms": 20_000},
}
"""How a Region's DynamoDB is cut off, for everyone: it refuses each call, or leaves it without an answer."""

EVENTS = ("failover", "redirect", "resolve", "held_local", "circuit_opened")


def main(
    *,
    file: Annotated[Path, typer.Option(help="The deployment file, which must be ShopEase's.")] = Path("domicile.yaml"),
    port: Annotated[int, typer.Option(help="Where the local AWS listens if it has to be started.")] = 4566,
    service_port: Annotated[int, typer.Option(help="The first of the services' three ports.")] = 8101,
    cut: Annotated[str, typer.Option(help="The Region that is cut off.")] = "eu-west-1",
    fault: Annotated[Literal["refuse", "hang"], typer.Option(help="What its DynamoDB does meanwhile.")] = "refuse",
    phase_s: Annotated[float, typer.Option(min=1, help="How long it is well, cut off, and well again.")] = 20.0,
    keep: Annotated[bool, typer.Option(envvar="KEEP", help="Leave all of it running until Ctrl-C.")] = False,
) -> None:
    """Run ShopEase in three Regions, cut one off under load, and check that nothing was lost and nothing leaked."""
    deployment = Deployment.load(file)
    if deployment.authorities != HOMES:
        raise UserError(f"{file}: authorities: the shop's customers need {HOMES}; use the project's own file")
    if cut not in deployment.regions:
        raise UserError(f"--cut {cut}: is not in {file}; accepted: {', '.join(deployment.regions)}")
    services = fleet.addresses(deployment.regions, service_port)
    logs = api.state_folder(find_root(Path.cwd())).folder.parent / "shopease-logs"
    console = Console(highlight=False, soft_wrap=True)
    show = progress()
    with _local_aws(file, port, show) as local, fleet.running(deployment.name, services, local.endpoint, logs):
        console.print(f"\nThe page: [bold]{next(iter(services.values()))}[/bold]\n")
        traffic = Traffic(services)
        _drive(traffic, {"service": "dynamodb", "region": cut, **FAULTS[fault]}, phase_s, show)
        audit = Audit(deployment, local.endpoint, traffic.ledger)
        with show.step("Wait until every Region agrees"):
            missing = audit.await_convergence()
        with show.step("Search tables, streams, queues and logs"):
            leaks = audit.leaks(_log_files(logs))
        _report(console, traffic, services)
        sound = _verdict(console, traffic, missing, leaks)
        if keep:
            console.print("\nStill running; Ctrl-C stops all that was started here.")
            with suppress(KeyboardInterrupt):
                signal.pause()
    if not sound:
        raise OperationError("something was lost, or leaked")


@contextmanager
def _local_aws(file: Path, port: int, show: Progress) -> Iterator[LocalAws]:
    """The local AWS that runs, or one that is started for the block."""
    try:
        running = api.status()
    except LocalError:
        running = None
    if running is not None:
        yield running
        return
    started = api.up(file, port, show)
    try:
        yield started
    finally:
        api.down(show)


def _drive(traffic: Traffic, fault: Mapping[str, object], phase_s: float, show: Progress) -> None:
    """Send traffic through the three phases; the fault is removed whatever happens."""
    with show.step("Stock the warehouses"):
        traffic.stock()
    with traffic.running():
        for phase in PHASES:
            traffic.phase = phase
            if phase == "during":
                api.faults_add(fault)
            try:
                with show.step(f"Traffic in every Region, {phase} the outage of {fault['region']}"):
                    time.sleep(phase_s)
            finally:
                api.faults_clear()


def _log_files(services: Path) -> Iterator[Path]:
    yield from services.glob("*.log")
    yield from api.state_folder(find_root(Path.cwd())).logs.glob("*.log")


def _report(console: Console, traffic: Traffic, services: Mapping[str, str]) -> None:
    requests = Table("Region", "phase", "requests", "p50 ms", "p95 ms", "errors", title="What the customers saw")
    for region in services:
        for phase in PHASES:
            calls = [call for call in traffic.ledger.calls if (call.region, call.phase) == (region, phase)]
            requests.add_row(region, phase, *_seen(calls), end_section=phase == PHASES[-1])
    console.print(requests)
    statuses = {region: httpx.get(f"{url}/status", trust_env=False).json() for region, url in services.items()}
    inside = Table("Region", *(name.replace("_", " ") for name in EVENTS), title="What the services did")
    reads = Table("Region", "table", *(f"in {region}" for region in services), title="Where reads were answered")
    for region, status in statuses.items():
        inside.add_row(region, *(str(status["events"][name]) for name in EVENTS))
        for table, counts in sorted(status["reads"].items()):
            reads.add_row(region, table, *(str(counts.get(other, 0)) for other in services))
    console.print(inside)
    console.print(reads)


def _seen(calls: list[Call]) -> tuple[str, str, str, str]:
    latencies_ms = [call.latency_ms for call in calls]
    errors = Counter(call.kind for call in calls if call.kind is not None)
    p50, p95 = (f"{percentile(latencies_ms, share):.0f}" for share in (50, 95))
    return str(len(calls)), p50, p95, _counts(errors) or "none"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))


def _verdict(console: Console, traffic: Traffic, missing: list[str], leaks: list[str]) -> bool:
    ledger = traffic.ledger
    kept = f"{len(ledger.customers)} customers, {len(ledger.orders)} orders, {sum(ledger.sold.values())} pieces sold"
    held = sum(customer.held_in is not None for customer in ledger.customers.values())
    for problem in (*missing, *leaks):
        console.print(f"[red]✗ {problem}[/red]")
    if not missing:
        console.print(f"[green]✓ nothing lost[/green]: {kept}, each at home; {held} customers had been held for a home")
    if not leaks:
        console.print(f"[green]✓ nothing leaked[/green]: {len(ledger.marks)} sensitive texts, none where it may not be")
    return not missing and not leaks


def run() -> None:
    """Run as the command line does: exit code 2 for what can't be used, 1 for what failed."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        typer.run(main)
    except (UserError, OperationError, LocalError) as error:
        typer.echo(str(error), err=True)
        sys.exit(2 if isinstance(error, UserError) else 1)


if __name__ == "__main__":
    run()
