"""Customers of the shop in every Region, and a ledger of what the shop acknowledged to them."""

from __future__ import annotations

import random
import re
import secrets
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import httpx

from domicile.errors import OperationError

HOMES = {"EU": "eu-west-1", "IN": "ap-south-1"}
"""Whose customers come: every authority of the deployment file, with its home."""
PRODUCTS = ("tea", "coffee", "cocoa")
PIECES = 1000
_WRITERS = 2
_PAUSE_S = 0.2
_SETTLED_S = 3.0
_TIMEOUT_S = 30.0
_MARK = re.compile("mark-[0-9a-f]{16}")


def marked(text: str) -> str:
    """Return the text with a unique mark in it, which an audit can search for."""
    return f"{text}-mark-{secrets.token_hex(8)}"


def marks_in(text: str) -> set[str]:
    """Return every mark in a text."""
    return set(_MARK.findall(text))


@dataclass(frozen=True)
class Call:
    """One request as its sender saw it; ``kind`` is what the service said was wrong."""

    region: str
    phase: str
    latency_ms: float
    kind: str | None


@dataclass
class Written:
    """An item that was acknowledged: its values, and each that may stand there instead, as an answer was lost."""

    home: str
    values: dict[str, Any]
    held_in: str | None = None
    or_else: dict[str, list[Any]] = field(default_factory=dict)
    since_s: float = field(default_factory=time.monotonic)


@dataclass
class Ledger:
    """What was acknowledged, by key.

    ``stock`` is what was there when the shop opened, ``sold`` what was taken from it, by product and warehouse.
    ``perhaps_sold``: of orders without an answer. ``marks`` are the unique sensitive texts, each with the Regions that
    may hold it.
    """

    customers: dict[str, Written] = field(default_factory=dict)
    orders: dict[tuple[str, str], Written] = field(default_factory=dict)
    products: dict[str, Written] = field(default_factory=dict)
    stock: dict[tuple[str, str], int] = field(default_factory=dict)
    sold: Counter[tuple[str, str]] = field(default_factory=Counter)
    perhaps_sold: Counter[str] = field(default_factory=Counter)
    marks: dict[str, set[str]] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)


class Traffic:
    """Writers in every Region; each changes only what it wrote itself, so that the last write of each is known."""

    def __init__(self, services: Mapping[str, str]) -> None:
        self.ledger = Ledger()
        self.phase = "before"
        self._services = services
        self._stop = threading.Event()
        self._counting = threading.Lock()
        self._failed: list[Exception] = []

    def stock(self) -> None:
        """Fill the shelves: the products, and each warehouse."""
        visitors = [_Visitor(self, region, 0) for region in self._services]
        for visitor, sku in zip(visitors, PRODUCTS, strict=True):
            visitor.describe(sku)
        for visitor in visitors:
            for sku in PRODUCTS:
                visitor.deliver(sku)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Send requests while the block runs. Raises :class:`OperationError` if a service broke down."""
        visitors = [_Visitor(self, region, number) for region in self._services for number in range(_WRITERS)]
        threads = [threading.Thread(target=self._visit, args=(visitor,)) for visitor in visitors]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()
        if self._failed:
            raise OperationError(f"a customer met what no shop should do: {self._failed[0]}") from self._failed[0]

    def _visit(self, visitor: _Visitor) -> None:
        try:
            while not self._stop.wait(_PAUSE_S):
                visitor.act()
        except Exception as error:
            self._failed.append(error)


class _Visitor:
    """One browser: a session of its own, and its own random choices."""

    def __init__(self, traffic: Traffic, region: str, number: int) -> None:
        self._traffic = traffic
        self._ledger = traffic.ledger
        self._region = region
        self._chance = random.Random(f"{region} {number}")  # noqa: S311 - choices, not secrets
        self._http = httpx.Client(base_url=traffic._services[region], timeout=_TIMEOUT_S, trust_env=False)
        self._session: dict[str, str] = {}
        self._mine: list[str] = []
        self._orders = 0
        self._actions = (
            (30, self._browse),
            (15, self._sign_up),
            (20, self._order),
            (10, self._see_stub),
            (15, self._see_order),
            (8, self._change),
            # One visitor of each Region changes one product: the last write of each is then known.
            (0 if number else 4, lambda: self.describe(PRODUCTS[list(traffic._services).index(region)])),
        )

    def act(self) -> None:
        """Do one thing that a customer would."""
        weights, actions = zip(*self._actions, strict=True)
        self._chance.choices(actions, weights)[0]()

    def describe(self, sku: str) -> None:
        """Give a product, of which this Region alone writes the description, a new price."""
        price = self._chance.randrange(100, 1000)
        answer = self._call("PUT", f"/products/{sku}", {"name": sku.title(), "price_cents": price})
        if answer.is_success:
            self._ledger.products[sku] = Written(self._region, {"price_cents": price})
        elif sku in self._ledger.products:
            self._ledger.products[sku].or_else.setdefault("price_cents", []).append(price)

    def deliver(self, sku: str) -> None:
        """Fill this Region's shelf, as soon as it has heard of the product."""
        deadline = time.monotonic() + _TIMEOUT_S
        while (answer := self._call("POST", f"/products/{sku}/deliveries", {"quantity": PIECES})).is_error:
            if time.monotonic() > deadline:
                answer.raise_for_status()
            time.sleep(_PAUSE_S)
        product = self._call("GET", f"/products/{sku}").json()
        self._ledger.stock[sku, self._region] = product["stock"][self._region]

    def _browse(self) -> None:
        self._call("GET", "/products")

    def _sign_up(self) -> None:
        authority = self._chance.choice(list(HOMES))
        customer = {
            "name": marked("Ana"),
            "email": f"{marked('ana')}@example.com",
            "phone": marked("+385"),
            "national_id": marked("HR"),
            "address": {"street": marked("Ilica"), "city": "Zagreb"},
        }
        answer = self._call("POST", "/customers", {"authority": authority, **customer})
        if not answer.is_success:
            # Without an answer the data may be wherever the shop tried: at home, or held for it.
            self._may_hold(customer, set(self._traffic._services))
            return
        customer_id, held_in = answer.json()["customer_id"], answer.json()["held_in"]
        self._mine.append(customer_id)
        self._ledger.customers[customer_id] = Written(HOMES[authority], customer, held_in)
        self._may_hold(customer, {HOMES[authority], held_in or HOMES[authority]})

    def _order(self) -> None:
        customer_id = self._known(self._ledger.customers)
        if customer_id is None:
            return
        self._orders += 1
        order_id = f"o-{self._orders}-{secrets.token_hex(4)}"
        order: dict[str, Any] = {
            "sku": self._chance.choice(PRODUCTS),
            "quantity": self._chance.randrange(1, 4),
            "recipient": marked("Ana"),
            "shipping_address": marked("Ilica"),
        }
        home = self._ledger.customers[customer_id].home
        self._may_hold(order, {home})
        answer = self._call("PUT", f"/customers/{customer_id}/orders/{order_id}", order)
        with self._traffic._counting:
            if answer.is_success:
                self._ledger.orders[customer_id, order_id] = Written(home, order)
                self._ledger.sold[order["sku"], answer.json()["warehouse"]] += order["quantity"]
            elif answer.is_server_error:
                self._ledger.perhaps_sold[order["sku"]] += order["quantity"]

    def _see_stub(self) -> None:
        if (customer_id := self._known(self._ledger.customers)) is not None:
            self._call("GET", f"/customers/{customer_id}")
            self._call("GET", f"/customers/{customer_id}/orders")

    def _see_order(self) -> None:
        if (key := self._known(self._ledger.orders)) is not None:
            self._call("GET", f"/customers/{key[0]}/orders/{key[1]}")

    def _change(self) -> None:
        if not self._mine:
            return
        customer_id = self._chance.choice(self._mine)
        customer, phone = self._ledger.customers[customer_id], marked("+91")
        held = {customer.held_in} if customer.held_in else set()
        self._may_hold({"phone": phone}, {customer.home, *held})
        answer = self._call("PATCH", f"/customers/{customer_id}", {"phone": phone})
        if answer.is_success:
            customer.values["phone"] = phone
            customer.or_else.pop("phone", None)
        elif answer.is_server_error:
            customer.or_else.setdefault("phone", []).append(phone)

    def _known(self, of: Mapping[Any, Written]) -> Any:
        """Return the key of something that had time to reach every Region, None where there is nothing yet."""
        before_s = time.monotonic() - _SETTLED_S
        keys = [key for key, written in list(of.items()) if written.since_s < before_s]
        return self._chance.choice(keys) if keys else None

    def _may_hold(self, values: Mapping[str, Any], regions: set[str]) -> None:
        self._ledger.marks.update(dict.fromkeys(marks_in(repr(values)), regions))

    def _call(self, method: str, path: str, body: Any = None) -> httpx.Response:
        started = time.perf_counter()
        phase = self._traffic.phase
        answer = self._http.request(method, path, json=body, headers=self._session)
        if "x-session" in answer.headers:
            self._session = {"x-session": answer.headers["x-session"]}
        kind = None if answer.is_success else str(answer.json()["kind"])
        latency_ms = (time.perf_counter() - started) * 1000
        self._ledger.calls.append(Call(self._region, phase, latency_ms, kind))
        if answer.status_code == HTTPStatus.INTERNAL_SERVER_ERROR:
            answer.raise_for_status()
        return answer
