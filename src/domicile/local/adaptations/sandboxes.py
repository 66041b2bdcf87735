"""Sandboxes of Python functions.

AWS: a handler sees the standard library, its zip (and layers) and the runtime's boto3; its environment has Lambda's
variables and its own. A sandbox survives a handler's exception; the caller gets the exception's type, message and
stack. The log has what the handler printed, no more and no less, if the function's role may write it. The role must let
Lambda act as it; the handler's own calls are its, too.

MiniStack 1.5.33: runs the handler with the server's own packages on the path and the server's own environment, ends
the process at an exception, calls every error Runtime.HandlerError without a stack, and waits a fixed time for output,
so that logs can end up with the wrong invocation.

The process is ``domicile/local/sandbox.py``, run by this Python whatever runtime the function names. A zip is
unpacked once for all its sandboxes. As Lambda may, it starts a sandbox before the first call: when an alias is made.
MiniStack keeps managing the pool of workers.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import selectors
import subprocess
import sys
import threading
import time
import uuid
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import IO, Any, cast

from ministack.core import concurrency, lambda_runtime
from ministack.core.arn import parse_arn
from ministack.services import lambda_svc

from domicile.local import sandbox as sandbox_program
from domicile.local.adaptations import access_keys, expect_function, expect_value, permissions
from domicile.local.runtime import link_runtime

_INIT_TIMEOUT_S = 10
_CHUNK_BYTES = 65_536
_WRITE_LOG = ("logs:CreateLogStream", "logs:PutLogEvents")
_LAMBDA = "lambda.amazonaws.com"


def install(folder: Path, aws: dict[str, str]) -> None:
    """Run Python functions in sandboxes of our own; ``folder`` takes their files, ``aws`` binds their SDK."""
    worker_class = expect_function(lambda_runtime, "_worker_class_for", "config")
    execute = expect_function(lambda_svc, "_execute_function_warm", "func", "event", "request_id")
    expect_function(lambda_runtime, "acquire_worker", "func_name", "config", "code_zip", "qualifier", "max_concurrency")
    expect_function(lambda_runtime, "release_worker", "worker")
    expect_function(lambda_runtime, "kill_workers", "workers")
    expect_function(lambda_runtime.Worker, "_discard_tmpdir", "self")
    expect_function(lambda_svc, "_xray_trace_id_for_invocation", "config", "inbound_trace_header")
    expect_value(lambda_svc, "_LAMBDA_STATE_TRANSITION_DELAY")
    create_alias = expect_function(lambda_svc, "_create_alias", "func_name", "data")
    expect_function(lambda_svc, "_get_func_record_for_qualifier", "name", "qualifier")
    emit_logs = expect_function(
        lambda_svc, "_emit_lambda_logs", "func", "request_id", "log_text", "error", "duration_ms", "log_source"
    )
    expect_function(concurrency, "spawn_background", "fn", "args", "thread_name", "kwargs")
    link_runtime(folder / "runtime")

    sandbox = partial(_Sandbox, _Files(folder), aws)

    def sandbox_class(config: dict[str, Any]) -> Any:
        return sandbox if _is_python(config) else worker_class(config)

    def execute_in_sandbox(func: dict[str, Any], event: Any, request_id: str) -> dict[str, Any]:
        if not _is_python(func["config"]):
            return execute(func, event, request_id)  # type: ignore[no-any-return]
        with _leased(func) as worker:
            return worker.run(event, request_id, func["config"]["FunctionArn"])

    def create_alias_and_sandbox(func_name: str, data: dict[str, Any]) -> Any:
        answer = create_alias(func_name, data)
        func, config = lambda_svc._get_func_record_for_qualifier(func_name, data.get("Name"))
        if config is not None and _is_python(config):
            concurrency.spawn_background(_prepare, func, thread_name="prepare-sandbox")
        return answer

    def emit_permitted_logs(func: dict[str, Any], *invocation: Any, **source: Any) -> None:
        group = _log_group(func["config"])
        if all(permissions.role_may(func["config"]["Role"], action, group) for action in _WRITE_LOG):
            emit_logs(func, *invocation, **source)

    lambda_svc._emit_lambda_logs = emit_permitted_logs
    lambda_runtime._worker_class_for = sandbox_class
    lambda_svc._execute_function_warm = execute_in_sandbox
    lambda_svc._create_alias = create_alias_and_sandbox
    # A function is ready at once: Terraform asks every few seconds whether it is.
    lambda_svc._LAMBDA_STATE_TRANSITION_DELAY = 0.05


def _log_group(config: dict[str, Any]) -> str:
    """Return what a policy calls the streams of a function's log group."""
    arn = parse_arn(config["FunctionArn"])
    name = (config.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{config['FunctionName']}"
    return f"arn:{arn.partition}:logs:{arn.region}:{arn.account_id}:log-group:{name}:log-stream:"


def _is_python(config: dict[str, Any]) -> bool:
    return str(config.get("Runtime", "")).startswith("python")


@contextlib.contextmanager
def _leased(func: dict[str, Any]) -> Iterator[_Sandbox]:
    """Take a free sandbox of a function (or a new one) out of MiniStack's pool for a while."""
    config = func["config"]
    worker, _ = lambda_runtime.acquire_worker(
        config["FunctionName"], config, func["code_zip"], qualifier=config.get("Version", "$LATEST")
    )
    try:
        yield worker
    finally:
        lambda_runtime.release_worker(worker)


def _prepare(func: dict[str, Any]) -> None:
    with _leased(func) as worker:
        worker.prepare()


class _Files:
    """The unpacked zips, by their content, and the bytecode of everything that sandboxes import."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()

    def unpacked(self, code_zip: bytes) -> Path:
        target = self.folder / "code" / hashlib.sha256(code_zip).hexdigest()
        with self._lock:
            if not target.exists():
                partial = target.with_suffix(".partial")
                with zipfile.ZipFile(io.BytesIO(code_zip)) as archive:
                    archive.extractall(partial)
                partial.rename(target)
        return target


class _Sandbox(lambda_runtime.Worker):  # type: ignore[misc]
    """One process that runs one invocation at a time."""

    def __init__(
        self, files: _Files, aws: dict[str, str], func_name: str, config: dict[str, Any], code_zip: bytes
    ) -> None:
        super().__init__(func_name, config, code_zip)
        self._files = files
        self._aws = aws
        self._selector: selectors.BaseSelector | None = None

    def run(self, event: Any, request_id: str, invoked_arn: str) -> dict[str, Any]:
        """Run one invocation and return its result as MiniStack's executors do."""
        timeout_s = self.config.get("Timeout", 3)
        request = {
            "event": event,
            "request_id": request_id,
            "invoked_function_arn": invoked_arn,
            "timeout_s": timeout_s,
            "trace_id": lambda_svc._xray_trace_id_for_invocation(self.config),
        }
        log = bytearray()
        with self._lock:
            answer = self._ensure_started(log)
            if "error" not in answer:
                with contextlib.suppress(BrokenPipeError):  # ended since: the wait says so
                    self._requests.write(json.dumps(request).encode() + b"\n")
                    self._requests.flush()
                answer = self._await(log, timeout_s)
        text = log.decode(errors="replace").rstrip("\n")
        if "error" in answer:
            return {"body": answer["error"], "error": True, "function_error": "Unhandled", "log": text}
        return {"body": answer["result"], "log": text}

    def prepare(self) -> None:
        """Start the process before it is needed; what goes wrong is told to the first call."""
        with self._lock:
            self._ensure_started(bytearray())

    def _ensure_started(self, log: bytearray) -> dict[str, Any]:
        if self._proc is not None and self._proc.poll() is None:
            return {}
        if not permissions.may_assume(_LAMBDA, self.config["Role"], self.config["FunctionArn"]):
            message = "The role defined for the function cannot be assumed by Lambda."
            return {"error": {"errorType": "AccessDeniedException", "errorMessage": message}}
        self._spawn()
        # Lambda allows ten seconds, and then once more the function's own timeout.
        return self._await(log, _INIT_TIMEOUT_S + self.config.get("Timeout", 3))

    def _spawn(self) -> None:
        self._close()
        code = self._files.unpacked(self.code_zip)
        self._answers_fd, answers_there = os.pipe()
        process = subprocess.Popen(  # noqa: S603 - this Python, and a file of ours
            [
                *(sys.executable, "-I", "-S", "-X", f"pycache_prefix={self._files.folder / 'bytecode'}"),
                *(sandbox_program.__file__, str(answers_there)),
            ],
            cwd=code,
            env=self._environment(code),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=(answers_there,),
        )
        os.close(answers_there)
        self._proc = process
        self._requests = cast("IO[bytes]", process.stdin)
        # Kept with the sandbox: it is read to its end also after the process has been discarded.
        self._log = cast("IO[bytes]", process.stdout)
        self._log_fd = self._log.fileno()
        os.set_blocking(self._log_fd, False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._answers_fd, selectors.EVENT_READ, "answer")
        self._selector.register(self._log_fd, selectors.EVENT_READ, "log")

    def _await(self, log: bytearray, timeout_s: float) -> dict[str, Any]:
        """Return the process's next answer; what it prints meanwhile is added to ``log``."""
        assert self._selector is not None  # noqa: S101 - the process was spawned
        answer = bytearray()
        deadline = time.monotonic() + timeout_s
        while not answer.endswith(b"\n"):
            ready = {key.data for key, _ in self._selector.select(max(0.0, deadline - time.monotonic()))}
            if "answer" not in ready and time.monotonic() >= deadline:
                return self._ended("Sandbox.Timedout", f"Task timed out after {timeout_s:.2f} seconds")
            # The log first: what was printed before an answer is in the pipe by now.
            with contextlib.suppress(BlockingIOError):
                while printed := os.read(self._log_fd, _CHUNK_BYTES):
                    log.extend(printed)
            if "answer" in ready:
                chunk = os.read(self._answers_fd, _CHUNK_BYTES)
                if not chunk:
                    return self._ended("Runtime.ExitError", "Runtime exited without providing a reason")
                answer.extend(chunk)
        return json.loads(answer)  # type: ignore[no-any-return]

    def _ended(self, error_type: str, message: str) -> dict[str, Any]:
        lambda_runtime.kill_workers([self])
        self._close()
        return {"error": {"errorType": error_type, "errorMessage": message}}

    def _discard_tmpdir(self) -> None:
        # Who waits for an answer sees the process end, and closes then. Closed under it, it might not see that.
        if self._lock.acquire(blocking=False):
            self._close()
            self._lock.release()

    def _close(self) -> None:
        if self._selector is not None:
            self._selector.close()
            self._selector = None
            os.close(self._answers_fd)

    def _environment(self, code: Path) -> dict[str, str]:
        config = self.config
        region = parse_arn(config["FunctionArn"]).region
        return {
            **config.get("Environment", {}).get("Variables", {}),
            **self._aws,
            **access_keys.of_function(config),
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{config['Runtime']}",
            "AWS_LAMBDA_FUNCTION_NAME": config["FunctionName"],
            "AWS_LAMBDA_FUNCTION_VERSION": config.get("Version", "$LATEST"),
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(config.get("MemorySize", 128)),
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{config['FunctionName']}",
            "AWS_LAMBDA_LOG_STREAM_NAME": uuid.uuid4().hex,
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "LAMBDA_TASK_ROOT": str(code),
            "LAMBDA_RUNTIME_DIR": str(self._files.folder / "runtime"),
            "_HANDLER": config["Handler"],
            "PATH": os.defpath,
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
        }
