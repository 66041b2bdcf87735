"""The tables of one Region in memory, with DynamoDB's conditional writes. It passes the contract tests of the port.

Images are shared, not copied: nobody may change one in place. A test of the simulation watches that nobody does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from domicile.core.control import Image, Value
from domicile.core.errors import ItemTooLargeError
from domicile.core.writes import Delete, Put, Write, Written

ITEM_BYTES_MAX = 400 * 1024

Changed = Callable[[str, Image, Image | None, Image | None, bool], None]
"""Hears of each change: table, key, the item before and after it, and whether TTL removed it."""


def _ignore(_table: str, _key: Image, _before: Image | None, _after: Image | None, _expired: bool) -> None:
    """Hear of nothing."""


class MemoryStore:
    """The port ``Store``."""

    def __init__(self, changed: Changed = _ignore, item_bytes_max: int = ITEM_BYTES_MAX) -> None:
        self._changed = changed
        self._item_bytes_max = item_bytes_max
        self._items: dict[tuple[str, object], Image] = {}

    def get(self, table: str, key: Image) -> Image | None:
        """Return the item, or None."""
        return self._items.get(_identity(table, key))

    def write(self, write: Write) -> Written:
        """Do a conditional write."""
        before = self.get(write.table, write.key)
        if not write.condition.holds(before):
            return Written(False, before)
        self.replace(write.table, write.key, _after(write, before))
        return Written(True, before)

    def replace(self, table: str, key: Image, image: Image | None, *, expired: bool = False) -> bool:
        """Write unconditionally, as ordinary code does, or as TTL does; return whether anything changed."""
        identity = _identity(table, key)
        before = self._items.get(identity)
        if image is None:
            self._items.pop(identity, None)
        else:
            image = {**image, **key}
            if size_bytes(image) > self._item_bytes_max:
                raise ItemTooLargeError("the item is too large")
            self._items[identity] = image
        if before == image:
            return False
        self._changed(table, key, before, image, expired)
        return True

    def items(self, table: str) -> Iterator[Image]:
        """Return the items of a table."""
        return (item for (name, _), item in list(self._items.items()) if name == table)


def _identity(table: str, key: Image) -> tuple[str, object]:
    return table, tuple(sorted((name, *next(iter(value.items()))) for name, value in key.items()))


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
