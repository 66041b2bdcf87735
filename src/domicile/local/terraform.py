"""Terraform, bound to the local AWS alone, and each stack to its Region's partition of it.

Each run gets an environment that is built from nothing: the user's own ``AWS_*`` and ``TF_*`` variables never reach
it, and a stack's backend is overridden by a state file beside the stack. Either would touch a real account.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any, TextIO

from domicile.local.errors import LocalError
from domicile.local.providers import cli_configuration
from domicile.local.state import tail
from domicile.progress import Progress, Step

_VERSION_MIN = (1, 9)
_PROCESSES_MAX = 4
# Most of an apply's time is the provider's fixed waits, which overlap.
_RESOURCES_AT_ONCE = 30
_RESOURCES_TOLD = 10
_CHANGES = 2  # the exit code of `plan -detailed-exitcode` when there are some
_PASSED_ON = (
    *("PATH", "HOME", "USER", "TMPDIR", "LANG", "LC_ALL", "SSL_CERT_FILE", "SSL_CERT_DIR"),
    *("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"),
)
_INSTALL = "install Terraform 1.9 or later: https://developer.hashicorp.com/terraform/install"


def find_terraform() -> Path:
    """Return the terraform on the path. Raises :class:`LocalError` if there is none of version 1.9 or later."""
    found = shutil.which("terraform")
    if found is None:
        raise LocalError(f"terraform is not on the PATH; {_INSTALL}")
    answer = subprocess.run(  # noqa: S603 - the one on the path
        [found, "version", "-json"], capture_output=True, text=True, check=False, env=_environment()
    )
    version = re.search(r'"terraform_version":\s*"(\d+)\.(\d+)', answer.stdout)
    if version is None:
        raise LocalError(f"{found} does not say its version; {_INSTALL}")
    if (int(version[1]), int(version[2])) < _VERSION_MIN:
        raise LocalError(f"{found} is version {version[1]}.{version[2]}; {_INSTALL}")
    return Path(found)


def _environment() -> dict[str, str]:
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    no_proxy = ",".join(filter(None, (os.environ.get("NO_PROXY") or os.environ.get("no_proxy"), "127.0.0.1")))
    return {**passed_on, "NO_PROXY": no_proxy, "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1", "TF_INPUT": "0"}


class _Processes:
    """Terraform's processes, which can be ended all at once.

    Each leads a process group, which the provider's process is in too. A Terraform that is only interrupted would go
    on for half a minute, and a killed one would leave its provider behind.
    """

    def __init__(self) -> None:
        self._started: list[subprocess.Popen[str]] = []
        self._ended = False
        self._lock = threading.Lock()

    def start(self, command: list[Path | str], folder: Path, environment: Mapping[str, str]) -> subprocess.Popen[str]:
        with self._lock:
            if self._ended:
                raise LocalError("interrupted")
            process = subprocess.Popen(  # noqa: S603 - found on the path
                command,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                encoding="utf-8",
                start_new_session=True,
            )
            self._started.append(process)
            return process

    def end(self) -> None:
        with self._lock:
            self._ended = True
            for process in self._started:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)


@dataclass(frozen=True)
class Stacks:
    """The synthesized stacks of a deployment: a folder for each below ``folder``, a log for each in ``logs``.

    ``environments`` are what Terraform gets for each stack, by the stack's name.
    """

    terraform: Path
    folder: Path
    logs: Path
    environments: Mapping[str, Mapping[str, str]]
    processes: _Processes = field(default_factory=_Processes)

    @classmethod
    def prepare(
        cls, terraform: Path, folder: Path, logs: Path, root: Path, bindings: Mapping[str, Mapping[str, str]]
    ) -> Stacks:
        """Write the CLI configuration and each stack's backend. Raises :class:`LocalError` without a provider.

        ``bindings``: a stack's name -> the variables that bind it to its partition of the local AWS.
        """
        configuration = folder / "terraform.rc"
        configuration.write_text(cli_configuration(root, os.environ), encoding="utf-8")
        backend = {"terraform": {"backend": {"local": {"path": "terraform.tfstate"}}}}
        for stack in bindings:
            (folder / stack / "local_override.tf.json").write_text(json.dumps(backend), encoding="utf-8")
        common = {**_environment(), "TF_CLI_CONFIG_FILE": str(configuration)}
        return cls(terraform, folder, logs, {stack: {**common, **binding} for stack, binding in bindings.items()})

    @property
    def names(self) -> list[str]:
        """The stacks' names."""
        return sorted(self.environments)

    def apply(self, progress: Progress, before: Mapping[str, Collection[str]] | None = None) -> None:
        """Create all stacks, at most four at once, each after those that ``before`` names for it.

        Raises :class:`LocalError` with the end of each failure's log.
        """
        before = before or {}
        # One at a time: the first one may fill a cache that the others use.
        initializing = threading.Lock()
        with ThreadPoolExecutor(_PROCESSES_MAX) as pool:
            results: dict[str, Future[None]] = {}
            # In this order whatever a stack waits for was begun earlier, so that the pool is never full of waiting.
            for name in TopologicalSorter({name: before.get(name, ()) for name in self.names}).static_order():
                awaited = [results[other] for other in before.get(name, ())]
                results[name] = pool.submit(self._apply, name, progress, initializing, awaited)
            try:
                wait(results.values())
            except BaseException:
                self.processes.end()
                raise
        failures = [str(error) for result in results.values() if (error := result.exception()) is not None]
        if failures:
            raise LocalError("\n".join(failures))

    def plan(self, name: str) -> dict[str, Any]:
        """Return what Terraform would change in a stack now, as ``terraform show -json`` gives it."""
        with self._log(name).open("a", encoding="utf-8") as log:
            self._run(log, name, "plan", "-detailed-exitcode", "-no-color", "-out=again.tfplan", accept=(0, _CHANGES))
        shown = subprocess.run(  # noqa: S603 - found on the path
            [self.terraform, "show", "-json", "again.tfplan"],
            cwd=self.folder / name,
            env=self.environments[name],
            capture_output=True,
            check=True,
        )
        plan: dict[str, Any] = json.loads(shown.stdout)
        return plan

    def _apply(
        self, name: str, progress: Progress, initializing: threading.Lock, awaited: Collection[Future[None]]
    ) -> None:
        wait(awaited)
        if any(other.exception() for other in awaited):
            return  # their failure says why
        with progress.step(f"terraform {name}") as step, self._log(name).open("w", encoding="utf-8") as log:
            with initializing:
                self._run(log, name, "init", "-no-color")
            self._run(log, name, "apply", "-auto-approve", "-json", f"-parallelism={_RESOURCES_AT_ONCE}", step=step)

    def _run(
        self,
        log: TextIO,
        name: str,
        command: str,
        *options: str,
        step: Step | None = None,
        accept: tuple[int, ...] = (0,),
    ) -> None:
        process = self.processes.start([self.terraform, command, *options], self.folder / name, self.environments[name])
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        lines = process.stdout if step is None else _told(process.stdout, step)
        with process:
            for line in lines:
                log.write(line)
                log.flush()
        if process.returncode not in accept:
            raise LocalError(f"terraform {command} of {name} failed; its log ends:\n{tail(self._log(name))}")

    def _log(self, name: str) -> Path:
        return self.logs / f"terraform-{name}.log"


def _told(lines: Iterator[str] | TextIO, step: Step) -> Iterator[str]:
    """Turn the events of ``apply -json`` into lines for the log, and say in ``step`` how far it is."""
    done, planned = 0, 0
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            yield line
            continue
        yield event["@message"] + "\n"
        match event["type"]:
            case "diagnostic":
                diagnostic = event["diagnostic"]
                yield f"{diagnostic.get('address', '')} {diagnostic.get('detail', '')}\n"
            case "change_summary":
                planned = event["changes"]["add"]
            case "apply_complete" if event["hook"]["action"] == "create":
                done += 1
                if done % _RESOURCES_TOLD == 0 or done == planned:
                    step.update(f"{done} of {planned} resources")
