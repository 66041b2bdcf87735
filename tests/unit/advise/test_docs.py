"""The guide's table of calls is the model's."""

from __future__ import annotations

from dataclasses import astuple
from pathlib import Path

import pytest

from domicile.advise.calls import Change, Kind, Layout, Placement, parts

GUIDE = Path(__file__).parents[3] / "docs" / "advice.md"
OTHERS = 3


def rows() -> dict[str, list[list[str]]]:
    """The rows of the table by change; those without a change belong to the one above."""
    found: dict[str, list[list[str]]] = {}
    text = GUIDE.read_text(encoding="utf-8").partition("| change | where |")[2]
    for line in text.splitlines()[2:]:
        if not line.startswith("|"):
            break
        change, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        found.setdefault(change or list(found)[-1], []).append(cells)
    return found


def number(cell: str) -> int:
    return int({"": "0", "n": str(OTHERS), "n-1": str(OTHERS - 1)}.get(cell, cell))


@pytest.mark.parametrize(("change", "lines"), rows().items())
def test_the_guide_counts_what_the_model_counts(change: str, lines: list[list[str]]) -> None:
    kind, placement = change.split(", ")
    modelled = parts(Change(Kind(kind), Placement(placement)), Layout(regions=OTHERS + 1))
    wheres = [line[0].split() for line in lines]
    assert [(part.role, part.regions) for part in modelled] == [(role, number(count)) for role, _, count in wheres]
    assert [list(astuple(part.calls)) for part in modelled] == [[number(cell) for cell in line[1:]] for line in lines]


def test_the_guide_names_each_change_of_plain_code() -> None:
    assert len(rows()) == 6
