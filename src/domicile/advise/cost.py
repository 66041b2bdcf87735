"""What a table's writes cost by native and by localized replication: quantities of a month, and their prices.

Where batching decides, ``packing`` says how many changes an event, and an invocation, carry. Durations are upper
bounds: every call of a function is counted as waiting for the one before.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from domicile.advise.calls import Calls, Change, Kind, Layout, Placement, parts
from domicile.core.events import LIMITS

CONTROL_BYTES = 132
"""What the control attribute adds to an item, for the longest names of Regions."""
ENVELOPE_BYTES = 400
"""What a change adds to its image on the way: table, key, version and origin. A receipt is as large."""
MONTH_S = 730 * 3600

_WRITE_UNIT_BYTES, _READ_UNIT_BYTES = 1024, 4096
_CHUNK_BYTES, _CHUNKS_MAX = 64 * 1024, 4  # EventBridge and SQS bill each 64 KB of at most 256
_FUNCTION_GB = 0.5
_GB = 1024**3


@dataclass(frozen=True, kw_only=True)
class Workload:
    """How a table is written to. Shares are from 0 to 1, ``insert_share`` and ``delete_share`` at most 1 together.

    ``localized_share`` of the items are localized, and ``away_share`` of their inserts are made away from home.
    ``stamped_share`` of the writes are stamped by the client library. ``packing`` changes travel in one event, and
    ``call_ms`` is how long a function waits for a call of DynamoDB.
    """

    writes_per_second: float
    item_bytes: int
    insert_share: float
    delete_share: float
    localized_share: float
    away_share: float
    stamped_share: float
    packing: int
    call_ms: float

    def changes(self) -> Iterator[tuple[float, Change]]:
        """Yield each kind of change with its share of all writes."""
        inserts, deletes = self.insert_share, self.delete_share
        here = {Placement.GLOBAL: 1 - self.localized_share, Placement.HOME: self.localized_share}
        for placement, share in here.items():
            away = self.away_share if placement is Placement.HOME else 0.0
            yield share * deletes, Change(Kind.DELETE, placement)
            for stamped, written in ((True, self.stamped_share), (False, 1 - self.stamped_share)):
                yield share * written * (1 - inserts - deletes), Change(Kind.UPDATE, placement, stamped)
                yield share * written * inserts * (1 - away), Change(Kind.INSERT, placement, stamped)
                yield share * written * inserts * away, Change(Kind.INSERT, Placement.AWAY, stamped)


@dataclass(frozen=True)
class Price:
    """The price of ``per`` units, and where and of what date it was read (None: the source has no date)."""

    usd: float
    per: int
    dated: str | None
    source: str


@dataclass(frozen=True)
class PriceList:
    """The prices by quantity, all of one Region, the day on which they were read, and what is not counted."""

    read_on: str
    region: str
    prices: Mapping[str, Price]
    left_out: Sequence[str]


@cache
def price_list() -> PriceList:
    """Return the prices that come with the package."""
    document: dict[str, Any] = json.loads(files(__package__).joinpath("prices.json").read_text(encoding="utf-8"))
    prices = {name: Price(**fields) for name, fields in document["prices"].items()}
    return PriceList(document["read_on"], document["region"], prices, document["left_out"])


@dataclass(frozen=True)
class Line:
    """One quantity: how much of it one write and one month take, and what the month costs."""

    quantity: str
    per_write: float
    per_month: float
    usd_per_month: float


@dataclass(frozen=True)
class Bill:
    """What a table's writes cost in a month, the application's own writes among them."""

    lines: list[Line]

    @property
    def usd_per_month(self) -> float:
        """The sum of the lines."""
        return math.fsum(line.usd_per_month for line in self.lines)


def native(load: Workload, regions: int) -> Bill:
    """Return the bill of a Global Table: each write is one of every replica, and travels to all but one."""
    per_write = {
        "replicated_write_request_units": float(regions * _units(load.item_bytes, _WRITE_UNIT_BYTES)),
        "transferred_gb": (regions - 1) * load.item_bytes / _GB,
    }
    return _bill(per_write, load)


def localized(load: Workload, layout: Layout) -> Bill:
    """Return the bill of Domicile's replication."""
    total: dict[str, float] = {}
    for share, change in load.changes():
        for quantity, amount in _quantities(load, change, layout).items():
            total[quantity] = total.get(quantity, 0.0) + share * amount
    return _bill(total, load)


def packed(load: Workload, image_bytes: int) -> tuple[int, int]:
    """Return how many changes of that size travel in one event, and as how many chunks the event is billed.

    One above a chunk travels alone, counted as if it did not compress.
    """
    change_bytes = image_bytes + ENVELOPE_BYTES
    if change_bytes > LIMITS.chunk_bytes_max:
        return 1, min(_CHUNKS_MAX, _units(math.ceil(change_bytes * 4 / 3), _CHUNK_BYTES))
    return min(load.packing, LIMITS.chunk_bytes_max // change_bytes), 1


def _quantities(load: Workload, change: Change, layout: Layout) -> dict[str, float]:
    """Return what one change takes in all Regions together."""
    all_parts = [(part.regions, part.calls) for part in parts(change, layout)]

    def total(*names: str) -> int:
        return sum(regions * getattr(calls, name) for regions, calls in all_parts for name in names)

    image_bytes = 0 if change.kind is Kind.DELETE else load.item_bytes
    held_bytes = load.item_bytes + CONTROL_BYTES
    changes_per_event, chunks = packed(load, image_bytes)
    per_change = chunks / changes_per_event
    whole_writes = 1 + total("puts", "updates", "deletes")  # the application's is the first
    invocations = total("messages", "records") / changes_per_event
    calls = sum(regions * _waits(calls) for regions, calls in all_parts) + invocations
    claimed = total("changes_received") if _is_claimed(image_bytes) else 0
    return {
        "write_request_units": whole_writes * _units(held_bytes, _WRITE_UNIT_BYTES) + total("small_updates"),
        "read_request_units": (total("reads") + claimed) * _units(held_bytes, _READ_UNIT_BYTES) + total("ledger_reads"),
        "eventbridge_events": total("changes_sent", "changes_received") * per_change
        + total("receipts_sent", "receipts_received") / changes_per_event,
        # Sent and received by its chunks, and deleted.
        "sqs_requests": total("messages") * (2 * per_change + 1 / changes_per_event),
        "lambda_requests": invocations,
        "lambda_gb_seconds": calls * load.call_ms / 1000 * _FUNCTION_GB,
        "transferred_gb": (
            total("changes_received") * (image_bytes + ENVELOPE_BYTES) + total("receipts_received") * ENVELOPE_BYTES
        )
        / _GB,
    }


def _is_claimed(image_bytes: int) -> bool:
    """Whether an image is too large for an event, as if it did not compress: each destination reads it."""
    return math.ceil((image_bytes + ENVELOPE_BYTES) * 4 / 3) > LIMITS.packed_bytes_max


def _waits(calls: Calls) -> int:
    operations = calls.operations()
    return sum(operations[name] for name in ("PutItem", "UpdateItem", "DeleteItem", "GetItem"))


def _units(size: int, unit: int) -> int:
    return max(1, math.ceil(size / unit))


def _bill(per_write: Mapping[str, float], load: Workload) -> Bill:
    prices, writes = price_list().prices, load.writes_per_second * MONTH_S
    return Bill(
        [
            Line(name, amount, amount * writes, amount * writes * prices[name].usd / prices[name].per)
            for name, amount in per_write.items()
        ]
    )
