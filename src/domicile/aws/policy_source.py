"""AppConfig: the policy's document, cached."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.parameters import AppConfigProvider
from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError

from domicile.core.errors import PolicyUnavailableError
from domicile.core.policy import Policy
from domicile.pipeline.policy import LastGoodPolicy

if TYPE_CHECKING:
    from mypy_boto3_appconfigdata import AppConfigDataClient

MAX_AGE_S = 30
"""How old the policy may be before AppConfig is asked again: a change of the map takes this long at most."""

logger = Logger(child=True)


class AppConfigPolicySource:
    """The port ``PolicySource``; ``path`` is ``application/environment/profile``."""

    def __init__(self, client: AppConfigDataClient, path: str) -> None:
        application, environment, self._profile = path.split("/")
        self._provider = AppConfigProvider(application=application, environment=environment, boto3_client=client)
        self._policy = LastGoodPolicy(self._read, lambda reason: logger.warning("policy_kept", reason=reason))

    def get(self) -> Policy:
        """Return the newest policy, or the last good one where the newest cannot be read or is broken."""
        return self._policy.get()

    def _read(self) -> object:
        try:
            return self._provider.get(self._profile, max_age=MAX_AGE_S)
        except GetParameterError:
            raise PolicyUnavailableError("AppConfig gave no policy") from None
