"""The action and the resource of a request, where policies know it better than MiniStack does.

AWS: reading a configuration is allowed on application, environment and profile together; invoking a function by an
alias is allowed on the alias.

MiniStack 1.5.33: takes the first for no action at all, since SDKs sign it for AppConfig's other API, and the second for
one on the function.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ministack.core import iam_actions
from ministack.services import appconfig

from domicile.core.partitions import partition_of
from domicile.local.adaptations import expect_function, expect_value

_PARTS = ("ApplicationIdentifier", "EnvironmentIdentifier", "ConfigurationProfileIdentifier")
_DATA = "appconfigdata"


def install() -> None:
    """Let policies be asked about configurations and aliases."""
    original = expect_function(
        *(iam_actions, "extract_resource_arn", "service", "method", "path", "headers", "body", "query_params"),
        *("region", "account_id"),
    )
    action_of = expect_function(
        iam_actions, "extract_iam_action", "service", "method", "path", "headers", "body", "query_params"
    )
    expect_value(appconfig, "_sessions")
    expect_function(appconfig, "_resolve_application_id", "identifier")
    expect_function(appconfig, "_resolve_environment_id", "app_id", "identifier")
    expect_function(appconfig, "_resolve_configuration_profile_id", "app_id", "identifier")

    def action(service: str, method: str, path: str, *request: Any) -> Any:
        return action_of(_DATA if _reads_configuration(service, path) else service, method, path, *request)

    def resource_arn(service: str, method: str, path: str, *request: Any) -> str:
        *_, body, query, region, account = request
        if _reads_configuration(service, path) and (configuration := _configuration(body, query)):
            return f"arn:{partition_of(region)}:appconfig:{region}:{account}:{configuration}"
        found: str = original(service, method, path, *request)
        if service == "lambda" and (alias := _first(query, "Qualifier")):
            return f"{found}:{alias}"
        return found

    iam_actions.extract_iam_action = action
    iam_actions.extract_resource_arn = resource_arn


def _reads_configuration(service: str, path: str) -> bool:
    return service == "appconfig" and path.startswith("/configuration")


def _configuration(body: bytes, query: Mapping[str, Any]) -> str | None:
    """Return what a request of AppConfig's data plane reads, or None if it reads nothing that is there."""
    named: Mapping[str, str] = (
        json.loads(body) if body else appconfig._sessions.get(_first(query, "configuration_token"), {})
    )
    application, environment, profile = (named.get(part, "") for part in _PARTS)
    application = appconfig._resolve_application_id(application)
    environment = appconfig._resolve_environment_id(application, environment)
    profile = appconfig._resolve_configuration_profile_id(application, profile)
    if not (application and environment and profile):
        return None
    return f"application/{application}/environment/{environment}/configuration/{profile}"


def _first(query: Mapping[str, Any], name: str) -> str:
    values = query.get(name) or [""]
    return str(values[0] if isinstance(values, list) else values)
