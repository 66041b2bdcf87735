"""``domicile simulate``: random schedules of the replication, judged by its promises."""
# ruff: noqa: PLC0415  # imports stand in the command, so that each start pays only for what it uses

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from domicile.errors import OperationError, UserError
from domicile.progress import progress

if TYPE_CHECKING:
    from domicile.simulator.faults import Faults

_SHOWN_MAX = 20


def simulate(
    seeds: Annotated[str, typer.Option(help="How many seeds, or a range without its end: 5000..6000.")] = "1000",
    seed: Annotated[int | None, typer.Option(min=0, help="One seed alone.")] = None,
    regions: Annotated[
        int | None, typer.Option(min=2, max=5, help="How many Regions: 3, and 4 in two partitions, if nothing is said.")
    ] = None,
    faults: Annotated[
        Path | None, typer.Option(help="A JSON object of faults; without it each seed draws its own.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="How many processes.")] = os.cpu_count() or 1,
    *,
    partitions: Annotated[int, typer.Option(min=1, max=2, help="2: half of the Regions lie beyond a bridge.")] = 1,
    trace: Annotated[bool, typer.Option("--trace", help="With --seed: print what happens.")] = False,
) -> None:
    """Run random schedules in memory, where everything goes wrong; fail if one breaks a promise of the replication."""
    from domicile.simulator.faults import Faults

    given = Faults.load(faults) if faults is not None else None
    regions = regions or (3 if partitions == 1 else 4)
    options = f" --regions {regions}" + (f" --partitions {partitions}" if partitions > 1 else "")
    options += f" --faults {faults}" if faults is not None else ""
    if seed is not None:
        _one(seed, regions, partitions, given, trace=trace)
        return
    if trace:
        raise UserError("--trace needs --seed: one schedule at a time")
    failed = _many(_range(seeds), regions, partitions, given, jobs)
    for number, problems in sorted(failed.items())[:_SHOWN_MAX]:
        typer.echo(f"seed {number}: {problems[0]}")
        typer.echo(f"  domicile simulate --seed {number}{options} --trace")
    if failed:
        raise OperationError(f"{len(failed)} schedules failed")


def _one(seed: int, regions: int, partitions: int, faults: Faults | None, *, trace: bool) -> None:
    """Run one seed, the same way as among others, and say what is wrong."""
    from domicile.simulator.campaign import run

    problems = run(seed, regions, faults, partitions=partitions, trace=typer.echo if trace else None)
    for problem in problems:
        typer.echo(problem)
    if problems:
        raise OperationError(f"the schedule of seed {seed} failed")
    typer.echo(f"seed {seed}: every promise was kept")


def _many(seeds: range, regions: int, partitions: int, faults: Faults | None, jobs: int) -> dict[int, list[str]]:
    """Run the seeds and return what is wrong with those that failed."""
    from domicile.simulator.campaign import run_all

    failed: dict[int, list[str]] = {}
    done = 0
    with progress().step(f"Simulate {len(seeds)} schedules of {regions} Regions") as step:
        for results in run_all(seeds, regions, faults, jobs, partitions):
            found = {seed: problems for seed, problems in results.items() if problems}
            for number, problems in found.items():
                step.update(f"seed {number} failed: {problems[0]}")
            failed |= found
            before, done = done, done + len(results)
            if done * 20 // len(seeds) > before * 20 // len(seeds):
                step.update(f"{done} done, {len(failed)} failed")
    typer.echo(f"{done} schedules, {len(failed)} failed")
    return failed


def _range(text: str) -> range:
    match = re.fullmatch(r"(?:(?P<first>[0-9]+)\.\.)?(?P<end>[0-9]+)", text)
    seeds = range(int(match["first"] or 0), int(match["end"])) if match is not None else range(0)
    if not seeds:
        raise UserError(f"--seeds {text}: accepted: a number above 0, or a range such as 5000..6000")
    return seeds
