"""A partition of the local AWS as a process: ``python -m domicile.local.server --port N --state DIR``.

It serves on 127.0.0.1 until it gets SIGTERM or SIGINT, and writes its log to standard error.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from importlib import import_module
from pathlib import Path

from domicile.core.partitions import CHINA, WORLD
from domicile.local.account import ACCOUNTS
from domicile.local.adaptations import china
from domicile.local.errors import LocalError
from domicile.local.state import PlaneFolder

_REGIONS_DEFAULT = {WORLD: "us-east-1", CHINA: "cn-north-1"}


def main() -> int:
    """Run the server and return the process's exit code."""
    parser = argparse.ArgumentParser(prog="python -m domicile.local.server", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--state", type=Path, required=True, metavar="DIR")
    parser.add_argument("--partition", choices=ACCOUNTS, default=WORLD)
    arguments = parser.parse_args()
    folder = PlaneFolder(arguments.state.resolve())
    os.environ.update(_settings(arguments.port, folder, arguments.partition))
    try:
        with folder.held():
            if arguments.partition == CHINA:
                china.install()
            plane = import_module("domicile.local.plane")
            asyncio.run(plane.run(arguments.port, folder.sandboxes, arguments.partition))
    except LocalError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    return 0


def _settings(port: int, folder: PlaneFolder, partition: str) -> dict[str, str]:
    """Return MiniStack's settings: this port, this machine only, no other listener, no Docker."""
    return {
        "GATEWAY_PORT": str(port),
        "MINISTACK_HOST": "127.0.0.1",
        "MINISTACK_ACCOUNT_ID": ACCOUNTS[partition],
        "MINISTACK_REGION": _REGIONS_DEFAULT[partition],
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "DOCKER_HOST": f"unix://{folder.folder}/no-docker",
        "LOG_LEVEL": "WARNING",
    }


if __name__ == "__main__":
    sys.exit(main())
