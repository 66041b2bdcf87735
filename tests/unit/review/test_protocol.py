"""The review's own statement of the protocol agrees with the rules that the functions run."""

from __future__ import annotations

from typing import Any

import pytest

from domicile.core.change import Change
from domicile.core.events import EVERYWHERE
from domicile.core.policy import Policy
from domicile.core.routing import route_delete, route_write
from domicile.core.version import Version
from domicile.review.protocol import Content, Kind, Protocol

_TABLE = {
    "ledger": "visits-ledger",
    "hash_key": "pk",
    "authority_attribute": "flag",
    "control_attribute": "_dom",
    "sensitive": {},
    "directory": "everywhere",
    "writers": "any",
}
_ONE_PARTITION: dict[str, Any] = {
    "format": 1,
    "regions": ["ap-south-1", "eu-west-1", "us-east-1"],
    "authorities": {"EU": "eu-west-1", "IN": "ap-south-1"},
    "tables": {"visits": _TABLE},
}
_BRIDGED: dict[str, Any] = {
    "format": 1,
    "regions": ["ap-southeast-1", "cn-north-1", "cn-northwest-1", "eu-west-1"],
    "authorities": {"CN": "cn-north-1", "EU": "eu-west-1", "SG": "ap-southeast-1"},
    "tables": {"visits": _TABLE},
    "bridges": [{"between": ["ap-southeast-1", "cn-north-1"], "global_items": False, "stubs": ["EU"]}],
}
_CASES = [
    (document, region, authority)
    for document in (_ONE_PARTITION, _BRIDGED)
    for region in document["regions"]
    for authority in (None, *document["authorities"])
]


@pytest.mark.parametrize(("document", "region", "authority"), _CASES)
def test_a_write_is_told_as_the_listener_routes_it(document: Any, region: str, authority: str | None) -> None:
    policy = Policy.parse(document)
    version = Version(ms=1, plain=False, tie=0, region=region)
    change = _change(authority)
    routed = route_write(change, version, region, policy, lambda whole: whole)
    routed.append(route_delete(change, version, region, policy))
    wanted = {(item.mutation.operation, frozenset(item.destination)) for item in routed if item.destination}
    events = [event for event in Protocol(policy).written(authority, region) if event.destination]
    assert {(event.operation, frozenset(event.destination)) for event in events} == wanted


def test_a_move_is_answered_to_its_origin_and_told_to_the_others() -> None:
    protocol = Protocol(Policy.parse(_ONE_PARTITION))
    (move,) = [event for event in protocol.written("EU", "us-east-1") if event.content.kind is Kind.FULL]
    assert move.destination == ("eu-west-1",)
    answers = {event.content.kind: event for event in protocol.applied(move, "eu-west-1")}
    assert answers[Kind.FINISHED].destination == ("us-east-1",)
    assert answers[Kind.STUB].destination == EVERYWHERE
    assert {event.emitter for event in answers.values()} == {"eu-west-1"}


def test_nothing_is_said_of_what_is_no_full_image() -> None:
    protocol = Protocol(Policy.parse(_ONE_PARTITION))
    for event in protocol.written("EU", "eu-west-1"):
        assert event.content.kind in (Kind.STUB, Kind.DELETE)
        assert list(protocol.applied(event, "us-east-1")) == []


@pytest.mark.parametrize(
    ("kind", "authority", "origin", "region", "may"),
    [
        (Kind.FULL, "SG", "eu-west-1", "eu-west-1", True),
        (Kind.FULL, "SG", "eu-west-1", "ap-southeast-1", True),
        (Kind.FULL, "SG", "eu-west-1", "cn-north-1", False),
        (Kind.FULL, "SG", "cn-northwest-1", "cn-north-1", True),
        (Kind.FULL, "EU", "cn-north-1", "ap-southeast-1", True),
        (Kind.FULL, "EU", "cn-north-1", "cn-northwest-1", False),
        (Kind.FULL, None, "eu-west-1", "ap-southeast-1", True),
        (Kind.FULL, None, "eu-west-1", "cn-north-1", False),
        (Kind.STUB, "EU", "eu-west-1", "cn-northwest-1", True),
        (Kind.STUB, "SG", "eu-west-1", "cn-north-1", False),
        (Kind.DELETE, "SG", "eu-west-1", "cn-north-1", True),
        (Kind.FINISHED, "SG", "eu-west-1", "cn-north-1", True),
    ],
)
def test_who_may_know_what(kind: Kind, authority: str | None, origin: str, region: str, may: bool) -> None:
    protocol = Protocol(Policy.parse(_BRIDGED))
    assert protocol.may_know(Content(kind, authority, origin), region) is may


def _change(authority: str | None) -> Change:
    image: Any = {"pk": {"S": "k"}} | ({"flag": {"S": authority}} if authority else {})
    return Change(table="visits", key={"pk": {"S": "k"}}, old=None, new=image, at_ms=0, sequence=1, expired=False)
