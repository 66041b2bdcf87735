"""The gateway: what has come over a bridge goes on the bus, and nothing goes back."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from domicile.core.errors import PolicyUnavailableError, TransientError
from domicile.core.events import Limits, Operation, unpack_mutations
from domicile.core.parcels import Parcel
from domicile.pipeline.gateway import DOORSTEP_PATIENCE_MS
from domicile.pipeline.guard import PATIENCE_MS
from domicile.pipeline.inbox import Message
from domicile.pipeline.report import Count, Duration
from tests.policies import BEIJING, IRELAND, NINGXIA, SINGAPORE
from tests.unit.pipeline.bridged import GatewayRegion, arrived, record
from tests.unit.pipeline.region import NOW_MS, item, mutation, receipt, stamped

VERSION = stamped(region=NINGXIA)
HERE = (IRELAND, SINGAPORE)
GLOBAL = mutation(Operation.PUT, item(), VERSION)
ANOTHER = mutation(Operation.PUT, item(name="another"), VERSION)
GONE = mutation(Operation.DELETE, item(), VERSION)


def details(region: GatewayRegion) -> list[Any]:
    return [json.loads(entry.detail) for entry in region.bus.entries]


def test_changes_go_on_the_bus_as_their_emitter_s() -> None:
    region = GatewayRegion()
    report = region.take_in(arrived(1, HERE, GLOBAL.to_json(), NINGXIA), arrived(2, HERE, ANOTHER.to_json(), NINGXIA))
    (detail,) = details(region)
    assert (detail["emitter"], detail["destination"]) == (NINGXIA, list(HERE))
    assert [change for _, change in region.bus.changes] == [GLOBAL, ANOTHER]
    assert (report.failed, report.counts[Count.RECEIVED]) == ([], 2)
    assert report.counts[Count.RECEIVED_BYTES] > 0
    assert {(sample.duration, sample.origin, sample.ms) for sample in report.samples} == {
        (Duration.BRIDGE_LAG, NINGXIA, NOW_MS - VERSION.ms)
    }


def test_a_receipt_goes_to_its_origin() -> None:
    region = GatewayRegion()
    moved = receipt(item(), stamped(region=IRELAND), home=BEIJING)
    region.take_in(arrived(1, (IRELAND,), moved.to_json(), BEIJING, operation=Operation.MOVE))
    assert region.bus.receipts == [(IRELAND, moved)]
    assert details(region)[0]["emitter"] == BEIJING


def test_records_that_the_bus_refuses_come_back() -> None:
    region = GatewayRegion()
    region.bus.refuses = lambda entry: NINGXIA in entry.detail
    report = region.take_in(
        arrived(1, HERE, GLOBAL.to_json(), BEIJING),
        arrived(2, HERE, mutation(Operation.DELETE, item(name="another"), VERSION).to_json(), NINGXIA),
    )
    assert report.failed == ["1", "2"]  # both name the Region: one as its emitter, one as the origin of its version


def test_without_a_policy_records_come_back() -> None:
    region = GatewayRegion()
    region.policy.error = PolicyUnavailableError("none")
    assert region.take_in(arrived(1, HERE, GLOBAL.to_json(), NINGXIA)).failed == ["1"]


def staged(parts: dict[str, Any], *destination: str) -> dict[str, Any]:
    """A record of the stream that no courier makes: JSON can hold halves of characters, and UTF-8 can't."""
    whole = {"format": 1, "emitter": NINGXIA, "destination": destination or HERE, **parts}
    return record(1, gzip.compress(json.dumps(whole).encode()))


MOVED = mutation(Operation.MOVE, item(authority="EU"), VERSION, home=IRELAND).to_json()


@pytest.mark.parametrize(
    "poison",
    [
        record(1, b"no parcel"),
        {"kinesis": {"sequenceNumber": "1", "data": "no base64"}},
        {"kinesis": {"sequenceNumber": "1"}},
        arrived(1, HERE, {"table": "t", "key": {}}, NINGXIA),
        arrived(1, HERE, GLOBAL.to_json(), IRELAND),  # from this side
        arrived(1, HERE, GLOBAL.to_json(), "us-east-1"),
        arrived(1, (BEIJING,), GLOBAL.to_json(), NINGXIA),  # back to where it came from
        arrived(1, (IRELAND, BEIJING), GLOBAL.to_json(), NINGXIA),
        arrived(1, ("*",), GLOBAL.to_json(), NINGXIA),
        arrived(1, (), GLOBAL.to_json(), NINGXIA),
        arrived(1, HERE, MOVED, NINGXIA),
        arrived(1, (SINGAPORE,), MOVED, NINGXIA),
        arrived(1, HERE, {**GLOBAL.to_json(), "image": None, "claim": True}, NINGXIA),
        arrived(1, HERE, mutation(Operation.PUT, item(authority="EU"), VERSION).to_json(), NINGXIA),
        arrived(1, HERE, receipt(item(), VERSION).to_json(), BEIJING, operation=Operation.MOVE),
        arrived(1, HERE, {**GONE.to_json(), "image": "text"}, NINGXIA),
        arrived(1, HERE, {**GONE.to_json(), "table": ["t"]}, NINGXIA),
        arrived(1, HERE, {**GONE.to_json(), "key": "text"}, NINGXIA),
        staged({"fields": {**GONE.to_json(), "key": {"pk": {"S": "\ud800"}}}}),
        staged({"fields": {**receipt(item(), VERSION).to_json(), "outcome": "\ud800"}, "operation": "move"}, IRELAND),
    ],
)
def test_poison_is_quarantined_whole_and_holds_nothing_up(poison: dict[str, Any]) -> None:
    region = GatewayRegion()
    report = region.take_in(poison, arrived(2, HERE, GONE.to_json(), NINGXIA))
    assert region.quarantine.records == [("record_invalid", "gateway", poison)]
    assert [change for _, change in region.bus.changes] == [GONE]
    assert report.failed == []


def test_what_no_event_can_carry_is_handed_to_the_replicators() -> None:
    region = GatewayRegion(limits=Limits(chunk_bytes_max=100, packed_bytes_max=200))
    assert region.take_in(arrived(1, HERE, GLOBAL.to_json(), NINGXIA)).failed == []
    assert region.bus.entries == []
    assert [name for name, _ in region.doorstep.delivered] == list(HERE)
    for _, message in region.doorstep.delivered:
        (fields,) = unpack_mutations(json.loads(message)["detail"])
        assert fields == GLOBAL.to_json()


def test_what_a_replicator_could_not_take_comes_back() -> None:
    region = GatewayRegion(limits=Limits(chunk_bytes_max=100, packed_bytes_max=200))
    region.doorstep.error = TransientError("busy")
    assert region.take_in(arrived(1, HERE, GLOBAL.to_json(), NINGXIA)).failed == ["1"]


def test_a_large_change_holds_up_its_shard_for_a_quarter_of_an_hour_at_most() -> None:
    region = GatewayRegion(limits=Limits(chunk_bytes_max=100, packed_bytes_max=200))
    region.doorstep.error = TransientError("busy")
    record = arrived(1, HERE, GLOBAL.to_json(), NINGXIA)
    region.now_ms += DOORSTEP_PATIENCE_MS
    assert region.take_in(record).failed == ["1"]
    region.now_ms += 1000
    assert region.take_in(record).failed == []
    assert region.quarantine.records == [("patience_exhausted", "gateway", record)]


@pytest.mark.parametrize(("age_ms", "kept"), [(PATIENCE_MS - 1_000, False), (PATIENCE_MS + 1_000, True)])
@pytest.mark.parametrize("fails", ["policy", "bus"])
def test_what_the_stream_is_about_to_forget_is_quarantined_whole(fails: str, age_ms: int, kept: bool) -> None:
    region = GatewayRegion()
    region.now_ms += age_ms
    region.policy.error = PolicyUnavailableError("none") if fails == "policy" else None
    region.bus.refuses = lambda _: True
    staged = arrived(1, HERE, GLOBAL.to_json(), NINGXIA)
    assert region.take_in(staged).failed == ([] if kept else ["1"])
    assert region.quarantine.records == ([("patience_exhausted", "gateway", staged)] if kept else [])


def test_the_other_side_s_gateway_takes_what_the_courier_sent() -> None:
    """The two ends of a bridge, joined by its stream."""
    there, here = GatewayRegion(BEIJING), GatewayRegion(SINGAPORE)
    sent = Parcel(emitter=NINGXIA, destination=HERE, fields=GLOBAL.to_json()).to_message()
    there.carry(Message("m0", sent))
    here.take_in(*(record(n, carried.data) for n, carried in enumerate(there.stream.records)))
    assert here.bus.changes == [(HERE, GLOBAL)]
