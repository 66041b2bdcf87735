"""A checker that no broken protocol can fail proves nothing: without any one of its rules, some schedule fails."""

from __future__ import annotations

import pytest

from tests.simulation.controls import CONTROLS, Control


@pytest.mark.parametrize("control", CONTROLS, ids=[control.rule for control in CONTROLS])
def test_without_the_rule_some_schedule_fails(control: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    control.take_out(monkeypatch)
    assert any(control.fails(seed) for seed in control.seeds), (
        "python -m tests.simulation.controls tells which seeds show the rule's absence now"
    )
