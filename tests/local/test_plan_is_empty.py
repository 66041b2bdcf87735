"""What was applied is what the next plan finds: nothing in the stacks, or in the local AWS, drifts."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from domicile.local import api
from domicile.local.api import LocalAws
from domicile.local.terraform import Stacks, find_terraform
from domicile.project import find_root


def test_a_second_plan_of_each_region_changes_nothing(local_aws: LocalAws) -> None:
    root = find_root(Path.cwd())
    state = api.state_folder(root)
    stacks = Stacks.prepare(find_terraform(), state.synthesized / "stacks", state.logs, root, local_aws.endpoint)
    assert len(stacks.names) == len(local_aws.regions)
    with ThreadPoolExecutor(len(stacks.names)) as pool:
        changes = dict(zip(stacks.names, map(_changes, pool.map(stacks.plan, stacks.names)), strict=True))
    assert changes == {name: [] for name in stacks.names}


def _changes(plan: dict[str, Any]) -> list[str]:
    """Return the address of each resource that the plan would change, and the attributes that differ."""
    return [
        f"{resource['address']}: {resource['change']['actions']} {_differing(resource['change'])}"
        for resource in plan["resource_changes"]
        if resource["change"]["actions"] not in (["no-op"], ["read"])
    ]


def _differing(change: dict[str, Any]) -> list[str]:
    before, after = change["before"] or {}, change["after"] or {}
    return sorted(key for key in {*before, *after} if before.get(key) != after.get(key))
