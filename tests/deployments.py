"""A whole deployment on a local AWS, started in the background while other tests run."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from domicile.local import api
from domicile.local.api import STATE_VARIABLE, LocalAws
from domicile.local.state import StateFolder
from tests.plane import free_port

_UP_DEADLINE_S = 420


class StartedDeployment:
    """``domicile local up`` of a deployment file, in a state folder of its own, on so many ports in a row."""

    def __init__(self, file: Path, ports: int = 1) -> None:
        self.state = Path(tempfile.mkdtemp(prefix="domicile-"))
        domicile = Path(sys.executable).with_name("domicile")
        self.process = subprocess.Popen(  # noqa: S603
            [domicile, "local", "up", "--file", file, "--port", str(free_port(ports)), "--json"],
            env={**os.environ, STATE_VARIABLE: str(self.state)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def wait(self) -> None:
        """Wait until it is up; fail with what it said if it is not."""
        _, said = self.process.communicate(timeout=_UP_DEADLINE_S)
        assert self.process.returncode == 0, said

    @contextmanager
    def reached(self) -> Iterator[LocalAws]:
        """Wait until it is up, and let ``domicile.local.api`` work on it while the block runs."""
        self.wait()
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(STATE_VARIABLE, str(self.state))
            yield api.status()

    def down(self, *, keep_logs: bool) -> None:
        """Stop it, however far it is: what is being started with all its Terraforms, as Ctrl-C would."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGINT)
            self.process.communicate(timeout=_UP_DEADLINE_S)
        StateFolder(self.state).stop_servers()
        if not keep_logs:
            shutil.rmtree(self.state)
