"""The stacks of a deployment that is up, synthesized anew from a changed file, with the state that they have."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from domicile.deployment import Deployment
from domicile.local import api
from domicile.local.api import LocalAws
from domicile.local.terraform import Stacks, find_terraform
from domicile.progress import Progress
from infra.artifacts import ROOT, read_manifest
from infra.synthesis import synthesize

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
        bindings = {f"{NAME}-{region}": local_aws.binding(region) for region in local_aws.regions}
        for stack in bindings:
            self._copy(self._applied / stack, self._folder / "stacks" / stack)
        self._stacks = Stacks.prepare(find_terraform(), self._folder / "stacks", folder, ROOT, bindings)

    def plan(self, region: str) -> dict[str, list[str]]:
        """Return the actions on each resource of a Region's stack that changes, by its address."""
        changes = self._stacks.plan(f"{NAME}-{region}")["resource_changes"]
        actions = {change["address"]: change["change"]["actions"] for change in changes}
        return {address: found for address, found in actions.items() if found not in (["no-op"], ["read"])}

    def apply(self, progress: Progress) -> None:
        """Apply all stacks, and keep their state for the next change."""
        self._stacks.apply(progress)
        for folder in self._applied.iterdir():
            if folder.is_dir():
                shutil.copyfile(
                    self._folder / "stacks" / folder.name / "terraform.tfstate", folder / "terraform.tfstate"
                )

    @staticmethod
    def _copy(applied: Path, changed: Path) -> None:
        shutil.copyfile(applied / "terraform.tfstate", changed / "terraform.tfstate")
        shutil.copytree(applied / ".terraform", changed / ".terraform", symlinks=True)


def of_replica(actions: dict[str, list[str]]) -> Iterator[list[str]]:
    """Yield what is done to the table or its replica."""
    for address, found in actions.items():
        if address.startswith(("aws_dynamodb_table.table-catalogue", "aws_dynamodb_table_replica.")):
            yield found
