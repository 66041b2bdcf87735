"""The client's contract: the same calls through boto3 and through the library, on equal tables, end the same.

Another client joins by a line in ``SUBJECTS``: a context manager that gets a boto3 session on a backend and yields an
object with the methods of :class:`~tests.contract.client.sides.Subject`. One over asyncio runs each call to its end in
a loop of its own, and gives ``get_paginator`` and ``batch_writer`` a synchronous face. A backend joins by a line in
``BACKENDS``: a context manager that yields a boto3 session on a DynamoDB where tables can be made; an in-memory
DynamoDB is one of these, and is tested with every subject at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import cast

import boto3
import pytest
from moto import mock_aws

from domicile.client import Client
from domicile.client.testing import InMemory
from domicile.local.account import ACCESS_KEY, SECRET_KEY
from tests.contract.client.blocking import blocking
from tests.contract.client.sides import (
    DEPLOYMENT,
    PATIENT,
    PLAIN,
    POLICY,
    REGION,
    Boto3,
    NewSubject,
    Pair,
    Subject,
    create_tables,
    drop_tables,
)
from tests.plane import Plane


@contextmanager
def _synchronous(session: boto3.Session) -> Iterator[Subject]:
    yield cast("Subject", Client(DEPLOYMENT.name, region=REGION, policy=POLICY, session=session, options=PATIENT))


@contextmanager
def _moto(_: pytest.FixtureRequest) -> Iterator[boto3.Session]:
    with mock_aws():
        yield boto3.Session(aws_access_key_id="test", aws_secret_access_key="test")


@contextmanager
def _local_aws(request: pytest.FixtureRequest) -> Iterator[boto3.Session]:
    plane: Plane = request.getfixturevalue("plane")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL_DYNAMODB", f"http://127.0.0.1:{plane.port}")
        yield boto3.Session(aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET_KEY)


@contextmanager
def _memory(_: pytest.FixtureRequest) -> Iterator[boto3.Session]:
    yield InMemory(DEPLOYMENT).session


SUBJECTS: dict[str, NewSubject] = {"client": _synchronous, "asyncio": blocking}
BACKENDS: dict[str, Callable[[pytest.FixtureRequest], AbstractContextManager[boto3.Session]]] = {
    "moto": _moto,
    "local_aws": _local_aws,
    "memory": _memory,
}


# The synchronous client on the local AWS, the nearest to AWS and the fastest; the rest is for `make test-slow`.
_SUBJECTS = [pytest.param(name, marks=() if name == "client" else pytest.mark.slow) for name in SUBJECTS]
_BACKENDS = [pytest.param(name, marks=() if name == "local_aws" else pytest.mark.slow) for name in BACKENDS]


@pytest.fixture(scope="module", params=_BACKENDS)
def backend(request: pytest.FixtureRequest) -> Iterator[boto3.Session]:
    """A DynamoDB with both sides' tables."""
    with BACKENDS[request.param](request) as session:
        client = session.client("dynamodb", region_name=REGION)
        for prefix in (PLAIN, DEPLOYMENT.name):
            create_tables(client, prefix)
        yield session
        for prefix in (PLAIN, DEPLOYMENT.name):
            drop_tables(client, prefix)


@pytest.fixture(scope="module", params=_SUBJECTS)
def both(request: pytest.FixtureRequest, backend: boto3.Session) -> Iterator[Pair]:
    """The two sides; a module that only reads puts its seeds once."""
    resource = backend.resource("dynamodb", region_name=REGION)
    with SUBJECTS[request.param](backend) as ours:
        yield Pair(plain=Boto3(resource), ours=ours, raw=resource)
