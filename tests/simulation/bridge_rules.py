"""What takes one rule of a bridge out each; ``controls`` says where its absence shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from domicile.core import routing as routing_module
from domicile.core.change import Change
from domicile.core.control import Control as ControlAttribute
from domicile.core.events import Addressed, Mutation
from domicile.core.parcels import Parcel, Record, parcels_of
from domicile.core.policy import Policy, TablePolicy
from domicile.core.routing import route_delete
from domicile.core.version import Version
from domicile.pipeline import courier as courier_module
from domicile.pipeline import gateway as gateway_module
from domicile.pipeline import listener as listener_module
from domicile.pipeline.gateway import Gateway
from domicile.pipeline.replicator import Replicator
from domicile.simulator.bridge import SimulatedLink

Patch = pytest.MonkeyPatch


def tell_everybody(patch: Patch) -> None:
    """Let listeners and replicators address everybody; the courier's check is another matter."""

    def told(self: Policy, _authority: str | None, origin: str) -> tuple[str, ...]:
        return tuple(sorted(set(self.regions) - {origin}))

    patch.setattr(Policy, "told", told)
    patch.setattr("domicile.pipeline.replicator.Replicator._to_others", to_everybody)


def to_everybody(
    self: Replicator, mutation: Mutation, _move: Mutation, policy: Policy, table: TablePolicy
) -> Addressed | None:
    """Address a change to all Regions that are neither this home nor the origin."""
    others = set(policy.regions) - {self._world.region, mutation.origin}
    return Addressed(tuple(sorted(others)), mutation) if table.stubs_everywhere else None


def what_may_cross(patch: Patch) -> None:
    """Neither the listeners nor the courier look at what a bridge lets pass."""
    tell_everybody(patch)
    patch.setattr(courier_module, "may_cross", lambda *_: True)


def deletes_cross(patch: Patch) -> None:
    """A delete goes to every Region, whoever was told of the item."""

    def near(change: Change, version: Version, region: str, policy: Policy) -> Addressed:
        addressed = route_delete(change, version, region, policy)
        told = {other for other in addressed.destination if policy.tells(region, other, None)}
        return replace(addressed, destination=tuple(sorted(told)))

    patch.setattr(listener_module, "route_delete", near)


def untold_deletes(patch: Patch) -> None:
    """Who is not told of a write has what it replaced deleted."""
    patch.setattr(routing_module, "_untold", lambda *_: ())


def origin_of_what_is_replaced(patch: Patch) -> None:
    """So has the origin of what it replaced."""

    def untold(change: Change, policy: Policy, table: TablePolicy, region: str, told: Any) -> tuple[str, ...]:
        old = ControlAttribute.of(change.old, table.control_attribute)
        origin = {old.origin} if old else set()
        return tuple(sorted(set(original(change, policy, table, region, told)) - origin))

    original = routing_module._untold
    patch.setattr(routing_module, "_untold", untold)


def overtaken_moves(patch: Patch) -> None:
    """Who relied on a move, and is not told of what overtook it at its home, has it deleted."""
    patch.setattr(Replicator, "_overtaken", lambda *_: None)


def overtaken_claim_checks(patch: Patch) -> None:
    """So has who waits beyond for a claim check that was overtaken at its origin."""
    patch.setattr(courier_module, "route_overtaken", lambda *_: None)


def gone_moves(patch: Patch) -> None:
    """Of a moved item that is gone nobody hears who was not to be told of it."""

    def everybody(_move: Mutation, policy: Policy) -> tuple[str, ...]:
        return policy.regions

    patch.setattr(courier_module, "relying", everybody)


def claim_checks_are_redeemed(patch: Patch) -> None:
    """The courier redeems claim checks."""

    def as_it_is(mutation: Mutation, *_: Any) -> Mutation:
        return mutation

    patch.setattr(courier_module, "redeem", as_it_is)


def large_images_have_a_doorstep(patch: Patch) -> None:
    """What no event can carry is not made a claim check again."""
    patch.setattr(gateway_module, "travels_whole", lambda *_: True)


def emitter_is_kept(patch: Patch) -> None:
    """An event from beyond bears the Region that emitted it."""

    def one(self: Gateway, parcel: Parcel, work: Any, report: Any) -> None:
        original(self, parcel, work, report)
        work.emitter = self._world.region

    original = Gateway._one
    patch.setattr(Gateway, "_one", one)


def nothing_returns(patch: Patch) -> None:
    """Nor do its destinations lead back, which the gateway would see."""

    def all_of(event: Any, region: str) -> list[Parcel]:
        destination = tuple(event["detail"]["destination"])
        return [replace(parcel, destination=destination) for parcel in parcels_of(event, region)]

    emitter_is_kept(patch)
    patch.setattr("domicile.simulator.schedule.DRAIN_STEPS_MAX", 1000)  # the events multiply
    patch.setattr(courier_module, "parcels_of", all_of)
    patch.setattr(gateway_module, "_check_way", lambda *_: None)
    patch.setattr(courier_module, "may_cross", lambda *_: True)


def partial_failures(patch: Patch) -> None:
    """What a request was not taken of is sent again."""
    _forget(patch, lambda refused, count: len(refused) < count)


def whole_failures(patch: Patch) -> None:
    """The outbox keeps its messages until the link has taken them."""
    _forget(patch, lambda refused, count: len(refused) == count)


def _forget(patch: Patch, forgets: Any) -> None:
    def send(self: SimulatedLink, records: Sequence[Record]) -> Mapping[int, str]:
        refused = original(self, records)
        return {} if forgets(refused, len(records)) else refused

    original = SimulatedLink.send
    patch.setattr(SimulatedLink, "send", send)


def patience(patch: Patch) -> None:
    """What the staging stream is about to forget is quarantined."""
    patch.setattr(Gateway, "_is_old", lambda *_: False)
