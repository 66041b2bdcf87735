"""The fault injector's rules: which calls fail or wait, how often, and how many did.

The gateway asks before it passes an API call on; the adaptations ask before each delivery inside the local AWS. An
event's hop into a Region counts as ``events PutEvents`` there, a message from a rule as ``sqs SendMessage``, a
function's invocation by a mapping as ``lambda Invoke``.
"""

from __future__ import annotations

import contextvars
import random
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Literal, Self

from botocore.loaders import Loader
from pydantic import BaseModel, Field, ValidationError, model_validator

# The operations of these services are told apart by the path; those of every other service by a header.
REST_OPERATIONS = {
    "appconfigdata": {
        "StartConfigurationSession": r"/configurationsessions",
        "GetLatestConfiguration": r"/configuration",
    },
    "lambda": {"Invoke": r"/2015-03-31/functions/[^/]+/invocations"},
}
# The operations whose entries can be refused one by one.
_BATCHES = ("PutEvents", "PutRecords")
# The services whose calls may also be deliveries inside the local AWS, which have no caller that waits for an answer.
_DELIVERING = ("events", "lambda", "sqs")
# Set while an API call is served: the gateway has asked for it, and what the call does at once is part of it.
asked_at_the_door: contextvars.ContextVar[bool] = contextvars.ContextVar("asked_at_the_door", default=False)

_STATUS_BY_CODE = {"InternalFailure": 500, "InternalServerError": 500, "ServiceUnavailable": 503}


class FaultRuleError(Exception):
    """A rule can't be used; the message has a part for each key that is wrong."""


class FaultRule(BaseModel, extra="forbid"):
    """Calls of ``service`` (of one ``operation``, in one ``region``, or all) get an error, a wait, or both.

    ``code`` and ``status`` follow from each other where one is not given. ``times`` is how many calls the rule takes
    (None: no end). ``partial``: PutEvents or PutRecords succeeds, and each of its entries is a call of its own that can
    be refused. ``answer_lost``: the call is done, and its caller gets the error in place of the answer.
    """

    service: Literal["appconfigdata", "dynamodb", "events", "kinesis", "kms", "lambda", "secretsmanager", "sqs"]
    operation: str | None = None
    region: Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")] | None = None
    code: Annotated[str, Field(pattern=r"^[A-Za-z]+$")] | None = None
    status: Annotated[int, Field(ge=400, le=599)] | None = None
    latency_ms: Annotated[int, Field(ge=0, le=60_000)] = 0
    probability: Annotated[float, Field(gt=0, le=1)] = 1.0
    times: Annotated[int, Field(ge=1)] | None = None
    partial: bool = False
    answer_lost: bool = False

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.operation is not None and self.operation not in (accepted := _operations(self.service)):
            raise ValueError(f"operation: {self.service} has no {self.operation}; accepted: {', '.join(accepted)}")
        if self.code is None and self.status is None and not self.latency_ms:
            raise ValueError("the rule has no effect: give a code, a status or latency_ms")
        if self.partial and (self.operation not in _BATCHES or self.code is None or self.latency_ms):
            batches = " and ".join(_BATCHES)
            raise ValueError(f"partial: only the entries of {batches} are answered one by one, with a code and no wait")
        if self.answer_lost and (self.service in _DELIVERING or self.partial or not (self.code or self.status)):
            others = ", ".join(_DELIVERING)
            raise ValueError(f"answer_lost: needs a code or a status, a service other than {others}, and no partial")
        if self.status is None and self.code is not None:
            self.status = _STATUS_BY_CODE.get(self.code, 400)
        elif self.code is None and self.status is not None:
            self.code = "InternalServerError" if self.status == 500 else "ServiceUnavailable"  # noqa: PLR2004
        return self


@cache
def _operations(service: str) -> tuple[str, ...]:
    if service in REST_OPERATIONS:
        return tuple(sorted(REST_OPERATIONS[service]))
    return tuple(sorted(Loader().load_service_model(service, "service-2")["operations"]))


@dataclass(frozen=True)
class Fault:
    """What happens to one call: a wait of ``latency_s``, and then an error unless ``code`` is None.

    With ``answer_lost`` the call is done before the error is answered.
    """

    code: str | None
    status: int | None
    latency_s: float
    answer_lost: bool


class Faults:
    """The rules in force, first added first asked. Safe to use from any thread."""

    def __init__(self) -> None:
        self._rules: dict[int, FaultRule] = {}
        self._hits: dict[int, int] = {}
        self._last_id = 0
        self._lock = threading.Lock()

    def __bool__(self) -> bool:
        """Whether there is any rule: the hot path asks nothing else without one."""
        return bool(self._rules)

    def add(self, fields: Mapping[str, object]) -> dict[str, object]:
        """Add the rule with these fields and return it as it is listed. Raises :class:`FaultRuleError`."""
        try:
            rule = FaultRule.model_validate(dict(fields))
        except ValidationError as error:
            problems = (
                f"{problem['loc'][0]}: {problem['msg']}"
                if problem["loc"]
                else problem["msg"].removeprefix("Value error, ")
                for problem in error.errors(include_url=False)
            )
            raise FaultRuleError("; ".join(problems)) from None
        with self._lock:
            self._last_id += 1
            self._rules[self._last_id], self._hits[self._last_id] = rule, 0
            return self._listed(self._last_id)

    def list(self) -> list[dict[str, object]]:
        """Return each rule's fields with its ``id`` and its ``hits``, the number of calls that it took."""
        with self._lock:
            return [self._listed(rule_id) for rule_id in self._rules]

    def clear(self) -> int:
        """Remove all rules and return how many there were."""
        with self._lock:
            count = len(self._rules)
            self._rules.clear()
            self._hits.clear()
            return count

    def strike(self, service: str, operation: str | None, region: str, *, partial: bool = False) -> Fault | None:
        """Return what the first rule that takes this call (``partial``: this entry) does to it, and count the hit."""
        if not self._rules:
            return None
        with self._lock:
            for rule_id, rule in self._rules.items():
                if (
                    rule.service == service
                    and rule.operation in (None, operation)
                    and rule.region in (None, region)
                    and rule.partial == partial
                    and (rule.times is None or self._hits[rule_id] < rule.times)
                    and random.random() < rule.probability  # noqa: S311 - chance, not a secret
                ):
                    self._hits[rule_id] += 1
                    return Fault(rule.code, rule.status, rule.latency_ms / 1000, rule.answer_lost)
        return None

    def _listed(self, rule_id: int) -> dict[str, object]:
        return {"id": rule_id, **self._rules[rule_id].model_dump(exclude_none=True), "hits": self._hits[rule_id]}
