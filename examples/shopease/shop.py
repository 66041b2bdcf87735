"""The shop over Domicile's library: what is stored where, and what becomes of each request while a Region is cut off.

- **Catalogue**: global. It is read and written in the next Region while this one's tables do not answer. Each product
  is described by one item; of two descriptions written at once in two Regions one wins.
- **Stock**: global to read, but each Region counts its own warehouse, in an item of its own that is written nowhere
  else. A condition holds in the Region that checks it: were one count written in two, both could sell the last piece.
- **Customers and orders**: localized. A new one is written straight into its home Region, and read and changed there.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from domicile.client import Client, HomeRegionUnavailable, Item, Options, RegionsUnavailable
from domicile.client.events import Hook
from domicile.client.session import Session
from examples.shopease.monitor import Monitor

PRODUCTS_MAX = 500
ORDERS_MAX = 50
_AUTHORITY = "localization_authority"


class NotFound(Exception):  # noqa: N818 - named for what happened
    """There is no such thing, or this Region has not heard of it yet."""


class Conflict(Exception):  # noqa: N818
    """What is there does not allow it."""


class Connect(Protocol):
    """Makes a client of the deployment."""

    def __call__(
        self, *, region: str, failover: Sequence[str] = (), options: Options | None = None, on_event: Hook | None = None
    ) -> Client:
        """Return a client that calls ``region`` first."""


class Shop:
    """The shop as the service of one Region sees it. ``regions``: all of them, its own first and then the next ones."""

    def __init__(self, regions: Sequence[str], connect: Connect, monitor: Monitor) -> None:
        def client(name: str, *regions: str, hold: bool = False) -> Client:
            # A Region that is back should soon be tried again: short waits suit an outage that a person watches.
            options = Options(
                home_unavailable="hold-local" if hold else "fail",
                read_timeout_s=2.0,
                retry_after_s=0.5,
                retry_after_s_max=4.0,
                session_entries_max=16,
            )
            return connect(region=regions[0], failover=regions[1:], options=options, on_event=monitor.hook(name))

        self.region = regions[0]
        self._monitor = monitor
        self._client = client("shop", *regions)
        self._sign_ups = client("sign-ups", *regions, hold=True)
        # One client for each Region alone, for what may be asked of no other.
        self._only = {region: client(f"only {region}", region) for region in regions}

    def session(self, token: str | None) -> Session:
        """Return the session that a customer's last request ended with. Raises :class:`ValueError`."""
        return self._client.session(token)

    def products(self) -> list[dict[str, Any]]:
        """Return the catalogue with what every warehouse has, from the nearest Region that answers."""
        pages = self._client.table("inventory").get_paginator("scan")
        with self._monitor.reading("inventory"):
            found = pages.paginate(PaginationConfig={"MaxItems": PRODUCTS_MAX}).build_full_result()["Items"]
        items = {item["sku"]: item for item in found}
        # What has no price is not for sale: stock is counted in items of its own, and others may keep theirs here too.
        return [self._product(items, sku) for sku in sorted(items) if "price_cents" in items[sku]]

    def product(self, sku: str) -> dict[str, Any]:
        """Return a product with what every warehouse has, from the nearest Region that answers."""
        keys = [{"sku": sku}, *({"sku": _stock(sku, region)} for region in self._only)]
        with self._monitor.reading("inventory"):
            found = self._client.table("inventory").batch_get(Keys=keys)
        items = {item["sku"]: item for item in found}
        if "price_cents" not in items.get(sku, ()):
            raise NotFound("no such product")
        return self._product(items, sku)

    def describe(self, sku: str, name: str, price_cents: int) -> None:
        """Write a product's description, in the nearest Region that answers."""
        self._client.table("inventory").put_item(Item={"sku": sku, "name": name, "price_cents": price_cents})
        self._monitor.created("inventory", {"sku": sku})

    def deliver(self, sku: str, quantity: int) -> None:
        """Add to the stock of this Region's warehouse; it is counted here alone, so there is no failover."""
        self.product(sku)
        self._add(sku, self.region, quantity)

    def reserve(self, sku: str, quantity: int) -> str:
        """Take pieces out of one warehouse, and return its Region.

        This Region's comes first. Another is asked where it is sold out, or while its count does not answer: the
        count itself never moves to another Region. Raises :class:`Conflict` if no warehouse that answers has enough.
        """
        answered = False
        for region, client in self._only.items():
            try:
                client.table("inventory").update_item(
                    Key={"sku": _stock(sku, region)},
                    UpdateExpression="SET pieces = pieces - :n",
                    ConditionExpression="pieces >= :n",
                    ExpressionAttributeValues={":n": quantity},
                )
            except client.exceptions.ConditionalCheckFailedException:
                answered = True
            except RegionsUnavailable:
                continue
            else:
                return region
        if not answered:
            raise RegionsUnavailable(list(self._only))
        raise Conflict("sold out")

    def sign_up(self, customer: Mapping[str, Any], authority: str, session: Session) -> tuple[str, str | None]:
        """Create a customer at home, and return the id and, while the home does not answer, the Region that holds it.

        **hold-local**: who is turned away at the door does not come back. The new customer has no other copy that this
        one could contradict, and moves when the home is back; until then it rests, counted as an exposure, elsewhere.
        """
        customer_id = f"c-{secrets.token_hex(6)}"
        item: dict[str, Any] = {**customer, "customer_id": customer_id, _AUTHORITY: authority}
        with self._monitor.way() as way:
            self._sign_ups.table("customers", session).put_item(Item=item)
        self._monitor.created("customers", {"customer_id": customer_id})
        return customer_id, way.held_in

    def customer(self, customer_id: str, session: Session, *, full: bool) -> Item:
        """Return a customer: as this Region holds it, or ``full`` from its home.

        The first works in every Region at any time. The second **fails** while the home does not answer: no other
        Region has the data, by law.
        """
        with self._monitor.reading("customers"):
            found = self._client.table("customers", session).get_item(
                Key={"customer_id": customer_id}, resolve="home" if full else "stub"
            )
        if "Item" not in found:
            raise NotFound("no such customer in this Region yet")
        return found["Item"]  # type: ignore[return-value]

    def change_customer(self, customer_id: str, changes: Mapping[str, str], session: Session) -> None:
        """Set some of a customer's attributes at its home.

        **fail**: an update is about an item that only the home has, so that no other Region could apply it.
        """
        names = {f"#{number}": name for number, name in enumerate(changes)}
        values = {f":{number}": value for number, value in enumerate(changes.values())}
        try:
            self._client.table("customers", session).update_item(
                Key={"customer_id": customer_id},
                UpdateExpression="SET " + ", ".join(f"#{number} = :{number}" for number in range(len(changes))),
                ConditionExpression="attribute_exists(customer_id)",
                ExpressionAttributeNames=names,
                ExpressionAttributeValues=values,
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            raise NotFound("no such customer in this Region yet") from None

    def order(self, customer_id: str, order_id: str, session: Session) -> Item:
        """Return an order from its home; **fails** while that does not answer, as its recipient is nowhere else."""
        with self._monitor.reading("orders"):
            found = self._client.table("orders", session).get_item(
                Key={"pk": customer_id, "sk": order_id}, resolve="home"
            )
        if "Item" not in found:
            raise NotFound("no such order in this Region yet")
        return found["Item"]  # type: ignore[return-value]

    def orders(self, customer_id: str) -> list[Item]:
        """Return a customer's orders as this Region holds them: their state is no personal data, and always there."""
        with self._monitor.reading("orders"):
            found = self._client.table("orders").query(
                KeyConditionExpression="pk = :pk", ExpressionAttributeValues={":pk": customer_id}, Limit=ORDERS_MAX
            )
        return found["Items"]  # type: ignore[return-value]

    def place_order(
        self, customer_id: str, order_id: str, order: Mapping[str, Any], session: Session
    ) -> tuple[str, bool]:
        """Reserve stock, write the order at the customer's home; return the warehouse, and whether the order is new.

        **fail**: an order is a promise between the shop and one customer. Held elsewhere it could be placed twice,
        as its home, which alone knows whether it is there, cannot be asked. The caller names the order, and so can
        repeat a request that failed. The home is asked before stock is touched; should it fall silent between the
        two, the reservation stays, and the shop may sell too few, never too many.
        """
        customer = self.customer(customer_id, session, full=False)
        home = str(customer.home_region)
        placed = self._placed(home, customer_id, order_id)
        if placed is not None:
            return placed, False
        warehouse = self.reserve(order["sku"], order["quantity"])
        item = {**order, "pk": customer_id, "sk": order_id, "status": "placed", "warehouse": warehouse}
        try:
            self._client.table("orders", session).put_item(
                Item={**item, _AUTHORITY: customer[_AUTHORITY]}, ConditionExpression="attribute_not_exists(pk)"
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            self._add(order["sku"], warehouse, order["quantity"])
            raise Conflict("the order was being placed at the same time") from None
        self._monitor.created("orders", {"pk": customer_id, "sk": order_id})
        return warehouse, True

    def copies(self, table: str, keys: Sequence[Mapping[str, str]]) -> list[Item]:
        """Return what this Region itself holds of some items, stub or full. Raises :class:`RegionsUnavailable`."""
        return self._only[self.region].table(table).batch_get(Keys=keys, resolve="stub")

    def _placed(self, home: str, customer_id: str, order_id: str) -> str | None:
        """Return the warehouse of an order that its home has."""
        try:
            found = self._only[home].table("orders").get_item(Key={"pk": customer_id, "sk": order_id})
        except RegionsUnavailable as error:
            raise HomeRegionUnavailable(error.regions) from error
        return str(found["Item"]["warehouse"]) if "Item" in found else None

    def _add(self, sku: str, region: str, quantity: int) -> None:
        self._only[region].table("inventory").update_item(
            Key={"sku": _stock(sku, region)},
            UpdateExpression="ADD pieces :n",
            ExpressionAttributeValues={":n": quantity},
        )

    def _product(self, items: Mapping[str, Mapping[str, Any]], sku: str) -> dict[str, Any]:
        item = items[sku]
        stock = {region: int(items.get(_stock(sku, region), {}).get("pieces", 0)) for region in self._only}
        return {"sku": sku, "name": item["name"], "price_cents": int(item["price_cents"]), "stock": stock}


def _stock(sku: str, region: str) -> str:
    """Return the key of the item that counts a product in one warehouse."""
    return f"{sku}@{region}"
