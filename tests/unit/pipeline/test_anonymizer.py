"""The anonymizer: the origin's copy becomes a stub once the home has exactly this version, and never before."""

from __future__ import annotations

import json

import pytest

from domicile.core.control import Image, Value
from domicile.core.errors import DomicileError, PolicyInvalidError, PolicyUnavailableError, TransientError
from domicile.core.events import Operation
from domicile.core.writes import Update, Write
from domicile.pipeline.anonymizer import ATTEMPTS_MAX
from domicile.pipeline.inbox import Message
from domicile.pipeline.report import Count, Duration
from tests.unit.pipeline.region import (
    HERE,
    HOME,
    NOW_MS,
    REDACTED,
    Crash,
    Region,
    crashing,
    failing,
    item,
    message,
    mutation,
    plain,
    receipt,
    receipts_message,
    stamped,
    stub,
)

LOW, MID, HIGH = (stamped(NOW_MS - age_ms, HERE) for age_ms in (90_000, 60_000, 30_000))
ITEM = item(MID, authority="EU")


def region_with(image: Image | None) -> Region:
    region = Region()
    if image is not None:
        region.seed(image)
    return region


def test_the_item_becomes_a_stub_of_the_same_version() -> None:
    region = region_with({**ITEM, "note": {"S": "kept"}})
    report = region.finish(receipt(ITEM, MID))
    assert region.item(ITEM) == {**item(MID, authority="EU", home=HOME), "email": REDACTED, "note": {"S": "kept"}}
    assert report.counts == {Count.ANONYMIZED: 1}
    assert [(sample.duration, sample.origin, sample.ms) for sample in report.samples] == [
        (Duration.EXPOSURE_WINDOW, HERE, 60_000)
    ]


def test_it_is_one_update_and_its_record_is_skipped() -> None:
    region = region_with(ITEM)
    region.finish(receipt(ITEM, MID))
    assert [type(write) for write in region.store.writes] == [Update]
    assert region.listen_on().counts == {Count.CHANGES: 1, Count.SKIPPED: 1}
    assert region.bus.entries == []


@pytest.mark.parametrize(
    "found",
    [
        None,
        item(authority="EU"),
        item(LOW, authority="EU"),
        item(HIGH, authority="EU"),
        item(MID, authority="EU", deleting=True),
        stub(MID),
        stub(HIGH),
    ],
    ids=["deleted", "a plain write", "lower", "greater", "marked", "a stub", "a newer stub"],
)
def test_anything_but_exactly_this_version_is_left_alone(found: Image | None) -> None:
    region = region_with(found)
    report = region.finish(receipt(ITEM, MID))
    assert region.item(ITEM) == found
    assert report.counts == {Count.STALE: 1}
    assert (region.store.writes, report.failed) == ([], [])


def test_a_receipt_of_a_put_changes_nothing() -> None:
    region = region_with(ITEM)
    assert region.finish(receipt(ITEM, MID, Operation.PUT)).counts == {}
    assert region.item(ITEM) == ITEM


def test_a_redelivered_receipt_does_not_anonymize_twice() -> None:
    region = Region(sensitive={"email": {"strategy": "hash"}})
    region.hash_key.value = b"k" * 32
    region.seed(ITEM)
    region.finish(receipt(ITEM, MID))
    hashed = region.item(ITEM)
    assert len((hashed or {})["email"]["S"]) == 64
    region.finish(receipt(ITEM, MID), receipt(ITEM, MID))
    assert region.item(ITEM) == hashed


def test_a_removed_strategy_removes_the_attribute() -> None:
    region = Region(sensitive={"email": {"strategy": "remove"}})
    region.seed(ITEM)
    region.finish(receipt(ITEM, MID))
    assert "email" not in (region.item(ITEM) or {})


def test_a_missing_hash_key_is_counted_once_the_stub_is_written() -> None:
    region = Region(sensitive={"email": {"strategy": "hash"}})
    region.seed(ITEM)
    assert region.finish(receipt(ITEM, MID)).counts == {Count.ANONYMIZED: 1, Count.HASH_KEY_MISSING: 1}


def test_a_hash_key_that_cannot_be_read_for_now_leaves_the_item_whole() -> None:
    region = region_with(ITEM)
    region.hash_key.error = TransientError("GetSecretValue: InternalServiceError")
    assert region.finish(receipt(ITEM, MID)).failed == ["m0"]
    assert region.item(ITEM) == ITEM


# -- races


def racing(region: Region, *writes: Image) -> None:
    """Let an application write one of these images before each of the next updates."""
    images = iter(writes)

    def before(write: Write) -> None:
        image = next(images, None)
        if isinstance(write, Update) and image is not None:
            region.put(image)

    region.store.before_write = before


def test_a_stamped_write_that_comes_in_between_wins() -> None:
    region = region_with(ITEM)
    racing(region, item(HIGH, authority="EU"))
    report = region.finish(receipt(ITEM, MID))
    assert region.item(ITEM) == item(HIGH, authority="EU")
    assert report.counts == {Count.STALE: 1}


def test_a_plain_put_that_comes_in_between_wins() -> None:
    region = region_with(ITEM)
    racing(region, item(authority="EU"))
    region.finish(receipt(ITEM, MID))
    assert region.item(ITEM) == item(authority="EU")


@pytest.mark.parametrize("anonymized_first", [True, False])
def test_an_ordinary_update_that_comes_in_between_ends_as_a_stub_and_is_not_lost(anonymized_first: bool) -> None:
    """It keeps the control attribute, so the stub is written over it; its own record still has the full image."""
    region = region_with(ITEM)
    late: Value = {"S": "late@example.com"}
    updated = {**ITEM, "email": late, "phone": {"S": "1"}}
    if anonymized_first:
        racing(region, updated)
        region.finish(receipt(ITEM, MID))
        assert (region.item(ITEM) or {})["email"] == REDACTED
    else:
        region.put(updated)
    region.listen_on()
    ((destination, change),) = region.bus.changes
    assert (destination, change.operation, (change.image or {})["email"]) == ((HOME,), Operation.MOVE, late)
    assert region.version(ITEM) == change.version > MID
    region.finish(receipt(ITEM, MID), receipt(ITEM, change.version))
    assert (region.item(ITEM) or {})["email"] == REDACTED
    control = region.control(ITEM)
    assert control is not None
    assert (control.version, control.home) == (change.version, HOME)


def test_an_item_that_keeps_changing_is_anonymized_later() -> None:
    region = region_with(ITEM)
    racing(region, *(item(MID, authority="EU", nonce=f"other{number}") for number in range(ATTEMPTS_MAX)))
    assert region.finish(receipt(ITEM, MID)).failed == ["m0"]
    assert region.finish(receipt(ITEM, MID)).failed == []
    assert (region.item(ITEM) or {})["email"] == REDACTED


def test_a_delete_that_comes_first_is_not_undone() -> None:
    region = region_with(ITEM)
    region.receive(mutation(Operation.DELETE, ITEM, HIGH))
    region.finish(receipt(ITEM, MID))
    assert region.item(ITEM) is None


def test_a_crash_leaves_the_item_whole_until_the_redelivery() -> None:
    region = region_with(ITEM)
    region.store.before_write = crashing(0)
    with pytest.raises(Crash):
        region.finish(receipt(ITEM, MID))
    assert region.item(ITEM) == ITEM
    region.finish(receipt(ITEM, MID))
    assert (region.item(ITEM) or {})["email"] == REDACTED


# -- failures


def test_a_failure_for_now_redelivers_only_its_message() -> None:
    region = region_with(ITEM)
    other = item(plain(1), authority="EU", name="other")
    region.seed(other)
    region.store.before_write = failing(Update)
    report = region.finish(receipt(ITEM, MID), receipt(other, plain(1)))
    assert report.failed == ["m0"]
    assert (region.item(ITEM), (region.item(other) or {})["email"]) == (ITEM, REDACTED)


@pytest.mark.parametrize("body", ["", "{}", '{"detail": {"format": 1, "receipts": []}}', '{"detail": 5}'])
def test_a_message_that_is_no_event_of_ours_is_quarantined_whole_and_spares_the_others(body: str) -> None:
    region = region_with(ITEM)
    report = region.anonymize(Message("m0", body), receipts_message("m1", receipt(ITEM, MID)))
    assert region.quarantine.records == [("record_invalid", "anonymizer", body)]
    assert (report.failed, (region.item(ITEM) or {})["email"]) == ([], REDACTED)


def test_a_poison_receipt_does_not_hold_up_its_neighbours() -> None:
    region = region_with(ITEM)
    detail = json.loads(receipts_message("m0", receipt(ITEM, MID)).body)["detail"]
    poison = detail["receipts"][0] | {"version": "no version"}
    report = region.anonymize(message("m0", detail | {"receipts": [poison, *detail["receipts"]]}))
    assert (report.failed, region.quarantine.reasons) == ([], ["record_invalid"])
    assert (region.item(ITEM) or {})["email"] == REDACTED


@pytest.mark.parametrize(
    "error", [PolicyUnavailableError("AppConfig gave no policy"), PolicyInvalidError("policy.format: must be 1")]
)
def test_without_a_policy_that_can_be_understood_a_receipt_waits(error: DomicileError) -> None:
    region = region_with(ITEM)
    region.policy.error = error
    assert region.finish(receipt(ITEM, MID)).failed == ["m0"]
    assert (region.item(ITEM), region.quarantine.records) == (ITEM, [])
