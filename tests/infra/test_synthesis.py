"""The synthesis as a program: the same bytes every time, nothing on stderr, and clear errors."""

from __future__ import annotations

import fnmatch
import json
from pathlib import Path

import pytest

from domicile.deployment import Deployment
from domicile.errors import UserError
from infra.artifacts import ROOT
from infra.synthesis import synthesize
from tests.infra.process import python
from tests.infra.synthesized import DEPLOYMENT, Stack, stand_in_artifacts, synthesize_stand_ins

_SYNTHESIZE = """
import sys
from pathlib import Path
from domicile.deployment import Deployment
from tests.infra.synthesized import DEPLOYMENT, synthesize_stand_ins
synthesize_stand_ins(Deployment.load(DEPLOYMENT), Path(sys.argv[1]))
"""


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("hash_seed", ["0", "42"])
def test_another_process_with_another_hash_seed_writes_the_same_bytes(
    stacks: Path, tmp_path: Path, hash_seed: str
) -> None:
    process = python("-c", _SYNTHESIZE, str(tmp_path), PYTHONHASHSEED=hash_seed)
    assert (process.returncode, process.stdout, process.stderr) == (0, "", "")
    assert _files(tmp_path / "out" / "stacks") == _files(stacks)


def test_a_stack_carries_the_zips_of_its_last_synthesis_alone(deployment: Deployment, tmp_path: Path) -> None:
    artifacts = stand_in_artifacts(tmp_path)
    out = tmp_path / "out"
    synthesize(deployment, artifacts, tmp_path, out)
    (tmp_path / "listener.zip").write_bytes(b"changed")
    synthesize(deployment, artifacts, tmp_path, out)
    zips = [path.read_bytes() for path in out.glob("stacks/harbour-us-east-1/assets/**/listener.zip")]
    assert zips == [b"changed"]


def test_each_stack_has_the_providers_lock_beside_it(stacks: Path) -> None:
    lock = (ROOT / ".terraform.lock.hcl").read_bytes()
    assert [(folder / ".terraform.lock.hcl").read_bytes() for folder in sorted(stacks.iterdir())] == [lock] * 3


def test_every_known_drift_is_of_a_resource_that_exists(virginia: Stack) -> None:
    known = json.loads((ROOT / "infra" / "known_drift.json").read_text(encoding="utf-8"))
    resources = virginia.configuration["resource"]
    addresses = [f"{type_}.{id_}" for type_, instances in resources.items() for id_ in instances]
    for drift in known:
        assert fnmatch.filter(addresses, drift["address"]), drift
        assert drift["attribute"]
        assert drift["reason"]


def test_a_deployment_file_that_cannot_be_used_is_the_users_error(tmp_path: Path) -> None:
    process = python("main.py", DOMICILE_FILE=str(tmp_path / "absent.yaml"))
    assert process.returncode == 2
    assert "absent.yaml: No such file" in process.stderr
    assert "Traceback" not in process.stderr


def test_more_tables_than_a_role_can_name_are_the_users_error(deployment: Deployment, tmp_path: Path) -> None:
    tables = {f"table-{number}": deployment.tables["tides"] for number in range(60)}
    with pytest.raises(UserError, match="a deployment can't have so many tables") as error:
        synthesize_stand_ins(deployment.model_copy(update={"tables": tables}), tmp_path)
    assert "CDKTF" not in str(error.value)
    assert not list(tmp_path.rglob("cdk.tf.json"))


def test_zips_that_were_not_built_are_the_users_error(tmp_path: Path) -> None:
    program = "import main, pathlib, sys; main.ROOT = pathlib.Path(sys.argv[1]); main.main()"
    process = python("-c", program, str(tmp_path), DOMICILE_FILE=str(DEPLOYMENT))
    assert process.returncode == 2
    assert "manifest.json does not exist: run `domicile build`" in process.stderr
    assert "Traceback" not in process.stderr
