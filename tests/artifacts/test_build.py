"""The builder, on a small project of its own."""

from __future__ import annotations

import json
import os
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from domicile.errors import UserError
from infra.artifacts import SIZE_MAX, BuildError, build, read_manifest

_PROJECT = {
    "functions/requirements.txt": "powerful==1.0",
    "functions/listener/handler.py": "def handler(event, context): ...",
    "functions/replicator/handler.py": "def handler(event, context): pass",
    "functions/replicator/__pycache__/handler.pyc": "compiled",
    "src/domicile/__init__.py": "",
    "src/domicile/core/version.py": "VERSION = 1",
    "src/domicile/pipeline/listener.py": "",
    "src/domicile/aws/settings.py": "",
    "src/domicile/cli/main.py": "import typer",
    "src/domicile/local/server.py": "import ministack",
}
_DEPENDENCIES = {
    "powerful/__init__.py": "",
    "powerful/tests/test_it.py": "",
    "powerful/stubs.pyi": "",
    "powerful-1.0.dist-info/METADATA": "Name: powerful",
    "powerful-1.0.dist-info/RECORD": "powerful/__init__.py,,",
    "bin/powerful": "#!/usr/bin/python",
}


class Pip:
    """Stands in for pip: puts the dependencies where it is told to, and counts how often."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.exit_code = 0
        self.payload = b""

    def __call__(self, command: list[str], **_: Any) -> subprocess.CompletedProcess[bytes]:
        self.calls.append(command)
        (target,) = [Path(option.partition("=")[2]) for option in command if option.startswith("--target=")]
        _write(target, _DEPENDENCIES)
        (target / "powerful" / "payload.bin").write_bytes(self.payload)
        return subprocess.CompletedProcess(command, self.exit_code)


def _write(root: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")


@pytest.fixture
def pip(monkeypatch: pytest.MonkeyPatch) -> Pip:
    pip = Pip()
    monkeypatch.setattr("infra.artifacts.subprocess.run", pip)
    return pip


@pytest.fixture
def project(tmp_path: Path, pip: Pip) -> Callable[[str], Path]:
    def create(name: str) -> Path:
        root = tmp_path / name
        _write(root, _PROJECT)
        return root

    return create


def _bytes(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_zip_holds_its_function_what_it_may_import_and_the_dependencies(project: Callable[[str], Path]) -> None:
    root = project("one")
    built = build(root, root / "dist")
    with zipfile.ZipFile(root / "dist" / built["replicator"].file) as archive:
        assert archive.namelist() == [
            "domicile/__init__.py",
            "domicile/aws/settings.py",
            "domicile/core/version.py",
            "domicile/pipeline/listener.py",
            "functions/replicator/handler.py",
            "powerful-1.0.dist-info/METADATA",
            "powerful/__init__.py",
            "powerful/payload.bin",
        ]
    assert built["replicator"].files == 8


def test_the_same_content_gives_the_same_bytes(project: Callable[[str], Path]) -> None:
    one, other = project("one"), project("other")
    for path in sorted(other.rglob("*"), reverse=True):
        path.chmod(0o755)
        os.utime(path, (2_000_000_000, 2_000_000_000))
    build(one, one / "dist")
    build(other, other / "dist")
    assert _bytes(one / "dist") == _bytes(other / "dist")


def test_a_changed_handler_changes_its_own_zip_alone_and_leaves_no_old_one(project: Callable[[str], Path]) -> None:
    root = project("one")
    before = build(root, root / "dist")
    (root / "functions/listener/handler.py").write_text("def handler(event, context): return 1", encoding="utf-8")
    after = build(root, root / "dist")
    assert after["replicator"] == before["replicator"]
    assert after["listener"].file != before["listener"].file
    assert after["listener"].source_code_hash != before["listener"].source_code_hash
    zips = {path.name for path in (root / "dist").glob("*.zip")}
    assert zips == {artifact.file for artifact in after.values()}


def test_a_zip_is_named_by_its_content(project: Callable[[str], Path]) -> None:
    root = project("one")
    for role, artifact in build(root, root / "dist").items():
        assert artifact.file == f"{role}-{artifact.content_sha256[:16]}.zip"
        assert artifact.size == (root / "dist" / artifact.file).stat().st_size


def test_the_manifest_says_what_was_built(project: Callable[[str], Path]) -> None:
    root = project("one")
    built = build(root, root / "dist")
    assert read_manifest(root / "dist") == built
    manifest = json.loads((root / "dist" / "manifest.json").read_text(encoding="utf-8"))
    assert set(manifest) == {"listener", "replicator"}
    assert set(manifest["listener"]) == {"file", "content_sha256", "source_code_hash", "size", "files"}


def test_without_a_manifest_the_error_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="run `domicile build`"):
        read_manifest(tmp_path)


def test_a_zip_that_is_gone_is_built_anew(project: Callable[[str], Path]) -> None:
    root = project("one")
    gone = root / "dist" / build(root, root / "dist")["listener"].file
    gone.unlink()
    with pytest.raises(UserError, match=rf"{gone.name} does not exist: run `domicile build`"):
        read_manifest(root / "dist")


def test_dependencies_are_installed_once_for_each_lock(project: Callable[[str], Path], pip: Pip) -> None:
    root = project("one")
    build(root, root / "dist")
    build(root, root / "dist")
    assert len(pip.calls) == 1
    (root / "functions/requirements.txt").write_text("powerful==1.1", encoding="utf-8")
    build(root, root / "dist")
    assert len(pip.calls) == 2


def test_pip_may_install_nothing_but_the_locks_wheels_for_lambda(project: Callable[[str], Path], pip: Pip) -> None:
    root = project("one")
    build(root, root / "dist")
    (command,) = pip.calls
    assert {"--no-deps", "--require-hashes", "--only-binary=:all:"} <= set(command)
    assert {"--platform=manylinux2014_aarch64", "--python-version=3.13", "--implementation=cp"} <= set(command)
    assert f"--requirement={root / 'functions' / 'requirements.txt'}" in command


def test_an_installation_that_failed_is_not_taken_for_one(project: Callable[[str], Path], pip: Pip) -> None:
    root = project("one")
    pip.exit_code = 1
    with pytest.raises(BuildError, match=r"pip could not install .*requirements\.txt"):
        build(root, root / "dist")
    pip.exit_code = 0
    build(root, root / "dist")
    assert len(pip.calls) == 2


def test_a_zip_that_is_too_large_is_refused(project: Callable[[str], Path], pip: Pip) -> None:
    root = project("one")
    pip.payload = os.urandom(SIZE_MAX)
    with pytest.raises(BuildError, match="accepted: up to 2000000"):
        build(root, root / "dist")


def test_a_project_without_functions_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="no function in"):
        build(tmp_path, tmp_path / "dist")
