"""What Terraform would change in a deployment that is up."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from domicile.local import api
from domicile.local.api import LocalAws
from domicile.local.terraform import Stacks, find_terraform
from domicile.project import find_root


def unexpected_changes(local_aws: LocalAws, name: str) -> dict[str, list[str]]:
    """Return the changes of a second plan of each stack, but for the drift that ``infra/known_drift.json`` explains."""
    root = find_root(Path.cwd())
    state = api.state_folder(root)
    bindings = {f"{name}-{region}": local_aws.binding(region) for region in local_aws.regions}
    stacks = Stacks.prepare(find_terraform(), state.synthesized / "stacks", state.logs, root, bindings)
    known = json.loads((root / "infra" / "known_drift.json").read_text(encoding="utf-8"))
    with ThreadPoolExecutor(len(stacks.names)) as pool:
        plans = list(pool.map(stacks.plan, stacks.names))
    return {
        stack: [text for resource in plan["resource_changes"] if (text := _unexpected(resource, known))]
        for stack, plan in zip(stacks.names, plans, strict=True)
    }


def _unexpected(resource: dict[str, Any], known: list[dict[str, str]]) -> str | None:
    """Return what would be done to a resource and to which attributes, unless nothing or all of it is known."""
    address, actions = resource["address"], resource["change"]["actions"]
    before, after = resource["change"]["before"] or {}, resource["change"]["after"] or {}
    differing = {key for key in {*before, *after} if before.get(key) != after.get(key)}
    differing -= {drift["attribute"] for drift in known if fnmatchcase(address, drift["address"])}
    if actions in (["no-op"], ["read"]) or (actions == ["update"] and not differing):
        return None
    return f"{address}: {actions} {sorted(differing)}"
