"""ShopEase's HTTP service in one Region: ``python -m examples.shopease.service --help``.

Every answer that is no success is ``{"error": ...}``, a sentence without anything that was sent. 503 means that
something is cut off, and names the Regions; the same request may be repeated.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import date
from decimal import Decimal
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any

import uvicorn
from botocore.exceptions import ClientError
from fastapi import Depends, FastAPI, Header, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import FileResponse, JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field, StringConstraints

from domicile.aws.failures import code_of
from domicile.client import Client, DomicileClientError, HomeRegionUnavailable, Item
from domicile.client.session import Session
from domicile.core.errors import UnknownAuthorityError
from examples.shopease.monitor import Monitor
from examples.shopease.shop import Conflict, NotFound, Shop

logger = logging.getLogger("shopease")
_FOLDER = Path(__file__).parent
_WATCHING = ("/", "/page.js", "/health", "/regions", "/status", "/copies")
_RETRY_AFTER_S = 2
COPIES_MAX = 20

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
Pieces = Annotated[int, Field(ge=1, le=1000)]
Email = Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+$", max_length=200)]


class Product(BaseModel, extra="forbid"):
    """A product's description."""

    name: Text
    price_cents: Annotated[int, Field(ge=0, le=10_000_000)]


class Quantity(BaseModel, extra="forbid"):
    """A number of pieces."""

    quantity: Pieces


class Address(BaseModel, extra="forbid"):
    """Where a customer lives."""

    street: Text
    city: Text


class NewCustomer(BaseModel, extra="forbid"):
    """A customer who signs up; ``authority`` is whose law protects the data, as EU."""

    authority: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
    name: Text
    email: Email
    phone: Text | None = None
    national_id: Text | None = None
    birth_date: date | None = None
    address: Address | None = None


class CustomerChange(BaseModel, extra="forbid"):
    """What a customer may change."""

    name: Text | None = None
    email: Email | None = None
    phone: Text | None = None


class NewOrder(BaseModel, extra="forbid"):
    """An order of one product."""

    sku: Name
    quantity: Pieces
    recipient: Text
    shipping_address: Text


def _continued(request: Request, x_session: Annotated[str | None, Header()] = None) -> Session:
    try:
        session: Session = request.app.state.shop.session(x_session)
    except ValueError:
        raise RequestValidationError([{"loc": ("header", "x-session"), "msg": "not a session's token"}]) from None
    return session


Continued = Annotated[Session, Depends(_continued)]
"""The session that the request goes on with; the answer's header ``x-session`` hands it back."""


def create_app(shop: Shop, monitor: Monitor, peers: Mapping[str, str]) -> FastAPI:
    """Return the service; ``peers`` are the addresses of every Region's, which its page looks at."""
    app = FastAPI(title=f"ShopEase in {shop.region}", docs_url=None, redoc_url=None)
    app.state.shop = shop
    app.middleware("http")(partial(_watched, monitor))
    # The page of one Region reads the counters of all.
    app.add_middleware(CORSMiddleware, allow_origins=list(peers.values()), allow_methods=["GET"])
    _add_errors(app)
    _add_catalogue(app, shop)
    _add_customers(app, shop)
    _add_page(app, shop, monitor, peers)
    return app


def _add_catalogue(app: FastAPI, shop: Shop) -> None:
    @app.get("/products")
    def products() -> list[dict[str, Any]]:
        return shop.products()

    @app.get("/products/{sku}")
    def product(sku: Name) -> dict[str, Any]:
        return shop.product(sku)

    @app.put("/products/{sku}", status_code=HTTPStatus.NO_CONTENT)
    def describe(sku: Name, product: Product) -> None:
        shop.describe(sku, product.name, product.price_cents)

    @app.post("/products/{sku}/deliveries", status_code=HTTPStatus.NO_CONTENT)
    def deliver(sku: Name, delivery: Quantity) -> None:
        shop.deliver(sku, delivery.quantity)

    @app.post("/products/{sku}/reservations", status_code=HTTPStatus.CREATED)
    def reserve(sku: Name, reservation: Quantity) -> dict[str, str]:
        return {"warehouse": shop.reserve(sku, reservation.quantity)}


def _add_customers(app: FastAPI, shop: Shop) -> None:
    @app.post("/customers", status_code=HTTPStatus.CREATED)
    def sign_up(customer: NewCustomer, session: Continued, response: Response) -> dict[str, str | None]:
        attributes = customer.model_dump(mode="json", exclude_none=True, exclude={"authority"})
        customer_id, held_in = shop.sign_up(attributes, customer.authority, session)
        response.headers["x-session"] = session.token
        return {"customer_id": customer_id, "held_in": held_in}

    @app.get("/customers/{customer_id}")
    def customer(customer_id: Name, session: Continued, response: Response, full: bool = False) -> dict[str, Any]:
        found = shop.customer(customer_id, session, full=full)
        response.headers["x-session"] = session.token
        return _shown(found)

    @app.patch("/customers/{customer_id}", status_code=HTTPStatus.NO_CONTENT)
    def change(customer_id: Name, change: CustomerChange, session: Continued, response: Response) -> None:
        changes = change.model_dump(exclude_none=True)
        if not changes:
            message = f"nothing to change; accepted: {', '.join(CustomerChange.model_fields)}"
            raise RequestValidationError([{"loc": ("body",), "msg": message}])
        shop.change_customer(customer_id, changes, session)
        response.headers["x-session"] = session.token

    @app.get("/customers/{customer_id}/orders")
    def orders(customer_id: Name) -> list[dict[str, Any]]:
        return [_shown(order) for order in shop.orders(customer_id)]

    @app.get("/customers/{customer_id}/orders/{order_id}")
    def order(customer_id: Name, order_id: Name, session: Continued, response: Response) -> dict[str, Any]:
        found = shop.order(customer_id, order_id, session)
        response.headers["x-session"] = session.token
        return _shown(found)

    @app.put("/customers/{customer_id}/orders/{order_id}")
    def place(
        customer_id: Name, order_id: Name, order: NewOrder, session: Continued, response: Response
    ) -> dict[str, str]:
        warehouse, is_new = shop.place_order(customer_id, order_id, order.model_dump(), session)
        response.status_code = HTTPStatus.CREATED if is_new else HTTPStatus.OK
        response.headers["x-session"] = session.token
        return {"warehouse": warehouse}


def _add_page(app: FastAPI, shop: Shop, monitor: Monitor, peers: Mapping[str, str]) -> None:
    @app.get("/")
    def page() -> FileResponse:
        return FileResponse(_FOLDER / "page.html")

    @app.get("/page.js")
    def script() -> FileResponse:
        return FileResponse(_FOLDER / "page.js", media_type="text/javascript")

    @app.get("/health")
    def health() -> dict[str, str]:
        """Well as long as it runs: without its own Region's tables it serves from the next Region."""
        return {"status": "ok", "region": shop.region}

    @app.get("/regions")
    def regions() -> dict[str, str]:
        return dict(peers)

    @app.get("/status")
    def status() -> dict[str, Any]:
        return monitor.snapshot()

    @app.get("/copies")
    def copies(table: str, key: Annotated[list[str], Query(max_length=COPIES_MAX)]) -> list[dict[str, Any] | None]:
        """Return what this Region holds of the items with these keys, in their order; a key's parts joined by /."""
        names = {"inventory": ("sku",), "customers": ("customer_id",), "orders": ("pk", "sk")}.get(table)
        keys = [dict(zip(names or (), text.split("/"), strict=False)) for text in key]
        if names is None or any(len(found) != len(names) for found in keys):
            raise NotFound("no such table, or not its key")
        held = {tuple(str(item[name]) for name in names): item for item in shop.copies(table, keys)}
        found = [held.get(tuple(wanted.values())) for wanted in keys]
        return [_shown(item) if item is not None else None for item in found]


def _shown(item: Item) -> dict[str, Any]:
    # boto3 gives numbers as Decimal, which JSON does not have; all of the shop's are whole.
    plain = {name: int(value) if isinstance(value, Decimal) else value for name, value in item.items()}
    return {"item": plain, "is_stub": item.is_stub, "home": item.home_region}


def _add_errors(app: FastAPI) -> None:
    async def answered(request: Request, error: Exception) -> JSONResponse:
        status, message = _refusal(error)
        request.state.error = kind = type(error).__name__
        headers = {"retry-after": str(_RETRY_AFTER_S)} if status == HTTPStatus.SERVICE_UNAVAILABLE else None
        return JSONResponse({"error": message, "kind": kind}, status, headers)

    for error in (RequestValidationError, UnknownAuthorityError, NotFound, Conflict, DomicileClientError):
        app.add_exception_handler(error, answered)


def _refusal(error: Exception) -> tuple[HTTPStatus, str]:
    """Return how an error is answered, in words that quote nothing."""
    match error:
        case RequestValidationError():
            problems = (f"{'.'.join(str(part) for part in each['loc'][1:])}: {each['msg']}" for each in error.errors())
            return HTTPStatus.UNPROCESSABLE_ENTITY, "; ".join(problems)
        case UnknownAuthorityError():
            return HTTPStatus.UNPROCESSABLE_ENTITY, "authority: accepted: one that the deployment file has a Region for"
        case NotFound():
            return HTTPStatus.NOT_FOUND, str(error)
        case Conflict():
            return HTTPStatus.CONFLICT, str(error)
        case HomeRegionUnavailable():
            (home,) = error.regions
            return HTTPStatus.SERVICE_UNAVAILABLE, f"{home} does not answer, and no other Region may hold this in full"
    return HTTPStatus.SERVICE_UNAVAILABLE, str(error)


async def _watched(monitor: Monitor, request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    """Count and log a request by its route; an exception by its class, as its message could quote a value."""
    started = time.perf_counter()
    try:
        response = await call_next(request)
    except Exception as error:  # whatever a bug raises is an answer here, and no traceback
        request.state.error = name = code_of(error) if isinstance(error, ClientError) else type(error).__name__
        response = JSONResponse({"error": "the shop failed", "kind": name}, HTTPStatus.INTERNAL_SERVER_ERROR)
    route = request.scope.get("route")
    path = route.path if isinstance(route, APIRoute) else "?"
    if path not in _WATCHING:
        latency_ms = (time.perf_counter() - started) * 1000
        kind = getattr(request.state, "error", None)
        monitor.served(latency_ms, kind)
        logger.info("%s %s %d %s %.0f ms", request.method, path, response.status_code, kind or "ok", latency_ms)
    return response


def main(arguments: list[str]) -> None:
    """Serve one Region until the process is told to stop."""
    parser = argparse.ArgumentParser(prog="python -m examples.shopease.service", description="ShopEase in one Region.")
    parser.add_argument("--deployment", default="shopease", help="its name in the deployment file")
    parser.add_argument("--region", required=True, help="where the service runs; the others follow in their order")
    parser.add_argument(
        "--peer", action="append", default=[], metavar="REGION=URL", help="a Region's service, its own too"
    )
    parser.add_argument("--port", type=int, required=True, help="of 127.0.0.1")
    given = parser.parse_args(arguments)
    peers = dict(peer.partition("=")[::2] for peer in given.peer)
    if given.region not in peers:
        parser.error(f"--region {given.region}: accepted: a Region of --peer: {', '.join(peers)}")
    order = list(peers)
    start = order.index(given.region)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    logging.getLogger("botocore").setLevel(logging.WARNING)
    monitor = Monitor(given.region)
    shop = Shop([*order[start:], *order[:start]], partial(Client, given.deployment), monitor)
    app = create_app(shop, monitor, peers)
    with suppress(KeyboardInterrupt):
        uvicorn.run(app, host="127.0.0.1", port=given.port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main(sys.argv[1:])
