"""The stacks of a deployment, from their plans or from the folder that they were synthesized to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from domicile.errors import UserError
from domicile.review import plans, synthesized
from domicile.review.stacks import Stack

_FILE = "cdk.tf.json"


def read_stacks(folder: Path) -> list[Stack]:
    """Read every stack below a folder, or raise :class:`UserError`."""
    files = sorted(folder.glob(f"*/{_FILE}"))
    if not files:
        raise UserError(f"{folder}: has no */{_FILE}; accepted: the folder stacks of domicile synth, or --plan FILE")
    return [synthesized.read(file) for file in files]


def read_plans(files: Sequence[Path], folder: Path | None) -> list[Stack]:
    """Read plans, or raise :class:`UserError`. The stacks in ``folder`` tell what the plans can't know yet."""
    texts = {stack.site.region: stack.file for stack in read_stacks(folder)} if folder else {}
    return [plans.read(file, texts) for file in files]
