"""What was applied is what the next plan finds, and those plans prove where items stay."""

from __future__ import annotations

from pathlib import Path

import pytest

from domicile.local.api import LocalAws
from tests.local.failures import NAME
from tests.plans import Plans, findings_of, second_plans, unexpected_changes


@pytest.fixture(scope="module")
def plans(local_aws: LocalAws) -> Plans:
    """The second plan of each Region."""
    return second_plans(local_aws, NAME)


def test_a_second_plan_of_each_region_is_empty_but_for_known_drift(local_aws: LocalAws, plans: Plans) -> None:
    assert unexpected_changes(plans) == {f"{NAME}-{region}": [] for region in local_aws.regions}


def test_the_plans_prove_the_residency_of_every_authority(plans: Plans, tmp_path: Path) -> None:
    assert findings_of(plans, tmp_path) == []
