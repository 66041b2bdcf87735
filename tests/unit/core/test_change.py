from __future__ import annotations

import copy
from typing import Any

import pytest

from domicile.core.change import Change
from domicile.core.errors import RecordInvalidError

CANARY = "canary-value"
RECORD: dict[str, Any] = {
    "eventID": "1",
    "eventName": "MODIFY",
    "eventSourceARN": "arn:aws:dynamodb:us-east-1:123456789012:table/shop-orders/stream/2026-01-01T00:00:00.000",
    "dynamodb": {
        "ApproximateCreationDateTime": 1766361600.0,
        "Keys": {"pk": {"S": CANARY}},
        "OldImage": {"pk": {"S": CANARY}, "a": {"S": "1"}},
        "NewImage": {"pk": {"S": CANARY}, "a": {"S": "2"}},
        "SequenceNumber": "4421584500000000017450439091",
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    },
}
TTL = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}


def record(**stream: Any) -> dict[str, Any]:
    """The record with parts of its stream data replaced, or left out where they are None."""
    changed = copy.deepcopy(RECORD)
    changed["dynamodb"] = {name: value for name, value in (changed["dynamodb"] | stream).items() if value is not None}
    return changed


def test_a_record_names_table_key_images_time_and_sequence_number() -> None:
    assert Change.parse(RECORD) == Change(
        table="shop-orders",
        key={"pk": {"S": CANARY}},
        old={"pk": {"S": CANARY}, "a": {"S": "1"}},
        new={"pk": {"S": CANARY}, "a": {"S": "2"}},
        at_ms=1766361600000,
        sequence=4421584500000000017450439091,
        expired=False,
    )


def test_an_insert_has_no_old_image_and_a_removal_no_new_one() -> None:
    assert Change.parse(record(OldImage=None)).old is None
    assert Change.parse(record(NewImage=None)).new is None


@pytest.mark.parametrize(
    ("identity", "expired"),
    [
        (TTL, True),
        (None, False),
        ({}, False),
        (TTL | {"type": "AssumedRole"}, False),
        (TTL | {"principalId": "replication.dynamodb.amazonaws.com"}, False),
    ],
)
def test_only_the_ttl_process_expires_items(identity: Any, expired: bool) -> None:
    assert Change.parse({**record(NewImage=None), "userIdentity": identity}).expired is expired


@pytest.mark.parametrize(
    "malformed",
    [
        {},
        {"dynamodb": CANARY},
        {**RECORD, "eventSourceARN": "arn:aws:kinesis:us-east-1:123456789012:stream/x"},
        {**RECORD, "eventSourceARN": None},
        {**RECORD, "userIdentity": CANARY},
        record(Keys=None),
        record(SequenceNumber=CANARY),
        record(ApproximateCreationDateTime=CANARY),
        record(ApproximateCreationDateTime=float("nan")),
        record(OldImage=None, NewImage=None),
    ],
    ids=lambda value: ",".join(value)[:40],
)
def test_a_malformed_record_is_an_error_that_does_not_quote_it(malformed: dict[str, Any]) -> None:
    with pytest.raises(RecordInvalidError) as raised:
        Change.parse(malformed)
    assert CANARY not in str(raised.value)
