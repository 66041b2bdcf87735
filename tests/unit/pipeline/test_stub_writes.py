"""An application wrote on a stub with ordinary code: kept for its owner, not replicated, and anonymized again."""

from __future__ import annotations

from typing import Any

import pytest

from domicile.core.control import Image, Value
from domicile.core.errors import TransientError
from domicile.core.events import Operation
from domicile.core.writes import Update, Write
from domicile.pipeline.listener import STUB_REPAIRS_MAX
from domicile.pipeline.report import Count
from tests.unit.pipeline.region import (
    EMAIL,
    HOME,
    NOW_MS,
    REDACTED,
    Crash,
    Region,
    crashing,
    item,
    mutation,
    sequence,
    stamped,
    stub,
)

STUB = stub(stamped(region=HOME))
HASHED = {"email": {"strategy": "hash"}, "tags": {"strategy": "redact"}, "contacts.phone": {"strategy": "hash"}}


def region_with_stub(**table: Any) -> Region:
    region = Region(**table)
    region.seed(STUB)
    return region


def test_what_it_brought_is_anonymized_kept_and_counted_and_nothing_is_sent() -> None:
    region = region_with_stub()
    record = region.update(STUB, email=EMAIL, note={"S": "call back"})
    report = region.listen(record)
    found = region.item(STUB) or {}
    assert (found["email"], found["note"]) == (REDACTED, {"S": "call back"})
    assert region.quarantine.records == [("stub_write", "listener", record)]
    assert (report.counts[Count.STUB_WRITES], report.counts[Count.QUARANTINED]) == (1, 1)
    assert (region.bus.entries, report.failed) == ([], [])


def test_the_repair_keeps_version_and_home_and_takes_a_new_nonce() -> None:
    region = region_with_stub()
    before = region.control(STUB)
    region.listen(region.update(STUB, email=EMAIL))
    after = region.control(STUB)
    assert before is not None
    assert after is not None
    assert (after.version, after.origin, after.home) == (before.version, before.origin, before.home)
    assert after.nonce != before.nonce


def test_the_repair_itself_is_not_taken_for_another_write() -> None:
    region = region_with_stub()
    region.update(STUB, email=EMAIL)
    report = region.listen_on()
    assert report.counts[Count.STUB_WRITES] == 1
    assert len(region.store.writes) == 1


@pytest.mark.parametrize("attributes", [{"note": {"S": "x"}}, {"email": REDACTED, "n": {"N": "1"}}], ids=str)
def test_without_a_sensitive_value_there_is_nothing_to_repair(attributes: dict[str, Value]) -> None:
    region = region_with_stub()
    region.listen(region.update(STUB, **attributes))
    assert region.quarantine.reasons == ["stub_write"]
    assert region.store.writes == []


def test_a_removed_strategy_removes_what_it_brought() -> None:
    region = region_with_stub(sensitive={"email": {"strategy": "remove"}})
    region.listen(region.update(STUB, email=EMAIL))
    assert "email" not in (region.item(STUB) or {})


def test_what_is_anonymized_already_is_not_anonymized_twice() -> None:
    region = region_with_stub(sensitive=HASHED)
    region.hash_key.value = b"k" * 32
    record = region.update(STUB, email=EMAIL)
    region.listen(record)
    hashed = (region.item(STUB) or {})["email"]
    assert len(hashed["S"]) == 64
    region.listen(record)
    region.listen(region.update(STUB, tags={"SS": ["vip"]}))
    found = region.item(STUB) or {}
    assert (found["email"], found["tags"]) == (hashed, REDACTED)


def test_of_two_writes_of_one_attribute_the_later_is_anonymized_once() -> None:
    region = region_with_stub(sensitive=HASHED)
    region.hash_key.value = b"k" * 32
    records = [region.update(STUB, email={"S": "first@example.com"}), region.update(STUB, email=EMAIL)]
    region.listen(*records)
    twice = region.item(STUB)
    alone = region_with_stub(sensitive=HASHED)
    alone.hash_key.value = b"k" * 32
    alone.listen(alone.update(STUB, email=EMAIL))
    assert (twice or {})["email"] == (alone.item(STUB) or {})["email"]


def test_a_value_within_a_list_is_anonymized() -> None:
    region = region_with_stub(sensitive=HASHED)
    phone: Value = {"L": [{"M": {"phone": {"S": "+911234567890"}}}]}
    region.listen(region.update(STUB, contacts=phone))
    assert (region.item(STUB) or {})["contacts"] == {"L": [{"M": {"phone": REDACTED}}]}


def test_a_sensitive_set_is_anonymized_in_whatever_order_it_is_read() -> None:
    region = region_with_stub(sensitive=HASHED)
    record = region.update(STUB, tags={"SS": ["vip", "overdue"]})
    region.seed({**(region.item(STUB) or {}), "tags": {"SS": ["overdue", "vip"]}})
    region.listen(record)
    assert (region.item(STUB) or {})["tags"] == REDACTED


@pytest.mark.parametrize(
    "since",
    [
        stub(stamped(NOW_MS, HOME), nonce="later"),
        item(stamped(NOW_MS, HOME)),
        item(),
        {**STUB, "email": {"S": "[another application's]"}, "_dom": {"M": {}}},
    ],
    ids=["a newer stub", "a newer item", "a plain write", "garbage"],
)
def test_what_came_since_is_left_to_its_own_record(since: Image) -> None:
    region = region_with_stub()
    record = region.update(STUB, email=EMAIL)
    region.seed(since)
    region.listen(record)
    assert region.item(STUB) == since


def test_a_stub_that_is_gone_needs_no_repair() -> None:
    region = region_with_stub()
    record = region.update(STUB, email=EMAIL)
    region.remove(STUB)
    assert region.listen(record).failed == []
    assert region.item(STUB) is None


def changing(region: Region, times: int) -> None:
    """Let an application write a note on the stub, with a new nonce, before each of the next repairs."""
    numbers = iter(range(times))

    def before(write: Write) -> None:
        number = next(numbers, None)
        if isinstance(write, Update) and number is not None:
            control = (region.item(STUB) or {})["_dom"]["M"] | {"n": {"S": f"other{number}"}}
            region.update(STUB, note={"N": str(number)}, _dom={"M": control})

    region.store.before_write = before


def test_a_repair_that_meets_another_change_looks_again() -> None:
    region = region_with_stub()
    record = region.update(STUB, email=EMAIL)
    changing(region, STUB_REPAIRS_MAX - 1)
    report = region.listen(record)
    found = region.item(STUB) or {}
    assert (found["email"], found["note"], report.failed) == (REDACTED, {"N": "1"}, [])


def test_a_stub_that_keeps_changing_is_repaired_later() -> None:
    region = region_with_stub()
    record = region.update(STUB, email=EMAIL)
    changing(region, STUB_REPAIRS_MAX)
    assert region.listen(record).failed == [str(sequence(record))]
    assert region.listen(record).failed == []
    assert (region.item(STUB) or {})["email"] == REDACTED


def test_a_crash_before_the_repair_leaves_it_to_the_retry() -> None:
    region = region_with_stub()
    record = region.update(STUB, email=EMAIL)
    region.store.before_write = crashing(0)
    with pytest.raises(Crash):
        region.listen(record)
    region.listen(record)
    assert (region.item(STUB) or {})["email"] == REDACTED
    assert region.quarantine.reasons == ["stub_write", "stub_write"]


def test_it_is_kept_before_it_is_anonymized() -> None:
    region = region_with_stub()
    record = region.update(STUB, email=EMAIL)
    region.quarantine.error = TransientError("SendMessage")
    assert region.listen(record).failed == [str(sequence(record))]
    assert (region.item(STUB) or {})["email"] == EMAIL


def test_a_put_over_a_stub_is_a_new_version_of_the_item() -> None:
    region = region_with_stub()
    region.listen(region.put(item(authority="EU")))
    assert region.quarantine.records == []
    ((destination, change),) = region.bus.changes
    assert (destination, change.operation, (change.image or {})["email"]) == ((HOME,), Operation.MOVE, EMAIL)


def test_a_delete_of_a_stub_deletes_the_item_everywhere() -> None:
    region = region_with_stub()
    region.listen(region.remove(STUB))
    ((_, change),) = region.bus.changes
    assert change == mutation(Operation.DELETE, STUB, change.version)
