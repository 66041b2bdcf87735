"""Changes become as few entries as the limits allow, and every change arrives exactly once."""

from __future__ import annotations

import base64
import json
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domicile.core.control import Value
from domicile.core.events import (
    CHANGES,
    EVERYWHERE,
    FINISHED,
    Addressed,
    Entry,
    Limits,
    Mutation,
    Operation,
    Receipt,
    coalesce,
    pack_mutations,
    pack_receipts,
    requests,
    unpack_mutations,
    unpack_receipts,
)
from domicile.core.version import Version
from tests.strategies import REGIONS, addressed, versions

HERE, HOME = "us-east-1", "eu-west-1"
TABLE, AUTHORITY = "shop-orders", "localization_authority"
# The documented limits, of EventBridge and of SQS: 256 KB each; EventBridge bills each 64 KB.
ENTRY_BYTES_MAX = MESSAGE_BYTES_MAX = 256 * 1024
ENVELOPE_BYTES = 2 * 1024
BILLED_BYTES = 64 * 1024


def text(size: int, *, compressible: bool = True) -> str:
    noise = random.Random(size).randbytes(size)
    return "x" * size if compressible else base64.b64encode(noise).decode()[:size]


def change(
    number: int,
    size: int = 10,
    *,
    operation: Operation = Operation.PUT,
    destination: tuple[str, ...] = EVERYWHERE,
    compressible: bool = True,
) -> Addressed:
    key = {"pk": {"S": f"k{number}"}}
    image = {**key, AUTHORITY: {"S": "EU"}, "text": {"S": text(size, compressible=compressible)}}
    mutation = Mutation(
        operation=operation,
        table=TABLE,
        key=key,
        version=Version(1_000 + number, plain=False, tie=0, region=HERE),
        origin=HERE,
        home=HOME if operation in (Operation.MOVE, Operation.STUB) else None,
        image=None if operation is Operation.DELETE else image,
    )
    return Addressed(destination, mutation)


def pack(changes: Sequence[Addressed]) -> list[Entry]:
    return pack_mutations(changes, HERE, {TABLE: AUTHORITY}, Limits())


def arrived(entries: Sequence[Entry]) -> list[tuple[tuple[str, ...], Mutation]]:
    """What the entries carry to which destination, in the order of their members."""
    return [
        (tuple(detail["destination"]), Mutation.from_json(fields))
        for detail in (json.loads(entry.detail) for entry in entries)
        for fields in unpack_mutations(detail)
    ]


def check_limits(entries: Sequence[Entry]) -> None:
    for entry in entries:
        assert entry.bytes <= ENTRY_BYTES_MAX
        assert len(entry.detail.encode()) + ENVELOPE_BYTES <= MESSAGE_BYTES_MAX
        assert len(entry.members) == 1 or entry.bytes <= BILLED_BYTES
    batches = list(requests(entries))
    assert [entry for batch in batches for entry in batch] == list(entries)
    for batch in batches:
        assert 1 <= len(batch) <= 10
        assert sum(entry.bytes for entry in batch) <= ENTRY_BYTES_MAX


sizes = st.sampled_from([0, 10, 1_000, 20_000, 62_000, 64_000, 70_000, 200_000, 300_000, 400_000])
mixes = st.lists(
    st.tuples(
        sizes,
        st.sampled_from(Operation),
        st.sampled_from([EVERYWHERE, (HOME,), ("ap-south-1",)]),
        st.booleans(),
    ),
    max_size=12,
)


@settings(max_examples=40)
@given(mixes)
def test_every_change_arrives_exactly_once_within_the_limits_whatever_the_sizes(mix: list[Any]) -> None:
    changes = [
        change(number, size, operation=operation, destination=destination, compressible=compressible)
        for number, (size, operation, destination, compressible) in enumerate(mix)
    ]
    entries = pack(changes)
    check_limits(entries)
    members = [member for entry in entries for member in entry.members]
    assert sorted(members) == list(range(len(changes)))
    for position, (destination, mutation) in zip(members, arrived(entries), strict=True):
        sent = changes[position]
        assert destination == sent.destination
        assert (mutation.key, mutation.version, mutation.operation) == (
            sent.mutation.key,
            sent.mutation.version,
            sent.mutation.operation,
        )
        assert mutation == sent.mutation or mutation.claim or mutation.partial


@settings(max_examples=25)
@given(st.lists(addressed(), max_size=5))
def test_changes_of_any_attribute_types_arrive_as_they_were_sent(changes: list[Addressed]) -> None:
    entries = pack(changes)
    members = [member for entry in entries for member in entry.members]
    assert [mutation for _, mutation in arrived(entries)] == [changes[member].mutation for member in members]


def test_small_changes_of_one_destination_share_an_entry() -> None:
    entries = pack([change(number) for number in range(100)])
    assert [entry.members for entry in entries] == [tuple(range(100))]


def test_changes_of_different_destinations_do_not_share_an_entry() -> None:
    changes = [change(0), change(1, destination=(HOME,)), change(2)]
    assert [entry.members for entry in pack(changes)] == [(0, 2), (1,)]


def test_no_entry_of_several_changes_is_billed_twice() -> None:
    entries = pack([change(number, 1_000) for number in range(200)])
    check_limits(entries)
    assert len(entries) == 4


def test_a_change_above_the_billing_chunk_travels_alone_and_compressed() -> None:
    entries = pack([change(0, 10), change(1, 300_000), change(2, 10)])
    large = next(entry for entry in entries if entry.members == (1,))
    assert large.bytes < BILLED_BYTES
    assert "gzip" in json.loads(large.detail)
    assert len(entries) == 2


@pytest.mark.parametrize("operation", [Operation.PUT, Operation.MOVE])
def test_what_is_too_large_even_compressed_is_a_claim_check_without_its_image(operation: Operation) -> None:
    sent = change(0, 390_000, operation=operation, compressible=False).mutation
    ((_, mutation),) = arrived(pack([Addressed((HOME,), sent)]))
    assert (mutation.claim, mutation.image) == (True, None)
    assert mutation.authority == (sent.image or {})[AUTHORITY]
    assert (mutation.key, mutation.version, mutation.home) == (sent.key, sent.version, sent.home)


def test_a_stub_is_never_a_claim_check_but_without_its_largest_attributes() -> None:
    ((_, mutation),) = arrived(pack([change(0, 390_000, operation=Operation.STUB, compressible=False)]))
    assert (mutation.claim, mutation.partial) == (False, True)
    assert mutation.image == {"pk": {"S": "k0"}, AUTHORITY: {"S": "EU"}}


def as_large_stub(packed_bytes_max: int, **attributes: Value) -> Mutation:
    """What arrives of a stub with these attributes where no more than this fits."""
    stub = change(0, operation=Operation.STUB).mutation
    sent = Addressed(EVERYWHERE, replace(stub, image={**stub.key, AUTHORITY: {"S": "EU"}, **attributes}))
    limits = Limits(chunk_bytes_max=1, packed_bytes_max=packed_bytes_max)
    ((_, mutation),) = arrived(pack_mutations([sent], HERE, {TABLE: AUTHORITY}, limits))
    assert mutation.partial
    return mutation


def test_a_large_stub_keeps_its_small_attributes_such_as_its_ttl() -> None:
    large: Value = {"S": text(5_000, compressible=False)}
    image = as_large_stub(2_000, expires_at={"N": "1766361600"}, photo=large).image
    assert image == {"pk": {"S": "k0"}, AUTHORITY: {"S": "EU"}, "expires_at": {"N": "1766361600"}}


def test_a_large_stub_keeps_key_and_authority_before_all_others() -> None:
    assert set(as_large_stub(100, a={"S": ""}, b={"S": "x" * 60}).image or {}) == {"pk", AUTHORITY, "a"}
    assert set(as_large_stub(200, a={"S": ""}).image or {}) == {"pk", AUTHORITY, "a"}


@pytest.mark.parametrize("character", ["\ufffe", "\uffff"])
@pytest.mark.parametrize(
    ("operation", "size"), [(Operation.PUT, 10), (Operation.PUT, 390_000), (Operation.STUB, 390_000)]
)
def test_a_change_with_a_character_that_sqs_refuses_travels_compressed(
    operation: Operation, size: int, character: str
) -> None:
    """SQS takes XML's characters only: outside of JSON's escapes these two are the ones that DynamoDB has besides."""
    sent = change(0, size, operation=operation, compressible=False).mutation
    key = {"pk": {"S": f"a{character}b"}}
    (entry,) = pack([Addressed(EVERYWHERE, replace(sent, key=key, image={**(sent.image or {}), **key}))])
    assert character not in entry.detail
    ((_, mutation),) = arrived([entry])
    assert mutation.key == key
    assert mutation.claim or (mutation.image or {})["pk"] == key["pk"]


def test_lower_limits_make_smaller_entries_and_more_claim_checks() -> None:
    limits = Limits(chunk_bytes_max=1_000, packed_bytes_max=1_000)
    changes = [change(0, 400), change(1, 400), change(2, 400), change(3, 9_000), change(4, 9_000, compressible=False)]
    entries = pack_mutations(changes, HERE, {TABLE: AUTHORITY}, limits)
    assert [entry.members for entry in entries] == [(3,), (4,), (0,), (1,), (2,)]
    assert [mutation.claim for _, mutation in arrived(entries)] == [False, True, False, False, False]


def test_nothing_makes_no_entry_and_no_request() -> None:
    assert pack([]) == []
    assert list(requests([])) == []


def test_a_request_holds_ten_entries_at_most() -> None:
    entries = [Entry(CHANGES, "{}", (number,)) for number in range(25)]
    assert [len(batch) for batch in requests(entries)] == [10, 10, 5]


receipts = st.builds(
    Receipt,
    operation=st.sampled_from([Operation.PUT, Operation.MOVE]),
    table=st.just(TABLE),
    key=st.integers(0, 999).map(lambda number: {"pk": {"S": f"k{number}" + "x" * 1_000}}),
    version=versions,
    home=st.none() | st.sampled_from(REGIONS),
    outcome=st.sampled_from(["applied", "duplicate"]),
)


@given(st.lists(st.tuples(st.sampled_from(REGIONS), receipts), max_size=20), st.integers(1, 8))
def test_every_receipt_arrives_at_its_origin_exactly_once(sent: list[tuple[str, Receipt]], times: int) -> None:
    sent = sent * times
    entries = pack_receipts(sent, HERE, Limits())
    check_limits(entries)
    found: list[tuple[str, Receipt]] = []
    for entry in entries:
        detail = json.loads(entry.detail)
        assert entry.detail_type == FINISHED
        operation, forms = unpack_receipts(detail)
        unpacked = [Receipt.from_json(fields, operation) for fields in forms]
        found += [(detail["destination"][0], receipt) for receipt in unpacked]
        assert [sent[member] for member in entry.members] == found[-len(unpacked) :]
    assert Counter(map(repr, found)) == Counter(map(repr, sent))


@pytest.mark.parametrize("character", ["\ufffe", "\uffff"])
def test_a_receipt_with_a_character_that_sqs_refuses_does_not_take_the_others_with_it(character: str) -> None:
    keys = [{"pk": {"S": text}} for text in ("k0", f"a{character}b", "k2")]
    version = Version(1, plain=False, tie=0, region=HOME)
    sent = [
        (HOME, Receipt(operation=Operation.MOVE, table=TABLE, key=key, version=version, home=HERE, outcome="applied"))
        for key in keys
    ]
    entries = pack_receipts(sent, HERE)
    assert sorted(entry.members for entry in entries) == [(0, 2), (1,)]
    found: dict[int, Receipt] = {}
    for entry in entries:
        assert character not in entry.detail
        detail = json.loads(entry.detail)
        assert (detail["emitter"], detail["destination"]) == (HERE, [HOME])
        operation, forms = unpack_receipts(detail)
        found |= dict(zip(entry.members, (Receipt.from_json(fields, operation) for fields in forms), strict=True))
    assert [found[position] for position in range(3)] == [receipt for _, receipt in sent]


# -- coalescing


def versioned(name: str, ms: int, operation: Operation = Operation.PUT) -> Addressed:
    base = change(0, operation=operation).mutation
    version = Version(ms, plain=False, tie=0, region=HERE)
    return Addressed(EVERYWHERE, Mutation(**{**base.__dict__, "key": {"pk": {"S": name}}, "version": version}))


def test_several_changes_of_one_key_become_the_greatest() -> None:
    a1, b1, a3, a2 = versioned("a", 1), versioned("b", 1), versioned("a", 3, Operation.DELETE), versioned("a", 2)
    assert coalesce(list(enumerate([a1, b1, a3, a2]))) == [(a3, (0, 2, 3)), (b1, (1,))]


def test_where_an_older_change_goes_further_than_a_newer_both_travel() -> None:
    """With ``directory: origin`` a Region may hold an item as it was when it was global."""
    older, newer = versioned("a", 1), versioned("a", 2)
    moved = Addressed((HOME,), newer.mutation)
    assert coalesce([(0, older), (1, moved)], {TABLE}) == [(older, (0,)), (moved, (1,))]
    assert coalesce([(0, older), (1, moved)], {"another"}) == [(moved, (0, 1))]
    assert coalesce([(0, older), (1, newer)], {TABLE}) == [(newer, (0, 1))]


def test_what_one_change_says_to_some_regions_and_to_others_is_kept_apart() -> None:
    whole, gone = versioned("a", 1), versioned("a", 1, Operation.DELETE)
    whole, gone = Addressed((HOME,), whole.mutation), Addressed(("cn-north-1",), gone.mutation)
    assert coalesce([(0, whole), (0, gone)], {TABLE}) == [(whole, (0,)), (gone, (0,))]


def test_the_same_key_in_two_tables_is_two_items() -> None:
    one = versioned("a", 1)
    other = Addressed(EVERYWHERE, Mutation(**{**one.mutation.__dict__, "table": "shop-customers"}))
    assert [positions for _, positions in coalesce([(0, one), (1, other)])] == [(0,), (1,)]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 5)), max_size=10))
def test_coalescing_keeps_one_change_a_key_and_forgets_no_position(changes: list[tuple[str, int]]) -> None:
    merged = coalesce([(position, versioned(name, ms)) for position, (name, ms) in enumerate(changes)])
    assert sorted(position for _, positions in merged for position in positions) == list(range(len(changes)))
    greatest = {name: max(ms for other, ms in changes if other == name) for name, _ in changes}
    assert {item.mutation.key["pk"]["S"]: item.mutation.version.ms for item, _ in merged} == greatest
