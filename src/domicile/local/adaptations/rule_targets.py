"""Delivery of an event to a rule's target: into another Region, with retries and a dead-letter queue.

AWS: a rule may forward to an event bus of another Region; the event keeps its original Region and account and gets a
new id. An event that crossed once does not cross again (THIRD_REGION_HOP_DETECTED). Where a target can't take an
event, EventBridge tries again with growing waits until the target's retry policy is exhausted (by default 185 retries
or 24 hours), unless the reason can't pass, such as a missing permission, and then sends the event to the target's
dead-letter queue with what went wrong in message attributes.

MiniStack 1.5.33: refuses a bus of another Region with a log line, stores retry policy and dead-letter queue and uses
neither: what can't be delivered is lost.

Only targets that take the event as it is are handled here (a queue, a bus of another Region); the rest stays with
MiniStack. The waits are shorter than on AWS, so that a person can watch a recovery.
"""

from __future__ import annotations

import asyncio
import contextvars
import json
import logging
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ministack.core.arn import Arn, ArnParseError, parse_arn
from ministack.core.responses import get_account_id, get_region, request_scope
from ministack.services import cloudwatch, eventbridge

from domicile.local.adaptations import expect_function, expect_value, permissions, queue_messages
from domicile.local.adaptations.queue_messages import UndeliverableError
from domicile.local.faults import Faults

_RETRY_FIRST_S = 0.2
_RETRY_LONGEST_S = 5.0
_RETRIES_DEFAULT = 185
_AGE_DEFAULT_S = 86_400
_EVENTS = "events.amazonaws.com"
# On an event's record, beside MiniStack's own keys.
_CROSSED = "_CrossedRegion"

log = logging.getLogger("domicile.local")


class _PassingError(Exception):
    """The target may take the event later."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass
class _Delivery:
    """One event on its way to one target. ``rule_scope`` is the rule's account and Region."""

    arn: Arn
    target: dict[str, Any]
    rule: dict[str, Any]
    rule_scope: tuple[str, str]
    event: dict[str, Any]
    view: Any
    started: float
    retries: int = 0

    def body(self) -> str:
        return json.dumps(self.view.event_with_detail(), ensure_ascii=False)


def install(loop: asyncio.AbstractEventLoop, faults: Faults) -> None:
    """Replace EventBridge's call of a target. Deliveries run on ``loop``, one after the other."""
    original = expect_function(eventbridge, "_invoke_target", "target", "event", "rule", "view")
    expect_function(eventbridge, "_dispatch_event", "event", "view")
    expect_function(eventbridge, "_pattern_event_view", "event")
    expect_function(eventbridge, "_ensure_default_bus")
    expect_value(eventbridge, "_event_buses")
    expect_function(cloudwatch, "record_metric", "namespace", "metric_name", "value", "unit", "dimensions")

    def later(delay_s: float, step: Callable[[_Delivery], None], delivery: _Delivery) -> None:
        # Not in the context of the API call that put the event: it is over when the delivery happens.
        loop.call_later(delay_s, step, delivery, context=contextvars.Context())

    def invoke_target(target: dict[str, Any], event: dict[str, Any], rule: dict[str, Any], view: Any = None) -> None:
        arn = _handled(target)
        if arn is None:
            original(target, event, rule, view)
            return
        view = view or eventbridge._pattern_event_view(event)
        scope = (get_account_id(), get_region())
        delivery = _Delivery(arn, target, rule, scope, event, view, started=time.time())
        loop.call_soon_threadsafe(begin, delivery, context=contextvars.Context())

    def begin(delivery: _Delivery) -> None:
        service, operation = ("sqs", "SendMessage") if delivery.arn.service == "sqs" else ("events", "PutEvents")
        fault = faults.strike(service, operation, delivery.arn.region)
        if fault is None:
            attempt(delivery)
        elif fault.code is None:
            later(fault.latency_s, attempt, delivery)
        else:
            code = "ERROR_FROM_TARGET" if service == "sqs" else "CROSS_REGION_INGESTION_FAILED"
            error = _PassingError(code, f"Injected fault: {fault.code}")
            later(fault.latency_s, lambda failed: fail(failed, error), delivery)

    def attempt(delivery: _Delivery) -> None:
        try:
            if delivery.arn.service == "sqs":
                _to_queue(delivery)
            else:
                _to_bus(delivery)
        except UndeliverableError as error:
            fail(delivery, error)
        except Exception as error:
            log.exception("delivery to %s", delivery.arn)
            fail(delivery, _PassingError("INTERNAL_ERROR", type(error).__name__))

    def fail(delivery: _Delivery, error: _PassingError | UndeliverableError) -> None:
        wait_s = min(_RETRY_FIRST_S * 2**delivery.retries, _RETRY_LONGEST_S)
        exhausted = _exhausted(delivery, wait_s)
        if isinstance(error, _PassingError) and exhausted is None:
            delivery.retries += 1
            later(wait_s, begin, delivery)
            return
        _dead_letter(delivery, error, exhausted)

    eventbridge._invoke_target = invoke_target


def _handled(target: dict[str, Any]) -> Arn | None:
    if any(key in target for key in ("Input", "InputPath", "InputTransformer")):
        return None
    try:
        arn = parse_arn(target["Arn"])
    except ArnParseError:
        return None
    elsewhere = (arn.account_id, arn.region) != (get_account_id(), get_region())
    is_bus = arn.service == "events" and arn.resource.startswith("event-bus/")
    return arn if (is_bus and elsewhere) or (arn.service == "sqs" and not elsewhere) else None


def _to_queue(delivery: _Delivery) -> None:
    queue = str(delivery.arn)
    if not permissions.service_may(_EVENTS, "sqs:SendMessage", queue, delivery.rule["Arn"]):
        raise UndeliverableError("NO_PERMISSIONS", f"The policy of {queue} or of its key does not let the rule in.")
    queue_messages.send(queue, delivery.body())


def _to_bus(delivery: _Delivery) -> None:
    if delivery.event.get(_CROSSED):
        raise UndeliverableError(
            "THIRD_REGION_HOP_DETECTED", f"The event came from another Region and is not forwarded to {delivery.arn}."
        )
    role = delivery.target.get("RoleArn")
    if not (
        role
        and permissions.may_assume(_EVENTS, role, delivery.rule["Arn"])
        and permissions.role_may(role, "events:PutEvents", str(delivery.arn))
    ):
        raise UndeliverableError("NO_PERMISSIONS", f"The rule's role {role} may not put events on {delivery.arn}.")
    bus = delivery.arn.resource.removeprefix("event-bus/")
    forwarded = {**delivery.event, "EventBusName": bus, "EventId": str(uuid.uuid4()), _CROSSED: True}
    # MiniStack's guard against loops knows rules by name alone, and the names are the same in every Region.
    forwarded.pop("_DispatchPath", None)
    with request_scope(delivery.arn.account_id, delivery.arn.region):
        eventbridge._ensure_default_bus()
        if bus not in eventbridge._event_buses:
            raise UndeliverableError("NO_RESOURCE", f"The event bus {delivery.arn} does not exist.")
        eventbridge._dispatch_event(forwarded)


def _exhausted(delivery: _Delivery, wait_s: float) -> str | None:
    policy = delivery.target.get("RetryPolicy") or {}
    if delivery.retries >= policy.get("MaximumRetryAttempts", _RETRIES_DEFAULT):
        return "MaximumRetryAttempts"
    if time.time() + wait_s - delivery.started > policy.get("MaximumEventAgeInSeconds", _AGE_DEFAULT_S):
        return "MaximumEventAgeInSeconds"
    return None


def _dead_letter(delivery: _Delivery, error: _PassingError | UndeliverableError, exhausted: str | None) -> None:
    rule, queue = delivery.rule, (delivery.target.get("DeadLetterConfig") or {}).get("Arn")
    with request_scope(*delivery.rule_scope):
        cloudwatch.record_metric("AWS/Events", "FailedInvocations", 1, "Count", {"RuleName": rule["Name"]})
    log.warning("%s to %s: %s", error.code, delivery.arn, "dead-letter queue" if queue else "dropped")
    if not queue or not permissions.service_may(_EVENTS, "sqs:SendMessage", queue, rule["Arn"]):
        return
    attributes = {
        "RULE_ARN": rule["Arn"],
        "TARGET_ARN": str(delivery.arn),
        "ERROR_CODE": error.code,
        "ERROR_MESSAGE": str(error),
    }
    if isinstance(error, _PassingError) and exhausted:
        attributes |= {"RETRY_ATTEMPTS": str(delivery.retries), "EXHAUSTED_RETRY_CONDITION": exhausted}
    try:
        queue_messages.send(queue, delivery.body(), attributes)
    except UndeliverableError as refused:
        log.warning("the dead-letter queue of rule %s: %s", rule["Name"], refused)
