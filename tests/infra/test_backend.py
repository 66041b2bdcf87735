"""Where each Region's state is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from domicile.deployment import Deployment
from tests.infra.synthesized import Stack, synthesize_stand_ins

_S3 = {"bucket": "harbour-state", "region": "eu-west-1"}
_CLOUD = {"organization": "harbour", "project": "quay"}
_KEY = "domicile/harbour-us-east-1.tfstate"


@pytest.mark.parametrize(
    ("backend", "block", "expected"),
    [
        ({"kind": "local"}, "backend", {"local": {"path": "terraform.tfstate"}}),
        (
            {"kind": "s3", "key_prefix": "domicile/", **_S3},
            "backend",
            {"s3": {"key": _KEY, "encrypt": True, "use_lockfile": True, **_S3}},
        ),
        (
            {"kind": "s3", "key_prefix": "domicile/", "kms_key_id": "alias/state", "lockfile": False, **_S3},
            "backend",
            {"s3": {"key": _KEY, "encrypt": True, "use_lockfile": False, "kms_key_id": "alias/state", **_S3}},
        ),
        (
            {"kind": "cloud", **_CLOUD},
            "cloud",
            {
                "organization": "harbour",
                "hostname": "app.terraform.io",
                "workspaces": {"name": "harbour-us-east-1", "project": "quay"},
            },
        ),
    ],
)
def test_each_region_has_a_state_of_its_own(
    deployment: Deployment, tmp_path: Path, backend: dict[str, Any], block: str, expected: dict[str, Any]
) -> None:
    elsewhere = Deployment.model_validate(deployment.model_dump(exclude_none=True) | {"backend": backend})
    terraform = Stack.read(synthesize_stand_ins(elsewhere, tmp_path), "harbour-us-east-1").configuration["terraform"]
    assert terraform[block] == expected
    assert {"backend", "cloud"} & set(terraform) == {block}
