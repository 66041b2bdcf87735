"""Whether the functions run the protocol's code, with nothing that can lead it elsewhere."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from domicile.review.arns import place_of, short
from domicile.review.deployment import FUNCTION, Deployment
from domicile.review.findings import Finding, Severity
from domicile.review.stacks import Resource
from domicile.review.ways import function_arn

_VARIABLES = {
    *("DOMICILE_NAME", "DOMICILE_POLICY", "DOMICILE_BUS", "DOMICILE_QUARANTINE_URL", "DOMICILE_HASH_SECRET"),
    *("POWERTOOLS_SERVICE_NAME", "POWERTOOLS_METRICS_NAMESPACE", "POWERTOOLS_LOG_LEVEL"),
}
"""What every step's code reads. Others can lead it elsewhere: AWS_ENDPOINT_URL, or one that logs each event."""
_VARIABLES_OF = {
    "courier": {"DOMICILE_RECEIVER", "DOMICILE_STREAM", "DOMICILE_SECRET", "DOMICILE_ENDPOINT", "DOMICILE_PROXY"},
    "gateway": {"DOMICILE_REPLICATOR"},
}
_KINESIS = r"https://(vpce-[\w-]+\.)?kinesis(-fips)?\.{region}\.(vpce\.)?amazonaws\.com(\.cn)?(:443)?/?"
_LOOPBACK = r"https?://127\.0\.0\.1(:\d+)?/?"


def findings(deployment: Deployment) -> Iterator[Finding]:
    """Yield what can make a function of the protocol do something else; what comes to other code is told elsewhere."""
    twins: dict[str, list[Resource]] = defaultdict(list)
    roles = {role.arn for role in deployment.of_kind("aws_iam_role")}
    for function in deployment.of_kind(FUNCTION):
        if step := deployment.step(function):
            twins[step].append(function)
            yield from _told(function, step, deployment)
            if place_of(function.text("role")) not in roles:
                yield Finding(function.label, "its role is not of the deployment", Severity.UNKNOWN)
    for step, functions in twins.items():
        if len({(one.text("source_code_hash"), one.text("filename")) for one in functions}) > 1:
            for function in functions:
                yield Finding(function.label, f"the code of {step} is not the same in all Regions", Severity.UNKNOWN)
    yield from _versions(deployment)


def _told(function: Resource, step: str, deployment: Deployment) -> Iterator[Finding]:
    """Look at the environment."""
    variables = deployment.variables(function)
    for name in sorted(set(variables) - _VARIABLES - _VARIABLES_OF.get(step, set())):
        yield Finding(function.label, f"has the variable {name}, which the {step} does not know")
    path = _policy_path(function, deployment)
    if variables.get("DOMICILE_POLICY", path) != path:
        yield Finding(function.label, "reads another policy document than that of its stack")
    if step == "courier":
        receiver, endpoint = variables.get("DOMICILE_RECEIVER", ""), variables.get("DOMICILE_ENDPOINT", "")
        kinesis = _KINESIS.replace("{region}", re.escape(receiver))
        if endpoint and not re.fullmatch(f"{kinesis}|{_LOOPBACK}", endpoint):
            text = f"sends to {_shown(endpoint)}, which is not known to be Kinesis in {receiver}"
            yield Finding(function.label, text, Severity.UNKNOWN)
        for name in sorted({"DOMICILE_ENDPOINT", "DOMICILE_PROXY"} & set(variables)):
            yield Finding(function.label, f"sends through {_shown(variables[name])}", Severity.RELIED)


def _shown(url: str) -> str:
    """Leave out the password that a URL may have."""
    return url.rpartition("@")[2]


def _policy_path(function: Resource, deployment: Deployment) -> str:
    """Return where AppConfig has the policy document of a function's stack."""
    kinds = [f"aws_appconfig_{part}" for part in ("application", "environment", "configuration_profile")]
    found = [one for kind in kinds for one in deployment.of_kind(kind)]
    return "/".join(one.text("name") for one in found if one.site == function.site)


def _versions(deployment: Deployment) -> Iterator[Finding]:
    """Look at the aliases, and at mappings that name a version by itself."""
    known = set(deployment.places)
    for alias in deployment.of_kind("aws_lambda_alias"):
        place = place_of(function_arn(alias))
        known.add(f"{place}:{alias.text('name')}")
        function = deployment.places.get(place)
        if not function or not deployment.step(function):
            continue
        if alias.text("function_version") != function.attribute("version"):
            yield Finding(alias.label, "is of another version than that of the stack", Severity.UNKNOWN)
        if alias.blocks("routing_config"):
            yield Finding(alias.label, "may hand calls to another version", Severity.UNKNOWN)
    for mapping in deployment.of_kind("aws_lambda_event_source_mapping"):
        called = function_arn(mapping)
        if place_of(called) in known and called not in known:
            yield Finding(mapping.label, f"calls a version of {short(place_of(called))} by itself", Severity.UNKNOWN)
