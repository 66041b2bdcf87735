"""What stands in front of MiniStack: the fault injector, the plane's own paths, and an ear for traces.

Own paths: ``GET /_domicile/health``; ``POST``, ``GET`` and ``DELETE /_domicile/faults``; ``POST /_domicile/ttl``, which
expires items now; ``GET /_domicile/permissions``, what IAM was asked. The X-Ray API is not in MiniStack: segments are
accepted and dropped.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any

from domicile.local.faults import REST_OPERATIONS, FaultRuleError, Faults, asked_at_the_door

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_CREDENTIAL = re.compile(rb"Credential=[^/]+/\d+/([^/]+)/([^/]+)/aws4_request")
_JSON = b"application/x-amz-json-1.0"


def gateway(inner: App, faults: Faults, expire: Callable[[], int], asked: Callable[[], list[dict[str, Any]]]) -> App:
    """Return the ASGI application that serves the plane's own paths and passes the rest to ``inner``."""

    async def own(method: str, path: str, receive: Receive) -> tuple[int, object]:
        match method, path:
            case "GET", "/_domicile/health":
                return HTTPStatus.OK, {"status": "ok"}
            case "POST", "/_domicile/ttl":
                return HTTPStatus.OK, {"expired": expire()}
            case "GET", "/_domicile/permissions":
                return HTTPStatus.OK, {"asked": asked()}
            case "GET", "/_domicile/faults":
                return HTTPStatus.OK, {"rules": faults.list()}
            case "DELETE", "/_domicile/faults":
                return HTTPStatus.OK, {"cleared": faults.clear()}
            case "POST", "/_domicile/faults":
                try:
                    return HTTPStatus.CREATED, faults.add(json.loads(await _body(receive)))
                except (FaultRuleError, ValueError, TypeError) as error:
                    return HTTPStatus.BAD_REQUEST, {"error": str(error)}
        return HTTPStatus.NOT_FOUND, {"error": f"there is no {method} {path}"}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await inner(scope, receive, send)
            return
        path: str = scope["path"]
        if path.startswith("/_domicile/"):
            status, answer = await own(scope["method"], path, receive)
            await _reply(send, status, answer)
            return
        if path == "/TraceSegments":
            await _reply(send, HTTPStatus.OK, {"UnprocessedTraceSegments": []})
            return
        asked_at_the_door.set(True)
        fault = faults.strike(*_called(scope)) if faults else None
        if fault is not None:
            await asyncio.sleep(fault.latency_s)
            if fault.code is not None and fault.status is not None:
                await (inner(scope, receive, _lose) if fault.answer_lost else _body(receive))
                headers = [(b"x-amzn-errortype", fault.code.encode())]
                answer = {"__type": fault.code, "message": f"Injected fault: {fault.code}"}
                await _reply(send, fault.status, answer, headers)
                return
        await inner(scope, receive, send)

    return app


def _called(scope: Scope) -> tuple[str, str | None, str]:
    """Return service, operation (None: not one that a rule can name) and Region of an API call."""
    headers = dict(scope["headers"])
    signed = _CREDENTIAL.search(headers.get(b"authorization", b""))
    if signed is None:
        return "", None, ""
    region, service = (part.decode() for part in signed.groups())
    if target := headers.get(b"x-amz-target", b"").decode():
        prefix, _, operation = target.partition(".")
        return "dynamodbstreams" if prefix.startswith("DynamoDBStreams") else service, operation, region
    for rest_service, operations in REST_OPERATIONS.items():
        for operation, path in operations.items():
            if rest_service.startswith(service) and re.fullmatch(path, scope["path"]):
                return rest_service, operation, region
    return service, None, region


async def _body(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


async def _lose(_: Message) -> None:
    """Take a part of an answer that nobody gets."""


async def _reply(send: Send, status: int, answer: object, headers: list[tuple[bytes, bytes]] | None = None) -> None:
    body = json.dumps(answer).encode()
    fixed = [(b"content-type", _JSON), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": fixed + (headers or [])})
    await send({"type": "http.response.body", "body": body})
