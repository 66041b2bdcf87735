"""Who may reach the places besides the ways: roles, users, and those whom the places' own policies admit."""

from __future__ import annotations

from collections.abc import Iterator

from domicile.review.arns import account_of, place_of, region_of, short
from domicile.review.deployment import FUNCTION, Deployment
from domicile.review.findings import Finding, Severity
from domicile.review.policies import HARMLESS, READS, WRITES, Grant, grants, statements, strangers
from domicile.review.stacks import UNKNOWN, Resource, is_unknown

_VARIABLES = {
    *("DOMICILE_NAME", "DOMICILE_POLICY", "DOMICILE_BUS", "DOMICILE_QUARANTINE_URL", "DOMICILE_HASH_SECRET"),
    *("DOMICILE_RECEIVER", "DOMICILE_STREAM", "DOMICILE_SECRET", "DOMICILE_ENDPOINT", "DOMICILE_PROXY"),
    *("DOMICILE_REPLICATOR", "POWERTOOLS_SERVICE_NAME", "POWERTOOLS_METRICS_NAMESPACE", "POWERTOOLS_LOG_LEVEL"),
}
"""What the protocol's code reads. Others can lead it elsewhere: AWS_ENDPOINT_URL, or one that logs each event."""
_RESOURCE_POLICIES = {
    "aws_cloudwatch_event_bus_policy": "policy",
    "aws_dynamodb_resource_policy": "policy",
    "aws_kinesis_resource_policy": "policy",
    "aws_kms_key": "policy",
    "aws_kms_key_policy": "policy",
    "aws_secretsmanager_secret": "policy",
    "aws_secretsmanager_secret_policy": "policy",
    "aws_sqs_queue": "policy",
    "aws_sqs_queue_policy": "policy",
}
_READ_WHERE_WRITTEN = {"replicator", "courier"}
"""The steps that read an image where it was written, by its key, because it was too large for an event."""


def findings(deployment: Deployment) -> Iterator[Finding]:
    """Yield what opens a place to somebody who is not to reach it, and what only the code keeps closed."""
    steps: dict[str, str] = {}
    for function in deployment.of_kind(FUNCTION):
        steps[place_of(function.text("role"))] = deployment.step(function)
        yield from _function(function, deployment)
    senders = {place_of(one.text("role_arn")) for one in deployment.resources if one.text("role_arn")}
    for role in deployment.of_kind("aws_iam_role"):
        yield from _trust(role, function=role.arn in steps)
    for holder, allowed in deployment.roles.items():
        for carrier, grant in allowed:
            yield from _granted(deployment, carrier, grant, steps.get(holder), sends=holder in senders)
    for policy in deployment.of_kind("aws_iam_policy"):
        if policy not in deployment.attached:
            yield from _unattached(deployment, policy)
    for resource in deployment.resources:
        yield from _resource_policy(resource)


def _function(function: Resource, deployment: Deployment) -> Iterator[Finding]:
    variables = deployment.variables(function)
    if is_unknown(function.arguments.get("environment")):
        yield Finding(function.label, "its variables are not known", Severity.UNKNOWN)
    for name in sorted(set(variables) - _VARIABLES):
        yield Finding(function.label, f"has the variable {name}, which the protocol's code does not know")
    for name in ("DOMICILE_ENDPOINT", "DOMICILE_PROXY"):
        if name in variables:
            yield Finding(function.label, f"sends through {variables[name]}", Severity.RELIED)
    if step := deployment.step(function):
        twins = [one for one in deployment.of_kind(FUNCTION) if deployment.step(one) == step]
        if len({one.text("source_code_hash") for one in twins}) > 1:
            yield Finding(function.label, f"the code of {step} is not the same in all Regions", Severity.UNKNOWN)
    for name in ("file_system_config", "layers"):
        if function.arguments.get(name):
            yield Finding(function.label, f"has {name}, which the protocol's code does not")


def _trust(role: Resource, *, function: bool) -> Iterator[Finding]:
    """Look at who can be a role: of a function's, its service alone."""
    found = statements(role.arguments.get("assume_role_policy"))
    if found is None:
        yield Finding(role.label, "who can assume it is not known", Severity.UNKNOWN)
    for statement in found or ():
        principal = statement.get("Principal")
        services = principal.get("Service") if isinstance(principal, dict) and len(principal) == 1 else None
        if services is None and (function or list(strangers(statement, role.site.account))):
            yield Finding(role.label, f"can be assumed by {principal if principal else 'everyone'}")
        elif function and services != "lambda.amazonaws.com":
            yield Finding(role.label, f"can be assumed by {services}")


def _granted(
    deployment: Deployment, carrier: Resource, grant: Grant, step: str | None, *, sends: bool
) -> Iterator[Finding]:
    """Judge one action on one resource; ``step`` is None for who is no function, ``sends`` for who forwards events."""
    what, service = f"{grant.action} on {grant.resource}", grant.action.partition(":")[0]
    covered = list(deployment.covered(grant))
    if "*" in grant.action:
        if covered or step is not None:
            yield Finding(carrier.label, f"allows {what}: a wildcard of actions")
        return
    if grant.does(READS):
        yield from _reading(deployment, carrier, grant, covered, step)
    elif grant.does(WRITES):
        if (step is not None or sends) and deployment.elsewhere(grant):
            yield Finding(carrier.label, f"allows {what}, which is not a place of the deployment alone")
        away = sorted({region_of(place) for place in covered} - {carrier.site.region})
        if step is not None and away and not (step == "gateway" and service == "lambda"):
            yield Finding(carrier.label, f"allows {what}: a function may write in {', '.join(away)}")
    elif step is not None and not grant.does(HARMLESS):
        yield Finding(carrier.label, f"allows {what}, an action that is not judged", Severity.UNKNOWN)


def _reading(
    deployment: Deployment, carrier: Resource, grant: Grant, covered: list[str], step: str | None
) -> Iterator[Finding]:
    what = f"{grant.action} on {grant.resource}"
    if not covered:
        return
    away = sorted({region_of(place) for place in covered} - {carrier.site.region})
    if not step:
        yield Finding(carrier.label, f"allows {what} to who is no function of the protocol")
    elif away and (grant.action != "dynamodb:GetItem" or step not in _READ_WHERE_WRITTEN):
        yield Finding(carrier.label, f"allows {what}: a function may read in {', '.join(away)}")
    elif away:
        text = f"the {step} may read every item in {', '.join(away)}; its code reads those that it is told of"
        yield Finding(carrier.label, text, Severity.RELIED)
    elif deployment.elsewhere(grant):
        yield Finding(carrier.label, f"allows {what}: a wildcard of resources")


def _unattached(deployment: Deployment, policy: Resource) -> Iterator[Finding]:
    document = statements(policy.arguments.get("policy"))
    if document is None:
        yield Finding(policy.label, "attached to nothing here; what it allows is not known", Severity.RELIED)
    places = {
        short(place)
        for statement in document or ()
        for grant in grants(statement)
        if grant.does(READS) or grant.does(WRITES)
        for place in deployment.covered(grant)
    }
    if places:
        regions = sorted({place.split(" ")[0] for place in places})
        text = f"attached to nothing here; who has it reaches {len(places)} places in {', '.join(regions)}"
        yield Finding(policy.label, text, Severity.RELIED)


def _resource_policy(resource: Resource) -> Iterator[Finding]:
    account = resource.site.account
    argument = _RESOURCE_POLICIES.get(resource.kind)
    document = resource.arguments.get(argument) if argument else None
    if document:
        found = statements(document)
        if found is None:
            yield Finding(resource.label, "whom its policy admits is not known", Severity.UNKNOWN)
        for statement in found or ():
            for stranger in strangers(statement, account):
                yield Finding(resource.label, f"admits {stranger} ({', '.join(_actions(statement))})")
    elif resource.kind in ("aws_lambda_permission", "aws_cloudwatch_event_permission"):
        yield from _permission(resource, account)


def _permission(resource: Resource, account: str) -> Iterator[Finding]:
    principal = resource.text("principal")
    source = resource.text("source_account") or account_of(resource.text("source_arn"))
    if is_unknown(principal) or UNKNOWN in source:
        yield Finding(resource.label, "whom it admits is not known", Severity.UNKNOWN)
    elif account not in (principal, account_of(principal), source):
        yield Finding(resource.label, f"admits {principal}, for any account")


def _actions(statement: dict[str, object] | object) -> list[str]:
    value = statement.get("Action", "every action") if isinstance(statement, dict) else ""
    return [str(one) for one in value] if isinstance(value, list) else [str(value)]
