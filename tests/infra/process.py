"""Python in a process of its own, as the command line starts it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from infra.artifacts import ROOT

_SET_BY_THE_BINDINGS = ("NODE_OPTIONS", "JSII_NODE")
_TIMEOUT_S = 180


def python(
    *arguments: str, program: str | Path = sys.executable, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run Python in the project's root, with the environment that the tests were started in and some variables more."""
    inherited = {name: value for name, value in os.environ.items() if name not in _SET_BY_THE_BINDINGS}
    return subprocess.run(  # noqa: S603  # the tests' own programs
        [program, *arguments],
        cwd=ROOT,
        env=inherited | environment,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
