"""Fixtures: a deployment in two partitions with a bridge between them, on two local planes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from domicile.local import api
from domicile.project import find_root
from tests.bridge.sides import Sides
from tests.deployments import StartedDeployment
from tests.local.failures import await_quiet

FILE = Path("examples", "bridge", "domicile.yaml")
_DEPLOYMENT = pytest.StashKey[StartedDeployment]()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Start the deployment, in the background, if a test needs it."""
    needed = any("sides" in getattr(item, "fixturenames", ()) for item in session.items)
    if needed and not session.config.option.collectonly:
        session.stash[_DEPLOYMENT] = StartedDeployment(find_root(Path.cwd()) / FILE, ports=2)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Stop the deployment, also after an interruption; its logs are kept if something failed."""
    if deployment := session.stash.get(_DEPLOYMENT, None):
        deployment.down(keep_logs=exitstatus != pytest.ExitCode.OK)


@pytest.fixture(scope="session")
def both_sides(request: pytest.FixtureRequest) -> Iterator[Sides]:
    """The deployment's Regions on both sides of the bridge."""
    with request.session.stash[_DEPLOYMENT].reached() as reached:
        yield Sides(reached)


@pytest.fixture
def sides(both_sides: Sides) -> Iterator[Sides]:
    """The Regions; afterwards no fault is left, and nothing waits in a queue, a quarantine or for dead."""
    yield both_sides
    api.faults_clear()
    await_quiet(both_sides)
    assert both_sides.dead_letters() == {}
    assert {region: both_sides.quarantined(region) for region in both_sides.all} == {r: [] for r in both_sides.all}
