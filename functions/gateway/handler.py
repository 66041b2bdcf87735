"""The gateway function: a batch of the staging stream."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger

from domicile.aws.batch import StreamBatch
from domicile.aws.settings import GatewaySettings
from domicile.aws.world import make_doorstep
from domicile.pipeline.gateway import Gateway

logger = Logger()


@cache
def _batch() -> StreamBatch:
    doorstep = make_doorstep(GatewaySettings.from_env(os.environ))
    return StreamBatch(os.environ, lambda world: Gateway(world, doorstep))


@logger.inject_lambda_context(log_event=False)  # whatever the environment says: an event holds attribute values
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Handle the records and name those that the stream must deliver again."""
    return _batch().handle(event["Records"])
