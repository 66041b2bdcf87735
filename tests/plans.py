"""What Terraform would change in a deployment that is up, and what its plans say of residency."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from domicile.local import api
from domicile.local.api import LocalAws
from domicile.local.terraform import Stacks, find_terraform
from domicile.project import find_root
from domicile.review.findings import Finding, Severity
from domicile.review.reading import read_plans
from domicile.review.verdict import review

Plans = dict[str, dict[str, Any]]
"""The plan of each stack, as Terraform shows it in JSON."""


def second_plans(local_aws: LocalAws, name: str) -> Plans:
    """Plan each stack of a deployment once more."""
    state = api.state_folder(find_root(Path.cwd()))
    stacks = _prepared(local_aws, name, state.synthesized / "stacks", state.logs)
    with ThreadPoolExecutor(len(stacks.names)) as pool:
        return dict(zip(stacks.names, pool.map(stacks.plan, stacks.names), strict=True))


def with_applied_state(local_aws: LocalAws, name: str, folder: Path) -> Stacks:
    """Return stacks that were synthesized anew into a folder, with the state that the deployment has."""
    applied = api.state_folder(find_root(Path.cwd())).synthesized / "stacks"
    for region in local_aws.regions:
        former, stack = applied / f"{name}-{region}", folder / "stacks" / f"{name}-{region}"
        shutil.copyfile(former / "terraform.tfstate", stack / "terraform.tfstate")
        shutil.copytree(former / ".terraform", stack / ".terraform", symlinks=True)
    return _prepared(local_aws, name, folder / "stacks", folder)


def changes(plan: dict[str, Any]) -> dict[str, list[str]]:
    """Return the actions on each resource that a plan changes, by its address."""
    actions = {resource["address"]: resource["change"]["actions"] for resource in plan["resource_changes"]}
    return {address: found for address, found in actions.items() if found not in (["no-op"], ["read"])}


def unexpected_changes(plans: Plans) -> dict[str, list[str]]:
    """Return the changes in each stack's plan, but for the drift that ``infra/known_drift.json`` explains."""
    known = json.loads((find_root(Path.cwd()) / "infra" / "known_drift.json").read_text(encoding="utf-8"))
    return {
        stack: [text for resource in plan["resource_changes"] if (text := _unexpected(resource, known))]
        for stack, plan in plans.items()
    }


def findings_of(plans: Plans, folder: Path) -> list[Finding]:
    """Return what stands against the residency of items by these plans, which are written to a folder."""
    for stack, plan in plans.items():
        (folder / f"{stack}.json").write_text(json.dumps(plan), encoding="utf-8")
    found = review(read_plans(sorted(folder.glob("*.json")), None))
    return found.of(Severity.VIOLATION, Severity.UNKNOWN)


def _prepared(local_aws: LocalAws, name: str, stacks: Path, logs: Path) -> Stacks:
    bindings = {f"{name}-{region}": local_aws.binding(region) for region in local_aws.regions}
    return Stacks.prepare(find_terraform(), stacks, logs, find_root(Path.cwd()), bindings)


def _unexpected(resource: dict[str, Any], known: list[dict[str, str]]) -> str | None:
    """Return what would be done to a resource and to which attributes, unless nothing or all of it is known."""
    address, actions = resource["address"], resource["change"]["actions"]
    before, after = resource["change"]["before"] or {}, resource["change"]["after"] or {}
    differing = {key for key in {*before, *after} if before.get(key) != after.get(key)}
    differing -= {drift["attribute"] for drift in known if fnmatchcase(address, drift["address"])}
    if actions in (["no-op"], ["read"]) or (actions == ["update"] and not differing):
        return None
    return f"{address}: {actions} {sorted(differing)}"
