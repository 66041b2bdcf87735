"""What roles, users and services may do is decided wherever AWS asks, and what was asked is kept.

AWS: it is a function's role, too, that reads the function's streams and queues, sends to a mapping's on-failure
destination and writes the log; a rule's role puts events on another Region's bus. For a queue a rule has no role: the
queue's own policy, and that of its key, must let EventBridge in for this rule. A service acts as a role only if the
role's trust policy says so. And who reaches encrypted data must be allowed to use its key.

MiniStack 1.5.33: decides for requests alone, and asks for no keys.

All decisions are its evaluator's. ``GET /_domicile/permissions`` tells each question once, with both answers if it had
both. It tells nothing of items: of the condition keys it has those that are set here.
"""

from __future__ import annotations

import contextvars
import hashlib
import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.arn import parse_arn
from ministack.core.iam_evaluator import EvalContext
from ministack.core.responses import request_scope
from ministack.services import iam, sts

from domicile.local.adaptations import expect_function, expect_value, key_use

_DOCUMENTS_KEPT = 1000
_HERE = "127.0.0.1"

log = logging.getLogger("domicile.local")


@dataclass(frozen=True)
class _Question:
    """Whether a principal may do something, under some of the condition keys; ``region`` is the requested one."""

    principal: str
    action: str
    resource: str
    region: str
    source_ip: str
    context: frozenset[tuple[str, str | tuple[str, ...]]]


_answers: dict[_Question, set[bool]] = {}


def install() -> None:
    """Let each decision on a request ask for the resource's key, and be kept."""
    key_use.expect()
    original = expect_function(
        *(iam_evaluator, "enforce", "access_key_id", "iam_action", "service", "region", "resource_arn"),
        "service_context",
    )
    parse = expect_function(iam_evaluator, "parse_policy_document", "doc")
    expect_function(
        *(iam_evaluator, "evaluate_resource_policy", "doc", "ctx", "service", "named_only", "direct_only"),
    )
    expect_function(iam_evaluator, "_resource_policy", "service", "resource_arn")
    expect_function(iam_evaluator, "resolve_caller_identity", "access_key_id")
    expect_value(iam_evaluator, "_request_origin")
    expect_function(iam_evaluator, "pin_request_origin", "source_ip", "secure_transport")
    expect_value(iam, "_roles")
    expect_function(sts, "register_session", "access_key", "session")

    def enforce(
        access_key_id: str,
        iam_action: str,
        service: str,
        region: str,
        *,
        resource_arn: str = "*",
        service_context: Mapping[str, Any] | None = None,
    ) -> Any:
        denied = original(access_key_id, iam_action, service, region, resource_arn, service_context)
        caller = (iam_evaluator.resolve_caller_identity(access_key_id) or {}).get("userArn", ":root")
        if isinstance(denied, iam_evaluator.AuthError) or caller.endswith(":root"):
            return denied
        via = service_context if service == "kms" and service_context else {}
        _keep(_question(_named(caller), iam_action, resource_arn, region, via), denied is None)
        if denied is None:
            for action, key_arn, context in key_use.uses(iam_action, resource_arn):
                denied = denied or enforce(
                    access_key_id, action, "kms", region, resource_arn=key_arn, service_context=context
                )
        return denied

    # Every request asks for all documents of its role.
    parse_once = lru_cache(_DOCUMENTS_KEPT)(parse)
    iam_evaluator.parse_policy_document = lambda doc: parse_once(doc) if isinstance(doc, str) else parse(doc)
    iam_evaluator.enforce = enforce


def role_may(role_arn: str, action: str, resource_arn: str) -> bool:
    """Return whether a service that acts as this role may do something with a resource."""
    role, resource = parse_arn(role_arn), parse_arn(resource_arn)

    def ask() -> bool:
        iam_evaluator.pin_request_origin(_HERE, True)
        with request_scope(role.account_id, resource.region):
            key = _session(role_arn)
            denied = iam_evaluator.enforce(key, action, resource.service, resource.region, resource_arn=resource_arn)
            return denied is None

    # Not in the context of a request: its signature, its address and its caller are not those of the service.
    return contextvars.Context().run(ask)


def service_may(service: str, action: str, resource_arn: str, source_arn: str) -> bool:
    """Return whether a service may do something, on behalf of a resource of this account, by the resource's policies.

    ``service`` is its principal, such as ``events.amazonaws.com``. A resource that does not exist refuses nobody.
    """
    resource = parse_arn(resource_arn)
    with request_scope(resource.account_id, resource.region):
        steps = [(action, resource_arn), *((used, key) for used, key, _ in key_use.uses(action, resource_arn))]
        for step, arn in steps:
            found = iam_evaluator._resource_policy(parse_arn(arn).service, arn)
            if found and not _lets_in(found[0], service, step, arn, source_arn):
                return False
    return True


def may_assume(service: str, role_arn: str, source_arn: str) -> bool:
    """Return whether a role's trust policy lets a service act as it on behalf of a resource."""
    role = parse_arn(role_arn)
    found = iam._roles.get_scoped(role.account_id, None, role.resource.rpartition("/")[2]) or {}
    return _lets_in(found.get("AssumeRolePolicyDocument"), service, "sts:AssumeRole", role_arn, source_arn)


def asked() -> list[dict[str, Any]]:
    """Return each question that was asked, and whether the answer was ever yes and ever no."""
    return [
        {
            **vars(question),
            "context": {name: list(value) if isinstance(value, tuple) else value for name, value in question.context},
            "allowed": True in answers,
            "denied": False in answers,
        }
        for question, answers in list(_answers.items())
    ]


def _lets_in(policy: Any, service: str, action: str, resource_arn: str, source_arn: str) -> bool:
    source = parse_arn(source_arn)
    context = {"aws:SourceArn": source_arn, "aws:SourceAccount": source.account_id}
    request = EvalContext(
        principal_arn="*",  # the service itself, which is nobody in the account
        principal_type="Service",
        principal_account="",
        action=action,
        resource_arn=resource_arn,
        region=source.region,
        secure_transport=True,
        service_context={name.lower(): value for name, value in context.items()},
    )
    allowed: bool = iam_evaluator.evaluate_resource_policy(policy, request, service=service).decision == "Allow"
    _keep(_question(service, action, resource_arn, source.region, context), allowed)
    return allowed


def _session(role_arn: str) -> str:
    """Return the access key of the session by which services act as a role."""
    key = f"ASIA{hashlib.sha256(role_arn.encode()).hexdigest()[:16].upper()}"
    if key not in sts._sessions:
        role = parse_arn(role_arn)
        arn = f"arn:{role.partition}:sts::{role.account_id}:assumed-role/{role.resource.rpartition('/')[2]}/service"
        secret, token = secrets.token_hex(), secrets.token_hex()
        sts.register_session(key, {"Arn": arn, "UserId": arn, "SecretAccessKey": secret, "SessionToken": token})
    return key


def _named(caller_arn: str) -> str:
    """Return ``role/<name>`` for a role's session, and ``user/<name>`` for a user."""
    kind, name = parse_arn(caller_arn).resource.split("/")[:2]
    return f"role/{name}" if kind == "assumed-role" else f"{kind}/{name}"


def _question(principal: str, action: str, resource_arn: str, region: str, context: Mapping[str, Any]) -> _Question:
    source_ip, _ = iam_evaluator._request_origin.get()
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in context.items()}
    return _Question(principal, action, resource_arn, region, source_ip, frozenset(values.items()))


def _keep(question: _Question, allowed: bool) -> None:
    answers = _answers.setdefault(question, set())
    if not allowed and False not in answers:
        log.warning("%s may not %s on %s", question.principal, question.action, question.resource)
    answers.add(allowed)
