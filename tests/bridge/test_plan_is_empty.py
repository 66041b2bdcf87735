"""What was applied of a bridge is what the next plan finds, after its couriers' access keys were made beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from domicile.local import api
from tests.bridge.sides import NAME, Sides
from tests.plans import findings_of, second_plans, unexpected_changes

pytestmark = pytest.mark.slow


def test_a_second_plan_of_each_region_is_empty_and_proves_residency(sides: Sides, tmp_path: Path) -> None:
    plans = second_plans(api.status(), NAME)
    assert unexpected_changes(plans) == {f"{NAME}-{region}": [] for region in sides.all}
    assert findings_of(plans, tmp_path) == []
