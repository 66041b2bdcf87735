"""What was applied is what the next plan finds, but for the drift that ``infra/known_drift.json`` explains."""

from __future__ import annotations

from domicile.local.api import LocalAws
from tests.local.failures import NAME
from tests.plans import unexpected_changes


def test_a_second_plan_of_each_region_is_empty_but_for_known_drift(local_aws: LocalAws) -> None:
    assert unexpected_changes(local_aws, NAME) == {f"{NAME}-{region}": [] for region in local_aws.regions}
