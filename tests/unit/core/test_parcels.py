"""What crosses a bridge: the form of its records, and what may leave."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domicile.core.control import Image
from domicile.core.errors import RecordInvalidError, UnknownAuthorityError
from domicile.core.events import Addressed, Mutation, Operation, Receipt, pack_mutations, pack_receipts
from domicile.core.parcels import Parcel, Record, may_cross, parcels_of, requests
from domicile.core.version import Version
from tests.policies import BEIJING, IRELAND, NINGXIA, SINGAPORE, TABLE, bridged

VERSION = Version(1_000, plain=False, tie=0, region=IRELAND)
KEY: Image = {"pk": {"S": "p"}, "sk": {"S": "s"}}


def change(operation: Operation, authority: str | None = None, **more: Any) -> Mutation:
    image = None if operation is Operation.DELETE else {**KEY, "email": {"S": "a@example.com"}}
    if image is not None and authority is not None:
        image["localization_authority"] = {"S": authority}
    return Mutation(operation=operation, table=TABLE, key=KEY, version=VERSION, origin=IRELAND, image=image, **more)


def event(mutation: Mutation, *destination: str) -> dict[str, Any]:
    (entry,) = pack_mutations([Addressed(destination, mutation)], IRELAND, {})
    return {"detail-type": entry.detail_type, "detail": json.loads(entry.detail)}


def test_a_change_crosses_as_one_record_for_the_regions_beyond() -> None:
    mutation = change(Operation.PUT)
    (parcel,) = parcels_of(event(mutation, IRELAND, BEIJING, NINGXIA), SINGAPORE)
    assert (parcel.emitter, parcel.destination, parcel.mutation) == (IRELAND, (BEIJING, NINGXIA), mutation)
    assert Parcel.of_data(parcel.to_record().data) == parcel
    assert parcels_of(json.loads(parcel.to_message()), SINGAPORE) == [parcel]


def test_a_large_change_fits_a_message_when_it_is_handed_back_too() -> None:
    """Compressed it came, and as text SQS would refuse it."""
    mutation = replace(change(Operation.PUT), image={**KEY, "notes": {"S": "\u00e9" * 150_000}})
    (parcel,) = parcels_of(event(mutation, BEIJING), SINGAPORE)
    message = parcel.to_message()
    assert len(message.encode()) < 256 * 1024
    assert parcels_of(json.loads(message), SINGAPORE) == [parcel]


def test_a_receipt_crosses_with_its_operation() -> None:
    receipt = Receipt(operation=Operation.MOVE, table=TABLE, key=KEY, version=VERSION, home=BEIJING, outcome="applied")
    (entry,) = pack_receipts([(IRELAND, receipt)], NINGXIA)
    told = {"detail-type": entry.detail_type, "detail": json.loads(entry.detail)}
    (parcel,) = parcels_of(told, BEIJING)
    assert (parcel.receipt, parcel.destination) == (receipt, (IRELAND,))
    assert Parcel.of_data(parcel.to_record().data) == parcel
    assert parcels_of(json.loads(parcel.to_message()), BEIJING) == [parcel]


def test_the_changes_of_one_item_have_one_partition_key_that_does_not_tell_the_item() -> None:
    records = [
        Parcel(emitter=IRELAND, destination=(BEIJING,), fields=mutation.to_json()).to_record()
        for mutation in (change(Operation.PUT), change(Operation.DELETE), replace(change(Operation.PUT), table="t"))
    ]
    assert records[0].partition_key == records[1].partition_key != records[2].partition_key
    assert len(records[0].partition_key) == 64


def test_a_record_s_size_is_that_of_data_and_key() -> None:
    assert Record("key", b"data").bytes == 7


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"detail": {}},
        {"detail": {"format": 1, "changes": []}},
        {"detail": {"format": 1, "changes": [], "emitter": IRELAND, "destination": [IRELAND]}},
        {"detail": {"format": 1, "changes": [], "emitter": IRELAND, "destination": [7]}},
        {"detail-type": "finished", "detail": {"format": 1, "receipts": []}},
    ],
)
def test_an_event_that_has_nothing_for_beyond_is_refused(broken: dict[str, Any]) -> None:
    with pytest.raises(RecordInvalidError):
        parcels_of({"detail": None} | broken, SINGAPORE)


BROKEN: list[dict[str, Any]] = [{"format": 2}, {"destination": 7}, {"fields": []}, {"operation": "none"}]
WHOLE = {"format": 1, "emitter": IRELAND, "destination": [BEIJING], "fields": {}}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no gzip",
        gzip.compress(b"no json"),
        gzip.compress(b"[]"),
        gzip.compress(b" " * (9 << 20) + json.dumps(WHOLE).encode()),
        *(gzip.compress(json.dumps(WHOLE | changed).encode()) for changed in BROKEN),
    ],
)
def test_a_record_of_another_form_is_refused(data: bytes) -> None:
    with pytest.raises(RecordInvalidError):
        Parcel.of_data(data)


@given(st.binary(max_size=64))
def test_no_record_whatsoever_does_more_than_be_refused(data: bytes) -> None:
    with pytest.raises(RecordInvalidError):
        Parcel.of_data(data)


@pytest.mark.parametrize(
    ("mutation", "destination", "crosses"),
    [
        (change(Operation.PUT), (BEIJING, NINGXIA), True),
        (change(Operation.PUT, "CN"), (BEIJING,), False),  # a localized item as a global one
        (change(Operation.STUB, "EU", home=IRELAND), (BEIJING, NINGXIA), True),
        (change(Operation.STUB, "SG", home=SINGAPORE), (BEIJING,), False),
        (change(Operation.STUB, home=IRELAND), (BEIJING,), False),  # whose stub, nobody could say
        (change(Operation.MOVE, "CN", home=BEIJING), (BEIJING,), True),
        (change(Operation.MOVE, "CN", home=BEIJING), (BEIJING, NINGXIA), False),
        (change(Operation.MOVE, "CN", home=NINGXIA), (BEIJING,), False),
        (change(Operation.MOVE, "EU", home=BEIJING), (BEIJING,), False),  # the map says that its home is on this side
        (change(Operation.MOVE, home=BEIJING), (BEIJING,), False),
        (change(Operation.DELETE), (BEIJING, NINGXIA), True),
    ],
)
def test_what_may_leave_is_decided_by_the_image(
    mutation: Mutation, destination: tuple[str, ...], crosses: bool
) -> None:
    assert may_cross(mutation, destination, bridged(), SINGAPORE) is crosses


def test_without_permission_neither_global_items_nor_stubs_leave() -> None:
    closed = bridged(global_items=False, stubs=[])
    assert not may_cross(change(Operation.PUT), (BEIJING,), closed, SINGAPORE)
    assert not may_cross(change(Operation.STUB, "EU", home=IRELAND), (BEIJING,), closed, SINGAPORE)
    assert may_cross(change(Operation.MOVE, "CN", home=BEIJING), (BEIJING,), closed, SINGAPORE)
    assert may_cross(change(Operation.DELETE), (BEIJING,), closed, SINGAPORE)


def test_an_unknown_authority_never_leaves() -> None:
    with pytest.raises(UnknownAuthorityError):
        may_cross(change(Operation.PUT, "XX"), (BEIJING,), bridged(), SINGAPORE)


PUT_RECORDS_MAX, PUT_BYTES_MAX = 500, 5 * 1024 * 1024
"""What Kinesis takes in one request, keys included."""
RECORD_BYTES_MAX = 1024 * 1024
"""What Kinesis takes as one record's data, by default."""


@given(st.lists(st.integers(0, RECORD_BYTES_MAX), max_size=30))
def test_requests_keep_within_what_kinesis_takes_and_in_order(sizes: list[int]) -> None:
    records = [(position, Record("k" * 64, bytes(size))) for position, size in enumerate(sizes)]
    batches = list(requests(records))
    assert [member for batch in batches for member in batch] == records
    assert all(sum(record.bytes for _, record in batch) <= PUT_BYTES_MAX for batch in batches)


def test_a_request_has_at_most_so_many_records_as_kinesis_takes() -> None:
    records = [(position, Record("k", b"")) for position in range(PUT_RECORDS_MAX + 1)]
    assert [len(batch) for batch in requests(records)] == [PUT_RECORDS_MAX, 1]


def test_a_slow_link_gets_large_items_in_requests_of_about_a_megabyte() -> None:
    records = [(position, Record("k" * 64, bytes(160_000))) for position in range(30)]
    assert [len(batch) for batch in requests(records)] == [6] * 5
