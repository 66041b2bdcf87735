"""Fixtures: a server for the adaptations' tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.local.plane import Plane, free_port, start_server


@pytest.fixture(scope="session")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plane]:
    """A server of its own, whose environment has what a user's shell may have."""
    port = free_port()
    server = start_server(_state(tmp_path_factory), port, SECRET_OF_THE_SHELL="1", AWS_PROFILE="production")
    yield Plane(port)
    server.terminate()
    assert server.wait(15) == 0


@pytest.fixture
def faults(plane: Plane) -> Iterator[Plane]:
    """The plane, whose fault rules are removed afterwards."""
    yield plane
    plane.own("DELETE", "/_domicile/faults")


def _state(factory: pytest.TempPathFactory) -> Path:
    return factory.mktemp("plane")
