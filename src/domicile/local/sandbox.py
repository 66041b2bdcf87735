"""The process that runs a function's handler, with nothing of the local AWS in it.

Started as ``python -I -S sandbox.py FD`` by the adaptation of Lambda's workers, with the environment that Lambda gives
a function. It imports the standard library, the function's own folder and the runtime's folder (boto3); so it must not
import anything of Domicile itself. Requests come as JSON lines on standard input; answers go as JSON lines to the file
descriptor FD, the first one when the handler is imported. What the handler writes to standard output or error is its
log.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any


class Context:
    """The second argument of a handler, as Lambda's runtime gives it."""

    def __init__(self, request: dict[str, Any]) -> None:
        self.aws_request_id: str = request["request_id"]
        self.invoked_function_arn: str = request["invoked_function_arn"]
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self.identity = None
        self.client_context = None
        self._deadline = time.monotonic() + request["timeout_s"]

    def get_remaining_time_in_millis(self) -> int:
        """Return how long the invocation may still take."""
        return max(0, int((self._deadline - time.monotonic()) * 1000))


def main(answers_fd: int) -> None:
    """Import the handler and serve requests until standard input ends."""
    requests = os.fdopen(os.dup(0), encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    answers = os.fdopen(answers_fd, "w", encoding="utf-8", buffering=1)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    sys.path.insert(0, os.environ["LAMBDA_TASK_ROOT"])
    sys.path.append(os.environ["LAMBDA_RUNTIME_DIR"])
    try:
        handler = _import_handler(os.environ["_HANDLER"])
    except Exception as error:
        answers.write(json.dumps({"error": _described(error)}) + "\n")
        return
    answers.write("{}\n")
    for line in requests:
        answers.write(_answer(handler, json.loads(line)) + "\n")


def _import_handler(path: str) -> Callable[[Any, Context], Any]:
    module, _, name = path.replace("/", ".").rpartition(".")
    handler: Callable[[Any, Context], Any] = getattr(importlib.import_module(module), name)
    return handler


def _answer(handler: Callable[[Any, Context], Any], request: dict[str, Any]) -> str:
    os.environ.pop("_X_AMZN_TRACE_ID", None)
    if request["trace_id"]:
        os.environ["_X_AMZN_TRACE_ID"] = request["trace_id"]
    try:
        return json.dumps({"result": handler(request["event"], Context(request))})
    except Exception as error:
        return json.dumps({"error": {**_described(error), "requestId": request["request_id"]}})
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


def _described(error: Exception) -> dict[str, Any]:
    traceback.print_exception(error)
    stack = traceback.format_tb(error.__traceback__)
    return {"errorMessage": str(error), "errorType": type(error).__name__, "stackTrace": stack}


if __name__ == "__main__":
    main(int(sys.argv[1]))
