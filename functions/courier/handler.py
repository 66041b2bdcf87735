"""The courier function: a batch of the outbox."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger

from domicile.aws.batch import QueueBatch
from domicile.aws.settings import CourierSettings
from domicile.aws.world import make_link
from domicile.pipeline.courier import Courier

logger = Logger()


@cache
def _batch() -> QueueBatch:
    link = make_link(CourierSettings.from_env(os.environ))
    return QueueBatch(os.environ, lambda world: Courier(world, link))


@logger.inject_lambda_context(log_event=False)  # whatever the environment says: an event holds attribute values
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Handle the messages and name those that the queue must deliver again."""
    return _batch().handle(event["Records"])
