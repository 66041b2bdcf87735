"""Where items come to, on all ways and by all that the functions send: from each write to the last place."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from domicile.core.partitions import partition_of
from domicile.review.arns import Site, arn_of, place_of, region_of, service_of, short
from domicile.review.deployment import BUS, FUNCTION, LOG_GROUP, QUEUE, STREAM, TABLE, Deployment
from domicile.review.findings import Finding
from domicile.review.policies import WRITES
from domicile.review.protocol import Content, Event, Kind
from domicile.review.stacks import Resource
from domicile.review.ways import Way, bus_arn, ways

ELSEWHERE = "elsewhere"
"""A Region that nobody can name."""
_KNOWN = {
    *((TABLE, FUNCTION), (TABLE, QUEUE), (BUS, BUS), (BUS, QUEUE), (QUEUE, QUEUE), (QUEUE, FUNCTION)),
    *((FUNCTION, BUS), (FUNCTION, QUEUE), (FUNCTION, TABLE), (FUNCTION, LOG_GROUP), (FUNCTION, STREAM)),
    *((FUNCTION, FUNCTION), (STREAM, FUNCTION), (STREAM, QUEUE)),
}
"""From what to what the protocol takes items."""
_FED_BY = {
    "listener": {TABLE},
    "replicator": {QUEUE, FUNCTION},
    "anonymizer": {QUEUE},
    "courier": {QUEUE},
    "gateway": {STREAM},
}

Cargo = Content | Event


@dataclass(frozen=True)
class Crossing:
    """A content that a resource takes from one Region to another; ``allowed`` says whether the protocol lets it."""

    source: str
    target: str
    content: Content
    carrier: Resource
    allowed: bool


class Flow:
    """Everything that comes anywhere. ``crossings`` are those between Regions, ``findings`` what must not be."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._ways: dict[str, list[Way]] = defaultdict(list)
        for way in ways(deployment):
            self._ways[way.source].append(way)
        self._reached: set[tuple[str, Cargo]] = set()
        self._waiting: deque[tuple[str, Cargo]] = deque()
        self._wrong: dict[tuple[str, str], set[Content]] = defaultdict(set)
        self.crossings: dict[Crossing, None] = {}
        for place, table in deployment.replicated():
            for authority in (None, *deployment.protocol(table.site.region).policy.authorities):
                self._arrive(place, Content(Kind.FULL, authority, table.site.region))
        while self._waiting:
            self._leave(*self._waiting.popleft())

    @property
    def findings(self) -> Iterator[Finding]:
        """Each resource that takes items where they must not go, once for each place and reason."""
        for (label, text), contents in self._wrong.items():
            yield Finding(label, f"takes {phrase(contents)} {text}")

    @property
    def leaking(self) -> frozenset[str | None]:
        """The authorities of which something goes where it must not; None for global items."""
        return frozenset(content.authority for contents in self._wrong.values() for content in contents)

    def _arrive(self, place: str, cargo: Cargo) -> None:
        if (place, cargo) not in self._reached:
            self._reached.add((place, cargo))
            self._waiting.append((place, cargo))

    def _leave(self, place: str, cargo: Cargo) -> None:
        for way in self._ways[place]:
            if way.passes(cargo):
                self._take(place, way.target, cargo, way.carrier)
        resource = self._deployment.places[place]
        if resource.kind == FUNCTION:
            for target, sent, carrier in self._sent(resource, cargo):
                self._take(place, target, sent, carrier)

    def _take(self, source: str, target: str, cargo: Cargo, carrier: Resource) -> None:
        content = _content(cargo)
        problem = self._problem(source, target, cargo, carrier)
        ends = region_of(source), region_of(target) or ELSEWHERE
        if ends[0] != ends[1]:
            self.crossings[Crossing(*ends, content, carrier, problem is None)] = None
        if problem is None:
            self._arrive(target, cargo)
        else:
            self._wrong[carrier.label, problem].add(content)

    def _problem(self, source: str, target: str, cargo: Cargo, carrier: Resource) -> str | None:
        """Return why a cargo must not come to a place, None where it may."""
        kinds = self._deployment.places[source].kind, getattr(self._deployment.places.get(target), "kind", "")
        region, content = region_of(target), _content(cargo)
        protocol = self._deployment.protocol(region)
        if not kinds[1]:
            return f"to {short(target)}, which is no place of the deployment"
        if region not in self._deployment.by_region:
            return f"to {short(target)}, which is in no Region of the deployment"
        if not protocol.may_know(content, region):
            return f"to {short(target)}: {region} may not know them"
        if kinds not in _KNOWN:
            return f"to {short(target)}, by a way that the protocol does not have"
        if region != region_of(source) and isinstance(cargo, Event) and not protocol.may_carry(cargo, region):
            return f"to {short(target)}, which they are not addressed to"
        if kinds[1] == FUNCTION:
            step = self._deployment.step(self._deployment.places[target])
            if kinds[0] not in _FED_BY.get(step, ()):
                return f"to {short(target)}, whose code is not the protocol's for that"
        if kinds == (BUS, QUEUE) and place_of(carrier.text("arn")) == target and not self._is_read(target):
            return f"to {short(target)}, which no function reads"
        return None

    def _is_read(self, queue: str) -> bool:
        return any(service_of(way.target) == "lambda" for way in self._ways[queue])

    def _sent(self, function: Resource, cargo: Cargo) -> Iterator[tuple[str, Cargo, Resource]]:
        """Yield what a function of the protocol sends for a cargo, as (to where, what, the resource that lets it)."""
        region, step = function.site.region, self._deployment.step(function)
        variables = self._deployment.variables(function)
        if queue := variables.get("DOMICILE_QUARANTINE_URL"):
            yield self._deployment.queue(queue, region), cargo, function
        bus = variables.get("DOMICILE_BUS")
        buses = {bus_arn(bus, function): function} if bus else {}
        for place, carrier in self._writable(function):
            match self._deployment.places[place].kind:
                case "aws_cloudwatch_event_bus":
                    buses.setdefault(place, carrier)
                case "aws_lambda_function" if step == "gateway":
                    if isinstance(cargo, Event) and cargo.names(region_of(place)):
                        yield place, cargo, carrier
                case "aws_sqs_queue":
                    yield place, cargo, carrier
                case "aws_dynamodb_table" if region_of(place) != region:
                    yield place, _content(cargo), carrier
        for event in self._told(step, cargo, region):
            yield from ((bus, event, carrier) for bus, carrier in buses.items())
        if isinstance(cargo, Event):
            yield from ((place, sent, function) for place, sent in self._kept(step, cargo, variables, function))

    @cache  # noqa: B019  # a flow lives as long as its review
    def _writable(self, function: Resource) -> list[tuple[str, Resource]]:
        """Return each place that a function's role may send to, with the resource that lets it."""
        allowed = self._deployment.roles.get(place_of(function.text("role")), ())
        writing = [(carrier, grant) for carrier, grant in allowed if grant.does(WRITES)]
        return [(place, carrier) for carrier, grant in writing for place in self._deployment.covered(grant)]

    def _kept(
        self, step: str, event: Event, variables: Mapping[str, str], function: Resource
    ) -> Iterator[tuple[str, Cargo]]:
        """Yield what a step puts into tables, and into the stream beyond the border."""
        region = function.site.region
        protocol = self._deployment.protocol(region)
        if step == "replicator" and event.names(region) and event.content.kind in (Kind.FULL, Kind.STUB):
            for place, table in self._deployment.replicated():
                if table.site.region == region:
                    yield place, event.content
        if step == "courier" and (crossing := protocol.crossing(event, region)):
            yield self._stream(variables, function), crossing

    def _told(self, step: str, cargo: Cargo, region: str) -> Iterator[Event]:
        """Yield the events that a step puts on its bus."""
        protocol = self._deployment.protocol(region)
        match step, cargo:
            case "listener", Content(kind=Kind.FULL, authority=authority, origin=origin) if origin == region:
                yield from (event for event in protocol.written(authority, region) if event.destination)
            case "replicator", Event() if cargo.names(region):
                yield from (event for event in protocol.applied(cargo, region) if event.destination)
            case "gateway", Event():
                yield cargo

    def _stream(self, variables: Mapping[str, str], courier: Resource) -> str:
        """Return the ARN of the stream that a courier writes to."""
        receiver, name = variables.get("DOMICILE_RECEIVER", ""), variables.get("DOMICILE_STREAM", "")
        stack = self._deployment.by_region.get(receiver)
        site = stack.site if stack else Site(partition_of(receiver), courier.site.account, receiver)
        return arn_of(STREAM, {"name": name}, site) or name


def phrase(contents: set[Content]) -> str:
    """Return some contents in words, such as ``full images of EU items (written in us-east-1)``."""
    words = []
    names = {Kind.FULL: "full images", Kind.STUB: "stubs", Kind.DELETE: "deletes", Kind.FINISHED: "receipts"}
    for kind, name in names.items():
        of = {content for content in contents if content.kind is kind}
        if of:
            authorities = ", ".join(sorted(content.authority or "global" for content in of))
            authorities = ", ".join(dict.fromkeys(authorities.split(", ")))
            origins = ", ".join(sorted({content.origin for content in of}))
            words.append(f"{name} of {authorities} items (written in {origins})")
    return " and ".join(words)


def _content(cargo: Cargo) -> Content:
    return cargo.content if isinstance(cargo, Event) else cargo
