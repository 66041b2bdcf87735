"""Fixtures: a whole deployment on a local AWS for the end-to-end tests, and the bare one with faults.

Starting the deployment takes more than a minute, most of it waits inside Terraform's provider. So it is started when
the tests have been collected, in the background, and the tests that need it come last.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from domicile.local import api
from domicile.local.api import LocalAws
from domicile.project import find_root
from tests.deployments import StartedDeployment
from tests.local.failures import await_quiet
from tests.local.regions import Regions
from tests.plane import Plane

_FIXTURE = "local_aws"
_DEPLOYMENT = pytest.StashKey[StartedDeployment]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests that need the deployment last, and of these first the one that wants it as it was applied."""
    items.sort(key=lambda item: (_needs_deployment(item), item.path.name != "test_plan_is_empty.py"))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Start the deployment if a test needs it."""
    if any(map(_needs_deployment, session.items)) and not session.config.option.collectonly:
        session.stash[_DEPLOYMENT] = StartedDeployment(find_root(Path.cwd()) / "domicile.yaml")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Stop the deployment, also after an interruption; its logs are kept if something failed."""
    if deployment := session.stash.get(_DEPLOYMENT, None):
        deployment.down(keep_logs=exitstatus != pytest.ExitCode.OK)


def _needs_deployment(item: pytest.Item) -> bool:
    return _FIXTURE in getattr(item, "fixturenames", ())


@pytest.fixture(scope="session")
def local_aws(request: pytest.FixtureRequest) -> Iterator[LocalAws]:
    """The project's deployment on a local AWS; ``domicile.local.api`` works on it."""
    with request.session.stash[_DEPLOYMENT].reached() as reached:
        yield reached


@pytest.fixture
def regions(local_aws: LocalAws) -> Iterator[Regions]:
    """The Regions; afterwards no fault is left, and nothing waits in a queue, a quarantine or for dead."""
    regions = Regions(local_aws)
    yield regions
    api.faults_clear()
    await_quiet(regions)
    assert regions.dead_letters() == {}
    assert {region: regions.quarantined(region) for region in regions.all} == {region: [] for region in regions.all}


@pytest.fixture
def faults(plane: Plane) -> Iterator[Plane]:
    """The plane, whose fault rules are removed afterwards."""
    yield plane
    plane.own("DELETE", "/_domicile/faults")
