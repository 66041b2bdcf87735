"""The items that the contract's cases start from."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

K = {"pk": "c1", "sk": "o1"}
FULL = {
    **K,
    "status": "open",
    "amount": Decimal("12.50"),
    "kind": "book",
    "day": "2026-03-01",
    "note": "first",
    "recipient": "Ada",
    "tags": {"red", "blue"},
    "sizes": {1, 2, 3},
    "blob": b"\x00\xff",
    "blobs": {b"a", b"b"},
    "parcels": [{"sku": "s1", "n": 1}, {"sku": "s2", "n": 2}],
    "address": {"city": "Pune", "street": "Main", "geo": {"lat": Decimal("18.5")}},
    "none": None,
    "flag": True,
    "empty": "",
    "nothing": {},
    "nobody": [],
    "set": "a reserved word",
    "dot.ted": "a name with a dot",
}
ORDERS: list[dict[str, Any]] = [
    FULL,
    {"pk": "c1", "sk": "o2", "status": "open", "amount": 5, "kind": "book", "day": "2026-03-01", "n": 1},
    {"pk": "c1", "sk": "o3", "status": "paid", "amount": 7, "localization_authority": "US", "recipient": "Bob"},
    {"pk": "c1", "sk": "p1", "status": "paid", "amount": 9, "kind": "toy", "day": "2026-03-02", "note": "second"},
    {"pk": "c1", "sk": "p2", "status": "open", "amount": 11, "n": 5},
    {"pk": "c2", "sk": "o1", "status": "open", "amount": 1, "kind": "toy", "localization_authority": "US"},
    {"pk": "c2", "sk": "o2", "n": 2, "parcels": []},
]
SEEDS: dict[str, list[dict[str, Any]]] = {
    "orders": ORDERS,
    "stock": [{"sku": f"s{number}", "n": number} for number in range(6)],
    "catalogue": [
        {"brand": "halo", "sku": number, "price": number * 2, "day": "2026-03-01", "blob": b"\xff"}
        for number in range(6)
    ],
    "readings": [{"device": bytes([number % 2, 255]), "at": Decimal(number) / 2, "n": number} for number in range(8)],
}
