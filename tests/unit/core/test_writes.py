"""The predicates of the conditions; ``tests/contract`` holds them against DynamoDB's expressions."""

from __future__ import annotations

import re
from typing import Any

import pytest

from domicile.core.control import Control, Image
from domicile.core.version import Version
from domicile.core.writes import AbsentOrBelow, AbsentOrLower, Below, Condition, Marked, NotAbove, SameValue

LOW, MID, HIGH = (Version(ms, plain=False, tie=0, region="us-east-1") for ms in (1, 2, 3))


def item(version: Version, **more: Any) -> Image:
    return {"pk": {"S": "k"}, "_dom": Control(version=version, origin="us-east-1", **more).to_value()}


ITEMS: dict[str, Image | None] = {
    "absent": None,
    "uncontrolled": {"pk": {"S": "k"}},
    "low": item(LOW),
    "mid": item(MID),
    "mid with a nonce": item(MID, nonce="n"),
    "marked": item(MID, deleting=True),
    "high": item(HIGH),
}


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        (NotAbove("_dom", MID), {"absent", "uncontrolled", "low"}),
        (AbsentOrBelow("_dom", MID, "pk"), {"absent", "low"}),
        (Below("_dom", MID), {"low"}),
        (Marked("_dom", MID), {"marked"}),
        (SameValue("_dom", None, "pk"), {"uncontrolled"}),
        (SameValue("_dom", item(MID)["_dom"], "pk"), {"mid"}),
    ],
    ids=["not above", "absent or below", "below", "marked", "no control", "same control"],
)
def test_a_condition_holds_for_exactly_these_items(condition: Condition, holds: set[str]) -> None:
    assert {name for name, image in ITEMS.items() if condition.holds(image)} == holds


@pytest.mark.parametrize(
    ("entry", "holds"),
    [(None, True), ({}, True), ({"t": {"S": "1"}}, True), ({"t": {"S": "2"}}, False), ({"t": {"S": "3"}}, False)],
)
def test_a_ledger_entry_only_rises(entry: Image | None, holds: bool) -> None:
    assert AbsentOrLower("t", "2").holds(entry) is holds


@pytest.mark.parametrize(
    "condition",
    [
        NotAbove("_dom", MID),
        AbsentOrBelow("_dom", MID, "pk"),
        Below("_dom", MID),
        Marked("_dom", MID),
        SameValue("_dom", None, "pk"),
        SameValue("_dom", item(MID)["_dom"], "pk"),
        AbsentOrLower("t", "2"),
    ],
    ids=lambda condition: type(condition).__name__,
)
def test_an_expression_defines_each_name_and_value_that_it_uses_and_no_other(condition: Condition) -> None:
    """DynamoDB refuses a request that leaves one undefined or unused."""
    expression = condition.expression()
    used = set(re.findall(r"[#:]\w+", expression.text))
    assert used == {*expression.names, *expression.values}
