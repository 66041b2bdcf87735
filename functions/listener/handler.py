"""The listener function: a batch of a table's stream."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger

from domicile.aws.batch import StreamBatch
from domicile.pipeline.listener import Listener

logger = Logger()


@cache
def _batch() -> StreamBatch:
    return StreamBatch(os.environ, Listener)


@logger.inject_lambda_context(log_event=False)  # whatever the environment says: an event holds attribute values
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Handle the records and name those that the stream must deliver again."""
    return _batch().handle(event["Records"])
