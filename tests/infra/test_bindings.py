"""The lazy bindings change how long a synthesis takes, and nothing else."""

from __future__ import annotations

import os
import re
import tarfile
from importlib.util import find_spec
from pathlib import Path

import pytest
from jsii import _reference_map

from infra import bindings
from tests.infra.process import python

# A synthesis with the provider package imported as its authors meant it.
_STOCK = """
import sys
from pathlib import Path
from types import SimpleNamespace
sys.modules["infra.bindings"] = SimpleNamespace(install=lambda: None)
from domicile.deployment import Deployment
from tests.infra.synthesized import DEPLOYMENT, synthesize_stand_ins
synthesize_stand_ins(Deployment.load(DEPLOYMENT), Path(sys.argv[1]))
assert len([name for name in sys.modules if name.startswith("cdktf_cdktf_provider_aws.")]) > 2000
"""
_LAZY = """
import sys
import infra.region_stack
assert len([name for name in sys.modules if name.startswith("cdktf_cdktf_provider_aws.")]) <= 94
"""


@pytest.mark.slow
def test_the_stock_import_synthesizes_the_same_bytes(stacks: Path, tmp_path: Path) -> None:
    stock = python("-c", _STOCK, str(tmp_path), JSII_NODE=os.environ["JSII_NODE"])
    assert stock.returncode == 0, stock.stderr
    for stack in stacks.iterdir():
        synthesized = tmp_path / "out" / "stacks" / stack.name / "cdk.tf.json"
        assert synthesized.read_bytes() == (stack / "cdk.tf.json").read_bytes()


def test_only_the_bindings_in_use_are_imported() -> None:
    assert python("-c", _LAZY).returncode == 0


def test_a_node_that_the_user_chose_is_used() -> None:
    chosen = python("-c", "import infra, os; print(os.environ['JSII_NODE'])", JSII_NODE="/opt/node")
    assert chosen.stdout == "/opt/node\n"


def test_every_type_of_the_provider_can_be_found_by_its_name() -> None:
    spec = find_spec(bindings.PACKAGE)
    assert spec is not None
    assert spec.submodule_search_locations
    (package,) = Path(spec.submodule_search_locations[0], "_jsii").glob("*.tgz")
    with tarfile.open(package) as archive:
        index = archive.extractfile("package/lib/index.js")
        assert index is not None
        names = re.findall(r"^exports\.(\w+) = require\(", index.read().decode(), re.MULTILINE)
    assert len(names) > 2000
    assert {f"{bindings.ASSEMBLY}.{name}" for name in names} == set(_reference_map._submodule_fqn_map)
