"""What was applied of a bridge is what the next plan finds, after its couriers' access keys were made beside it."""

from __future__ import annotations

from domicile.local import api
from tests.bridge.sides import NAME, Sides
from tests.plans import unexpected_changes


def test_a_second_plan_of_each_region_is_empty(sides: Sides) -> None:
    assert unexpected_changes(api.status(), NAME) == {f"{NAME}-{region}": [] for region in sides.all}
