from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domicile.core.errors import RecordInvalidError, VersionInFutureError
from domicile.core.version import AHEAD_MS_MAX, Version, of_copy, of_plain_write, refuse_far_future, stamp
from tests.strategies import REGIONS, versions

STAMPED = Version(1_000_500, plain=False, tie=0, region="us-east-1")
times = st.integers(0, 4 * 10**12)
sequences = st.integers(0, 10**40 - 1)
bases = st.builds(replace, versions, ms=times)


@given(versions)
def test_a_version_survives_its_string_form(version: Version) -> None:
    assert Version.parse(str(version)) == version


@given(versions, versions)
def test_the_byte_order_of_the_string_is_the_order_of_the_value(one: Version, other: Version) -> None:
    assert (str(one).encode() < str(other).encode()) is (one < other)


@given(versions, versions)
def test_versions_of_the_same_millisecond_keep_the_order_too(one: Version, other: Version) -> None:
    other = replace(other, ms=one.ms)
    assert (str(one).encode() < str(other).encode()) is (one < other)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "001766361600000",
        "1766361600000-0000000-us-east-1",  # milliseconds without their zeros
        "001766361600000-000000-us-east-1",  # a counter that is too short
        "001766361600000-2000000-us-east-1",  # neither stamped nor plain
        f"001766361600000-1{'0' * 39}-us-east-1",  # a sequence number that is too short
        "001766361600000-0000000-",
        "001766361600000-0000000-US-EAST-1",
        "001766361600000-0000000-us-east-1\n",
        "001766361600000-0000000-us-east-1++",
        "٠٠١٧٦٦٣٦١٦٠٠٠٠٠-0000000-us-east-1",  # digits, but not ASCII: their bytes sort elsewhere
    ],
)
def test_anything_else_is_not_a_version(text: str) -> None:
    with pytest.raises(RecordInvalidError) as raised:
        Version.parse(text)
    assert text == "" or text not in str(raised.value)


def test_a_plain_write_wins_over_a_stamp_of_its_millisecond() -> None:
    assert replace(STAMPED, plain=True) > replace(STAMPED, tie=999_999)


@given(versions, versions)
def test_nothing_lies_between_a_version_and_its_tombstone(version: Version, other: Version) -> None:
    assert version.tombstone() > replace(version, expired=False)
    assert (other > version) is (other >= version.tombstone()) or version.expired
    near = replace(other, ms=version.ms, plain=version.plain, tie=version.tie)
    assert not replace(version, expired=False) < near < version.tombstone()


@given(times, st.none() | bases, st.sampled_from(REGIONS))
def test_a_stamp_is_above_the_item_that_was_read_and_never_before_now(
    now_ms: int, base: Version | None, region: str
) -> None:
    version = stamp(now_ms, base, region)
    assert version.ms >= now_ms
    assert base is None or version > base
    assert not version.plain


@given(times, sequences, st.sampled_from(REGIONS), st.lists(bases, max_size=4))
def test_a_plain_version_is_above_its_bases_and_never_before_its_record(
    at_ms: int, sequence: int, region: str, found: list[Version]
) -> None:
    version = of_plain_write(at_ms, sequence, region, found)
    assert version.ms >= at_ms
    assert all(version > base for base in found)
    assert (version.plain, version.tie, version.region) == (True, sequence, region)


@given(times, sequences, st.sampled_from(REGIONS), st.lists(bases, max_size=4))
def test_a_plain_version_is_at_most_a_millisecond_above_what_it_must_exceed(
    at_ms: int, sequence: int, region: str, found: list[Version]
) -> None:
    version = of_plain_write(at_ms, sequence, region, found)
    assert version.ms <= max([at_ms, *(base.ms + 1 for base in found)])


@given(times, sequences, st.sampled_from(REGIONS), st.lists(bases, max_size=4))
def test_a_plain_version_is_the_same_at_every_attempt(
    at_ms: int, sequence: int, region: str, found: list[Version]
) -> None:
    first, second = (of_plain_write(at_ms, sequence, region, order) for order in (found, found[::-1]))
    assert first == second


@given(times, st.lists(sequences, min_size=3, max_size=3, unique=True), st.sampled_from(REGIONS), st.booleans())
def test_the_later_of_two_plain_writes_on_one_base_wins(
    at_ms: int, numbers: list[int], origin: str, plain: bool
) -> None:
    for base_ms in (at_ms - 1, at_ms, at_ms + 500):
        # Each of the three in turn is the base's sequence number; one of this Region's own stream comes first.
        for tie in [min(numbers)] if origin == "us-east-1" else numbers:
            base = Version(base_ms, plain, tie, origin)
            earlier, later = sorted(set(numbers) - {tie})
            first, second = (of_plain_write(at_ms, number, "us-east-1", [base]) for number in (earlier, later))
            assert base < first < second


@pytest.mark.parametrize(
    ("at_ms", "found", "ms"),
    [
        (1_000_000, [], 1_000_000),
        (1_000_000, [replace(STAMPED, ms=999_999)], 1_000_000),  # its own time is enough
        (1_000_000, [STAMPED], 1_000_500),  # a stamp of the same second: its millisecond, where a plain tie wins
        (1_000_000, [replace(STAMPED, plain=True, tie=8)], 1_000_500),  # an earlier record of this Region
        (1_000_000, [replace(STAMPED, plain=True, tie=10)], 1_000_501),  # a version that an application copied
        (1_000_500, [replace(STAMPED, plain=True, tie=8, region="ap-south-1")], 1_000_501),  # another Region's numbers
        # The greatest base is not the one that asks for most.
        (1_000_000, [Version(1_000_500, True, 7, "ap-south-1"), Version(1_000_500, True, 8, "us-east-1")], 1_000_501),
    ],
)
def test_a_plain_version_is_forced_above_its_bases_by_as_little_as_possible(
    at_ms: int, found: list[Version], ms: int
) -> None:
    assert of_plain_write(at_ms, 9, "us-east-1", found) == Version(ms, plain=True, tie=9, region="us-east-1")


def test_a_version_at_the_bound_is_accepted_and_one_beyond_it_is_not() -> None:
    at_ms = STAMPED.ms - AHEAD_MS_MAX
    refuse_far_future(STAMPED, at_ms)
    with pytest.raises(VersionInFutureError, match="300001 ms ahead"):
        refuse_far_future(STAMPED, at_ms - 1)


NOW_MS = 1_800_000_000_000


@given(st.integers(0, 10**11), st.none() | st.integers(-(10**9), 10**9))
def test_a_copy_lies_above_earlier_copies_and_below_whatever_an_application_wrote(
    age_ms: int, ahead_ms: int | None
) -> None:
    earlier = of_copy(NOW_MS + ahead_ms, None, "us-east-1", 9) if ahead_ms is not None else None
    copy = of_copy(NOW_MS, earlier, "eu-west-1", 1)
    assert earlier is None or copy > earlier
    assert copy.is_copy
    assert copy.tombstone().is_copy
    written = stamp(NOW_MS - age_ms, None, "ap-south-1")
    assert written > copy
    assert not written.is_copy
