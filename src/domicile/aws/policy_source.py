"""AppConfig: the policy's document, cached."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.parameters import AppConfigProvider
from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError

from domicile.aws.cached import Cached
from domicile.core.errors import PolicyUnavailableError
from domicile.core.policy import Policy
from domicile.pipeline.policy import LastGoodPolicy

if TYPE_CHECKING:
    from mypy_boto3_appconfigdata import AppConfigDataClient

MAX_AGE_S = 30
"""How old the policy may be before AppConfig is asked again: what a change of the map takes on top of its rollout."""

logger = Logger(child=True)


class AppConfigPolicySource:
    """The port ``PolicySource``; ``path`` is ``application/environment/profile``."""

    def __init__(self, client: AppConfigDataClient, path: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._application, self._environment, self._profile = path.split("/")
        self._provider = self._new_provider()
        self._text = Cached(self._read, MAX_AGE_S, clock)
        self._policy = LastGoodPolicy(self._text.get, lambda reason: logger.warning("policy_kept", reason=reason))
        self._lock = Lock()

    def get(self) -> Policy:
        """Return the newest policy, or the last good one where the newest cannot be read or is broken."""
        with self._lock:
            return self._policy.get()

    def _read(self) -> object:
        try:
            return self._provider.get(self._profile, force_fetch=True)
        except GetParameterError:
            # The session's token may have expired while the function was frozen, and the provider would keep it.
            self._provider = self._new_provider()
            raise PolicyUnavailableError("AppConfig gave no policy") from None

    def _new_provider(self) -> AppConfigProvider:
        return AppConfigProvider(self._environment, self._application, boto3_client=self._client)
