"""Writes the deployment's Terraform configuration."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from cdktf import App

from domicile.deployment import Deployment
from domicile.errors import UserError
from domicile.native_table import stacks_before
from infra.artifacts import ROOT, Artifact
from infra.region_stack import RegionStack

_LOCK = ".terraform.lock.hcl"
# What the lock admits, whichever provider the bindings were generated from.
_PROVIDER = {"source": "aws", "version": "5.100.0"}


def synthesize(deployment: Deployment, artifacts: Mapping[str, Artifact], dist: Path, out: Path | None = None) -> Path:
    """Write one stack for each Region below ``stacks`` in a folder, and return the folder.

    ``artifacts`` are the functions' zips in ``dist``. The folder is cdktf's: ``CDKTF_OUTDIR`` or ``cdktf.out``, if
    ``out`` is not given. The provider's lock goes beside each stack, so that ``terraform init`` accepts no other.
    Raises a ``UserError`` that lists what ``infra.aspects`` found wrong; then nothing is written.
    """
    app = App(outdir=str(out) if out else None)
    stacks = {region: RegionStack(app, deployment, region, artifacts, dist) for region in deployment.regions}
    for stack in stacks.values():
        stack.add_override("terraform.required_providers.aws", _PROVIDER)
    for region, others in stacks_before(deployment.native).items():
        for other in sorted(others):
            stacks[region].add_dependency(stacks[other])
    folders = [Path(app.outdir, "stacks", stack.node.id) for stack in stacks.values()]
    for zips in (folder / "assets" for folder in folders):
        if zips.exists():  # cdktf adds this synthesis's zips to those of the last one
            shutil.rmtree(zips)
    _write(app)
    for folder in folders:
        shutil.copyfile(ROOT / _LOCK, folder / _LOCK)
    return Path(app.outdir)


def _write(app: App) -> None:
    try:
        app.synth()
    except RuntimeError as error:
        found = re.findall(r"^\[.+\] .+$", str(error), re.MULTILINE)
        if not found:
            raise
        raise UserError("\n".join(found)) from None
