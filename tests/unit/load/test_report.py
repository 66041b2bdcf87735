from __future__ import annotations

from pathlib import Path

import pytest

from domicile.load import chart
from domicile.load.journal import History
from domicile.load.plan import Operation, Settings
from domicile.load.report import Lag, lines, percentile, summarize, writes_per_second

SETTINGS = Settings(
    run="0123abcd", table="orders", regions=("a", "b"), items=4, mix={"put": 1}, authorities={"global": 1}
)
PLANNED = [
    Operation(0, "put", 0, "a", None),
    Operation(1, "put", 1, "b", None),
    Operation(2, "update", 0, "a", None),
    Operation(3, "put", 2, "a", None),
    Operation(4, "put", 3, "b", None),
]
# Two sessions, an hour apart, of two seconds and of one.
HISTORY = History(
    sessions=[{0: 100.0, 1: 100.5, 2: 102.0}, {3: 3700.0, 4: 3701.0}],
    lags_ms={(2, "b"): 30.0, (3, "b"): 10.4, (1, "a"): 700.0},
)


@pytest.mark.parametrize(("percent", "value"), [(0, 1), (1, 1), (50, 50), (90, 90), (99, 99), (100, 100)])
def test_percentiles_are_values_that_were_measured(percent: float, value: float) -> None:
    assert percentile(range(1, 101), percent) == value
    assert percentile([7], percent) == 7


def report(history: History, converged_s: float | None, unseen: int = 0) -> list[str]:
    measured = summarize(
        settings=SETTINGS,
        rate_wanted=2,
        planned=PLANNED,
        history=history,
        converged_s=converged_s,
        unseen=unseen,
    )
    return lines(measured, PLANNED, history)


def test_the_rate_is_that_of_the_time_in_which_the_run_wrote() -> None:
    measured = summarize(settings=SETTINGS, rate_wanted=2, planned=PLANNED, history=HISTORY, converged_s=4.04, unseen=0)
    assert (measured.writing_s, measured.rate_per_s, measured.converged_s) == (3, 1.7, 4)
    assert (measured.items, measured.writes) == (4, {"put": 4, "update": 1})
    assert measured.lags == (
        Lag(origin="a", region="b", samples=2, p50_ms=10, p90_ms=30, p99_ms=30, max_ms=30),
        Lag(origin="b", region="a", samples=1, p50_ms=700, p90_ms=700, p99_ms=700, max_ms=700),
    )
    assert writes_per_second(PLANNED, HISTORY) == {"a": [1, 0, 1, 1, 0], "b": [1, 0, 0, 0, 1]}


def test_the_lines_say_what_was_reached_and_what_was_not() -> None:
    shown = report(HISTORY, None, unseen=3)
    assert shown[:3] == [
        "run 0123abcd: 4 items in orders, written in a, b",
        "writes       4 put, 1 update in 3 s: 1.7 of 2 writes/s",
        "convergence  not reached",
    ]
    (pair,) = [line for line in shown if line.startswith("a -> b")]
    assert pair.split()[3:8] == ["2", "10", "30", "30", "30"]
    assert "3 samples were never seen" in shown


@pytest.mark.parametrize(
    "history", [HISTORY, History(), History(sessions=[{}, {0: 1.0}]), History(lags_ms={(0, "b"): 0})]
)
def test_there_is_a_report_and_a_chart_of_whatever_was_measured(history: History, tmp_path: Path) -> None:
    assert report(history, 0)
    chart.draw(tmp_path / "chart.png", "0123abcd", PLANNED, history)
    assert (tmp_path / "chart.png").read_bytes().startswith(b"\x89PNG")
