from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import pytest

from domicile.core.control import Control
from domicile.core.version import Version
from domicile.errors import OperationError
from domicile.load import convergence
from domicile.load.convergence import await_all, problems
from domicile.load.plan import Operation
from domicile.load.reader import Found
from domicile.progress import progress

OPERATION = Operation(5, "update", 0, "us-east-1", "EU")
EXPECTED = {"us-east-1": "eu-west-1", "eu-west-1": None}


def found(index: int = 5, home: str | None = None, ms: int = 1) -> Found:
    return Found(index, Control(version=Version(ms, True, 1, "us-east-1"), origin="us-east-1", home=home))


RIGHT = {"us-east-1": found(home="eu-west-1"), "eu-west-1": found()}


@pytest.mark.parametrize(
    ("held", "wrong"),
    [
        ({}, []),
        ({"eu-west-1": None}, [("eu-west-1", "missing")]),
        ({"eu-west-1": found(index=4)}, [("eu-west-1", "show an earlier write")]),
        ({"eu-west-1": Found(5, None)}, [("eu-west-1", "without a version")]),
        ({"eu-west-1": found(home="us-east-1")}, [("eu-west-1", "stubs, and should be whole")]),
        ({"us-east-1": found()}, [("us-east-1", "whole, and should be stubs")]),
        ({"us-east-1": found(home="ap-south-1")}, [("us-east-1", "whole, and should be stubs")]),
        ({"eu-west-1": found(ms=2)}, [("us-east-1", "of an earlier version")]),
        ({"cn-north-1": found(home="eu-west-1")}, [("cn-north-1", "there, and should not be")]),
    ],
)
def test_what_differs_from_what_should_be_is_named(held: Any, wrong: list[tuple[str, str]]) -> None:
    images = {region: item for region, item in {**RIGHT, **held}.items() if item}
    assert list(problems(OPERATION, EXPECTED, images)) == wrong


class Regions:
    """A reader of two Regions, the second of which has the items from its third reading on."""

    regions = ("us-east-1", "eu-west-1")

    def __init__(self, first_time: int) -> None:
        self.times = 0
        self._first_time = first_time

    def read_everywhere(self, numbers: Sequence[int]) -> dict[str, dict[int, Found]]:
        self.times += 1
        there = {number: found() for number in numbers}
        return {"us-east-1": there, "eu-west-1": there if self.times >= self._first_time else {}}


def wait(regions: Any, deadline_s: float) -> float:
    last = {item: Operation(5, "put", item, "us-east-1", None) for item in range(3)}
    both = dict.fromkeys(Regions.regions)
    with progress(io.StringIO()).step("Wait") as step:
        return await_all(last, lambda _: both, regions, deadline_s, step)


def test_it_waits_until_the_last_region_has_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convergence, "_PAUSE_S", 0.01)
    regions = Regions(first_time=3)
    assert wait(regions, 60) < 60
    assert regions.times == 3


def test_at_the_deadline_it_says_what_is_wrong_where() -> None:
    with pytest.raises(
        OperationError, match=r"at the deadline 3 items are not as they should be: eu-west-1: 3 missing$"
    ):
        wait(Regions(first_time=3), 0)
