"""What a plain write finds in its own Region when its record is handled: anything may have happened since."""

from __future__ import annotations

import pytest

from domicile.core.control import Image
from domicile.core.events import Operation
from domicile.core.version import Version
from domicile.core.writes import Update
from tests.policies import LEDGER, TABLE
from tests.unit.pipeline.region import (
    AT_MS,
    EMAIL,
    HERE,
    HOME,
    NOW_MS,
    OTHER,
    Crash,
    Region,
    crashing,
    item,
    key_of,
    mutation,
    plain,
    stamped,
    stub,
)

OLD, LOW, HIGH = stamped(NOW_MS - 90_000), stamped(NOW_MS - 60_000, HOME), stamped(NOW_MS + 60_000, HOME)
NEWER = {"note": {"S": "newer"}}


def test_an_item_as_its_record_left_it_gets_the_version_and_nothing_else() -> None:
    region = Region()
    region.seed(item(OLD, nonce="7"))
    region.listen(region.update(item(), **NEWER))
    assert region.item(item()) == {**item(plain(1)), **NEWER}
    assert [type(write) for write in region.store.writes] == [Update]


def test_an_item_that_another_plain_write_replaced_is_left_to_that_write_s_record() -> None:
    region = Region()
    region.seed(item(OLD))
    first = region.put(item())
    region.put({**item(), **NEWER})
    region.listen(first)
    assert region.version(item()) == plain(1), "the stamp lands on the newer image"
    region.listen_on()
    assert region.item(item()) == {**item(plain(2)), **NEWER, "_dom": (region.item(item()) or {})["_dom"]}
    assert region.version(item()) == plain(2)
    assert (region.bus.changes[-1][1].image or {})["note"] == NEWER["note"]


def test_an_item_without_control_attribute_that_is_newer_is_left_alone() -> None:
    region = Region()
    region.seed(item(OLD))
    first = region.update(item(), **NEWER)
    region.put({**item(), "note": {"S": "newest"}})
    region.listen(first)
    assert region.item(item()) == {**item(), "note": {"S": "newest"}}


def test_a_write_that_a_lower_version_overwrote_is_put_back() -> None:
    region = Region()
    record = region.put({**item(), **NEWER})
    region.seed(item(LOW))
    region.listen(record)
    assert region.item(item()) == {**item(plain(1), nonce="n1"), **NEWER}


def test_a_write_that_a_greater_version_overwrote_is_only_sent() -> None:
    region = Region()
    record = region.put({**item(), **NEWER})
    region.seed(item(HIGH))
    region.listen(record)
    assert region.item(item()) == item(HIGH)
    assert [change.version for _, change in region.bus.changes] == [plain(1)]


@pytest.mark.parametrize("found", [stub(LOW), item(LOW, authority="EU")])
def test_a_localized_write_comes_back_whole_also_over_a_stub(found: Image) -> None:
    """The home may not have the new version yet, and may have to read it here: nothing is erased before it arrives."""
    region = Region()
    record = region.put({**item(authority="EU"), **NEWER})
    region.seed(found)
    region.listen(record)
    back = region.item(item()) or {}
    assert (back["email"], back["note"], region.version(item())) == (EMAIL, NEWER["note"], plain(1))
    control = region.control(item())
    assert control is not None
    assert control.home is None
    assert [(change.operation, (change.image or {})["email"]) for _, change in region.bus.changes] == [
        (Operation.MOVE, EMAIL)
    ]


def test_a_write_that_makes_a_stub_global_comes_back_whole() -> None:
    region = Region()
    record = region.put({**item(), **NEWER})
    region.seed(stub(LOW))
    region.listen(record)
    assert region.item(item()) == {**item(plain(1), nonce="n1"), **NEWER}


@pytest.mark.parametrize(("tombstone", "returns"), [(None, True), (LOW, True), (stamped(NOW_MS + 60_000, HOME), False)])
def test_a_write_whose_item_is_gone_comes_back_unless_a_tombstone_is_above_it(
    tombstone: Version | None, returns: bool
) -> None:
    region = Region()
    record = region.put(item())
    if tombstone is not None:
        region.receive(mutation(Operation.DELETE, item(), tombstone))
    region.memory.replace(TABLE, key_of(item()), None)
    region.listen(record)
    assert (region.version(item()) == plain(1)) is returns
    assert (region.item(item()) is not None) is returns


def test_a_write_below_a_tombstone_is_deleted() -> None:
    region = Region()
    region.receive(mutation(Operation.DELETE, item(), HIGH))
    region.listen(region.put(item()))
    assert region.item(item()) is None


def test_a_write_on_an_item_whose_delete_crashed_half_way_finishes_it() -> None:
    region = Region()
    record = region.put(item())
    region.seed(item(HIGH, deleting=True))
    region.memory.replace(LEDGER, key_of(item()), {"dom_tombstone": {"S": str(HIGH)}})
    region.listen(record)
    assert region.item(item()) is None


def test_a_write_that_expired_before_its_record_was_handled_comes_back_to_expire_with_its_version() -> None:
    """The removal's record shows none. What is below the write's version must not take its place afterwards."""
    region = Region()
    records = [region.put(item()), region.remove(item(), expired=True)]
    region.listen(*records)
    assert region.version(item()) == plain(1)
    region.listen(region.remove(region.item(item()) or {}, expired=True))
    region.receive(mutation(Operation.PUT, item(), LOW))
    region.listen(*records)
    assert region.item(item()) is None
    assert {sent.version for _, sent in region.bus.changes} == {plain(1)}


def test_an_update_of_a_put_that_got_the_stamp_of_the_put_before_it_lies_above_it_all_the_same() -> None:
    """Neither put has a control attribute, so that they look alike; a fast clock stamped between them."""
    region = Region()
    first = region.put(item())
    region.seed(item(stamped(NOW_MS + 60_000, HERE)))
    second = region.put(item())
    region.listen(first)
    update = region.update(item(), note={"S": "new"})
    region.listen(second, update)
    assert region.version(item()) == plain(int(update["dynamodb"]["SequenceNumber"]), ms=NOW_MS + 60_000)
    assert (region.item(item()) or {})["note"] == {"S": "new"}


def test_a_write_comes_back_where_what_was_applied_over_it_has_expired() -> None:
    region = Region()
    record = region.put({**item(), **NEWER})
    region.receive(mutation(Operation.PUT, item(), LOW))
    region.memory.replace(TABLE, key_of(item()), None, expired=True)
    region.listen(record)
    assert region.item(item()) == {**item(plain(1), nonce="n2"), **NEWER}


def test_a_write_that_was_deleted_since_does_not_come_back_for_a_moment() -> None:
    region = Region()
    records = [region.put(item()), region.remove(item())]
    region.listen(*records)
    assert [record for record in region.records if "NewImage" in record["dynamodb"]] == records[:1]
    assert region.bus.changes[-1][1].version > plain(1)


def test_a_retry_after_a_crash_before_the_ledger_was_read_still_reads_it() -> None:
    region = Region()
    record = region.put(item())

    def die_at_the_ledger(table: str, _: Image) -> None:
        if table == LEDGER and region.version(item()) is not None:
            raise Crash

    region.store.before_get = die_at_the_ledger
    with pytest.raises(Crash):
        region.listen(record)
    region.store.before_get = lambda _table, _key: None
    assert region.version(item()) == plain(1)
    region.memory.replace(LEDGER, key_of(item()), {"dom_tombstone": {"S": str(HIGH)}})
    region.listen(record)
    assert region.item(item()) is None


@pytest.mark.parametrize("number", range(6))
def test_a_crash_before_any_write_is_repaired_by_the_retry(number: int) -> None:
    region = Region()
    records = [region.put(item()), region.remove(item()), region.put({**item(), **NEWER})]
    region.seed(item(LOW))
    region.store.before_write = crashing(number)
    with pytest.raises(Crash):
        region.listen(*records)
    assert region.listen(*records).failed == []
    assert (region.version(item()), (region.item(item()) or {})["note"]) == (plain(3), NEWER["note"])
    assert region.bus.changes[-1][1].version == plain(3)


def test_the_region_of_a_version_is_the_one_that_wrote_it() -> None:
    region = Region(OTHER)
    region.listen(region.put(item()))
    control = region.control(item())
    assert control is not None
    assert (control.origin, control.version) == (OTHER, Version(AT_MS, plain=True, tie=1, region=OTHER))
    assert HERE != OTHER
