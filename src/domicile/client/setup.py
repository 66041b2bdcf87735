"""What a client is made of, for both clients."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Sequence
from threading import Lock, Thread
from typing import Any, TypeVar

from botocore.config import Config

from domicile.aws.policy_source import AppConfigPolicySource
from domicile.client.clock import Clock
from domicile.client.context import Context
from domicile.client.events import Hook, Reporter
from domicile.client.health import Health
from domicile.client.options import Options
from domicile.client.reach import Reach
from domicile.core.errors import DomicileError, PolicyUnavailableError
from domicile.core.partitions import CHINA, WORLD, partition_of
from domicile.core.policy import Policy
from domicile.naming import Names

_ATTEMPTS_MAX = 2
"""In one Region, by botocore's standard retries: another Region is the better retry."""
_POLL_S = 5
"""How often the policy is looked at; AppConfig itself is asked when what it gave is old."""

Session = TypeVar("Session")

logger = logging.getLogger(__name__)


def sessions_of(regions: Sequence[str], session: Session, beyond: Session | None) -> dict[str, Session]:
    """Return the session of each partition that a client can call: the first Region's, and the other one's if given.

    Raises ``ValueError`` for a Region of neither.
    """
    here = partition_of(regions[0])
    sessions = {here: session}
    if beyond is not None:
        sessions[WORLD if here == CHINA else CHINA] = beyond
    for region in regions:
        if partition_of(region) not in sessions:
            raise ValueError(f"failover: {region} is not in {here}, as {regions[0]} is; accepted only with beyond=")
    return sessions


def new_context(
    name: str,
    regions: Sequence[str],
    partitions: Collection[str],
    policy: Callable[[], Policy],
    *,
    options: Options,
    hook: Hook | None,
) -> Context:
    """Return the shared part of a client of the deployment ``name``.

    ``regions``: the nearest first. ``partitions``: those that the client has credentials of.
    """
    tell = Reporter(hook)
    return Context(
        regions=tuple(dict.fromkeys(regions)),
        policy=policy,
        physical_name=Names(name, region=regions[0], account="").table,
        clock=Clock(),
        reach=Reach(Health(options, time.monotonic, tell), tell, partitions),
        tell=tell,
        options=options,
    )


def configured(options: Options, config: Config | None) -> Config:
    """Return the configuration of the DynamoDB clients: a Region that is down must be told soon."""
    ours = Config(
        connect_timeout=options.connect_timeout_s,
        read_timeout=options.read_timeout_s,
        retries={"mode": "standard", "total_max_attempts": _ATTEMPTS_MAX},
    )
    return ours.merge(config) if config is not None else ours


def policy_of_appconfig(name: str, regions: Sequence[str], client_of: Callable[[str], Any]) -> Callable[[], Policy]:
    """Return a reader of the deployed policy, which is the same in every Region: of the first one that has it.

    ``client_of`` makes an AppConfig Data client for a Region. What was read is kept, and read again in the background.
    """
    path = Names(name, region=regions[0], account="").policy_path
    sources: dict[str, AppConfigPolicySource] = {}

    def read() -> Policy:
        for region in regions:
            if region not in sources:
                sources[region] = AppConfigPolicySource(client_of(region), path)
            try:
                return sources[region].get()
            except PolicyUnavailableError:
                continue
        raise PolicyUnavailableError(f"AppConfig gave no policy in {', '.join(regions)}")

    return KeptPolicy(read, time.monotonic).get


class KeptPolicy:
    """The policy, read anew in a thread of its own: but for the first, no call waits for a Region that is down."""

    def __init__(self, read: Callable[[], Policy], now_s: Callable[[], float]) -> None:
        self._read = read
        self._now_s = now_s
        self._reading = Lock()
        self._policy: Policy | None = None
        self._due_s = 0.0

    def get(self) -> Policy:
        """Return the policy as it was last read; the first time, read it or raise what keeps it from being read."""
        if self._policy is None:
            with self._reading:
                if self._policy is None:
                    self._policy = self._read()
                    self._due_s = self._now_s() + _POLL_S
        elif self._now_s() >= self._due_s and self._reading.acquire(blocking=False):
            try:
                Thread(target=self._read_anew, daemon=True).start()
            except RuntimeError:  # The interpreter is about to end, or has no thread left.
                self._reading.release()
        return self._policy

    def _read_anew(self) -> None:
        try:
            self._policy = self._read()
        except DomicileError as error:
            logger.warning("policy_kept", extra={"domicile": {"reason": str(error)}})
        finally:
            self._due_s = self._now_s() + _POLL_S
            self._reading.release()
