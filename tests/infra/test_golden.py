"""What is synthesized for each Region, compared whole with files that a reviewer reads."""

from __future__ import annotations

import difflib
import os
from pathlib import Path

import pytest

from tests.infra.synthesized import GOLDEN

_REGENERATE = "UPDATE_GOLDEN=1 .venv/bin/python -m pytest tests/infra/test_golden.py"


@pytest.mark.parametrize("region", ["ap-south-1", "eu-west-1", "us-east-1"])
def test_a_stack_is_as_it_was_reviewed(stacks: Path, region: str) -> None:
    _compare(stacks, region)


def test_a_gateway_regions_stack_is_as_it_was_reviewed(bridged: Path) -> None:
    _compare(bridged, "cn-north-1")


def _compare(stacks: Path, region: str) -> None:
    synthesized = (stacks / f"harbour-{region}" / "cdk.tf.json").read_text(encoding="utf-8")
    golden = GOLDEN / f"{region}.json"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(synthesized, encoding="utf-8")
    reviewed = golden.read_text(encoding="utf-8")
    if synthesized != reviewed:
        changes = difflib.unified_diff(
            reviewed.splitlines(), synthesized.splitlines(), "reviewed", "synthesized", n=1, lineterm=""
        )
        pytest.fail("\n".join([*changes, f"If these changes are meant, run: {_REGENERATE}"]), pytrace=False)
