"""What several commands take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DeploymentFile = Annotated[Path, typer.Option("--file", envvar="DOMICILE_FILE", help="The deployment file.")]
DEFAULT_FILE = Path("domicile.yaml")
