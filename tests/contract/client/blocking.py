"""The asyncio client with a synchronous face, so that the contract calls it as the others."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from aiobotocore.awsrequest import AioAWSResponse
from aiobotocore.session import AioSession
from botocore.hooks import first_non_none_response
from moto.core.models import botocore_stubber

from domicile.client.aio import AsyncClient
from tests.contract.client.sides import DEPLOYMENT, PATIENT, POLICY, REGION


@contextmanager
def blocking(session: boto3.Session) -> Iterator[Any]:
    """Yield the asyncio client on the backend of a boto3 session; each call runs a loop until it ends."""
    with asyncio.Runner() as runner:
        client = AsyncClient(
            DEPLOYMENT.name, region=REGION, policy=POLICY, session=_on_the_backend_of(session), options=PATIENT
        )
        runner.run(client.__aenter__())
        try:
            yield _Client(client, runner)
        finally:
            runner.run(client.__aexit__(None, None, None))


class _Face:
    """Runs each method's coroutine to its end."""

    def __init__(self, target: Any, runner: asyncio.Runner) -> None:
        self._target = target
        self._runner = runner

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._target, name)
        return lambda **arguments: self._runner.run(method(**arguments))


class _Client(_Face):
    def table(self, name: str) -> Any:
        return _Table(self._target.table(name), self._runner)


class _Table(_Face):
    def get_paginator(self, operation: str) -> Any:
        return _Paginator(self._target.get_paginator(operation), self._runner)

    @contextmanager
    def batch_writer(self, **arguments: Any) -> Iterator[Any]:
        batch = self._target.batch_writer(**arguments)
        yield _Face(batch, self._runner)
        self._runner.run(batch.__aexit__(None, None, None))


class _Paginator(_Face):
    def paginate(self, **arguments: Any) -> list[Any]:
        async def pages() -> list[Any]:
            return [page async for page in self._target.paginate(**arguments)]

        return self._runner.run(pages())


def _on_the_backend_of(session: boto3.Session) -> AioSession:
    """Return a session whose requests are answered as those of a boto3 session are: in process, or by a server."""
    aio = AioSession()
    credentials = session.get_credentials()
    assert credentials is not None
    aio.set_credentials(credentials.access_key, credentials.secret_key)

    def answer(request: Any, event_name: str, **_: Any) -> Any:
        response = first_non_none_response(session.events.emit(event_name, request=request))
        if response is None:
            return None
        return AioAWSResponse(response.url, response.status_code, response.headers, _Body(response.content))

    stubber: Any = botocore_stubber
    aio.unregister("before-send", stubber)  # it would do each request once more
    aio.register("before-send", answer)
    return aio


class _Body:
    def __init__(self, content: bytes) -> None:
        self._content = content

    async def read(self) -> bytes:
        return self._content
