"""Fixtures: the deployment of ``examples/native`` on a local AWS, started in the background."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from domicile.local.api import LocalAws
from tests.deployments import StartedDeployment
from tests.native.stacks import FILE

_DEPLOYMENT = pytest.StashKey[StartedDeployment]()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Start the deployment, in the background, if a test needs it."""
    needed = any("native" in getattr(item, "fixturenames", ()) for item in session.items)
    if needed and not session.config.option.collectonly:
        session.stash[_DEPLOYMENT] = StartedDeployment(FILE)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Stop the deployment, also after an interruption; its logs are kept if something failed."""
    if deployment := session.stash.get(_DEPLOYMENT, None):
        deployment.down(keep_logs=exitstatus != pytest.ExitCode.OK)


@pytest.fixture(scope="session")
def native(request: pytest.FixtureRequest) -> Iterator[LocalAws]:
    """How the deployment is reached."""
    with request.session.stash[_DEPLOYMENT].reached() as reached:
        yield reached
