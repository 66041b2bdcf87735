"""What tests of several folders share: the bare local AWS, and AWS's service models."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import pytest
from botocore.loaders import JSONFileLoader

from tests.plane import Plane, free_port, start_server


@pytest.fixture(scope="session", autouse=True)
def models_read_once() -> Iterator[None]:
    """Parse each of botocore's models once: once for each session took a third of the unit tests' time."""
    read = cache(JSONFileLoader().load_file)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JSONFileLoader, "load_file", lambda _, path: read(path))
        yield


@pytest.fixture(scope="session")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plane]:
    """A server of its own, whose environment has what a user's shell may have."""
    port = free_port()
    server = start_server(tmp_path_factory.mktemp("plane"), port, SECRET_OF_THE_SHELL="1", AWS_PROFILE="production")
    yield Plane(port)
    server.terminate()
    assert server.wait(15) == 0
