"""Fixtures: the deployments of the golden files, synthesized once."""

from __future__ import annotations

from pathlib import Path

import pytest

from domicile.deployment import Deployment
from tests.infra.synthesized import BRIDGED, DEPLOYMENT, NATIVE, Stack, synthesize_stand_ins


@pytest.fixture(scope="session")
def deployment() -> Deployment:
    """The deployment of the golden files."""
    return Deployment.load(DEPLOYMENT)


@pytest.fixture(scope="session")
def stacks(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of its synthesized stacks."""
    return synthesize_stand_ins(deployment, tmp_path_factory.mktemp("synthesis"))


@pytest.fixture(scope="session")
def virginia(stacks: Path) -> Stack:
    """The stack of us-east-1, whose siblings are ap-south-1 and eu-west-1."""
    return Stack.read(stacks, "harbour-us-east-1")


@pytest.fixture(scope="session")
def bridged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the stacks of a deployment in two partitions."""
    return synthesize_stand_ins(Deployment.load(BRIDGED), tmp_path_factory.mktemp("bridged"))


@pytest.fixture(scope="session")
def natively(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the stacks of a deployment with native tables."""
    return synthesize_stand_ins(Deployment.load(NATIVE), tmp_path_factory.mktemp("natively"))


@pytest.fixture(scope="session")
def singapore(bridged: Path) -> Stack:
    """The gateway Region of AWS; its sibling is eu-west-1."""
    return Stack.read(bridged, "harbour-ap-southeast-1")


@pytest.fixture(scope="session")
def beijing(bridged: Path) -> Stack:
    """The gateway Region of AWS China; its sibling is cn-northwest-1."""
    return Stack.read(bridged, "harbour-cn-north-1")
