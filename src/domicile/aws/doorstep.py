"""Lambda: handing a message to a Region's replicator without a queue, whose limit the message exceeds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING

from domicile.aws.failures import translated
from domicile.core.errors import TransientError

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient


class LambdaDoorstep:
    """The port ``Doorstep``: a synchronous invocation, whose payload may have 6 MB.

    ``client_of`` makes one client per Region on first use, and by one thread at a time.
    """

    def __init__(self, client_of: Callable[[str], LambdaClient], function: str) -> None:
        self._client_of = cache(client_of)
        self._function = function
        self._lock = Lock()

    def deliver(self, region: str, message: str) -> None:
        """Invoke the Region's function with the message as its queue would bring it."""
        with self._lock:
            client = self._client_of(region)
        name = hashlib.sha256(message.encode()).hexdigest()
        record = {"messageId": name, "body": message}
        with translated("Invoke"):
            answer = client.invoke(
                FunctionName=self._function, Qualifier="live", Payload=json.dumps({"Records": [record]}).encode()
            )
            payload = answer["Payload"].read()
        if "FunctionError" in answer or json.loads(payload)["batchItemFailures"]:
            raise TransientError("the replicator could not handle it for now")
