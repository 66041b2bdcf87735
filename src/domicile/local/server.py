"""The local AWS as a process: ``python -m domicile.local.server --port N --state DIR``.

It serves on 127.0.0.1 until it gets SIGTERM or SIGINT, and writes its log to standard error.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from importlib import import_module
from pathlib import Path

from domicile.local.errors import LocalError
from domicile.local.state import StateFolder


def main() -> int:
    """Run the server and return the process's exit code."""
    parser = argparse.ArgumentParser(prog="python -m domicile.local.server", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--state", type=Path, required=True, metavar="DIR")
    arguments = parser.parse_args()
    state = StateFolder(arguments.state.resolve())
    os.environ.update(_settings(arguments.port, state))
    try:
        with state.held():
            asyncio.run(import_module("domicile.local.plane").run(arguments.port, state.sandboxes))
    except LocalError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    return 0


def _settings(port: int, state: StateFolder) -> dict[str, str]:
    """Return MiniStack's settings: this port, this machine only, no other listener, no Docker."""
    return {
        "GATEWAY_PORT": str(port),
        "MINISTACK_HOST": "127.0.0.1",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "DOCKER_HOST": f"unix://{state.folder}/no-docker",
        "LOG_LEVEL": "WARNING",
    }


if __name__ == "__main__":
    sys.exit(main())
