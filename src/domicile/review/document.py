"""The policy document that a stack has, and whether it is the one that its functions are given."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from domicile.core.errors import PolicyInvalidError
from domicile.core.policy import Policy
from domicile.errors import UserError
from domicile.review.findings import Finding, Severity
from domicile.review.stacks import Resource, Stack, is_unknown

VERSION, DEPLOYMENT = "aws_appconfig_hosted_configuration_version", "aws_appconfig_deployment"
_NAMES = {
    "application_id": ("aws_appconfig_application", "id"),
    "environment_id": ("aws_appconfig_environment", "environment_id"),
    "configuration_profile_id": ("aws_appconfig_configuration_profile", "configuration_profile_id"),
    "configuration_version": (VERSION, "version_number"),
}
"""What a deployment or a version names by which argument: a resource of the same stack, by this attribute of it."""


def document_of(stack: Stack) -> Resource:
    """Return the only version of a policy document in a stack, or raise :class:`UserError`."""
    found = list(stack.of_kind(VERSION))
    if len(found) != 1:
        raise UserError(f"{stack.file}: has {len(found)} of {VERSION}; accepted: one, with the policy document")
    return found[0]


def policy_of(stack: Stack) -> Policy:
    """Return the policy of a stack, or raise :class:`UserError`."""
    document = document_of(stack)
    content = document.arguments.get("content")
    where = f"{stack.file}: {document.address}: content"
    if is_unknown(content):
        raise UserError(f"{where}: is not known yet; accepted: a policy document")
    try:
        return Policy.parse(json.loads(str(content)))
    except ValueError:
        raise UserError(f"{where}: is no JSON") from None
    except PolicyInvalidError as error:
        raise UserError(f"{where}: {error}") from None


def findings(stack: Stack) -> Iterator[Finding]:
    """Yield why the document may not be the one that is deployed."""
    document, deployments = document_of(stack), list(stack.of_kind(DEPLOYMENT))
    if all(deployment.keeps for deployment in deployments):
        yield Finding(document.label, "no deployment follows its changes", Severity.UNKNOWN)
    for one in (document, *_last(deployments)):
        for argument in sorted(set(_NAMES) & set(one.arguments)):
            kind, attribute = _NAMES[argument]
            if one.arguments[argument] not in {other.attribute(attribute) for other in stack.of_kind(kind)}:
                yield Finding(one.label, f"its {argument} is not the stack's own", Severity.UNKNOWN)


def _last(deployments: Sequence[Resource]) -> Sequence[Resource]:
    """Return those to be made, or else the last one: the ones before may be of former versions."""
    made = [one for one in deployments if "deployment_number" in one.arguments]
    made.sort(key=lambda one: int(one.arguments["deployment_number"]))
    return [one for one in deployments if one not in made] or made[-1:]
