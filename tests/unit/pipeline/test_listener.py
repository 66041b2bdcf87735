"""The listener: what becomes of each kind of stream record, and of records that fail."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from domicile.core.control import Image, Value
from domicile.core.errors import (
    DomicileError,
    PermanentError,
    PolicyInvalidError,
    PolicyUnavailableError,
    TransientError,
)
from domicile.core.events import EVERYWHERE, Entry, Operation
from domicile.core.version import AHEAD_MS_MAX
from domicile.core.writes import Put, Update
from domicile.pipeline.listener import PATIENCE_MS, Listener
from domicile.pipeline.report import Count
from tests.unit.pipeline.region import (
    AT_MS,
    EMAIL,
    HERE,
    HOME,
    NOW_MS,
    REDACTED,
    Region,
    failing,
    item,
    plain,
    sequence,
    stamped,
    stub,
)

LOW = stamped()
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
        (item(LOW), None, True),
        (item(HIGH, deleting=True), None, False),
        (item(LOW), item(HIGH, deleting=True), False),
        (None, item(stamped(region=HOME)), False),
        (item(LOW), item(plain(1)), False),
        (item(LOW, authority="EU"), stub(LOW), False),
        (stub(LOW), stub(HIGH), False),
    ],
    ids=["expiry", "removal of a marked item", "mark", "replica", "own stamp", "anonymization", "stub"],
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


# -- what belongs in the quarantine


def check_quarantined(region: Region, record: dict[str, Any], written: Image, reason: str) -> None:
    report = region.listen(record)
    assert region.quarantine.records == [(reason, "listener", record)]
    assert (report.failed, report.counts[Count.QUARANTINED], report.reasons[reason]) == ([], 1, 1)
    assert region.bus.entries == []
    assert region.item(written) == written


@pytest.mark.parametrize(
    "authority",
    [
        {"S": "CN"},
        {"S": ""},
        {"S": "eu"},
        {"NULL": True},
        {"N": "1"},
        {"BOOL": False},
        {"SS": ["EU"]},
        {"L": []},
        {"M": {"S": {"S": "EU"}}},
        {"B": "RVU="},
    ],
    ids=str,
)
@pytest.mark.parametrize("is_stamped", [True, False], ids=["stamped", "plain"])
def test_an_item_of_unknown_authority_is_quarantined_whole_and_neither_sent_nor_touched(
    authority: Value, is_stamped: bool
) -> None:
    region = Region()
    written = {**item(LOW if is_stamped else None), "localization_authority": authority}
    check_quarantined(region, region.put(written), written, "unknown_authority")


def test_without_a_policy_that_can_be_understood_every_record_is_quarantined() -> None:
    region = Region()
    region.policy.error = PolicyInvalidError("policy.format: must be 1")
    check_quarantined(region, region.put(item()), item(), "policy_invalid")


def test_a_table_that_the_policy_does_not_name_yet_is_waited_for() -> None:
    region = Region()
    record = region.put(item())
    record["eventSourceARN"] = record["eventSourceARN"].replace("shop-orders", "shop-carts")
    report = region.listen(record)
    assert report.failed == [record["dynamodb"]["SequenceNumber"]]
    assert report.reasons == {"UnknownTableError": 1}
    assert region.quarantine.records == []


@pytest.mark.parametrize(
    "written",
    [
        {**item(), "_dom": {"S": "written by someone else"}},
        {**item(), "_dom": {"M": {"v": {"S": "1"}, "o": {"S": HERE}}}},
    ],
    ids=["not a map", "not a version"],
)
def test_a_malformed_control_attribute_is_quarantined(written: Image) -> None:
    region = Region()
    check_quarantined(region, region.put(written), written, "record_invalid")


def test_the_write_that_mends_a_malformed_control_attribute_is_sent_and_stamped() -> None:
    region = Region()
    region.seed({**item(), "_dom": {"S": "written by someone else"}})
    report = region.listen(region.put(item()))
    assert report.reasons == {}
    assert [mutation.operation for _, mutation in region.bus.changes] == [Operation.PUT]
    assert region.control(item()) is not None


def test_the_removal_of_an_item_with_a_malformed_control_attribute_is_sent() -> None:
    region = Region()
    malformed: Image = {**item(), "_dom": {"S": "written by someone else"}}
    region.seed(malformed)
    region.listen(region.remove(malformed))
    assert [mutation.operation for _, mutation in region.bus.changes] == [Operation.DELETE]


def test_a_version_too_far_in_the_future_is_quarantined() -> None:
    region = Region()
    written = item(stamped(AT_MS + AHEAD_MS_MAX + 1))
    check_quarantined(region, region.put(written), written, "version_in_future")


def test_a_plain_write_on_a_version_too_far_in_the_future_is_quarantined() -> None:
    region = Region()
    region.seed(item(stamped(AT_MS + AHEAD_MS_MAX + 1)))
    check_quarantined(region, region.put(item()), item(), "version_in_future")


def test_a_version_a_little_in_the_future_is_sent() -> None:
    region = Region()
    region.listen(region.put(item(stamped(AT_MS + AHEAD_MS_MAX))))
    assert len(region.bus.changes) == 1


def test_an_item_that_cannot_take_its_control_attribute_is_quarantined_and_not_sent() -> None:
    region = Region()
    written = {**item(), "text": {"S": "x" * (400 * 1024 - 60)}}
    check_quarantined(region, region.put(written), written, "item_too_large")


def test_an_error_that_nobody_foresaw_is_quarantined_under_its_type() -> None:
    region = Region()

    def broken(_: Any) -> None:
        raise ZeroDivisionError

    region.store.before_write = broken
    check_quarantined(region, region.put(item()), item(), "unexpected_ZeroDivisionError")


def test_poison_does_not_hold_up_its_neighbours() -> None:
    region = Region()
    first, last = region.put(item(name="a")), region.put(item(name="b"))
    malformed: dict[str, Any] = {"dynamodb": {"SequenceNumber": "7", "Keys": {"pk": {"S": "x"}}}}
    report = region.listen(first, malformed, last)
    assert report.failed == []
    assert region.quarantine.records == [("record_invalid", "listener", malformed)]
    assert [mutation.key["pk"]["S"] for _, mutation in region.bus.changes] == ["a", "b"]


# -- what is delivered again


@pytest.mark.parametrize("error", [PolicyUnavailableError("AppConfig gave no policy"), TransientError("Throttling")])
def test_a_record_that_fails_for_now_is_delivered_again(error: DomicileError) -> None:
    region = Region()
    region.policy.error = error
    record = region.put(item())
    report = region.listen(record)
    assert report.failed == [str(sequence(record))]
    assert report.reasons == {type(error).__name__: 1}
    assert (region.quarantine.records, region.bus.entries) == ([], [])


@pytest.mark.parametrize(("age_ms", "kept"), [(PATIENCE_MS - 1_000, False), (PATIENCE_MS + 1_000, True)])
def test_a_record_that_still_fails_when_its_stream_is_about_to_forget_it_is_quarantined(
    age_ms: int, kept: bool
) -> None:
    region = Region()
    region.policy.error = PolicyUnavailableError("AppConfig gave no policy")
    record = region.put(item())
    region.now_ms = AT_MS + age_ms
    report = region.listen(record)
    assert region.quarantine.reasons == (["patience_exhausted"] if kept else [])
    assert report.failed == ([] if kept else [str(sequence(record))])


@pytest.mark.parametrize("error", [TransientError("SendMessage"), PermanentError("SendMessage")])
def test_where_the_quarantine_fails_too_the_record_alone_is_delivered_again(error: DomicileError) -> None:
    region = Region()
    region.quarantine.error = error
    neighbour = region.put({**item(), "sk": {"S": "another"}})
    record = region.put({**item(), "localization_authority": {"S": "CN"}})
    report = region.listen(neighbour, record)
    assert report.failed == [str(sequence(record))]
    assert report.counts[Count.QUARANTINED] == 0


def test_the_later_changes_of_a_key_wait_for_the_one_that_failed_and_other_keys_do_not() -> None:
    region = Region()
    records = [region.put(item(name="a")), region.put(item(name="b"))]
    records += [region.update(item(name="a"), n={"N": "1"}), region.remove(item(name="a"))]
    region.store.before_write = failing(Update)
    report = region.listen(*records)
    assert report.failed == ["1", "3", "4"]
    assert report.reasons == {"TransientError": 1, "after_failure": 2}
    assert [mutation.key["pk"]["S"] for _, mutation in region.bus.changes] == ["b"]


def test_after_a_retry_everything_is_as_if_nothing_had_failed() -> None:
    region = Region()
    records = [region.put(item()), region.update(item(), n={"N": "1"}), region.update(item(), n={"N": "2"})]
    region.store.before_write = failing(Update)
    assert region.listen(*records).failed == ["1", "2", "3"]
    assert region.listen(*records).failed == []
    ((_, mutation),) = region.bus.changes
    assert (mutation.version, (mutation.image or {})["n"]) == (plain(3), {"N": "2"})
    assert region.version(item()) == plain(3)


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


def test_a_record_that_no_bus_takes_is_quarantined_before_its_stream_forgets_it() -> None:
    region = Region()
    record = region.put(item())
    region.bus.refuses = lambda _: True
    region.now_ms = AT_MS + PATIENCE_MS + 1_000
    report = region.listen(record)
    assert region.quarantine.records == [("patience_exhausted", "listener", record)]
    assert report.failed == []


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
