from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from domicile.errors import UserError
from domicile.load import journal
from domicile.load.plan import Settings

RUN = "0123abcd"
SETTINGS = Settings(run=RUN, table="orders", regions=("a", "b"), items=9, mix={"put": 1}, authorities={"global": 1})
DEPLOYMENT = {"name": "shop"}


def deployment_of(table: str) -> Any:
    return DEPLOYMENT if table == "orders" else None


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a run of which two operations are done and one was seen."""
    with journal.create(tmp_path / "load", SETTINGS, 20.5, DEPLOYMENT) as kept:
        kept.begin_session()
        kept.written(0)
        kept.written(2)
        kept.seen(0, "b", 12.4)
    return tmp_path / "load"


def test_what_was_done_is_there_after_a_crash_and_a_cut_off_line_is_not(folder: Path) -> None:
    path = journal.path_of(folder, RUN)
    path.write_text(path.read_text() + '{"op": 3, "a')
    for count in (2, 3):
        with journal.resume(folder, RUN, deployment_of, "--resume") as kept:
            assert (kept.settings, kept.rate) == (SETTINGS, 20.5)
            assert kept.history.lags_ms == {(0, "b"): 12}
            assert len(kept.history.written) == count
            kept.begin_session()
            kept.written(3)
    assert [set(session) for session in kept.history.sessions] == [{0, 2}, {3}, {3}]


@pytest.mark.parametrize("run", ["4567abcd", "../0123abcd", ""])
def test_a_run_that_is_not_there_is_refused_with_those_that_are(folder: Path, run: str) -> None:
    with pytest.raises(UserError, match=f"accepted: {RUN}"), journal.resume(folder, run, deployment_of, "--resume"):
        pass


@pytest.mark.parametrize("begun", ["", '{"settings": {"run'])
def test_a_run_that_was_cut_off_before_it_began_is_refused_and_left_alone(folder: Path, begun: str) -> None:
    path = journal.path_of(folder, RUN)
    path.write_text(begun)
    with (
        pytest.raises(UserError, match=f"--remove {RUN}: it never began; accepted: .* delete {path}"),
        journal.resume(folder, RUN, deployment_of, "--remove"),
    ):
        pass
    assert path.read_text() == begun


def test_a_run_of_another_deployment_is_refused(folder: Path) -> None:
    with (
        pytest.raises(UserError, match="accepted: the deployment file as it was"),
        journal.resume(folder, RUN, lambda _: {"name": "other"}, "--resume"),
    ):
        pass


def test_a_run_takes_one_process_at_a_time(folder: Path) -> None:
    with (
        journal.resume(folder, RUN, deployment_of, "--resume"),
        pytest.raises(UserError, match="another process works on it"),
        journal.resume(folder, RUN, deployment_of, "--resume"),
    ):
        pass
