"""The bridges of a deployment whose two partitions are both on this machine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from domicile import strict_yaml
from domicile.accounts import Clients
from domicile.bridge_credentials import directions, plan_init
from domicile.core.partitions import partition_of
from domicile.deployment import Deployment

_THIS_MACHINE = "127.0.0.1/32"


def bind_bridges(deployment_file: Path, endpoints: Mapping[str, str], copy: Path) -> Path:
    """Return the file to synthesize from: the deployment's own, or a copy where it has bridges.

    In the copy, each courier sends to the local endpoint of the other partition (``endpoints`` are by partition), which
    takes its requests from this machine. There is no network to model, so it needs no proxy and no private way.
    """
    document, _ = strict_yaml.load(deployment_file.read_text(encoding="utf-8"))
    if not document.get("bridges"):
        return deployment_file
    for bridge in document["bridges"]:
        ends, given = bridge["between"], bridge.get("gateways", {})
        bridge["egress"] = "nat"
        bridge["gateways"] = {
            sender: {
                **{name: value for name, value in given.get(sender, {}).items() if name == "vpc_cidr"},
                "addresses": [_THIS_MACHINE],
                "endpoint": endpoints[partition_of(receiver)],
            }
            for sender, receiver in zip(ends, reversed(ends), strict=True)
        }
    copy.write_text(json.dumps(document, ensure_ascii=False, indent=2), encoding="utf-8")
    return copy


def make_keys(deployment: Deployment, clients: Clients) -> None:
    """Give each courier its access key, as ``domicile bridge credentials init`` does."""
    for direction in directions(deployment, clients):
        state = direction.read()
        direction.perform(plan_init(state), state)
