"""``domicile deployer-policy``: what the role that applies a stack must be allowed."""
# ruff: noqa: PLC0415  # imports stand in the command, so that each start pays only for what it uses

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from domicile.core.partitions import WORLD
from domicile.errors import UserError

_STACKS = Path("cdktf.out/stacks")
_OUT = Path("cdktf.out/deployer")
_ACCOUNT_DIGITS = 12


def deployer_policy(
    account: Annotated[
        str, typer.Option("--account", help="The ID of the AWS account that the stacks are applied to.")
    ],
    partition: Annotated[
        str, typer.Option("--partition", help="Its partition: aws or aws-cn. The stacks of another one are left out.")
    ] = WORLD,
    stacks: Annotated[Path, typer.Option("--stacks", metavar="FOLDER", help="The synthesized stacks.")] = _STACKS,
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where the policies go.")] = _OUT,
) -> None:
    """Write the IAM policies that a role needs to apply each stack, and print their files."""
    from domicile.accounts import PARTITIONS
    from domicile.core.partitions import partition_of
    from domicile.deployer.policies import policies
    from domicile.review.reading import read_stacks

    if len(account) != _ACCOUNT_DIGITS or not account.isdecimal():
        raise UserError(f"--account {account}: accepted: the {_ACCOUNT_DIGITS} digits of an AWS account's ID")
    if partition not in PARTITIONS:
        raise UserError(f"--partition {partition}: accepted: {' or '.join(PARTITIONS)}")
    wanted = [stack.file for stack in read_stacks(stacks) if partition_of(stack.site.region) == partition]
    if not wanted:
        raise UserError(f"{stacks}: has no stack of the partition {partition}; accepted: the partition of a stack")
    written = {file.parent.name: policies(file, account) for file in wanted}
    out.mkdir(parents=True, exist_ok=True)
    for stack, documents in written.items():
        for stale in out.glob(f"{stack}-[0-9].json"):
            stale.unlink()
        for number, document in enumerate(documents, 1):
            file = out / f"{stack}-{number}.json"
            file.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
            typer.echo(str(file))
