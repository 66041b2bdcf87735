"""One Region in memory: a table store with DynamoDB's conditional writes and stream, for tests and simulation.

It passes the same contract tests as moto and the local AWS.
"""

from __future__ import annotations

import copy
import json
from collections import deque
from collections.abc import Callable
from typing import Any

from domicile.core.control import Image, Value
from domicile.core.errors import ItemTooLargeError
from domicile.core.writes import Delete, Put, Write, Written

ITEM_BYTES_MAX = 400 * 1024


class MemoryStore:
    """The port ``Store``; every write of a table in ``streamed`` appends a record to its stream."""

    def __init__(self, region: str, now_ms: Callable[[], int], streamed: frozenset[str] = frozenset()) -> None:
        self.records: deque[dict[str, Any]] = deque()
        self._region = region
        self._now_ms = now_ms
        self._streamed = streamed
        self._items: dict[tuple[str, str], Image] = {}
        self._sequence = 0

    def get(self, table: str, key: Image) -> Image | None:
        """Return a copy of the item, or None."""
        return copy.deepcopy(self._items.get(_identity(table, key)))

    def write(self, write: Write) -> Written:
        """Do a conditional write."""
        before = self.get(write.table, write.key)
        if not write.condition.holds(before):
            return Written(False, before)
        after = _after(write, before)
        if after is not None and size_bytes({**after, **write.key}) > ITEM_BYTES_MAX:
            raise ItemTooLargeError(type(write).__name__)
        self.replace(write.table, write.key, after)
        return Written(True, before)

    def replace(self, table: str, key: Image, image: Image | None, *, expired: bool = False) -> dict[str, Any] | None:
        """Write unconditionally, as ordinary code does, or as TTL does; return the stream record, if there is one."""
        before = self._items.get(_identity(table, key))
        if before == image:
            return None
        if image is None:
            del self._items[_identity(table, key)]
        else:
            self._items[_identity(table, key)] = copy.deepcopy({**image, **key})
        if table not in self._streamed:
            return None
        record = self._record(table, key, before, image)
        if expired:
            record["userIdentity"] = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
        self.records.append(record)
        return record

    def items(self, table: str) -> list[Image]:
        """Return copies of all items of a table."""
        return [copy.deepcopy(item) for (name, _), item in self._items.items() if name == table]

    def _record(self, table: str, key: Image, old: Image | None, new: Image | None) -> dict[str, Any]:
        self._sequence += 1
        stream: dict[str, Any] = {
            "Keys": key,
            # DynamoDB Streams rounds the time down to the second.
            "ApproximateCreationDateTime": float(self._now_ms() // 1000),
            "SequenceNumber": str(self._sequence),
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        }
        if old is not None:
            stream["OldImage"] = old
        if new is not None:
            stream["NewImage"] = {**new, **key}
        return {
            "eventName": "REMOVE" if new is None else "MODIFY" if old is not None else "INSERT",
            "awsRegion": self._region,
            "eventSourceARN": f"arn:aws:dynamodb:{self._region}:123456789012:table/{table}/stream/0",
            "dynamodb": copy.deepcopy(stream),
        }


def _identity(table: str, key: Image) -> tuple[str, str]:
    return table, json.dumps(key, sort_keys=True)


def _after(write: Write, before: Image | None) -> Image | None:
    if isinstance(write, Delete):
        return None
    if isinstance(write, Put):
        return write.image
    kept = {name: value for name, value in (before or write.key).items() if name not in write.remove}
    return {**kept, **write.assign}


def size_bytes(image: Image) -> int:
    """Return an item's size by DynamoDB's documented rules: names and values in UTF-8, and 3 bytes a list or map."""
    return sum(len(name.encode()) + _value_bytes(value) for name, value in image.items())


def _value_bytes(value: Value) -> int:
    ((kind, content),) = value.items()
    if kind in ("L", "M"):
        members = content if kind == "L" else content.values()
        names = 0 if kind == "L" else sum(len(name.encode()) for name in content)
        return 3 + names + sum(1 + _value_bytes(member) for member in members)
    if kind in ("SS", "NS", "BS"):
        return sum(_value_bytes({kind[0]: member}) for member in content)
    if kind == "S":
        return len(content.encode())
    if kind == "N":
        return (len(content.lstrip("-0.")) + 1) // 2 + 1
    if kind == "B":
        return len(content) * 3 // 4
    return 1
