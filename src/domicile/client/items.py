"""An item as a read returns it."""

from __future__ import annotations

from typing import Any


class Item(dict[str, Any]):
    """The item's attributes, as boto3 gives them, and where it lives.

    ``is_stub``: whether this is the anonymized copy of an item that lives in ``home_region``. ``home_region``: the home
    of a localized item, None for a global one. Both are None where the index that was queried does not tell.
    """

    __slots__ = ("home_region", "is_stub")

    def __init__(self, attributes: Any = (), *, is_stub: bool | None = None, home_region: str | None = None) -> None:
        super().__init__(attributes)
        self.is_stub = is_stub
        self.home_region = home_region
