"""Playing the scenario: act, poll until what is expected holds, and show what each Region holds."""

from __future__ import annotations

import time
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from domicile.demo.scenario import PLACES, Holdings, Step, steps
from domicile.demo.stage import Holding, Stage, shown
from domicile.deployment import Deployment
from domicile.errors import UserError
from domicile.local import api
from domicile.progress import Progress

DEADLINE_S = 30
POLL_S = 0.05


def run(file: Path, port: int, progress: Progress, *, keep: bool = False) -> bool:
    """Start the local AWS, play the scenario on it, and stop it unless ``keep``; True if all of it held."""
    deployment = Deployment.load(file)
    if not set(PLACES) <= set(deployment.regions) or not {step.table for step in steps()} <= set(deployment.localized):
        raise UserError(f"{file}: the demo plays ShopEase and needs its Regions and tables; use the project's own file")
    local = api.up(file, port, progress)
    try:
        return play(Stage(local, deployment), Console(highlight=False, soft_wrap=True))
    finally:
        if not keep:
            api.down(progress)


def play(stage: Stage, console: Console) -> bool:
    """Play every step, also after one that did not come out as expected."""
    console.print("\n● a sensitive value as it was written   ○ what stands in its place\n")
    results = [_step(number, step, stage, console) for number, step in enumerate(steps(), start=1)]
    held = sum(results)
    console.print(f"[bold]{held} of {len(results)} steps held.[/bold]")
    return held == len(results)


def _step(number: int, step: Step, stage: Stage, console: Console) -> bool:
    console.print(f"[bold]{number}. {step.title}[/bold]")
    started = time.monotonic()
    step.act(stage)
    holdings, held = _await(step, stage, started + DEADLINE_S)
    elapsed_s = time.monotonic() - started
    for region, holding in holdings.items():
        console.print(f"   {PLACES[region]:<9} {_line(step, stage, holding)}")
    verdict = f"[green]held after {elapsed_s:.2f} s" if held else f"[red]did not hold within {DEADLINE_S} s"
    console.print(f"   {verdict}[/]\n")
    return held


def _await(step: Step, stage: Stage, deadline: float) -> tuple[Holdings, bool]:
    while True:
        holdings = stage.holdings(step.table, step.key)
        held = step.expected(stage, holdings)
        if held or time.monotonic() > deadline:
            return holdings, held
        time.sleep(POLL_S)


def _line(step: Step, stage: Stage, holding: Holding) -> str:
    if holding.kind == "absent":
        return "[dim]nothing[/dim]"
    kind = f"stub of {PLACES[holding.home]}" if holding.home else "full"
    parts = []
    for name in sorted(set(holding.item) - set(step.key)):
        text = escape(f"{name}={shown(holding.item[name])}")
        if not stage.is_sensitive(step.table, name):
            parts.append(text)
        elif holding.kind == "full":
            parts.append(f"[bold red]●{text}[/bold red]")
        else:
            parts.append(f"[dim]○{text}[/dim]")
    return f"{kind:<16} {'  '.join(parts)}"
