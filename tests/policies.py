"""The policy that unit tests start from: three Regions, two authorities, one table."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from domicile.core.policy import Policy

TABLE = "shop-orders"
LEDGER = "shop-orders-ledger"
DOCUMENT: Mapping[str, Any] = {
    "format": 1,
    "regions": ["ap-south-1", "eu-west-1", "us-east-1"],
    "authorities": {"EU": "eu-west-1", "IN": "ap-south-1"},
    "tables": {
        TABLE: {
            "ledger": LEDGER,
            "hash_key": "pk",
            "range_key": "sk",
            "authority_attribute": "localization_authority",
            "control_attribute": "_dom",
            "sensitive": {"email": {"strategy": "redact"}},
            "directory": "everywhere",
            "writers": "any",
        }
    },
}


def document(**table: Any) -> dict[str, Any]:
    """The document with parts of its table replaced."""
    changed: dict[str, Any] = copy.deepcopy(dict(DOCUMENT))
    changed["tables"][TABLE] |= table
    return changed


def policy(**table: Any) -> Policy:
    """The policy with parts of its table replaced."""
    return Policy.parse(document(**table))


SINGAPORE, IRELAND, BEIJING, NINGXIA = "ap-southeast-1", "eu-west-1", "cn-north-1", "cn-northwest-1"
BRIDGED = (SINGAPORE, IRELAND, BEIJING, NINGXIA)
"""Two Regions of AWS and two of China; the first of each is its gateway."""


def bridged(**bridge: Any) -> Policy:
    """The policy of those, with parts of its bridge replaced: of authorities, the stubs of EU alone cross."""
    homes = {"EU": IRELAND, "CN": BEIJING, "SG": SINGAPORE, "NX": NINGXIA}
    crossing = {"between": [SINGAPORE, BEIJING], "global_items": True, "stubs": ["EU"]}
    return Policy.parse(document() | {"regions": list(BRIDGED), "authorities": homes, "bridges": [crossing | bridge]})
