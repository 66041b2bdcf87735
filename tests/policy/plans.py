"""Terraform's own plans of the example deployments: ``python -m tests.policy.plans`` writes them and prints the files.

Before its first apply a stack asks AWS for the account, the partition and the zones alone, which a local AWS answers
that is empty.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path

from domicile.core.partitions import partition_of
from domicile.deployment import Deployment
from infra.artifacts import ROOT
from tests.infra.synthesized import synthesize_stand_ins
from tests.terraform import Terraform, empty_aws

_DEPLOYMENTS = (ROOT / "domicile.yaml", *(ROOT / "examples" / name / "domicile.yaml" for name in ("bridge", "native")))
_PLANS = ROOT / ".domicile" / "plans"


def main() -> None:
    """Write a plan for each Region of the example deployments."""
    shutil.rmtree(_PLANS, ignore_errors=True)
    _PLANS.mkdir(parents=True)
    for number, file in enumerate(_DEPLOYMENTS):
        deployment = Deployment.load(file)
        with tempfile.TemporaryDirectory() as folder:
            stacks = synthesize_stand_ins(deployment, Path(folder))
            for partition in dict.fromkeys(map(partition_of, deployment.regions)):
                with empty_aws(partition, Path(folder) / partition) as binding:
                    for region in (one for one in deployment.regions if partition_of(one) == partition):
                        written = _PLANS / f"{file.parent.name if number else file.stem}-{region}.json"
                        planned = Terraform(stacks / f"{deployment.name}-{region}", binding).plan()
                        written.write_text(json.dumps(planned), encoding="utf-8")
                        sys.stdout.write(f"{written.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
