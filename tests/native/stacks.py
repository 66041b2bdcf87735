"""The stacks of a deployment that is up, synthesized anew from a changed file, with the state that they have."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from domicile.deployment import Deployment
from domicile.local import api
from domicile.local.api import LocalAws
from domicile.progress import Progress
from infra.artifacts import ROOT, read_manifest
from infra.synthesis import synthesize
from tests.plans import changes, with_applied_state

FILE = ROOT / "examples" / "native" / "domicile.yaml"
NAME = "shopease"
PRIMARY, AMERICA, EUROPE = "ap-south-1", "us-east-1", "eu-west-1"

Change = Callable[[dict[str, Any]], object]
"""Changes the keys of the native table as the file has them."""


class ChangedStacks:
    """What Terraform would do, and does, after a change of the table ``catalogue``; ``folder`` is an empty one."""

    def __init__(self, local_aws: LocalAws, folder: Path, change: Change) -> None:
        document = Deployment.load(FILE).model_dump(exclude_none=True)
        change(document["tables"]["catalogue"])
        self._applied = api.state_folder(ROOT).synthesized / "stacks"
        self._folder = synthesize(
            Deployment.model_validate(document), read_manifest(ROOT / "dist"), ROOT / "dist", folder
        )
        self._stacks = with_applied_state(local_aws, NAME, self._folder)

    def plan(self, region: str) -> dict[str, list[str]]:
        """Return the actions on each resource of a Region's stack that changes, by its address."""
        return changes(self._stacks.plan(f"{NAME}-{region}"))

    def apply(self, progress: Progress) -> None:
        """Apply all stacks, and keep their state for the next change."""
        self._stacks.apply(progress)
        for folder in self._applied.iterdir():
            if folder.is_dir():
                shutil.copyfile(
                    self._folder / "stacks" / folder.name / "terraform.tfstate", folder / "terraform.tfstate"
                )


def of_replica(actions: dict[str, list[str]]) -> Iterator[list[str]]:
    """Yield what is done to the table or its replica."""
    for address, found in actions.items():
        if address.startswith(("aws_dynamodb_table.table-catalogue", "aws_dynamodb_table_replica.")):
            yield found
