"""Claim checks: an image too large for an event is read where it was written, in whatever state it is by then."""

from __future__ import annotations

from dataclasses import replace

import pytest

from domicile.core.control import Image
from domicile.core.errors import TransientError
from domicile.core.events import Mutation, Operation
from domicile.core.version import Version
from domicile.pipeline.report import Count
from tests.unit.pipeline.region import (
    HERE,
    HOME,
    NOW_MS,
    OTHER,
    REDACTED,
    Region,
    item,
    mutation,
    plain,
    stamped,
    stub,
)

LOW, MID, HIGH = (stamped(NOW_MS - age_ms, HERE) for age_ms in (90_000, 60_000, 30_000))
LARGE = {"text": {"S": "x" * 10}}


def claim(operation: Operation) -> Mutation:
    home, authority = (HOME, {"S": "EU"}) if operation is Operation.MOVE else (None, None)
    return replace(mutation(operation, item(), MID, home=home), image=None, claim=True, authority=authority)


def redeem(found: Image | None, operation: Operation = Operation.MOVE) -> tuple[Region, list[str]]:
    """Let the home receive a claim check whose origin holds ``found``; return it with the failed messages."""
    region = Region(HOME)
    region.peers.items[HERE] = None if found is None else {**found, **LARGE}
    return region, region.receive(claim(operation)).failed


@pytest.mark.parametrize(("authority", "operation"), [("EU", Operation.MOVE), (None, Operation.PUT)])
def test_the_image_is_applied_with_the_version_that_was_read(authority: str | None, operation: Operation) -> None:
    region, failed = redeem(item(MID, authority=authority, nonce="7"), operation)
    assert failed == []
    assert region.item(item()) == {**item(MID, authority=authority, nonce="n1"), **LARGE}
    ((origin, receipt),) = region.bus.receipts
    assert (origin, receipt.operation, receipt.version) == (HERE, operation, MID)


def test_the_others_get_the_stub_of_what_was_read() -> None:
    region, _ = redeem(item(MID, authority="EU"))
    ((destination, sent),) = region.bus.changes
    assert (destination, sent.operation, sent.claim) == ((OTHER,), Operation.STUB, False)
    assert sent.image == {**item(authority="EU"), **LARGE, "email": REDACTED}


@pytest.mark.parametrize(
    "found",
    [stub(MID), stub(HIGH), item(HIGH, deleting=True)],
    ids=["anonymized", "a newer stub", "marked"],
)
@pytest.mark.parametrize("operation", [Operation.PUT, Operation.MOVE])
def test_what_was_overtaken_is_dropped_because_a_later_change_is_on_its_way(
    found: Image | None, operation: Operation
) -> None:
    region, failed = redeem(found, operation)
    assert (failed, region.item(item()), region.bus.entries, region.quarantine.records) == ([], None, [], [])


@pytest.mark.parametrize(
    ("operation", "told"), [(Operation.MOVE, [((OTHER,), Operation.DELETE, MID.tombstone())]), (Operation.PUT, [])]
)
def test_what_is_gone_is_buried_where_it_was_awaited(operation: Operation, told: list[object]) -> None:
    """It may have expired, and no delete follow. Of a move nobody but the home was told, of a put everybody."""
    region = Region(HOME)
    region.seed(item(LOW))
    region.peers.items[HERE] = None
    region.receive(claim(operation), mutation(Operation.PUT, item(), LOW))
    assert (region.item(item()), region.tombstone(item())) == (None, str(MID.tombstone()))
    assert [(to, sent.operation, sent.version) for to, sent in region.bus.changes] == told


@pytest.mark.parametrize("found", [item(), item(LOW), item(LOW, deleting=True)], ids=["plain", "lower", "lower mark"])
def test_an_item_that_its_origin_has_not_stamped_yet_is_read_again_later(found: Image) -> None:
    region, failed = redeem(found)
    assert (failed, region.item(item())) == (["m0"], None)


def test_an_origin_that_cannot_be_read_is_asked_again_later() -> None:
    region = Region(HOME)
    region.peers.error = TransientError("GetItem: ThrottlingException")
    assert region.receive(claim(Operation.MOVE)).failed == ["m0"]


@pytest.mark.parametrize(
    ("authority", "operation"), [("EU", Operation.MOVE), (None, Operation.PUT)], ids=["localized here", "global"]
)
def test_a_newer_version_of_the_same_authority_is_applied_in_its_place(
    authority: str | None, operation: Operation
) -> None:
    newer = plain(5, region=OTHER)
    region, _ = redeem(item(newer, authority=authority), operation)
    assert region.version(item()) == newer
    ((origin, receipt),) = region.bus.receipts
    assert (origin, receipt.operation, receipt.version) == (OTHER, operation, newer)


@pytest.mark.parametrize("version", [MID, HIGH], ids=["the same version", "a newer version"])
@pytest.mark.parametrize(
    ("authority", "operation"),
    [
        ("IN", Operation.PUT),
        ("EU", Operation.PUT),
        ("IN", Operation.MOVE),
        ("CN", Operation.MOVE),
        (None, Operation.MOVE),
    ],
)
def test_an_image_of_another_authority_is_not_applied(
    version: Version, authority: str | None, operation: Operation
) -> None:
    """An ordinary update keeps the version until its record is handled, and may have given the item another home."""
    region, failed = redeem(item(version, authority=authority), operation)
    assert (failed, region.item(item()), region.bus.entries) == ([], None, [])
    assert region.quarantine.records == []


def test_a_claim_check_is_read_whatever_the_map_says_by_now() -> None:
    """It was sent by the map of its origin, and that may be older or newer than the one here."""
    region = Region(HOME)
    region.policy.value = replace(region.policy.value, authorities={"EU": OTHER})
    region.peers.items[HERE] = item(MID, authority="EU")
    region.receive(claim(Operation.MOVE))
    assert region.version(item()) == MID


def test_a_redelivered_claim_check_is_answered_and_brings_stubs_again_although_its_origin_is_a_stub_by_now() -> None:
    """The first delivery may have died between its answer, which made the origin a stub, and its stubs."""
    region, _ = redeem(item(MID, authority="EU"))
    region.peers.items[HERE] = stub(MID)
    report = region.receive(claim(Operation.MOVE))
    assert report.counts[Count.DUPLICATE] == 1
    assert [receipt.outcome for _, receipt in region.bus.receipts] == ["applied", "duplicate"]
    first, second = (sent for _, sent in region.bus.changes)
    assert first == second


def test_a_claim_check_of_an_older_version_than_is_here_reads_nothing_elsewhere() -> None:
    region = Region(HOME)
    region.seed(item(HIGH, authority="EU"))
    assert region.receive(claim(Operation.MOVE)).counts[Count.STALE] == 1
    assert (region.version(item()), region.bus.entries) == (HIGH, [])
