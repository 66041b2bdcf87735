"""Builds the functions' zips: ``python -m infra.artifacts [--out dist]``.

A zip holds one function, the parts of ``domicile`` that a function may import, and the locked dependencies. It is named
by the digest of what is in it, and the same content gives the same bytes: entries are sorted, and timestamps and modes
are fixed. ``manifest.json`` says to the synthesis which zip is which function's.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import stat
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from domicile.errors import UserError

ROOT = Path(__file__).resolve().parents[1]
SIZE_MAX = 2_000_000
MANIFEST = "manifest.json"

# The wheels that Lambda's python3.13 on arm64 runs, exactly those of the lock, on whatever machine this is built.
_PIP_OPTIONS = (
    *("--quiet", "--disable-pip-version-check", "--no-compile"),
    *("--no-deps", "--require-hashes", "--only-binary=:all:"),
    *("--implementation=cp", "--python-version=3.13", "--platform=manylinux2014_aarch64"),
)
_TIMESTAMP = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can hold
_LEFT_OUT_FOLDERS = {"__pycache__", "bin", "tests"}
_LEFT_OUT_SUFFIXES = {".pyc", ".pyi"}
_LEFT_OUT_NAMES = {"INSTALLER", "RECORD", "REQUESTED"}  # what pip writes about the installation


class BuildError(Exception):
    """The zips could not be built."""


@dataclass(frozen=True)
class Artifact:
    """One function's zip: its file name in the folder of the manifest, its digests, its size in bytes, its entries.

    ``content_sha256`` covers names and bytes of the entries; ``source_code_hash`` is the SHA-256 of the zip in base64,
    as Lambda reports it.
    """

    file: str
    content_sha256: str
    source_code_hash: str
    size: int
    files: int


def build(root: Path, out: Path) -> dict[str, Artifact]:
    """Build a zip for each ``functions/<role>/handler.py`` below ``root`` into ``out``, and return them by role.

    Zips of earlier builds are removed. Raises :class:`BuildError` when there is no function, when the dependencies
    can't be installed, or when a zip is larger than ``SIZE_MAX``.
    """
    roles = sorted(handler.parent.name for handler in (root / "functions").glob("*/handler.py"))
    if not roles:
        raise BuildError(f"no function in {root / 'functions'}: expected <role>/handler.py")
    shared = dict(_entries(_dependencies(root))) | _library(root / "src" / "domicile")
    out.mkdir(parents=True, exist_ok=True)
    artifacts = {
        role: _write(out, role, shared | dict(_entries(root / "functions" / role, f"functions/{role}/")))
        for role in roles
    }
    for stale in set(out.glob("*.zip")) - {out / artifact.file for artifact in artifacts.values()}:
        stale.unlink()
    manifest = {role: asdict(artifact) for role, artifact in artifacts.items()}
    (out / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    return artifacts


def read_manifest(folder: Path) -> dict[str, Artifact]:
    """Return what the last :func:`build` into ``folder`` wrote, by role, or raise a ``UserError`` if it is gone."""
    path = folder / MANIFEST
    manifest = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    artifacts = {role: Artifact(**artifact) for role, artifact in manifest.items()}
    for needed in (path, *(folder / artifact.file for artifact in artifacts.values())):
        if not needed.is_file():
            raise UserError(f"{needed} does not exist: run `domicile build`, which writes the functions' zips")
    return artifacts


def _dependencies(root: Path) -> Path:
    """Return the folder with the locked dependencies, installed from the network at most once for each lock."""
    lock = root / "functions" / "requirements.txt"
    key = hashlib.sha256(" ".join(_PIP_OPTIONS).encode() + lock.read_bytes()).hexdigest()
    cached = root / ".domicile" / "cache" / key[:16]
    if cached.is_dir():
        return cached
    cached.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cached.parent) as scratch:
        installed = Path(scratch, "installed")
        what = [f"--target={installed}", f"--requirement={lock}"]
        pip = subprocess.run([sys.executable, "-m", "pip", "install", *_PIP_OPTIONS, *what], check=False)  # noqa: S603
        if pip.returncode:
            raise BuildError(f"pip could not install {lock}; its message is above")
        installed.rename(cached)  # in one step, so that an interrupted installation is never taken for a whole one
    return cached


def _library(package: Path) -> dict[str, Path]:
    """Return what a function may import of ``domicile``."""
    files = {"domicile/__init__.py": package / "__init__.py"}
    for name in ("core", "pipeline", "aws"):
        files |= dict(_entries(package / name, f"domicile/{name}/"))
    return files


def _entries(folder: Path, prefix: str = "") -> Iterator[tuple[str, Path]]:
    """Yield the files of a folder that belong into a zip, as (entry name, path)."""
    for path in folder.rglob("*"):
        relative = path.relative_to(folder)
        left_out = (
            _LEFT_OUT_FOLDERS.intersection(relative.parts)
            or path.suffix in _LEFT_OUT_SUFFIXES
            or path.name in _LEFT_OUT_NAMES
        )
        if path.is_file() and not left_out:
            yield prefix + relative.as_posix(), path


def _write(out: Path, role: str, files: dict[str, Path]) -> Artifact:
    contents = {name: files[name].read_bytes() for name in sorted(files)}
    digest = hashlib.sha256()
    for name, content in contents.items():
        digest.update(f"{name}\0{hashlib.sha256(content).hexdigest()}\n".encode())
    path = out / f"{role}-{digest.hexdigest()[:16]}.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in contents.items():
            entry = zipfile.ZipInfo(name, _TIMESTAMP)
            entry.create_system = 3  # Unix, also when built elsewhere: the modes below are Unix's
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED, compresslevel=9)
    zipped = path.read_bytes()
    if len(zipped) > SIZE_MAX:
        raise BuildError(f"{path} has {len(zipped)} bytes; accepted: up to {SIZE_MAX}")
    return Artifact(
        file=path.name,
        content_sha256=digest.hexdigest(),
        source_code_hash=base64.b64encode(hashlib.sha256(zipped).digest()).decode(),
        size=len(zipped),
        files=len(contents),
    )


def main() -> None:
    """Build the project's zips and print one line for each."""
    parser = argparse.ArgumentParser(prog="python -m infra.artifacts", description="Build the functions' zips.")
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="folder of the zips (default: dist)")
    try:
        artifacts = build(ROOT, parser.parse_args().out)
    except BuildError as error:
        sys.exit(f"error: {error}")
    for artifact in artifacts.values():
        sys.stdout.write(f"{artifact.file}  {artifact.size:,} bytes, {artifact.files} files\n")


if __name__ == "__main__":
    main()
