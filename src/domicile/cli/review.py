"""``domicile review``: from plans or the synthesized stacks, which item can leave which Region."""
# ruff: noqa: PLC0415  # imports stand in the command, so that each start pays only for what it uses

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from domicile.errors import UserError

_DEFAULT = Path("cdktf.out/stacks")


def review(
    plan: Annotated[
        list[Path] | None,
        typer.Option("--plan", metavar="FILE", help="A Region's plan, from terraform show -json. One for each Region."),
    ] = None,
    stacks: Annotated[
        Path | None,
        typer.Option("--stacks", metavar="FOLDER", help="The synthesized stacks, also for what a plan can't know yet."),
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown for a pull request.")] = False,
) -> None:
    """Show which item can leave which Region. Exit code 1: something leaks, or could not be judged."""
    from domicile.review.markdown import as_markdown as to_markdown
    from domicile.review.reading import read_plans, read_stacks
    from domicile.review.rendering import as_json as to_json
    from domicile.review.rendering import as_text as to_text
    from domicile.review.verdict import review as judge

    if as_json and as_markdown:
        raise UserError("--json, --markdown: can't stand together; accepted: one of them")
    found = judge(read_plans(plan, stacks) if plan else read_stacks(stacks or _DEFAULT))
    render = to_json if as_json else to_markdown if as_markdown else to_text
    typer.echo(render(found))
    if not found.clean:
        raise typer.Exit(1)
