"""``domicile simulate``: what it prints, and how it fails."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from domicile.cli.main import app
from domicile.errors import OperationError, UserError
from domicile.pipeline.apply import Applier
from domicile.simulator.faults import Faults
from domicile.simulator.history import CANARY


def simulate(*options: str) -> Result:
    return CliRunner().invoke(app, ["simulate", "--jobs", "1", *options])


def test_it_counts_the_schedules() -> None:
    result = simulate("--seeds", "100..120")
    assert (result.exit_code, result.stdout) == (0, "20 schedules, 0 failed\n")


def test_two_partitions_have_four_regions_if_nothing_is_said() -> None:
    result = simulate("--seeds", "5", "--partitions", "2")
    assert (result.exit_code, result.stdout) == (0, "5 schedules, 0 failed\n")
    assert "schedules of 4 Regions" in result.stderr
    assert "cn-northwest-1 application: " in simulate("--seed", "1", "--partitions", "2", "--trace").stdout


def test_a_failing_seed_is_named_with_the_command_that_replays_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Applier, "honour_tombstone", lambda *_: None)
    many = simulate("--seeds", "60", "--regions", "2")
    assert isinstance(many.exception, OperationError)
    first, command = many.stdout.splitlines()[1:3]
    problem = first.partition(": ")[2]
    assert command.startswith("  domicile simulate --seed ")
    one = simulate(*command.split()[2:])
    assert isinstance(one.exception, OperationError)
    assert problem in one.stdout.splitlines()


def test_a_trace_shows_what_happens_and_no_value() -> None:
    result = simulate("--seed", "3", "--trace")
    assert "application: " in result.stdout
    assert "replicator: " in result.stdout
    assert result.stdout.endswith("seed 3: every promise was kept\n")
    assert not CANARY.search(result.stdout)


def test_faults_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "faults.json"
    path.write_text(json.dumps({"crash": 0, "keys": 1, "directory": "origin"}))
    assert Faults.load(path) == Faults(crash=0, keys=1, directory="origin")
    assert simulate("--seeds", "5", "--faults", str(path)).exit_code == 0


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("nonsense", "cannot be read as JSON"),
        ("[]", "must be an object"),
        ('{"crashes": 1}', "crashes: unknown key; accepted: plain_writers, "),
        ('{"crash": "often"}', "crash: accepted: a probability"),
        ('{"crash": 2}', "crash: accepted: a probability"),
        ('{"keys": 0}', "keys: accepted: 1 to 9"),
        ('{"keys": true}', "keys: accepted: 1 to 9"),
        ('{"delay_ms_max": 0}', "delay_ms_max: accepted: an integer above 0"),
        ('{"directory": "nowhere"}', "directory: accepted: everywhere, origin"),
    ],
)
def test_a_wrong_file_is_refused_with_what_is_accepted(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "faults.json"
    path.write_text(text)
    result = simulate("--faults", str(path))
    assert isinstance(result.exception, UserError)
    assert str(result.exception).startswith(f"{path}: ")
    assert problem in str(result.exception)


@pytest.mark.parametrize("options", [["--seeds", "0"], ["--seeds", "5..5"], ["--seeds", "many"], ["--trace"]])
def test_wrong_options_are_refused(options: list[str]) -> None:
    assert isinstance(simulate(*options).exception, UserError)
