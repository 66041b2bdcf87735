"""``domicile demo``: ShopEase on three Regions of a local AWS."""
# ruff: noqa: PLC0415  # imports stand in the command, so that each start pays only for what it uses

from __future__ import annotations

from typing import Annotated

import typer

from domicile.cli.options import DEFAULT_FILE, DeploymentFile
from domicile.errors import OperationError
from domicile.progress import progress


def demo(
    file: DeploymentFile = DEFAULT_FILE,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Where the local AWS listens, on 127.0.0.1.")] = 4566,
    *,
    keep: Annotated[bool, typer.Option(help="Leave the local AWS running afterwards.")] = False,
) -> None:
    """Start a local AWS, play the ShopEase scenario on it, show what each Region holds, and stop it."""
    from domicile.demo.play import run

    if not run(file, port, progress(), keep=keep):
        raise OperationError("not every step came out as expected")
