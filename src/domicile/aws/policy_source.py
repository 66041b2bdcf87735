"""AppConfig: the policy, cached, with the last good one kept."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.parameters import AppConfigProvider
from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError

from domicile.core.errors import PolicyInvalidError, PolicyUnavailableError
from domicile.core.policy import Policy

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
        self._text: object = None
        self._policy: Policy | None = None

    def get(self) -> Policy:
        """Return the newest policy, or the last good one where the newest cannot be read or is broken."""
        try:
            text = self._provider.get(self._profile, max_age=MAX_AGE_S)
            if self._policy is None or text != self._text:
                self._policy = Policy.parse(_json(text))
                self._text = text
        except GetParameterError:
            if self._policy is None:
                raise PolicyUnavailableError("AppConfig gave no policy") from None
            logger.warning("policy_kept", reason="AppConfig could not be read")
        except PolicyInvalidError as error:
            if self._policy is None:
                raise
            logger.warning("policy_kept", reason=str(error))
        return self._policy


def _json(text: object) -> object:
    try:
        return json.loads(text) if isinstance(text, str | bytes) else None
    except ValueError:
        raise PolicyInvalidError("policy: is not JSON") from None
