"""What crosses a bridge: one change or one receipt, as a record of a Kinesis stream.

A record's data is gzip-compressed JSON: what an event on the bus says of the one change, and nothing more. Its
partition key stands for the item's key, so that an item's changes stay in one shard. Nothing relies on their order.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from domicile.core.errors import RecordInvalidError
from domicile.core.events import (
    CHANGES,
    FINISHED,
    FORMAT,
    INFLATED_BYTES_MAX,
    LIMITS,
    SOURCE,
    Mutation,
    Operation,
    Receipt,
    unpack_mutations,
    unpack_receipts,
)
from domicile.core.partitions import partition_of
from domicile.core.policy import Policy

REQUEST_RECORDS_MAX = 500
REQUEST_BYTES_MAX = 1024 * 1024
"""PutRecords takes 500 records and 5 MiB; a slow link must be able to carry a request before its time is up."""


@dataclass(frozen=True)
class Record:
    """One record of the stream."""

    partition_key: str
    data: bytes

    @property
    def bytes(self) -> int:
        """The size that Kinesis counts."""
        return len(self.data) + len(self.partition_key)


@dataclass(frozen=True, kw_only=True)
class Parcel:
    """One change (``operation`` is None) or one receipt of an operation, in its wire form, on its way to Regions."""

    emitter: str
    destination: tuple[str, ...]
    fields: Mapping[str, Any]
    operation: Operation | None = None

    @property
    def mutation(self) -> Mutation:
        """The change, or :class:`RecordInvalidError`."""
        return Mutation.from_json(self.fields)

    @property
    def receipt(self) -> Receipt | None:
        """The receipt, None for a change, or :class:`RecordInvalidError`."""
        return None if self.operation is None else Receipt.from_json(self.fields, self.operation)

    def to_record(self) -> Record:
        """Return the record that carries it."""
        identity = json.dumps([self.fields["table"], self.fields["key"]], sort_keys=True)
        text = _dumps(self._to_json())
        return Record(hashlib.sha256(identity.encode()).hexdigest(), gzip.compress(text.encode(), mtime=0))

    @classmethod
    def of_data(cls, data: bytes) -> Parcel:
        """Read a record's data, or raise :class:`RecordInvalidError`."""
        try:
            inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
            whole: Any = json.loads(inflater.decompress(data, INFLATED_BYTES_MAX))
            _dumps(whole).encode()  # JSON can hold halves of characters, which no event can
            if whole["format"] != FORMAT or not isinstance(whole["fields"], dict):
                raise RecordInvalidError("a record of another format")
            operation = whole.get("operation")
            return cls(
                emitter=str(whole["emitter"]),
                destination=tuple(map(str, whole["destination"])),
                fields=whole["fields"],
                operation=None if operation is None else Operation(operation),
            )
        except (ValueError, TypeError, KeyError, RecursionError, zlib.error) as error:
            raise RecordInvalidError(f"not a record of a bridge ({type(error).__name__})") from None

    def to_message(self) -> str:
        """Return the outbox's message that has this alone, for whoever hands it back."""
        detail_type, name = (CHANGES, "changes") if self.operation is None else (FINISHED, "receipts")
        head = {member: value for member, value in self._to_json().items() if member != "fields"}
        event = {"source": SOURCE, "detail-type": detail_type}
        message = json.dumps({**event, "detail": {**head, name: [self.fields]}})
        if len(message) <= LIMITS.packed_bytes_max:
            return message
        packed = gzip.compress(json.dumps(self.fields).encode(), mtime=0)
        return json.dumps({**event, "detail": {**head, "gzip": base64.b64encode(packed).decode()}})

    def _to_json(self) -> dict[str, Any]:
        operation = {} if self.operation is None else {"operation": self.operation.value}
        destination = list(self.destination)
        return {
            "format": FORMAT,
            "emitter": self.emitter,
            "destination": destination,
            **operation,
            "fields": self.fields,
        }


def parcels_of(event: Any, region: str) -> list[Parcel]:
    """Return what an event on a gateway Region's bus has for the Regions beyond.

    Raises :class:`RecordInvalidError`, also where it has nothing for them.
    """
    detail: Any = event["detail"]
    if event.get("detail-type") == FINISHED:
        operation, members = unpack_receipts(detail)
    else:
        operation, members = None, unpack_mutations(detail)
    try:
        emitter, named = str(detail["emitter"]), list(detail["destination"])
        beyond = tuple(name for name in named if partition_of(name) != partition_of(region))
    except (KeyError, TypeError, AttributeError) as error:
        raise RecordInvalidError(f"an event without its head ({type(error).__name__})") from None
    if not beyond:
        raise RecordInvalidError("an event for no Region beyond")
    return [Parcel(emitter=emitter, destination=beyond, fields=fields, operation=operation) for fields in members]


def may_cross(mutation: Mutation, destination: Sequence[str], policy: Policy, region: str) -> bool:
    """Whether a change with its image may leave a Region's partition for some Regions beyond.

    It looks at the image and not at what the change calls itself: this is the last place where a leak can be stopped.
    """
    if mutation.operation is Operation.DELETE:
        return True
    authority = policy.authority_of(mutation.image or {}, policy.table(mutation.table))
    if mutation.operation is Operation.MOVE:
        home = policy.authorities.get(authority or "", region)
        return partition_of(home) != partition_of(region) and list(destination) == [mutation.home]
    if (authority is None) != (mutation.operation is Operation.PUT):
        return False
    return all(policy.tells(region, beyond, authority) for beyond in destination)


def requests(records: Sequence[tuple[int, Record]]) -> Iterator[list[tuple[int, Record]]]:
    """Group records, with their positions, into PutRecords requests within the limits of records and bytes."""
    batch: list[tuple[int, Record]] = []
    size = 0
    for position, record in records:
        if batch and (len(batch) == REQUEST_RECORDS_MAX or size + record.bytes > REQUEST_BYTES_MAX):
            yield batch
            batch, size = [], 0
        batch.append((position, record))
        size += record.bytes
    if batch:
        yield batch


def _dumps(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
