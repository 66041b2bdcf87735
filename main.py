"""The synthesis: ``cdktf synth`` and ``domicile synth`` run ``python main.py``.

It reads the deployment file (``DOMICILE_FILE``, or ``domicile.yaml`` in the working folder) and the zips of the last
``domicile build``, and writes ``cdktf.out``. It needs no network.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from domicile.deployment import Deployment
from domicile.errors import UserError
from infra.artifacts import ROOT, read_manifest
from infra.synthesis import synthesize


def main() -> None:
    """Write one Terraform stack for each Region; exit with 2 with what is wrong if it can't be done."""
    try:
        deployment = Deployment.load(Path(os.environ.get("DOMICILE_FILE", "domicile.yaml")))
        synthesize(deployment, read_manifest(ROOT / "dist"), ROOT / "dist")
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)


if __name__ == "__main__":
    main()
