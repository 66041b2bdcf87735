"""The bare local AWS, which the contract's tests share with those of its own adaptations."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.plane import Plane, free_port, start_server


@pytest.fixture(scope="session")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plane]:
    """A server of its own, whose environment has what a user's shell may have."""
    port = free_port()
    server = start_server(tmp_path_factory.mktemp("plane"), port, SECRET_OF_THE_SHELL="1", AWS_PROFILE="production")
    yield Plane(port)
    server.terminate()
    assert server.wait(15) == 0
