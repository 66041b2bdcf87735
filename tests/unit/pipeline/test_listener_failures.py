"""The listener: records that fail, for good or for now."""

from __future__ import annotations

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
from domicile.core.events import Operation
from domicile.core.version import AHEAD_MS_MAX
from domicile.core.writes import Update
from domicile.pipeline.guard import PATIENCE_MS
from domicile.pipeline.report import Count
from tests.unit.pipeline.region import (
    AT_MS,
    HERE,
    Region,
    failing,
    item,
    plain,
    sequence,
    stamped,
)

LOW = stamped()


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


@pytest.mark.parametrize(
    "error",
    [
        PolicyUnavailableError("AppConfig gave no policy"),
        PolicyInvalidError("policy.format: must be 1"),
        TransientError("Throttling"),
    ],
)
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


def test_a_record_that_no_bus_takes_is_quarantined_before_its_stream_forgets_it() -> None:
    region = Region()
    record = region.put(item())
    region.bus.refuses = lambda _: True
    region.now_ms = AT_MS + PATIENCE_MS + 1_000
    report = region.listen(record)
    assert region.quarantine.records == [("patience_exhausted", "listener", record)]
    assert report.failed == []
