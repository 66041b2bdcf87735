"""The real zips: each handler is imported from its zip alone, unpacked as Lambda does, and the runtime's boto3."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from domicile.naming import BRIDGE_FUNCTIONS, FUNCTIONS
from infra.artifacts import ROOT, SIZE_MAX, Artifact, build

_ROLES = (*FUNCTIONS, *BRIDGE_FUNCTIONS)
_RUNTIME_PACKAGES = ("boto3", "botocore", "s3transfer", "dateutil", "urllib3", "six")
_IMPORT = """
import importlib, sys
task, runtime, module = sys.argv[1:]
sys.path[:0] = [task, runtime]
assert callable(importlib.import_module(module).handler)
"""


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("dist")


@pytest.fixture(scope="module")
def zips(dist: Path) -> dict[str, Artifact]:
    return build(ROOT, dist)


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with boto3 and what it needs, as Lambda's managed runtime has them."""
    folder = tmp_path_factory.mktemp("runtime")
    for package in _RUNTIME_PACKAGES:
        spec = find_spec(package)
        assert spec is not None
        assert spec.origin is not None
        origin = Path(spec.origin)
        installed = origin.parent if spec.submodule_search_locations else origin
        (folder / installed.name).symlink_to(installed)
    return folder


def test_every_function_has_a_zip_below_the_limit(zips: dict[str, Artifact]) -> None:
    assert set(zips) == set(_ROLES)
    assert all(artifact.size < SIZE_MAX for artifact in zips.values())


@pytest.mark.parametrize("role", _ROLES)
def test_a_handler_needs_its_zip_and_boto3_alone(
    dist: Path, runtime: Path, zips: dict[str, Artifact], tmp_path: Path, role: str
) -> None:
    with zipfile.ZipFile(dist / zips[role].file) as archive:
        archive.extractall(tmp_path)
    command = [sys.executable, "-I", "-S", "-c", _IMPORT, str(tmp_path), str(runtime), f"functions.{role}.handler"]
    process = subprocess.run(command, env={}, capture_output=True, text=True, check=False)  # noqa: S603
    assert process.returncode == 0, process.stderr


@pytest.mark.parametrize("role", _ROLES)
def test_a_zip_carries_one_function_and_nothing_of_the_command_line(
    dist: Path, zips: dict[str, Artifact], role: str
) -> None:
    with zipfile.ZipFile(dist / zips[role].file) as archive:
        names = archive.namelist()
    assert {name.split("/")[1] for name in names if name.startswith("functions/")} == {role}
    own = {name.split("/")[1] for name in names if name.startswith("domicile/")}
    assert own == {"__init__.py", "core", "pipeline", "aws"}
    assert not any(name.startswith(("boto3/", "botocore/", "cdktf/", "ministack/")) for name in names)
