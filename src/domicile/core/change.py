"""A DynamoDB stream record, read into the change of one key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from domicile.core.control import Image
from domicile.core.errors import RecordInvalidError

_TTL_PRINCIPAL = "dynamodb.amazonaws.com"


@dataclass(frozen=True, kw_only=True)
class Change:
    """One change of one item: ``old`` and ``new`` are its images before and after, None where there was no item.

    ``at_ms`` is the record's creation time, rounded down to the second as DynamoDB Streams documents it.
    """

    table: str
    key: Image
    old: Image | None
    new: Image | None
    at_ms: int
    sequence: int
    expired: bool

    @classmethod
    def parse(cls, record: Mapping[str, Any]) -> Change:
        """Read one record of a Lambda event; :class:`RecordInvalidError` where it does not have the documented form."""
        try:
            stream = record["dynamodb"]
            old, new = stream.get("OldImage"), stream.get("NewImage")
            change = cls(
                table=record["eventSourceARN"].split(":table/", 1)[1].split("/", 1)[0],
                key=stream["Keys"],
                old=old,
                new=new,
                at_ms=int(stream["ApproximateCreationDateTime"]) * 1000,
                sequence=int(stream["SequenceNumber"]),
                expired=_is_expiry(record),
            )
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            raise RecordInvalidError(f"not a stream record ({type(error).__name__})") from None
        if old is None and new is None:
            raise RecordInvalidError("a stream record without images: the stream must have NEW_AND_OLD_IMAGES")
        return change


def _is_expiry(record: Mapping[str, Any]) -> bool:
    identity = record.get("userIdentity") or {}
    return identity.get("type") == "Service" and identity.get("principalId") == _TTL_PRINCIPAL
