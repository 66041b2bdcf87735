"""The server's inside: MiniStack's application with the adaptations, behind the gateway.

MiniStack reads its settings from the environment when it is imported; :mod:`domicile.local.server` sets them first.
"""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Any

from hypercorn.asyncio import serve
from hypercorn.config import Config
from ministack.core import lambda_runtime

from domicile.local.account import client_environment
from domicile.local.adaptations import (
    access_keys,
    alarms,
    bus_policy,
    invocations,
    managed_keys,
    mapping_roles,
    named_resources,
    permissions,
    put_events,
    put_records,
    queue_messages,
    redrive,
    replicas,
    rollouts,
    rule_targets,
    sandboxes,
    security_groups,
    streams,
    time_to_live,
    vpc_endpoints,
)
from domicile.local.faults import Faults
from domicile.local.gateway import gateway

# Terraform and SDKs keep connections open between calls.
_KEEP_ALIVE_S = 75
_GRACE_S = 1


async def run(port: int, sandbox_files: Path, partition: str) -> None:
    """Serve a partition on 127.0.0.1 until SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    faults = Faults()
    sandboxes.install(sandbox_files, client_environment(f"http://127.0.0.1:{port}", partition))
    invocations.install(faults)
    permissions.install()
    named_resources.install()
    mapping_roles.install()
    streams.install()
    queue_messages.install()
    redrive.install()
    replicas.install()
    rollouts.install()
    rule_targets.install(loop, faults)
    put_events.install(faults)
    put_records.install(faults)
    bus_policy.install()
    alarms.install()
    managed_keys.install()
    security_groups.install()
    time_to_live.install(loop)
    vpc_endpoints.install()

    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.keep_alive_timeout = _KEEP_ALIVE_S
    config.graceful_timeout = _GRACE_S

    async def stop() -> None:
        await stopped.wait()
        # First the sandboxes: a request that waits for one would hold up the end.
        await asyncio.to_thread(lambda_runtime.reset)

    served: Any = gateway(access_keys.install(), faults, time_to_live.expire, permissions.asked)
    await serve(served, config, shutdown_trigger=stop)
    lambda_runtime.reset()
