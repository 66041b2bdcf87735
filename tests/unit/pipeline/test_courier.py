"""The courier: what leaves for the other partition, what stays, and what becomes of failures."""

from __future__ import annotations

import json

import pytest

from domicile.core.control import Image
from domicile.core.errors import PolicyUnavailableError, TransientError
from domicile.core.events import Limits, Operation
from domicile.core.parcels import parcels_of
from domicile.pipeline.courier import REFUSED
from domicile.pipeline.inbox import Message
from domicile.pipeline.report import Count
from tests.policies import BEIJING, IRELAND, NINGXIA, SINGAPORE
from tests.unit.pipeline.bridged import GatewayRegion, answer, outgoing
from tests.unit.pipeline.region import EMAIL, item, mutation, receipt, stamped, stub

VERSION = stamped(region=IRELAND)
BEYOND = (BEIJING, NINGXIA)
GLOBAL = mutation(Operation.PUT, item(), VERSION)
ANOTHER = mutation(Operation.PUT, item(name="another"), VERSION)
TINY = Limits(chunk_bytes_max=100, packed_bytes_max=200)
"""So small that every image is too large for an event."""


def test_changes_leave_one_by_one_for_the_regions_beyond() -> None:
    region = GatewayRegion()
    report = region.carry(outgoing("m0", (SINGAPORE, *BEYOND), GLOBAL, ANOTHER))
    assert [(parcel.emitter, parcel.destination, parcel.mutation) for parcel in region.stream.parcels] == [
        (IRELAND, BEYOND, GLOBAL),
        (IRELAND, BEYOND, ANOTHER),
    ]
    assert report.failed == []
    assert report.counts[Count.SENT] == 2
    assert report.counts[Count.SENT_BYTES] == sum(record.bytes for record in region.stream.records)


def test_a_receipt_leaves_with_its_operation() -> None:
    region = GatewayRegion()
    moved = receipt(item(), stamped(region=NINGXIA), home=IRELAND)
    region.carry(answer("m0", NINGXIA, moved, IRELAND))
    assert [(parcel.receipt, parcel.destination) for parcel in region.stream.parcels] == [(moved, (NINGXIA,))]


@pytest.mark.parametrize(
    ("change", "destination"),
    [
        (mutation(Operation.PUT, item(authority="EU"), VERSION), BEYOND),
        (mutation(Operation.STUB, stub(VERSION, authority="SG"), VERSION, home=SINGAPORE), BEYOND),
        (mutation(Operation.MOVE, item(authority="CN"), VERSION, home=BEIJING), BEYOND),
    ],
    ids=["localized as global", "stub of another authority", "move to more than its home"],
)
def test_what_may_not_leave_is_quarantined_whole_on_this_side(change: object, destination: tuple[str, ...]) -> None:
    region = GatewayRegion()
    report = region.carry(outgoing("m0", destination, change, GLOBAL))  # type: ignore[arg-type]
    assert [parcel.mutation for parcel in region.stream.parcels] == [GLOBAL]
    ((reason, step, kept),) = region.quarantine.records
    assert (reason, step, report.failed) == ("not_allowed_to_cross", "courier", [])
    # What is handed back is a message of the outbox again, with this change alone.
    assert [parcel.mutation for parcel in parcels_of(json.loads(kept), SINGAPORE)] == [change]
    assert region.carry(Message("m1", kept)).counts[Count.QUARANTINED] == 1


def test_what_may_not_leave_is_quarantined_once_however_often_the_rest_of_its_message_is_refused() -> None:
    region = GatewayRegion()
    kept_back = mutation(Operation.PUT, item(authority="EU"), VERSION)
    message = outgoing("m0", BEYOND, kept_back, GLOBAL)
    region.stream.refuses = lambda _: "Throttled"
    for _ in range(3):
        assert region.carry(message).failed == ["m0"]
    assert region.quarantine.records == []
    region.stream.refuses = lambda _: None
    assert region.carry(message).failed == []
    assert [(reason, step) for reason, step, _ in region.quarantine.records] == [("not_allowed_to_cross", "courier")]


def test_what_the_quarantine_refuses_brings_its_message_back() -> None:
    region = GatewayRegion()
    region.quarantine.error = TransientError("none")
    kept_back = mutation(Operation.PUT, item(authority="EU"), VERSION)
    assert region.carry(outgoing("m0", BEYOND, kept_back, GLOBAL)).failed == ["m0"]


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"detail": {}}', '{"detail": {"format": 1, "changes": [{}]}}'])
def test_a_message_that_is_none_is_quarantined_as_it_is(body: str) -> None:
    region = GatewayRegion()
    assert region.carry(Message("m0", body)).failed == []
    assert [(step, kept) for _, step, kept in region.quarantine.records] == [("courier", body)]


def test_of_a_receipt_nothing_leaves_but_what_a_receipt_says() -> None:
    region = GatewayRegion()
    moved = receipt(item(), stamped(region=NINGXIA), home=IRELAND)
    more = {**moved.to_json(), "image": item()}
    detail = {"format": 1, "emitter": IRELAND, "destination": [NINGXIA], "operation": "move", "receipts": [more]}
    region.carry(Message("m0", json.dumps({"detail-type": "finished", "detail": detail})))
    (parcel,) = region.stream.parcels
    assert parcel.fields == moved.to_json()


def test_what_no_record_can_carry_is_quarantined_alone() -> None:
    region = GatewayRegion()
    broken = json.loads(outgoing("m0", BEYOND, GLOBAL, ANOTHER).body)
    broken["detail"]["changes"][0]["image"]["email"] = {"S": "\ud800"}  # half of a character: no text in UTF-8
    assert region.carry(Message("m0", json.dumps(broken))).failed == []
    assert [parcel.mutation for parcel in region.stream.parcels] == [ANOTHER]
    ((_, step, _),) = region.quarantine.records
    assert step == "courier"


def test_without_a_policy_nothing_leaves() -> None:
    region = GatewayRegion()
    region.policy.error = PolicyUnavailableError("none")
    assert region.carry(outgoing("m0", BEYOND, GLOBAL)).failed == ["m0"]
    assert region.stream.records == []


def test_only_messages_with_what_the_link_refused_come_back() -> None:
    region = GatewayRegion()
    region.stream.refuses = lambda parcel: "Throttled" if parcel.mutation == ANOTHER else None
    report = region.carry(outgoing("m0", BEYOND, GLOBAL), outgoing("m1", BEYOND, ANOTHER, GLOBAL))
    assert (report.failed, report.counts[Count.SENT]) == (["m1"], 2)
    assert report.counts[Count.LINK_REFUSED] == 0


def test_a_refused_key_is_counted() -> None:
    region = GatewayRegion()
    region.stream.refuses = lambda _: REFUSED
    report = region.carry(outgoing("m0", BEYOND, GLOBAL), outgoing("m1", BEYOND, ANOTHER, GLOBAL))
    assert (report.failed, report.counts[Count.LINK_REFUSED]) == (["m0", "m1"], 2)


def claim(image: Image, operation: Operation = Operation.PUT, destination: tuple[str, ...] = BEYOND) -> Message:
    home = None if operation is Operation.PUT else destination[0]
    return outgoing("m0", destination, mutation(operation, image, VERSION, home=home), limits=TINY)


def test_a_claim_check_leaves_with_the_image_that_it_names() -> None:
    region = GatewayRegion()
    region.peers.items[IRELAND] = item(stamped(VERSION.ms + 1, IRELAND))
    region.carry(claim(item()))
    (parcel,) = region.stream.parcels
    assert (parcel.mutation.claim, parcel.mutation.version.ms) == (False, VERSION.ms + 1)
    assert (parcel.mutation.image or {})["email"] == EMAIL


def test_what_a_claim_check_names_may_have_become_something_that_stays() -> None:
    """Its authority is compared with the one for which it was sent, as the replicator does."""
    region = GatewayRegion()
    region.peers.items[IRELAND] = item(VERSION, authority="EU")
    report = region.carry(claim(item()))
    assert (region.stream.records, report.failed, report.counts[Count.STALE]) == ([], [], 1)


def test_a_claim_check_that_cannot_be_read_now_comes_back() -> None:
    region = GatewayRegion()
    region.peers.error = TransientError("none")
    assert region.carry(claim(item())).failed == ["m0"]


def test_where_a_moved_item_is_gone_those_told_of_it_hear_that_its_version_is_outdated() -> None:
    region = GatewayRegion(stubs=["CN"])
    region.peers.items[IRELAND] = None
    region.carry(claim(item(authority="CN"), Operation.MOVE, (BEIJING,)))
    (parcel,) = region.stream.parcels
    assert (parcel.mutation.operation, parcel.destination) == (Operation.DELETE, BEYOND)
    assert parcel.mutation.version == VERSION.tombstone()
    assert [(destination, told.version) for destination, told in region.bus.changes] == [
        ((SINGAPORE,), VERSION.tombstone())
    ]
    (entry,) = region.bus.entries
    assert json.loads(entry.detail)["emitter"] == IRELAND  # no rule brings a Region what it emits itself


def test_where_its_stub_may_not_return_this_side_hears_nothing() -> None:
    """It may have an item of its own under the key."""
    region = GatewayRegion()
    region.peers.items[IRELAND] = None
    region.carry(claim(item(authority="CN"), Operation.MOVE, (BEIJING,)))
    assert [parcel.destination for parcel in region.stream.parcels] == [BEYOND]
    assert region.bus.entries == []


def test_an_entry_that_the_bus_refuses_brings_its_message_back() -> None:
    region = GatewayRegion(stubs=["CN"])
    region.peers.items[IRELAND] = None
    region.bus.refuses = lambda _: True
    assert region.carry(claim(item(authority="CN"), Operation.MOVE, (BEIJING,))).failed == ["m0"]
