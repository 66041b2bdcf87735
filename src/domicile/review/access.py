"""Who may reach the places besides the ways: roles, users, and those whom the places' own policies admit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from domicile.review.arns import account_of, place_of, region_of, short
from domicile.review.deployment import FUNCTION, Deployment
from domicile.review.findings import Finding, Severity
from domicile.review.policies import HARMLESS, READS, WRITES, Grant, grants, statements, strangers
from domicile.review.stacks import UNKNOWN, Resource, is_unknown

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
    functions: dict[str, list[Resource]] = defaultdict(list)
    for function in deployment.of_kind(FUNCTION):
        functions[place_of(function.text("role"))].append(function)
    for role in deployment.of_kind("aws_iam_role"):
        yield from _trust(role, function=role.arn in functions)
    yield from _grants(deployment, functions)
    for policy in deployment.of_kind("aws_iam_policy"):
        if policy not in deployment.attached:
            yield from _unattached(deployment, policy)
    for resource in deployment.resources:
        yield from _resource_policy(resource)


def _grants(deployment: Deployment, functions: Mapping[str, Sequence[Resource]]) -> Iterator[Finding]:
    """Yield what is wrong with what the roles, users and groups are allowed, with all actions of a reason at once."""
    senders = {place_of(one.text("role_arn")) for one in deployment.resources if one.text("role_arn")}
    actions: dict[tuple[str, str, Severity], set[str]] = defaultdict(set)
    for holder, allowed in deployment.roles.items():
        for carrier, grant in allowed:
            holders: Sequence[Resource | None] = functions.get(holder) or [None]
            for function in holders:
                judged = _granted(deployment, grant, function, sends=holder in senders)
                for severity, reason in judged:
                    actions[carrier.label, reason, severity].add(grant.action)
    for (label, reason, severity), of in actions.items():
        yield Finding(label, f"allows {', '.join(sorted(of))}: {reason}", severity)


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
        elif function and services not in ("lambda.amazonaws.com", ["lambda.amazonaws.com"]):
            yield Finding(role.label, f"can be assumed by {services}")


def _granted(
    deployment: Deployment, grant: Grant, function: Resource | None, *, sends: bool
) -> Iterator[tuple[Severity, str]]:
    """Judge one action on one resource, for a function or, if it is None, for somebody else who may forward events."""
    covered = list(deployment.covered(grant))
    step = deployment.step(function) if function else ""
    here = function.site.region if function else ""
    away = ", ".join(sorted({region_of(place) for place in covered} - {here}))
    if "*" in grant.action or "?" in grant.action:
        if covered or function:
            yield Severity.VIOLATION, f"a wildcard, on {grant.resource}"
    elif grant.does(READS):
        if covered and not step:
            yield Severity.VIOLATION, "the items may be read by who is no function of the protocol"
        elif away and grant.action == "dynamodb:GetItem" and step in _READ_WHERE_WRITTEN:
            yield Severity.RELIED, f"the {step} may read every item in {away}; its code reads those that it is told of"
        elif away:
            yield Severity.VIOLATION, f"the {step} may read in {away}"
        elif covered and deployment.elsewhere(grant):
            yield Severity.VIOLATION, f"a wildcard, on {grant.resource}"
    elif grant.does(WRITES):
        if (function or sends) and deployment.elsewhere(grant):
            yield Severity.VIOLATION, f"{grant.resource} is not a place of the deployment alone"
        if function and away and not (step == "gateway" and grant.action.startswith("lambda:")):
            yield Severity.VIOLATION, f"the function may write in {away}"
    elif (function or covered) and not grant.does(HARMLESS):
        yield Severity.UNKNOWN, f"not judged, on {grant.resource}"


def _unattached(deployment: Deployment, policy: Resource) -> Iterator[Finding]:
    document = statements(policy.arguments.get("policy"))
    if document is None:
        yield Finding(policy.label, "attached to nothing here; what it allows is not known", Severity.RELIED)
    places = {
        short(place)
        for statement in document or ()
        for grant in grants(statement)
        if grant.does(READS | WRITES) or not grant.does(HARMLESS)
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
