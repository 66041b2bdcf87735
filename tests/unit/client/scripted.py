"""A client's decisions without a network: generators driven with scripted answers."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from domicile.client.clock import Clock
from domicile.client.context import Context
from domicile.client.events import Event, Kind, Reporter
from domicile.client.health import Health
from domicile.client.options import Options
from domicile.client.reach import Reach
from domicile.client.session import Session
from domicile.client.steps import Pause, Request, Steps
from domicile.client.table import BatchSteps, TableSteps
from domicile.core.control import Control, Image
from domicile.core.partitions import WORLD
from domicile.core.policy import Policy
from domicile.core.version import Version
from tests import policies

US, IN, EU = "us-east-1", "ap-south-1", "eu-west-1"
NOW_MS = 1_800_000_000_000
KEY = {"pk": "k", "sk": "s"}
WIRE_KEY: Image = {"pk": {"S": "k"}, "sk": {"S": "s"}}
CANARY = "canary-3141592653"
OK: dict[str, Any] = {"ResponseMetadata": {"HTTPStatusCode": 200}}

Answer = Mapping[str, Any] | Exception | Callable[[Request], Mapping[str, Any]]


@dataclass
class Scripted:
    """A client in ``regions``, the nearest first, whose steps are answered from a script.

    ``sent`` and ``pauses_s`` say what it asked for, ``events`` what it told. ``now_s`` is the breakers' time, and
    ``partitions`` are those that it has credentials of.
    """

    regions: tuple[str, ...] = (US, EU, IN)
    options: Options = field(default_factory=Options)
    policy: Policy = field(default_factory=policies.policy)
    hook: Callable[[Event], None] | None = None
    partitions: tuple[str, ...] = (WORLD,)
    now_s: float = 0.0
    now_ms: int = NOW_MS
    sent: list[Request] = field(default_factory=list)
    pauses_s: list[float] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Make what setup makes, with clocks of its own."""
        tell = Reporter(self.hook or self.events.append)
        self.health = Health(self.options, lambda: self.now_s, tell)
        self.context = Context(
            regions=self.regions,
            policy=lambda: self.policy,
            physical_name=lambda name: f"shop-{name}",
            clock=Clock(lambda: self.now_ms, random.Random(1)),
            reach=Reach(self.health, tell, self.partitions),
            tell=tell,
            options=self.options,
        )
        self.batches = BatchSteps(self.context)

    def table(self, session: Session | None = None, name: str = "orders") -> TableSteps:
        """Return a table, the policy's localized one unless it is named."""
        return TableSteps(self.context, name, session)

    @property
    def kinds(self) -> list[Kind]:
        """What kinds of events were told."""
        return [event.kind for event in self.events]

    @property
    def went_to(self) -> list[str]:
        """The Regions that were asked, in order."""
        return [request.region for request in self.sent]

    def run(self, steps: Steps[Any], *answers: Answer) -> Any:
        """Run an operation to its end; every answer must be used."""
        script = iter(answers)
        result = self._run(steps, script)
        assert next(script, None) is None, "an answer was left over"
        return result

    def _run(self, steps: Steps[Any], script: Iterator[Answer]) -> Any:
        try:
            step = next(steps)
            while True:
                try:
                    result = self._answer(step, script)
                except ScriptEndedError:
                    raise
                except Exception as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(result)
        except StopIteration as end:
            return end.value

    def _answer(self, step: Any, script: Iterator[Answer]) -> Any:
        if isinstance(step, Pause):
            self.pauses_s.append(step.seconds)
            return None
        if not isinstance(step, Request):
            return [self._run(operation, script) for operation in step.operations]
        self.sent.append(step)
        answer = next(script, None)
        if answer is None:
            raise ScriptEndedError(f"no answer is left for {step.operation} in {step.region}")
        if isinstance(answer, Exception):
            raise answer
        return dict(answer(step) if callable(answer) else answer)


class ScriptEndedError(AssertionError):
    """A request that the test did not expect."""


def version(ms: int = NOW_MS - 1000, region: str = US) -> Version:
    """A stamped version, by default of a second ago."""
    return Version(ms, plain=False, tie=1, region=region)


def item(control: Control | None = None, **attributes: Any) -> Image:
    """The key's item."""
    image = {**WIRE_KEY, **attributes}
    return image if control is None else {**image, "_dom": control.to_value()}


def full(at: Version | None = None, authority: str | None = None, **attributes: Any) -> Image:
    """A whole item, global unless an authority is given."""
    at = at or version()
    law = {"localization_authority": {"S": authority}} if authority else {}
    return item(Control(version=at, origin=at.region), **law, **attributes)


def stub(home: str, at: Version | None = None, authority: str = "IN", **attributes: Any) -> Image:
    """The stub of an item that lives in ``home``."""
    at = at or version()
    law = {"localization_authority": {"S": authority}} if authority else {}
    return item(Control(version=at, origin=at.region, home=home), **law, **attributes)


def marked(at: Version | None = None) -> Image:
    """An item that the replication is deleting."""
    return item(Control(version=at or version(), origin=US, deleting=True))


def refused(met: Image | None) -> ClientError:
    """A condition that did not hold."""
    response: dict[str, Any] = {
        "Error": {"Code": "ConditionalCheckFailedException", "Message": "The conditional request failed"},
        "ResponseMetadata": {"HTTPStatusCode": 400},
    }
    return ClientError(response | ({"Item": met} if met else {}), "PutItem")  # type: ignore[arg-type]


def cancelled(*met: Image | bool | None) -> ClientError:
    """A cancelled transaction: what each member met, None where nothing, True where it was not the cause."""
    reasons = [
        {"Code": "None"} if one is True else {"Code": "ConditionalCheckFailed", **({"Item": one} if one else {})}
        for one in met
    ]
    response: dict[str, Any] = {
        "Error": {"Code": "TransactionCanceledException", "Message": "Transaction cancelled"},
        "ResponseMetadata": {"HTTPStatusCode": 400},
        "CancellationReasons": reasons,
    }
    return ClientError(response, "TransactWriteItems")  # type: ignore[arg-type]


def error(code: str, status: int) -> ClientError:
    """Another error of DynamoDB."""
    response: Any = {"Error": {"Code": code, "Message": "m"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "PutItem")


def down() -> Exception:
    """No connection."""
    return EndpointConnectionError(endpoint_url="https://dynamodb")


def hangs() -> Exception:
    """A connection, and no answer."""
    return ReadTimeoutError(endpoint_url="https://dynamodb")


def stamped_version(request: Request) -> Version:
    """The version that a put or an update carries."""
    parameters = request.parameters
    value = (
        parameters["Item"]["_dom"] if "Item" in parameters else parameters["ExpressionAttributeValues"][":dom_control"]
    )
    return Version.parse(value["M"]["v"]["S"])
