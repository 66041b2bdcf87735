"""What of a write crosses the border of a partition, and what the rules of the buses do with it."""

from __future__ import annotations

from typing import Any

import pytest

from domicile.core.change import Change
from domicile.core.control import Control, Image
from domicile.core.errors import PolicyInvalidError
from domicile.core.events import CHANGES, FINISHED, SOURCE, Operation
from domicile.core.patterns import rule_patterns
from domicile.core.routing import route_delete, route_write
from domicile.core.version import Version
from domicile.simulator.matching import matches
from tests.policies import BEIJING, BRIDGED, IRELAND, NINGXIA, SINGAPORE, TABLE, bridged

LOW, HIGH = (Version(ms, plain=False, tie=0, region=IRELAND) for ms in (1_000, 2_000))


def image(authority: str | None, control: Control | None = None) -> Image:
    item: Image = {"pk": {"S": "p"}, "sk": {"S": "s"}, "email": {"S": "a@example.com"}}
    if authority is not None:
        item["localization_authority"] = {"S": authority}
    return item | ({"_dom": control.to_value()} if control else {})


def sent(
    authority: str | None, region: str, old: Image | None = None, **bridge: Any
) -> dict[Operation, tuple[str, ...]]:
    change = Change(
        table=TABLE,
        key={"pk": {"S": "p"}, "sk": {"S": "s"}},
        old=old,
        new=image(authority),
        at_ms=1,
        sequence=1,
        expired=False,
    )
    routed = route_write(change, HIGH, region, bridged(**bridge), lambda found: found)
    return {item.mutation.operation: item.destination for item in routed}


@pytest.mark.parametrize(
    ("authority", "region", "expected"),
    [
        (None, IRELAND, {Operation.PUT: (SINGAPORE, BEIJING, NINGXIA)}),
        (None, BEIJING, {Operation.PUT: (SINGAPORE, NINGXIA, IRELAND)}),
        ("EU", IRELAND, {Operation.STUB: (SINGAPORE, BEIJING, NINGXIA)}),
        ("CN", BEIJING, {Operation.STUB: (NINGXIA,)}),  # stubs of China stay there
        ("CN", SINGAPORE, {Operation.MOVE: (BEIJING,)}),
        ("EU", NINGXIA, {Operation.MOVE: (IRELAND,)}),
    ],
)
def test_only_what_the_bridge_lets_pass_crosses(
    authority: str | None, region: str, expected: dict[Operation, tuple[str, ...]]
) -> None:
    assert {operation: set(names) for operation, names in sent(authority, region).items()} == {
        operation: set(names) for operation, names in expected.items()
    }


def test_without_permission_global_items_stay() -> None:
    assert sent(None, IRELAND, global_items=False) == {Operation.PUT: (SINGAPORE,)}


def test_an_item_that_may_not_be_known_beyond_any_more_is_deleted_there() -> None:
    """It was global or had another authority; what lies beyond must not outlive it."""
    assert sent("SG", SINGAPORE, old=image(None)) == {
        Operation.STUB: (IRELAND,),
        Operation.DELETE: (BEIJING, NINGXIA),
    }
    assert sent("SG", SINGAPORE, old=image("EU")) == sent("SG", SINGAPORE, old=image(None))
    assert sent("SG", IRELAND, old=image(None)) == {Operation.MOVE: (SINGAPORE,), Operation.DELETE: (BEIJING, NINGXIA)}


def test_what_lies_where_it_was_written_is_deleted_there_too() -> None:
    """Its origin has a stub of what moved home from there, and is told of nothing that replaces it."""
    assert sent("CN", BEIJING, old=image("CN", Control(version=LOW, origin=IRELAND))) == {
        Operation.STUB: (NINGXIA,),
        Operation.DELETE: (IRELAND,),
    }
    # An ordinary update leaves the control attribute of the version before, whose origin was on another side.
    updated = image(None, Control(version=LOW, origin=BEIJING))
    assert sent("NX", SINGAPORE, old=updated, global_items=False) == {
        Operation.MOVE: (NINGXIA,),
        Operation.DELETE: (IRELAND,),
    }


def test_of_an_authority_that_a_newer_policy_knows_everybody_may_have_heard() -> None:
    """What another Region sent here was read by its policy."""
    assert sent("SG", SINGAPORE, old=image("XX", Control(version=LOW, origin=IRELAND)))[Operation.DELETE] == (
        BEIJING,
        NINGXIA,
    )
    assert Operation.DELETE not in sent("SG", SINGAPORE, old=image("XX", Control(version=LOW, origin=SINGAPORE)))


def test_what_was_never_known_beyond_is_not_deleted_there() -> None:
    written_beyond = Control(version=LOW, origin=BEIJING)
    assert sent("SG", SINGAPORE, old=image("SG")) == {Operation.STUB: (IRELAND,)}
    assert sent("SG", SINGAPORE, old=image("XX")) == {Operation.STUB: (IRELAND,)}
    assert sent("SG", SINGAPORE) == {Operation.STUB: (IRELAND,)}
    assert sent("SG", SINGAPORE, old=image(None), global_items=False) == {Operation.STUB: (IRELAND,)}
    assert Operation.DELETE in sent("SG", SINGAPORE, old=image(None, written_beyond), global_items=False)


def test_a_delete_crosses_always() -> None:
    change = Change(table=TABLE, key={"pk": {"S": "p"}}, old=image("SG"), new=None, at_ms=1, sequence=1, expired=False)
    closed = bridged(global_items=False, stubs=[])
    assert set(route_delete(change, HIGH, IRELAND, closed).destination) == {SINGAPORE, BEIJING, NINGXIA}


@pytest.mark.parametrize(
    ("bridge", "path"),
    [
        ({"between": [SINGAPORE]}, "between: must be two of policy.regions"),
        ({"between": [SINGAPORE, "us-east-1"]}, "between: must be two of policy.regions"),
        ({"global_items": "yes"}, "global_items: must be true or false"),
        ({"stubs": "EU"}, "stubs: must be a list of authorities"),
        ({"more": 1}, ": unknown keys ['more']"),
    ],
)
def test_a_broken_bridge_makes_the_policy_unusable(bridge: dict[str, Any], path: str) -> None:
    with pytest.raises(PolicyInvalidError, match=r"policy\.bridges\.0") as raised:
        bridged(**bridge)
    assert path in str(raised.value)


def reached(emitter: str, *destination: str) -> set[str]:
    """Follow an event through the rules of all buses, and return the Regions whose inbox gets it, each once."""
    patterns = {
        name: rule_patterns(name, [other for other in BRIDGED if other != name], [SINGAPORE, BEIJING])
        for name in BRIDGED
    }
    event = {
        "source": SOURCE,
        "detail-type": CHANGES,
        "detail": {"emitter": emitter, "destination": list(destination)},
    }
    inboxes: list[str] = []
    crossings = 0
    # A bus forwards what was put on it, and not what another bus forwarded to it.
    arrivals = [(emitter, True)]
    while arrivals:
        region, put = arrivals.pop()
        for purpose, pattern in patterns[region].items():
            if not matches(pattern, event):
                continue
            if purpose == "inbox":
                inboxes.append(region)
            elif purpose == "outbox":
                crossings += 1
                arrivals.append((BEIJING if region == SINGAPORE else SINGAPORE, True))
            elif purpose.startswith("to-"):
                assert put, "an event is forwarded once"
                arrivals.append((purpose.removeprefix("to-"), False))
    assert len(inboxes) == len(set(inboxes))
    assert crossings <= 1
    return set(inboxes)


@pytest.mark.parametrize("emitter", BRIDGED)
def test_the_rules_bring_an_event_once_to_each_region_that_it_names(emitter: str) -> None:
    others = [region for region in BRIDGED if region != emitter]
    assert reached(emitter, *others) == set(others)
    for other in others:
        assert reached(emitter, other) == {other}


@pytest.mark.parametrize(("operation", "crosses"), [("move", True), ("put", False)])
def test_only_receipts_that_are_waited_for_cross(operation: str, crosses: bool) -> None:
    pattern = rule_patterns(SINGAPORE, [IRELAND, BEIJING], [SINGAPORE, BEIJING])["outbox"]
    detail = {"emitter": IRELAND, "destination": [BEIJING], "operation": operation}
    event = {"source": SOURCE, "detail-type": FINISHED, "detail": detail}
    assert matches(pattern, event) is crosses


def test_an_event_to_everyone_stays_on_its_side() -> None:
    """Only a deployment without a bridge says so: nothing that does not name a Region beyond may cross."""
    assert reached(IRELAND, "*") == {SINGAPORE}
