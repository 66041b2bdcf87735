"""What the protocol says of who tells whom what, in words of its own: docs/protocol.md, and docs/bridge.md.

The finite set of events that a deployment can emit follows from its policy document: for every Region, authority and
operation one. Each stands for all items of the authority that were written in one Region.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from domicile.core.events import CHANGES, EVERYWHERE, FINISHED, FORMAT, SOURCE, Operation
from domicile.core.partitions import partition_of
from domicile.core.policy import Policy
from domicile.review.patterns import ANYTHING


class Kind(Enum):
    """What of an item passes. A ``full`` image is that of a ``put`` or a ``move``."""

    FULL = "full"
    STUB = "stub"
    DELETE = "delete"
    FINISHED = "finished"


@dataclass(frozen=True)
class Content:
    """What of an item: its authority, None for a global item, and the Region that it was written in."""

    kind: Kind
    authority: str | None
    origin: str


@dataclass(frozen=True)
class Event:
    """A content on its way, with what the bus rules can see of it."""

    content: Content
    operation: Operation
    emitter: str
    destination: tuple[str, ...]

    @property
    def detail_type(self) -> str:
        """The detail type: ``finished`` or ``changes``."""
        return FINISHED if self.content.kind is Kind.FINISHED else CHANGES

    def names(self, region: str) -> bool:
        """Whether a Region is meant."""
        return region in self.destination or self.destination == EVERYWHERE

    def envelopes(self) -> Iterator[dict[str, Any]]:
        """Yield the forms in which EventBridge can see it: with its members, and compressed."""
        detail: dict[str, Any] = {
            "format": FORMAT,
            "emitter": self.emitter,
            "destination": list(self.destination),
        }
        member = dict.fromkeys(("table", "key", "version", "origin", "home", "image", "claim", "authority"), ANYTHING)
        if self.detail_type == FINISHED:
            detail["operation"] = self.operation.value
            members = {"receipts": [{**member, "outcome": ANYTHING}]}
        else:
            members = {"changes": [{**member, "operation": self.operation.value, "partial": ANYTHING}]}
        for body in (members, {"gzip": ANYTHING}):
            yield {
                "version": "0",
                "id": ANYTHING,
                "source": SOURCE,
                "detail-type": self.detail_type,
                "account": ANYTHING,
                "time": ANYTHING,
                "region": ANYTHING,
                "resources": [],
                "detail": detail | body,
            }


@dataclass(frozen=True)
class Protocol:
    """The protocol under one policy document."""

    policy: Policy

    def home(self, authority: str | None) -> str | None:
        """Return the home Region of an authority; a global item has none."""
        return None if authority is None else self.policy.authorities[authority]

    def written(self, authority: str | None, region: str) -> Iterator[Event]:
        """Yield what a Region's listener tells of a write or a delete in its table."""
        home = self.home(authority)
        if home is None:
            yield _event(Operation.PUT, authority, region, region, self._told(authority, region))
        elif home != region:
            yield _event(Operation.MOVE, authority, region, region, (home,))
        else:
            yield _event(Operation.STUB, authority, region, region, self._told(authority, region))
        yield _event(Operation.DELETE, authority, region, region, self._all())

    def applied(self, event: Event, region: str) -> Iterator[Event]:
        """Yield what a Region's replicator answers to the origin of a full image, and then tells the others."""
        content = event.content
        if content.kind is not Kind.FULL:
            return
        authority, origin = content.authority, content.origin
        yield Event(Content(Kind.FINISHED, authority, origin), event.operation, region, (origin,))
        if event.operation is Operation.MOVE:
            yield _event(Operation.STUB, authority, origin, region, self._told(authority, region))
            yield _event(Operation.DELETE, authority, origin, region, self._all())

    def crossing(self, event: Event, region: str) -> Event | None:
        """Return an event as a Region's courier sends it over the border, None where it has nothing for beyond."""
        beyond = tuple(name for name in event.destination if partition_of(name) != partition_of(region))
        return replace(event, destination=beyond) if beyond else None

    def may_know(self, content: Content, region: str) -> bool:
        """Whether a Region may come to hold a content: where it rests, or on its way over a bridge."""
        home = self.home(content.authority)
        if content.kind is Kind.FULL and home is not None:
            ends = {content.origin, home}
            crosses = len({partition_of(end) for end in ends}) > 1
            return region in ends or (crosses and region in self.gateways)
        if content.kind in (Kind.DELETE, Kind.FINISHED) or region == content.origin:
            return True
        return self.policy.tells(home or content.origin, region, content.authority)

    def may_carry(self, event: Event, region: str) -> bool:
        """Whether a Region may be given an event: one for it or, in a gateway Region, one that crosses the border."""
        beyond = {partition_of(name) != partition_of(region) for name in event.destination}
        arrives = partition_of(event.emitter) != partition_of(region)
        return event.names(region) or (region in self.gateways and (not arrives) in beyond)

    @property
    def gateways(self) -> frozenset[str]:
        """The gateway Regions of the bridges."""
        return frozenset(region for bridge in self.policy.bridges for region in bridge.between)

    def _told(self, authority: str | None, teller: str) -> tuple[str, ...]:
        told = (region for region in self.policy.regions if self.policy.tells(teller, region, authority))
        return tuple(told) if self.policy.bridges else EVERYWHERE

    def _all(self) -> tuple[str, ...]:
        return self.policy.regions if self.policy.bridges else EVERYWHERE


_KINDS = {
    Operation.PUT: Kind.FULL,
    Operation.MOVE: Kind.FULL,
    Operation.STUB: Kind.STUB,
    Operation.DELETE: Kind.DELETE,
}


def _event(
    operation: Operation, authority: str | None, origin: str, emitter: str, destination: tuple[str, ...]
) -> Event:
    others = tuple(region for region in destination if region != emitter)
    return Event(Content(_KINDS[operation], authority, origin), operation, emitter, others)
