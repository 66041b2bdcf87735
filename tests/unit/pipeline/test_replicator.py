"""The replicator: greater version wins, tombstones hold, origins get their answer and the others their stub."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from domicile.core.control import Image
from domicile.core.errors import DomicileError, PolicyInvalidError, PolicyUnavailableError, TransientError
from domicile.core.events import Limits, Mutation, Operation
from domicile.core.version import Version, of_copy
from domicile.core.writes import Put, Update
from domicile.pipeline.inbox import Message
from domicile.pipeline.report import Count, Duration
from tests.policies import LEDGER
from tests.unit.pipeline.region import (
    EMAIL,
    HERE,
    HOME,
    NOW_MS,
    OTHER,
    REDACTED,
    Crash,
    Region,
    changes_message,
    crashing,
    failing,
    item,
    key_of,
    message,
    mutation,
    plain,
    stamped,
    stub,
)

LOW, MID, HIGH = (stamped(NOW_MS - age_ms, HERE) for age_ms in (90_000, 60_000, 30_000))


def put(version: Version = MID, image: Image | None = None) -> Mutation:
    return mutation(Operation.PUT, image or item(), version)


def move(version: Version = MID, **more: Any) -> Mutation:
    return mutation(Operation.MOVE, item(authority="EU"), version, home=HOME, **more)


def as_stub(version: Version = MID) -> Mutation:
    return mutation(Operation.STUB, {**item(authority="EU"), "email": REDACTED}, version, home=HOME)


def delete(version: Version = MID) -> Mutation:
    return mutation(Operation.DELETE, item(), version)


# -- greater version wins


@pytest.mark.parametrize(
    ("found", "wins"),
    [
        (None, True),
        (item(), True),
        (item(LOW), True),
        (stub(LOW), True),
        (item(LOW, deleting=True), True),
        (item(MID), False),
        (item(HIGH), False),
        (item(HIGH, deleting=True), False),
    ],
    ids=["absent", "uncontrolled", "lower", "lower stub", "lower mark", "same", "greater", "greater mark"],
)
@pytest.mark.parametrize("change", [put(), move(), as_stub()], ids=["put", "move", "stub"])
def test_an_image_is_applied_unless_this_version_or_a_greater_one_is_there(
    found: Image | None, wins: bool, change: Mutation
) -> None:
    region = Region(HOME if change.operation is Operation.MOVE else OTHER)
    if found is not None:
        region.seed(found)
    report = region.receive(change)
    assert (region.version(item()) == MID) is (wins or found == item(MID))
    assert report.counts[Count.APPLIED] == wins
    if wins:
        control = region.control(item())
        assert control is not None
        assert (control.origin, control.home) == (HERE, HOME if change.operation is Operation.STUB else None)
        assert (region.item(item()) or {})["email"] == (REDACTED if control.is_stub else EMAIL)


def test_each_application_of_an_image_has_a_nonce_of_its_own() -> None:
    region = Region(OTHER)
    region.receive(put(LOW), put(MID))
    first = region.control(item())
    region.memory.replace("shop-orders", key_of(item()), None)
    region.receive(put(MID))
    second = region.control(item())
    assert first is not None
    assert second is not None
    assert first.nonce != second.nonce


@pytest.mark.parametrize("found", [None, item(LOW), item(HIGH)])
def test_a_stub_is_ignored_in_the_home_region(found: Image | None) -> None:
    region = Region(HOME)
    if found is not None:
        region.seed(found)
    assert region.receive(as_stub()).counts[Count.STALE] == 1
    assert region.item(item()) == found


def test_a_partial_stub_says_so() -> None:
    region = Region(OTHER)
    image = {**key_of(item()), "localization_authority": {"S": "EU"}}
    region.receive(mutation(Operation.STUB, image, MID, home=HOME, partial=True))
    control = region.control(item())
    assert control is not None
    assert control.partial


# -- tombstones


@pytest.mark.parametrize(
    ("found", "left"),
    [
        (None, None),
        (item(), item()),  # a newer local write, whose own record follows
        (item(LOW), None),
        (stub(LOW), None),
        (item(LOW, deleting=True), None),
        (item(MID, deleting=True), None),  # a delivery that crashed half-way
        (item(MID), item(MID)),
        (item(HIGH), item(HIGH)),
    ],
    ids=["absent", "uncontrolled", "lower", "lower stub", "lower mark", "own mark", "same", "greater"],
)
def test_a_delete_removes_lower_versions_and_is_remembered(found: Image | None, left: Image | None) -> None:
    region = Region(OTHER)
    if found is not None:
        region.seed(found)
    region.receive(delete())
    assert region.item(item()) == left
    assert region.tombstone(item()) == str(MID)


def test_a_tombstone_only_rises_and_outlives_what_may_still_be_on_its_way() -> None:
    region = Region(OTHER)
    region.receive(delete(HIGH), delete(LOW))
    entry = region.memory.get(LEDGER, key_of(item())) or {}
    assert entry["dom_tombstone"] == {"S": str(HIGH)}
    assert int(entry["dom_expires_at"]["N"]) - NOW_MS // 1000 == 180 * 24 * 3600


@pytest.mark.parametrize("change", [put(LOW), move(LOW), as_stub(LOW)], ids=["put", "move", "stub"])
@pytest.mark.parametrize("found", [None, item()], ids=["absent", "uncontrolled"])
def test_what_was_deleted_does_not_come_back(change: Mutation, found: Image | None) -> None:
    region = Region(HOME if change.operation is Operation.MOVE else OTHER)
    region.receive(delete(MID))
    if found is not None:
        region.seed(found)
    region.receive(change)
    assert region.item(item()) is None


def test_a_version_above_the_tombstone_comes_back() -> None:
    region = Region(OTHER)
    region.receive(delete(MID), put(HIGH))
    assert region.version(item()) == HIGH


@pytest.mark.parametrize("found", [LOW, MID])
def test_a_redelivery_looks_at_the_ledger_that_a_crashed_delivery_did_not_reach(found: Version) -> None:
    region = Region(OTHER)
    region.seed(item(found))
    region.memory.replace(LEDGER, key_of(item()), {"dom_tombstone": {"S": str(HIGH)}})
    region.receive(put(LOW))
    assert region.item(item()) is None


def test_who_finds_a_mark_finishes_the_delete() -> None:
    region = Region(OTHER)
    region.seed(item(LOW))
    region.store.before_write = crashing(2)
    with pytest.raises(Crash):
        region.receive(delete())
    assert region.version(item()) == MID, "the mark"
    region.receive(put(LOW))
    assert region.item(item()) is None


@pytest.mark.parametrize("number", range(4))
def test_a_crash_before_any_write_of_a_delete_is_repaired_by_the_redelivery(number: int) -> None:
    region = Region(OTHER)
    region.seed(item(LOW))
    region.store.before_write = crashing(number)
    if number < 3:
        with pytest.raises(Crash):
            region.receive(delete())
    region.receive(delete())
    assert (region.item(item()), region.tombstone(item())) == (None, str(MID))


# -- answers


def test_a_home_that_has_only_the_stub_of_the_very_version_does_not_say_that_it_arrived() -> None:
    """The map was re-pointed between two deliveries of the record: the full image is in the former home."""
    region = Region(HOME)
    region.seed(stub(MID, home=HERE))
    report = region.receive(move())
    assert (region.item(item()), region.bus.entries) == (stub(MID, home=HERE), [])
    assert report.counts == {Count.STALE: 1}


def test_a_move_is_answered_to_its_origin_and_brings_stubs_to_the_others() -> None:
    region = Region(HOME)
    report = region.receive(move())
    ((origin, receipt),) = region.bus.receipts
    assert (origin, receipt.operation, receipt.version, receipt.home) == (HERE, Operation.MOVE, MID, HOME)
    assert (receipt.key, receipt.outcome) == (key_of(item()), "applied")
    ((destination, sent),) = region.bus.changes
    assert (destination, sent.operation, sent.version, sent.origin, sent.home) == (
        (OTHER,),
        Operation.STUB,
        MID,
        HERE,
        HOME,
    )
    assert sent.image == {**item(authority="EU"), "email": REDACTED}
    assert report.counts[Count.MOVED] == 1


def test_a_put_is_answered_too_and_brings_no_stubs() -> None:
    region = Region(OTHER)
    region.receive(put())
    ((origin, receipt),) = region.bus.receipts
    assert (origin, receipt.operation, receipt.home) == (HERE, Operation.PUT, None)
    assert region.bus.changes == []


@pytest.mark.parametrize("change", [move(), put()], ids=["move", "put"])
def test_a_version_that_is_there_already_is_answered_again(change: Mutation) -> None:
    """The first answer may have been lost."""
    region = Region(HOME)
    region.receive(change)
    sent = len(region.bus.entries)
    report = region.receive(change)
    assert [receipt.outcome for _, receipt in region.bus.receipts] == ["applied", "duplicate"]
    assert len(region.bus.entries) == 2 * sent
    assert (report.counts[Count.DUPLICATE], report.counts[Count.MOVED]) == (1, 0)


@pytest.mark.parametrize("change", [move(LOW), put(LOW), as_stub(), delete()], ids=["move", "put", "stub", "delete"])
def test_what_was_overtaken_a_stub_and_a_delete_have_no_answer(change: Mutation) -> None:
    region = Region(HOME if change.operation is Operation.MOVE else OTHER)
    region.seed(item(MID))
    region.receive(change)
    assert region.bus.entries == []


def test_with_directory_origin_no_stubs_are_sent() -> None:
    region = Region(HOME, directory="origin")
    region.receive(move())
    assert (len(region.bus.receipts), region.bus.changes) == (1, [])


def test_without_a_third_region_no_stubs_are_sent() -> None:
    region = Region(HOME)
    region.policy.value = replace(region.policy.value, regions=(HERE, HOME))
    region.receive(move())
    assert (len(region.bus.receipts), region.bus.changes) == (1, [])


def test_answers_of_one_origin_share_an_event() -> None:
    region = Region(OTHER)
    region.receive(*(put(image=item(name=f"k{n}")) for n in range(30)))
    assert (len(region.bus.entries), len(region.bus.receipts)) == (1, 30)


def test_latency_is_measured_from_the_version_to_now() -> None:
    region = Region(OTHER)
    (sample,) = region.receive(put()).samples
    assert (sample.duration, sample.origin, sample.ms) == (Duration.REPLICATION_LATENCY, HERE, 60_000)
    assert region.receive(put()).samples == [], "a duplicate says nothing of the latency"


def test_a_version_ahead_of_the_clock_has_no_negative_latency() -> None:
    (sample,) = Region(OTHER).receive(put(plain(1, NOW_MS + 50))).samples
    assert sample.ms == 0


def test_a_copied_item_says_nothing_of_the_latency() -> None:
    report = Region(OTHER).receive(put(of_copy(NOW_MS, None, HERE, 1)))
    assert (report.counts[Count.APPLIED], report.samples) == (1, [])


def test_a_missing_hash_key_is_counted_for_the_stub() -> None:
    region = Region(HOME, sensitive={"email": {"strategy": "hash"}})
    assert region.receive(move()).counts[Count.HASH_KEY_MISSING] == 1
    assert (region.bus.changes[0][1].image or {})["email"] == REDACTED


# -- failures


def test_poison_in_an_event_is_quarantined_alone() -> None:
    region = Region(OTHER)
    good = changes_message("m0", put(image=item(name="a")), put(image=item(name="b")))
    detail = json.loads(good.body)["detail"]
    poison = detail["changes"][0] | {"version": "no version"}
    report = region.replicate(message("m0", detail | {"changes": [*detail["changes"], poison]}))
    assert region.quarantine.records == [("record_invalid", "replicator", poison)]
    assert report.failed == []
    assert {region.version(item(name=name)) for name in "ab"} == {MID}


@pytest.mark.parametrize(
    "body",
    ["", "not json", "{}", "[]", "null", '{"detail": {}}', '{"detail": {"format": 2, "changes": []}}', "[" * 100_000],
    ids=lambda body: body[:20],
)
def test_a_message_that_is_no_event_of_ours_is_quarantined_whole_and_spares_the_others(body: str) -> None:
    region = Region(OTHER)
    report = region.replicate(Message("m0", body), changes_message("m1", put()))
    assert region.quarantine.records == [("record_invalid", "replicator", body)]
    assert report.failed == []
    assert region.version(item()) == MID


def test_a_failure_for_now_redelivers_only_its_message() -> None:
    region = Region(OTHER)
    region.store.before_write = failing(Put)
    report = region.receive(put(image=item(name="a")), put(image=item(name="b")))
    assert report.failed == ["m0"]
    assert region.version(item(name="b")) == MID
    assert [receipt.key["pk"]["S"] for _, receipt in region.bus.receipts] == ["b"]


def test_the_other_changes_of_a_failed_message_are_applied_and_found_again() -> None:
    region = Region(OTHER)
    region.store.before_write = failing(Put)
    both = changes_message("m0", put(image=item(name="a")), put(image=item(name="b")))
    assert region.replicate(both).failed == ["m0"]
    report = region.replicate(both)
    assert (report.counts[Count.APPLIED], report.counts[Count.DUPLICATE], report.failed) == (1, 1, [])


@pytest.mark.parametrize(
    "error", [PolicyUnavailableError("AppConfig gave no policy"), PolicyInvalidError("policy.format: must be 1")]
)
def test_without_a_policy_that_can_be_understood_a_change_waits(error: DomicileError) -> None:
    region = Region(OTHER)
    region.policy.error = error
    report = region.receive(put())
    assert (report.failed, region.quarantine.reasons) == (["m0"], [])
    assert region.item(item()) is None


def test_where_the_quarantine_fails_the_message_is_delivered_again() -> None:
    region = Region(OTHER)
    region.quarantine.error = TransientError("SendMessage")
    assert region.replicate(Message("m0", "poison")).failed == ["m0"]


@pytest.mark.parametrize("kind", ["finished", "changes"])
def test_a_refused_answer_or_stub_redelivers_exactly_its_messages(kind: str) -> None:
    region = Region(HOME)
    region.bus.refuses = lambda entry: entry.detail_type == kind
    report = region.receive(move(), delete(HIGH))
    assert report.failed == ["m0"]
    assert report.reasons == {"PutEvents": 1}


def test_an_image_above_dynamodb_s_limit_is_quarantined() -> None:
    region = Region(OTHER)
    change = put(image={**item(), "text": {"S": "x" * 400_000}, "more": {"S": "x" * 9_600}})
    region.receive(change)
    assert region.quarantine.reasons == ["item_too_large"]


def test_a_move_that_belongs_elsewhere_is_not_applied() -> None:
    """The rules deliver a move to its home alone; where they do not, the full image must not rest in a table."""
    region = Region(OTHER)
    region.receive(move())
    assert region.item(item()) is None
    assert region.quarantine.reasons == ["record_invalid"]
    assert region.bus.entries == []


def test_updates_and_limits_are_those_of_the_world() -> None:
    region = Region(HOME, limits=Limits(chunk_bytes_max=1))
    region.receive(move(), mutation(Operation.MOVE, item(authority="EU", name="b"), MID, home=HOME))
    assert [len(entry.members) for entry in region.bus.entries] == [1, 1, 1, 1]
    assert not any(isinstance(write, Update) for write in region.store.writes)
