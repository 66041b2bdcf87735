"""The listener: what becomes of each kind of stream record, and how it is sent."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from domicile.core.control import Image, Value
from domicile.core.events import EVERYWHERE, Entry, Operation
from domicile.core.writes import Put
from domicile.pipeline.listener import Listener
from domicile.pipeline.report import Count
from tests.unit.pipeline.region import (
    AT_MS,
    EMAIL,
    HERE,
    HOME,
    NOW_MS,
    REDACTED,
    Region,
    item,
    mutation,
    plain,
    stamped,
    stub,
)

OLD, LOW = stamped(NOW_MS - 90_000), stamped()
HIGH = stamped(NOW_MS - 1_000)


def sent(region: Region) -> list[tuple[tuple[str, ...], Operation, Value | None]]:
    """What was sent where, with the e-mail address that it carries."""
    return [
        (destination, mutation.operation, (mutation.image or {}).get("email"))
        for destination, mutation in region.bus.changes
    ]


# -- the kinds of records


@pytest.mark.parametrize(
    ("before", "after", "expired"),
    [
        (item(), None, True),
        (item(HIGH, deleting=True), None, True),
        (item(HIGH, deleting=True), None, False),
        (item(LOW), item(HIGH, deleting=True), False),
        (None, item(stamped(region=HOME)), False),
        (item(LOW), item(plain(1)), False),
        (item(LOW, authority="EU"), stub(LOW), False),
        (stub(LOW), stub(HIGH), False),
    ],
    ids=[
        "expiry without a version",
        "expiry of a marked item",
        "removal of a marked item",
        "mark",
        "replica",
        "own stamp",
        "anonymization",
        "stub",
    ],
)
def test_the_replication_s_own_records_are_skipped(before: Image | None, after: Image | None, expired: bool) -> None:
    region = Region()
    if before is not None:
        region.seed(before)
    record = region.remove(before, expired=expired) if before and after is None else region.put(after or {})
    report = region.listen(record)
    assert report.counts == {Count.CHANGES: 1, Count.SKIPPED: 1}
    assert (region.bus.entries, region.store.writes, region.quarantine.records) == ([], [], [])


@pytest.mark.parametrize("before", [item(LOW), item(), stub(LOW)], ids=["stamped", "plain", "stub"])
def test_a_delete_is_buried_and_goes_to_every_region(before: Image) -> None:
    region = Region()
    region.seed(before)
    region.listen(region.remove(before))
    assert region.tombstone(before) == str(plain(1))
    assert sent(region) == [(EVERYWHERE, Operation.DELETE, None)]


def test_a_retried_delete_spares_what_was_written_since() -> None:
    region = Region()
    region.seed(item(LOW))
    record = region.remove(item(LOW))
    region.listen(record)
    region.put(item())
    region.listen(record)
    assert region.item(item()) == item()
    assert [mutation.version for _, mutation in region.bus.changes] == [plain(1), plain(1)]


@pytest.mark.parametrize("before", [item(LOW), stub(LOW)], ids=["full", "stub"])
def test_an_expired_version_and_what_is_below_it_stay_away_and_what_is_above_it_comes(before: Image) -> None:
    region = Region()
    region.seed(before)
    record = region.remove(before, expired=True)
    region.seed(item(OLD))  # it came late, between the removal and its record
    report = region.listen(record, record)
    assert (region.item(item()), region.bus.entries, report.failed) == (None, [], [])
    region.receive(*(mutation(Operation.PUT, item(), version) for version in (OLD, LOW)))
    assert region.item(item()) is None
    region.receive(mutation(Operation.PUT, item(), replace(LOW, tie=LOW.tie + 1)))
    region.listen(record)
    assert region.version(item()) == replace(LOW, tie=LOW.tie + 1)


def test_what_is_written_after_an_expiry_is_above_it_even_if_its_version_was_ahead_of_the_clock() -> None:
    region = Region()
    ahead = item(stamped(AT_MS + 4_000))
    region.seed(ahead)
    records = [region.remove(ahead, expired=True), region.put(item())]
    for _ in range(2):
        region.listen(*records)
        assert region.version(item()) == plain(2, AT_MS + 4_000)


@pytest.mark.parametrize(
    ("authority", "here", "expected"),
    [
        (None, HERE, (EVERYWHERE, Operation.PUT, EMAIL)),
        ("EU", HERE, ((HOME,), Operation.MOVE, EMAIL)),
        ("EU", HOME, (EVERYWHERE, Operation.STUB, REDACTED)),
    ],
)
@pytest.mark.parametrize("is_stamped", [True, False], ids=["stamped", "plain"])
def test_a_write_goes_where_it_may_rest(authority: str | None, here: str, expected: Any, is_stamped: bool) -> None:
    region = Region(here)
    written = item(stamped(region=here) if is_stamped else None, authority=authority)
    region.listen(region.put(written))
    assert sent(region) == [expected]
    assert region.version(written) == (stamped(region=here) if is_stamped else plain(1, region=here))
    assert (region.item(written) or {})["email"] == EMAIL, "the origin stays full until the home has it"


def test_a_stamped_write_is_not_written_again() -> None:
    region = Region()
    region.listen(region.put(item(LOW)))
    assert region.store.writes == []


def test_a_stamped_update_costs_no_read_of_the_ledger() -> None:
    region = Region()
    region.seed(item(LOW))
    reads: list[str] = []
    region.store.before_get = lambda table, _key: reads.append(table)
    region.listen(region.put(item(HIGH)))
    assert (reads, [mutation.version for _, mutation in region.bus.changes]) == ([], [HIGH])


def test_a_stamped_insert_below_a_tombstone_is_deleted() -> None:
    region = Region()
    region.seed(item(LOW))
    region.listen(region.remove(item(LOW)))
    region.listen(region.put(item(LOW)))
    assert region.item(item()) is None


def test_with_directory_origin_no_stub_leaves_the_home() -> None:
    region = Region(HOME, directory="origin")
    report = region.listen(region.put(item(stamped(region=HOME), authority="EU")))
    assert region.bus.entries == []
    assert (report.failed, region.quarantine.records) == ([], [])


def test_with_directory_origin_moves_puts_and_deletes_travel_all_the_same() -> None:
    region = Region(directory="origin")
    region.listen(region.put(item(name="a", authority="EU")), region.put(item(name="b")))
    region.listen(region.remove(item(name="b")))
    assert [operation for _, operation, _ in sent(region)] == [Operation.MOVE, Operation.PUT, Operation.DELETE]


def test_a_missing_hash_key_is_counted_and_the_value_redacted() -> None:
    region = Region(HOME, sensitive={"email": {"strategy": "hash"}})
    report = region.listen(region.put(item(authority="EU")))
    assert report.counts[Count.HASH_KEY_MISSING] == 1
    assert sent(region) == [(EVERYWHERE, Operation.STUB, REDACTED)]


# -- publishing


def refuses(name: str) -> Any:
    """Refuse the entries that carry an item of this name."""

    def refuse(entry: Entry) -> bool:
        return f'"pk":{{"S":"{name}"}}' in entry.detail

    return refuse


def test_a_refused_entry_fails_exactly_the_records_that_it_carried() -> None:
    region = Region()
    records = [region.put(item(name="a")), region.put(item(name="b", authority="EU")), region.put(item(name="c"))]
    region.bus.refuses = refuses("b")
    report = region.listen(*records)
    assert report.failed == ["2"]
    assert report.reasons == {"PutEvents": 1}
    assert [mutation.key["pk"]["S"] for _, mutation in region.bus.changes] == ["a", "c"]


def test_a_refused_entry_fails_the_records_that_it_stood_for_too() -> None:
    region = Region()
    records = [region.put(item(name="a")), region.put(item(name="b", authority="EU"))]
    records += [region.update(item(name="a"), n={"N": "1"}), region.remove(item(name="a"))]
    region.bus.refuses = refuses("a")
    assert region.listen(*records).failed == ["1", "3", "4"]


def test_several_changes_of_a_key_travel_as_the_last() -> None:
    region = Region()
    records = [region.put(item()), region.update(item(), n={"N": "1"}), region.remove(item()), region.put(item())]
    region.listen(*records)
    ((_, mutation),) = region.bus.changes
    assert (mutation.operation, mutation.version) == (Operation.PUT, plain(4))


def test_the_record_of_a_plain_write_gives_the_same_version_at_every_attempt() -> None:
    """Its base, in the ledger, is replaced by what the first attempt leaves there."""
    region = Region()
    region.listen(region.put(item(stamped(AT_MS + 900))))
    records = [region.put(item()), region.put({**item(), "n": {"N": "1"}})]
    region.bus.refuses = lambda _: True
    region.listen(*records)
    region.bus.refuses = lambda _: False
    region.listen(*records)
    assert region.bus.changes[-1][1].version == region.version(item()) == plain(3, AT_MS + 900)


def test_one_thread_for_each_key_is_as_good_as_one_for_all() -> None:
    region = Region()
    with ThreadPoolExecutor(8) as pool:
        listener = Listener(replace(region.world, each=pool.map))
        records = [region.put({**item(name=f"k{n % 20}"), "n": {"N": str(n)}}) for n in range(100)]
        report = listener.handle(records)
    assert report.counts[Count.CHANGES] == 100
    assert {mutation.key["pk"]["S"]: mutation.version.tie for _, mutation in region.bus.changes} == {
        f"k{n}": 81 + n for n in range(20)
    }


def test_nothing_to_send_sends_nothing() -> None:
    region = Region()
    assert region.listen().counts == {}
    assert region.bus.entries == []


def test_what_was_put_back_is_not_sent_again() -> None:
    """The listener's own writes come back to it in the stream."""
    region = Region()
    region.put(item(name="a"))
    region.put(item(name="b", authority="EU"))
    region.put(item(LOW, name="c"))
    region.remove(item(name="a"))
    region.listen_on()
    assert sorted(mutation.key["pk"]["S"] for _, mutation in region.bus.changes) == ["a", "b", "c"]
    assert not any(isinstance(write, Put) for write in region.store.writes)
