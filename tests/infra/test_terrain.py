"""CDK Terrain, which continues cdktf, synthesizes the same stacks from the same source: `make cdktn` installs it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from infra.artifacts import ROOT
from tests.infra.process import python
from tests.infra.synthesized import BRIDGED, DEPLOYMENT, NATIVE

_ENVIRONMENT = ROOT / ".domicile" / "cdktn"
_SYNTHESIZE = """
import sys
from pathlib import Path
from domicile.deployment import Deployment
from tests.infra.synthesized import synthesize_stand_ins
synthesize_stand_ins(Deployment.load(Path(sys.argv[1])), Path(sys.argv[2]))
assert sys.modules["cdktf"] is sys.modules["cdktn"]
"""
_IMPORT_TWICE = """
from infra import bindings  # which installs itself
bindings.install()
import cdktf_cdktf_provider_aws.kms_key as old
import cdktn_provider_aws.kms_key as new
assert old is new
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (_ENVIRONMENT / ".ready").exists(), reason="CDK Terrain is not installed: make cdktn"),
]


@pytest.mark.parametrize(("fixture", "file"), [("stacks", DEPLOYMENT), ("bridged", BRIDGED), ("natively", NATIVE)])
def test_cdk_terrain_synthesizes_the_same_but_for_metadata(
    request: pytest.FixtureRequest, tmp_path: Path, fixture: str, file: Path
) -> None:
    _run(_SYNTHESIZE, str(file), str(tmp_path))
    stacks: Path = request.getfixturevalue(fixture)
    for stack in sorted(stacks.iterdir()):
        assert _configuration(tmp_path / "out" / "stacks" / stack.name) == _configuration(stack)
        lock = stack / ".terraform.lock.hcl"
        assert (tmp_path / "out" / "stacks" / stack.name / lock.name).read_bytes() == lock.read_bytes()


def test_no_module_of_the_bindings_runs_twice_under_two_names() -> None:
    _run(_IMPORT_TWICE)


def _run(script: str, *arguments: str) -> None:
    program, path = _ENVIRONMENT / "bin" / "python", f"{ROOT / 'src'}:{ROOT}"
    process = python("-c", script, *arguments, program=program, PYTHONPATH=path)
    assert process.returncode == 0, process.stderr


def _configuration(stack: Path) -> Any:
    return _without_metadata(json.loads((stack / "cdk.tf.json").read_text(encoding="utf-8")))


def _without_metadata(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_metadata(member) for key, member in value.items() if key != "//"}
    return [_without_metadata(member) for member in value] if isinstance(value, list) else value
