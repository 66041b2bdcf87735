"""Fixtures: the deployment of this folder on two local planes, started in the background."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bridge.sides import Sides
from tests.deployments import StartedDeployment

FILE = Path(__file__).with_name("domicile.yaml")
_DEPLOYMENT = pytest.StashKey[StartedDeployment]()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Start the deployment if a test needs it."""
    needed = any("everyone" in getattr(item, "fixturenames", ()) for item in session.items)
    if needed and not session.config.option.collectonly:
        session.stash[_DEPLOYMENT] = StartedDeployment(FILE, ports=2)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Stop the deployment, also after an interruption; its logs are kept if something failed."""
    if deployment := session.stash.get(_DEPLOYMENT, None):
        deployment.down(keep_logs=exitstatus != pytest.ExitCode.OK)


@pytest.fixture(scope="session")
def everyone(request: pytest.FixtureRequest) -> Iterator[Sides]:
    """The deployment's Regions on both sides of the bridge, each with all its roles."""
    with request.session.stash[_DEPLOYMENT].reached() as reached:
        yield Sides(reached, FILE)
