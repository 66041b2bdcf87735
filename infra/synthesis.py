"""Writes the deployment's Terraform configuration."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from cdktf import App

from domicile.deployment import Deployment
from infra.artifacts import ROOT, Artifact
from infra.region_stack import RegionStack

_LOCK = ".terraform.lock.hcl"


def synthesize(deployment: Deployment, artifacts: Mapping[str, Artifact], dist: Path, out: Path | None = None) -> Path:
    """Write one stack for each Region below ``stacks`` in a folder, and return the folder.

    ``artifacts`` are the functions' zips in ``dist``. The folder is cdktf's: ``CDKTF_OUTDIR`` or ``cdktf.out``, if
    ``out`` is not given. The provider's lock goes beside each stack, so that ``terraform init`` accepts no other.
    """
    app = App(outdir=str(out) if out else None)
    stacks = Path(app.outdir, "stacks")
    for zips_of_the_last_synthesis in stacks.glob("*/assets"):
        shutil.rmtree(zips_of_the_last_synthesis)
    names = [RegionStack(app, deployment, region, artifacts, dist).node.id for region in deployment.regions]
    app.synth()
    for name in names:
        shutil.copyfile(ROOT / _LOCK, stacks / name / _LOCK)
    return Path(app.outdir)
