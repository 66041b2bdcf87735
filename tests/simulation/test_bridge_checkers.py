"""The checkers know who may hear of what across a bridge: each finds a violation that was made by hand."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from domicile.simulator import checkers
from domicile.simulator.history import Bridge, History, Quarantined, Write
from tests.simulation.test_checkers import at, found_by, image

GATE, IRELAND, BEYOND, HOME = "ap-southeast-1", "eu-west-1", "cn-north-1", "cn-northwest-1"
SIDES = {GATE: "aws", IRELAND: "aws", BEYOND: "aws-cn", HOME: "aws-cn"}
BRIDGE = Bridge(sides=SIDES, gateways={"aws": GATE, "aws-cn": BEYOND}, global_items=True, stubs=frozenset())


def stamped(ms: int, region: str) -> str:
    return f"{ms:015d}-0000001-{region}"


FIRST, SECOND = stamped(1000, IRELAND), stamped(2000, HOME)


def stub(id_: int, version: str) -> dict[str, Any]:
    return at({**image(id_, authority="CN"), "email": {"S": "[redacted]"}}, version, l={"S": HOME})


def crossed() -> History:
    """An item of CN that was written in Ireland and moved to its home beyond; its stub may not return."""
    full = at(image(1, authority="CN"), FIRST)
    history = History(regions=tuple(SIDES), homes={"CN": [HOME], "EU": [IRELAND]}, bridge=BRIDGE)
    history.writes.append(
        Write(id=1, region=IRELAND, key="k0", image=image(1, authority="CN"), over=None, sequence=1, version=FIRST)
    )
    history.versions = {FIRST}
    history.seen = {(IRELAND, 1): "table", (GATE, 1): "outbox", (BEYOND, 1): "stream", (HOME, 1): "table"}
    history.shown = {**history.seen, (BEYOND, 1): "table"}
    history.offered, history.crossed = Counter({(GATE, FIRST): 1}), Counter({(GATE, FIRST): 1})
    history.final = {"k0": {GATE: None, IRELAND: stub(1, FIRST), BEYOND: stub(1, FIRST), HOME: full}}
    history.replayed = {"k0": dict(history.final["k0"])}
    return history


def updated() -> History:
    """The same item, updated at its home: what Ireland has of it had to go."""
    history = crossed()
    history.writes.append(
        Write(
            id=2,
            region=HOME,
            key="k0",
            image=image(2, authority="CN"),
            over=1,
            over_version=FIRST,
            sequence=5,
            version=SECOND,
        )
    )
    history.versions.add(SECOND)
    full = at(image(2, authority="CN"), SECOND)
    history.final = {"k0": {GATE: None, IRELAND: None, BEYOND: stub(2, SECOND), HOME: full}}
    history.replayed = {"k0": dict(history.final["k0"])}
    return history


@pytest.mark.parametrize("history", [crossed(), updated()], ids=["crossed", "updated"])
def test_a_history_in_order_is_not_blamed(history: History) -> None:
    assert checkers.check(history) == []


def test_who_is_told_of_a_write_must_end_with_it() -> None:
    history = updated()
    history.final["k0"][BEYOND] = stub(1, FIRST)
    assert found_by(checkers.convergence, history)
    history = updated()
    history.writes = [replace(write, image=image(write.id, authority=None)) for write in history.writes]
    assert found_by(checkers.convergence, history)


@pytest.mark.parametrize("items", ["final", "replayed"])
def test_what_was_replaced_may_not_stay_where_its_successor_is_not_told(items: str) -> None:
    history = updated()
    getattr(history, items)["k0"][IRELAND] = stub(1, FIRST)
    assert found_by(checkers.bridge_rules, history)


def test_what_was_replaced_by_nobody_who_knew_it_may_stay() -> None:
    """Both sides wrote the key at the same time, and one of the two may not cross."""
    history = updated()
    history.writes[1] = replace(history.writes[1], over=None, over_version=None)
    history.final["k0"][IRELAND] = history.replayed["k0"][IRELAND] = stub(1, FIRST)
    assert checkers.check(history) == []
    history.final["k0"][IRELAND] = at(image(1, authority="CN"), FIRST)
    assert found_by(checkers.convergence, history) == ["k0 in eu-west-1 holds sensitive values"]


def test_a_full_image_only_passes_the_gateways() -> None:
    history = crossed()
    history.seen[GATE, 1] = "table shop-items"
    assert found_by(checkers.residency, history) == ["canary 1 in ap-southeast-1: table shop-items"]
    history = crossed()
    history.writes = [replace(history.writes[0], image=image(1, authority="EU"))]
    assert len(found_by(checkers.residency, history)) == 3  # its home is where it was written: nothing had to pass


def test_a_global_item_that_may_not_cross_is_seen_on_its_side_alone() -> None:
    history = crossed()
    history.bridge = replace(BRIDGE, global_items=False)
    history.writes = [replace(history.writes[0], image=image(1, authority=None))]
    assert {problem.split()[3] for problem in found_by(checkers.residency, history)} == {f"{BEYOND}:", f"{HOME}:"}


def test_a_stub_that_the_bridge_does_not_let_pass_is_found_without_a_sensitive_value() -> None:
    history = updated()
    history.saw(GATE, "event", '{"value": {"N": "2"}}')
    assert found_by(checkers.bridge_rules, history) == ["write 2 in ap-southeast-1: event"]
    history.bridge = replace(BRIDGE, stubs=frozenset({"CN"}))
    assert not found_by(checkers.bridge_rules, history)


def test_a_place_of_rest_is_remembered_over_one_of_passage() -> None:
    history = crossed()
    for place in ("event", "table", "outbox"):
        history.saw(GATE, place, "canary9@")
    assert history.seen[GATE, 9] == "table"


def test_poison_must_be_quarantined_as_what_it_is() -> None:
    history = crossed()
    history.poisoned.add((GATE, "7"))
    assert found_by(checkers.no_lost_write, history)
    history.quarantined.append(Quarantined(GATE, "record_invalid", frozenset(), staged="7"))
    assert not found_by(checkers.no_lost_write, history)
    history.quarantined.append(Quarantined(GATE, "record_invalid", frozenset(), staged="8"))
    assert found_by(checkers.no_lost_write, history)


def test_more_crossings_than_the_outbox_gave_are_unbounded() -> None:
    history = crossed()
    history.crossed[GATE, FIRST] += 1
    assert found_by(checkers.bounded_traffic, history)
