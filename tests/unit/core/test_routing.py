"""What the listener decides of a record: its kind, its version, and what of it goes where."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domicile.core.change import Change
from domicile.core.control import Control, Image
from domicile.core.errors import RecordInvalidError, UnknownAuthorityError
from domicile.core.events import EVERYWHERE, Operation
from domicile.core.routing import (
    Kind,
    Ledger,
    classify,
    is_forced,
    needs_ledger,
    plain_version,
    route_delete,
    route_write,
)
from domicile.core.version import Version
from tests.policies import policy

HERE, THERE = "us-east-1", "eu-west-1"
POLICY = policy()
TABLE = POLICY.table("shop-orders")
KEY: Image = {"pk": {"S": "k"}, "sk": {"N": "1"}}
LOW, HIGH = (Version(ms, plain=False, tie=0, region=HERE) for ms in (1_000_000, 2_000_000))
PLAIN = Version(2_000_000, plain=True, tie=7, region=HERE)
BARE = dict(KEY)
"""An item without control attribute."""


def item(version: Version, *, origin: str = HERE, **more: Any) -> Image:
    return {**KEY, "_dom": Control(version=version, origin=origin, **more).to_value()}


def change(old: Image | None, new: Image | None, *, expired: bool = False, sequence: int = 9) -> Change:
    return Change(table=TABLE.name, key=KEY, old=old, new=new, at_ms=1_000_000, sequence=sequence, expired=expired)


STUB = item(LOW, home=THERE, nonce="1")
MARKED = item(HIGH, deleting=True)


@pytest.mark.parametrize(
    ("old", "new", "kind", "reason"),
    [
        # removals
        (item(LOW), None, Kind.DELETE, "application_delete"),
        (BARE, None, Kind.DELETE, "application_delete"),
        (STUB, None, Kind.DELETE, "application_delete"),
        (MARKED, None, Kind.SKIP, "deleted_by_replication"),
        # the replication's own
        (item(LOW), MARKED, Kind.SKIP, "marked"),
        (STUB, MARKED, Kind.SKIP, "marked"),
        (None, item(HIGH, origin=THERE), Kind.SKIP, "replica_applied"),
        (item(LOW), item(HIGH, origin=THERE), Kind.SKIP, "replica_applied"),
        (STUB, item(HIGH, origin=THERE), Kind.SKIP, "replica_applied"),
        (BARE, item(PLAIN), Kind.SKIP, "own_stamp"),
        (item(LOW), item(PLAIN), Kind.SKIP, "own_stamp"),
        (None, item(PLAIN, nonce="1"), Kind.SKIP, "own_stamp"),  # put back
        # plain writes
        (None, BARE, Kind.PLAIN, "no_control_attribute"),
        (BARE, BARE, Kind.PLAIN, "no_control_attribute"),
        (item(LOW), BARE, Kind.PLAIN, "no_control_attribute"),
        (STUB, BARE, Kind.PLAIN, "no_control_attribute"),
        (MARKED, BARE, Kind.PLAIN, "no_control_attribute"),
        (item(LOW), item(LOW), Kind.PLAIN, "version_not_raised"),
        (item(LOW, origin=THERE), item(LOW, origin=THERE), Kind.PLAIN, "version_not_raised"),
        (item(HIGH), item(LOW), Kind.PLAIN, "version_not_raised"),  # an older copy, put again by an application
        # stamped writes
        (None, item(LOW), Kind.STAMPED, "stamped_here"),
        (BARE, item(LOW), Kind.STAMPED, "stamped_here"),
        (item(LOW), item(HIGH), Kind.STAMPED, "stamped_here"),
        (STUB, item(HIGH), Kind.STAMPED, "stamped_here"),
        # stubs
        (None, STUB, Kind.SKIP, "stub_applied"),
        (item(LOW), STUB, Kind.SKIP, "stub_applied"),  # the anonymizer keeps the version
        (STUB, item(HIGH, home=THERE, nonce="2"), Kind.SKIP, "stub_applied"),
        (STUB, item(LOW, home=THERE, nonce="2"), Kind.SKIP, "stub_applied"),  # anonymized again, under a new nonce
        (STUB, STUB, Kind.STUB_WRITE, "control_unchanged"),
    ],
)
def test_the_kind_of_a_change(old: Image | None, new: Image | None, kind: Kind, reason: str) -> None:
    verdict = classify(change(old, new), TABLE, HERE)
    assert (verdict.kind, verdict.reason) == (kind, reason)
    assert (verdict.old, verdict.new) == (Control.of(old, "_dom"), Control.of(new, "_dom"))


MALFORMED: Image = {**KEY, "_dom": {"S": "written by someone else"}}


@pytest.mark.parametrize(
    ("new", "kind"),
    [(None, Kind.DELETE), (BARE, Kind.PLAIN), (item(LOW), Kind.STAMPED)],
    ids=["delete", "put", "stamp"],
)
def test_a_malformed_control_attribute_does_not_hold_up_the_change_that_mends_it(new: Image | None, kind: Kind) -> None:
    verdict = classify(change(MALFORMED, new), TABLE, HERE)
    assert (verdict.kind, verdict.old) == (kind, None)


def test_a_change_that_leaves_a_malformed_control_attribute_is_an_error() -> None:
    with pytest.raises(RecordInvalidError):
        classify(change(BARE, MALFORMED), TABLE, HERE)


@pytest.mark.parametrize(
    ("old", "kind", "reason"),
    [
        (item(LOW), Kind.EXPIRY, "expired"),
        (STUB, Kind.EXPIRY, "expired"),
        (BARE, Kind.SKIP, "expired_without_version"),
        (MALFORMED, Kind.SKIP, "expired_without_version"),
        (MARKED, Kind.SKIP, "deleted_by_replication"),
    ],
    ids=["full", "stub", "bare", "malformed", "marked"],
)
def test_an_expiry_is_every_region_s_own(old: Image, kind: Kind, reason: str) -> None:
    verdict = classify(change(old, None, expired=True), TABLE, HERE)
    assert (verdict.kind, verdict.reason) == (kind, reason)


@pytest.mark.parametrize(
    ("old", "new", "needed"),
    [
        (None, BARE, True),
        (item(LOW), BARE, True),
        (item(LOW), None, True),
        (item(LOW), item(LOW), False),
        (item(PLAIN), item(PLAIN), True),
        (item(replace(PLAIN, region=THERE)), item(replace(PLAIN, region=THERE)), False),
    ],
)
def test_the_ledger_matters_where_an_image_cannot_show_its_version(
    old: Image | None, new: Image | None, needed: bool
) -> None:
    assert needs_ledger(classify(change(old, new), TABLE, HERE), HERE) is needed


def version_of(record: Change, ledger: Ledger = Ledger()) -> Version:  # noqa: B008  # it is frozen
    return plain_version(record, classify(record, TABLE, HERE), HERE, ledger)


def test_a_plain_version_is_above_both_images() -> None:
    assert version_of(change(None, BARE)) == Version(1_000_000, plain=True, tie=9, region=HERE)
    assert version_of(change(item(HIGH), BARE)).ms == HIGH.ms
    assert version_of(change(item(HIGH), item(LOW))).ms == HIGH.ms


EARLIER = Version(3_000_000, plain=True, tie=8, region=HERE)


@pytest.mark.parametrize(
    ("entry", "counts"),
    [
        (EARLIER, True),
        (replace(EARLIER, tie=10), False),  # a later record's: a first attempt could not have seen it
        (replace(EARLIER, region=THERE), False),  # another Region's: it may have come after a first attempt
        (replace(EARLIER, plain=False), False),
    ],
)
def test_only_what_earlier_records_of_this_region_left_in_the_ledger_counts(entry: Version, counts: bool) -> None:
    for ledger in (Ledger(tombstone=entry), Ledger(forced=entry)):
        assert (version_of(change(None, BARE), ledger).ms == entry.ms) is counts


def test_the_greatest_of_images_and_ledger_is_the_base() -> None:
    ledger = Ledger(tombstone=replace(EARLIER, tie=6), forced=EARLIER)
    assert version_of(change(item(LOW), BARE), ledger) == replace(EARLIER, tie=9)


@given(st.integers(0, 8), st.booleans())
def test_a_retry_finds_its_own_version_in_the_ledger(base_tie: int, is_delete: bool) -> None:
    """Its base may have been replaced there by what this very record left."""
    record = change(BARE, None if is_delete else BARE)
    first = version_of(record, Ledger(forced=replace(EARLIER, tie=base_tie)))
    assert version_of(record, Ledger(forced=first)) == first
    assert version_of(record, Ledger(tombstone=first)) == first
    assert version_of(record, Ledger(tombstone=first.tombstone())) == first, "it has expired since"


@pytest.mark.parametrize(
    ("old", "new", "forced"),
    [
        (item(HIGH), BARE, True),
        (item(HIGH), None, True),
        (item(HIGH), item(HIGH), True),  # a remote delete may take the image that shows it
        (item(replace(LOW, ms=999_999)), BARE, False),
    ],
)
def test_a_version_above_its_record_s_time_is_remembered(old: Image, new: Image | None, forced: bool) -> None:
    record = change(old, new)
    assert is_forced(record, version_of(record)) is forced


def test_a_delete_goes_to_every_region_without_any_attribute() -> None:
    addressed = route_delete(change(item(LOW), None), HIGH, HERE, POLICY)
    assert addressed.destination == EVERYWHERE
    assert (addressed.mutation.operation, addressed.mutation.key) == (Operation.DELETE, KEY)
    assert addressed.mutation.image is None


def written(authority: str | None) -> Change:
    image = {**item(HIGH), "email": {"S": "a@b.c"}}
    return change(None, image | ({"localization_authority": {"S": authority}} if authority else {}))


def anonymized(image: Image) -> Image:
    return {name: value for name, value in image.items() if name != "email"}


@pytest.mark.parametrize(
    ("authority", "region", "operation", "destination", "home"),
    [
        (None, HERE, Operation.PUT, EVERYWHERE, None),
        ("EU", HERE, Operation.MOVE, (THERE,), THERE),
        ("IN", HERE, Operation.MOVE, ("ap-south-1",), "ap-south-1"),
        ("EU", THERE, Operation.STUB, EVERYWHERE, THERE),
    ],
)
def test_what_of_a_write_goes_where(
    authority: str | None, region: str, operation: Operation, destination: tuple[str, ...], home: str | None
) -> None:
    (addressed,) = route_write(written(authority), HIGH, region, POLICY, anonymized)
    mutation = addressed.mutation
    assert (mutation.operation, addressed.destination, mutation.home) == (operation, destination, home)
    assert (mutation.version, mutation.origin, mutation.key) == (HIGH, region, KEY)
    assert mutation.image is not None
    assert ("email" in mutation.image) is (operation is not Operation.STUB)
    assert "_dom" not in mutation.image


def test_with_directory_origin_nothing_leaves_the_home() -> None:
    assert route_write(written("EU"), HIGH, THERE, policy(directory="origin"), anonymized) == []


def test_an_unknown_authority_goes_nowhere() -> None:
    with pytest.raises(UnknownAuthorityError):
        route_write(written("CN"), HIGH, HERE, POLICY, anonymized)
