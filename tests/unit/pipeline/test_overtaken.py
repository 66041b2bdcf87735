"""A move or a claim check that meets a greater version, of which not everybody who relied on it is told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from domicile.core.control import Image
from domicile.core.events import Mutation, Operation
from tests.policies import BEIJING, IRELAND, NINGXIA, SINGAPORE, bridged
from tests.unit.pipeline.bridged import GatewayRegion, outgoing
from tests.unit.pipeline.region import NOW_MS, Region, item, mutation, stamped

LOW, MID, HIGH = (stamped(NOW_MS - age_ms, IRELAND) for age_ms in (90_000, 60_000, 30_000))
MOVE = mutation(Operation.MOVE, item(authority="CN"), MID, home=BEIJING)
CLAIM = replace(MOVE, image=None, claim=True, authority={"S": "CN"})


def received(found: Image, change: Mutation = MOVE, **bridge: Any) -> list[tuple[tuple[str, ...], Mutation]]:
    """Let the home receive the move over what it has, and return the changes that it sends."""
    region = Region(BEIJING)
    region.policy.value = bridged(**bridge)
    region.seed(found)
    assert region.receive(change).failed == []
    assert region.bus.receipts == []
    return region.bus.changes


@pytest.mark.parametrize("change", [MOVE, CLAIM], ids=["move", "claim check"])
def test_an_origin_that_is_not_told_of_what_overtook_its_move_deletes_it(change: Mutation) -> None:
    """It would keep the full image for ever: nothing else tells it that this is outdated."""
    ((destination, delete),) = received(item(HIGH, authority="CN", origin=NINGXIA), change)
    assert (destination, delete.operation, delete.version) == ((IRELAND,), Operation.DELETE, MID.tombstone())
    assert delete.key == MOVE.key


def test_so_do_those_who_get_no_stub_of_it() -> None:
    """The stub would have replaced what they hold."""
    ((destination, _),) = received(item(HIGH, authority="SG", origin=SINGAPORE), stubs=["CN"])
    assert destination == (NINGXIA,)


@pytest.mark.parametrize(
    "found",
    [
        item(HIGH, origin=NINGXIA),  # global items are told to all
        item(HIGH, authority="EU", origin=NINGXIA),  # and so are the stubs of EU
        item(MID, authority="CN", home=NINGXIA),  # the move's own stub: the image is at the former home
    ],
)
def test_who_hears_of_it_anyway_gets_no_delete(found: Image) -> None:
    assert received(found) == []


@pytest.mark.parametrize(
    ("found", "untold"),
    [
        (item(HIGH, authority="SG", origin=SINGAPORE), (BEIJING, NINGXIA)),
        (item(HIGH, authority="EU", origin=SINGAPORE), None),  # its stubs cross
        (item(MID, authority="SG", home=SINGAPORE), None),  # the version itself
    ],
)
def test_those_beyond_who_wait_for_a_claim_check_that_was_overtaken_get_a_delete(
    found: Image, untold: tuple[str, ...] | None
) -> None:
    """It can't be read any more, and they are not told of what is there instead."""
    region = GatewayRegion()
    region.peers.items[IRELAND] = found
    claim = replace(mutation(Operation.PUT, item(), MID), image=None, claim=True)
    assert region.carry(outgoing("m0", (BEIJING, NINGXIA), claim)).failed == []
    assert [parcel.destination for parcel in region.stream.parcels] == ([] if untold is None else [untold])
    for parcel in region.stream.parcels:
        assert (parcel.mutation.operation, parcel.mutation.version) == (Operation.DELETE, MID.tombstone())


def test_a_home_that_finds_a_move_gone_tells_those_who_were_to_have_its_stub() -> None:
    region = Region(BEIJING)
    region.policy.value = bridged()
    region.peers.items[NINGXIA] = None
    claim = replace(
        mutation(Operation.MOVE, item(), replace(MID, region=NINGXIA), home=BEIJING), image=None, claim=True
    )
    region.receive(replace(claim, authority={"S": "CN"}))
    assert region.bus.changes == []  # of CN nobody beyond hears, and its origin knows
    region.policy.value = bridged(stubs=["CN"])
    region.receive(replace(claim, authority={"S": "CN"}))
    ((destination, delete),) = region.bus.changes
    assert (destination, delete.operation) == ((SINGAPORE, IRELAND), Operation.DELETE)


def test_so_do_those_on_this_side_if_what_is_there_lives_beyond() -> None:
    region = GatewayRegion()
    region.peers.items[IRELAND] = item(HIGH, authority="CN", origin=NINGXIA, home=BEIJING)
    claim = replace(mutation(Operation.MOVE, item(), MID, home=NINGXIA), image=None, claim=True, authority={"S": "EU"})
    assert region.carry(outgoing("m0", (NINGXIA,), claim)).failed == []
    assert region.stream.parcels == []
    assert [(destination, delete.version) for destination, delete in region.bus.changes] == [
        ((SINGAPORE,), MID.tombstone())
    ]


def test_in_one_partition_everybody_hears_of_it() -> None:
    region = Region()
    region.seed(item(HIGH, authority="IN"))
    region.receive(mutation(Operation.MOVE, item(authority="EU"), LOW, home=region.name))
    assert region.bus.entries == []
