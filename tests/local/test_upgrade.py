"""A function with other code is all that an upgrade of its code changes."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from domicile.deployment import Deployment
from domicile.local.api import LocalAws
from infra.artifacts import ROOT, read_manifest
from infra.synthesis import synthesize
from tests.local.failures import NAME, VIRGINIA
from tests.plans import changes, with_applied_state

pytestmark = pytest.mark.slow


def test_other_code_of_a_function_changes_the_function_and_its_alias_alone(local_aws: LocalAws, tmp_path: Path) -> None:
    dist = shutil.copytree(ROOT / "dist", tmp_path / "dist")
    artifacts = read_manifest(dist)
    file = dist / artifacts["replicator"].file
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("functions/replicator/more.py", "")
    code_hash = base64.b64encode(hashlib.sha256(file.read_bytes()).digest()).decode()
    artifacts["replicator"] = replace(artifacts["replicator"], source_code_hash=code_hash)
    folder = synthesize(Deployment.load(ROOT / "domicile.yaml"), artifacts, dist, tmp_path / "out")

    planned = changes(with_applied_state(local_aws, NAME, folder).plan(f"{NAME}-{VIRGINIA}"))
    assert {re.sub("_[0-9A-F]{8}$", "", address): actions for address, actions in planned.items()} == {
        "aws_lambda_function.function-replicator_function": ["update"],
        "aws_lambda_alias.function-replicator_live": ["update"],
    }
