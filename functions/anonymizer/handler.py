"""The anonymizer function: a batch of its queue."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger

from domicile.aws.batch import QueueBatch
from domicile.pipeline.anonymizer import Anonymizer

logger = Logger()


@cache
def _batch() -> QueueBatch:
    return QueueBatch(os.environ, Anonymizer)


@logger.inject_lambda_context(log_event=False)  # whatever the environment says: an event holds attribute values
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Handle the messages and name those that the queue must deliver again."""
    return _batch().handle(event["Records"])
