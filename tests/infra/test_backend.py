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
        (
            {"kind": "cloud", "hostname": "tfe.harbour.org", "organization": "harbour", "tags": ["team:quay"]},
            "cloud",
            {
                "organization": "harbour",
                "hostname": "tfe.harbour.org",
                "workspaces": {"tags": ["team:quay", "harbour-us-east-1"]},
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


@pytest.mark.parametrize("backend", [{"kind": "s3", **_S3}, {"kind": "cloud", **_CLOUD}])
def test_a_backend_changes_nothing_else(
    deployment: Deployment, stacks: Path, tmp_path: Path, backend: dict[str, Any]
) -> None:
    elsewhere = Deployment.model_validate(deployment.model_dump(exclude_none=True) | {"backend": backend})
    for stack in synthesize_stand_ins(elsewhere, tmp_path).iterdir():
        assert _but_for_the_state(tmp_path / "out" / "stacks", stack.name) == _but_for_the_state(stacks, stack.name)


def test_no_stack_reads_the_state_of_another(stacks: Path, bridged: Path, natively: Path) -> None:
    for stack in (*stacks.iterdir(), *bridged.iterdir(), *natively.iterdir()):
        assert "terraform_remote_state" not in (stack / "cdk.tf.json").read_text(encoding="utf-8")


def _but_for_the_state(stacks: Path, name: str) -> dict[str, Any]:
    configuration = Stack.read(stacks, name).configuration
    configuration.pop("//")
    for block in ("backend", "cloud"):
        configuration["terraform"].pop(block, None)
    return configuration
