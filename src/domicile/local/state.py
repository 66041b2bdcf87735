"""The state folder: where a local AWS keeps its files, and which processes it is, one for each partition.

A server holds a lock on its pid file for as long as it lives, and the operating system lets go of the lock when the
server ends, however it ends. So a pid is only believed, and only ever signalled, while the lock is held: a pid file
that a crash left behind, with a number that some other process has by now, harms nobody.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from domicile.local.account import ACCOUNTS
from domicile.local.errors import LocalError

_TERM_GRACE_S = 15.0
_POLL_S = 0.05
_TAIL_LINES = 30


class StateFolder:
    """The files of one local AWS under ``folder``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.planes = {partition: PlaneFolder(folder / partition) for partition in ACCOUNTS}
        self.logs = folder / "logs"
        self.synthesized = folder / "cdktf.out"
        self.description = folder / "local.json"
        self.aws_config = folder / "aws-config"

    def server_log(self, partition: str) -> Path:
        """Return the log of a partition's server."""
        return self.logs / f"server-{partition}.log"

    def clean(self) -> None:
        """Remove everything but the logs."""
        if self.folder.exists():
            for path in self.folder.iterdir():
                if path.is_dir() and path != self.logs:
                    shutil.rmtree(path)
                elif path != self.logs:
                    path.unlink()

    def server_pids(self) -> dict[str, int]:
        """Return the pids of the servers that run now, by partition."""
        pids = {partition: plane.server_pid() for partition, plane in self.planes.items()}
        return {partition: pid for partition, pid in pids.items() if pid is not None}

    def stop_servers(self) -> bool:
        """Stop the servers of all partitions with all their processes, and return whether there was one."""
        stopped = [plane.stop_server() for plane in self.planes.values()]
        return any(stopped)


class PlaneFolder:
    """The files of one partition's server under ``folder``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pid_file = folder / "server.pid"
        self.sandboxes = folder / "sandboxes"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Be the server of this folder. Raises :class:`LocalError` if another process is."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.pid_file.open("a+", encoding="ascii") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise LocalError(f"another local AWS uses {self.folder}") from None
            file.truncate(0)
            file.write(f"{os.getpid()}\n")
            file.flush()
            yield

    def server_pid(self) -> int | None:
        """Return the pid of the server that runs now, or None."""
        try:
            with self.pid_file.open(encoding="ascii") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                return None
        except FileNotFoundError:
            return None
        except BlockingIOError:
            return int(self.pid_file.read_text(encoding="ascii"))

    def stop_server(self) -> bool:
        """Stop the server with all its processes, and return whether there was one.

        The server leads a process group of its own, which its sandboxes belong to.
        """
        pid = self.server_pid()
        if pid is None:
            return False
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + _TERM_GRACE_S
        while self.server_pid() == pid:
            if time.monotonic() > deadline:
                os.killpg(pid, signal.SIGKILL)
            time.sleep(_POLL_S)
        return True


def tail(log: Path) -> str:
    """Return the last lines of a log, for an error's message, and where the rest is."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_TAIL_LINES:]
    return "\n".join([*lines, f"(all of it: {log})"])
