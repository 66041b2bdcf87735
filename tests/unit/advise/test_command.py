"""The command: what it prints, and what it refuses."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest

from tests.unit.command_line import Run, command_line

DEPLOYMENT = """
name: shopease
regions: [us-east-1, eu-west-1]
authorities: {EU: eu-west-1}
tables:
  catalogue: {hash_key: {name: sku, type: S}}
  customers: {hash_key: {name: id, type: S}, sensitive: {email: redact}}
"""


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    return partial(command_line(DEPLOYMENT, tmp_path, monkeypatch, capsys), "advise")


def test_it_says_what_each_table_should_be_and_why(run: Run) -> None:
    code, out, _ = run()
    assert code == 0
    assert "catalogue: native eventual, " in out
    assert "customers: localized, " in out
    assert "it has sensitive attributes (email)" in out
    assert "EventBridge events" in out
    assert "Not counted:" in out


def test_json_has_the_same_with_the_numbers_and_their_sources(run: Run) -> None:
    code, out, _ = run("--json", "--table", "customers", "--writes-per-second", "100")
    assert code == 0
    document = json.loads(out)
    assert list(document["tables"]) == ["customers"]
    table = document["tables"]["customers"]
    assert (table["replication"], table["consistency"]) == ("localized", None)
    assert table["workload"]["localized_share"] == 0.5
    assert table["cost"]["native eventual"]["excluded_by"] == ["residency"]
    assert table["cost"]["localized"]["usd_per_month"] > 0
    assert document["prices"]["read_on"]


def test_json_spells_a_choice_as_the_deployment_file_does(run: Run) -> None:
    _, out, _ = run("--json", "--table", "catalogue")
    table = json.loads(out)["tables"]["catalogue"]
    assert (table["replication"], table["consistency"]) == ("native", "eventual")


def test_a_share_that_is_given_is_taken(run: Run) -> None:
    _, out, _ = run("--json", "--table", "customers", "--localized-share", "1", "--stamped-share", "0.25")
    load = json.loads(out)["tables"]["customers"]["workload"]
    assert (load["localized_share"], load["stamped_share"]) == (1, 0.25)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--table", "orders"], "--table orders: is not in domicile.yaml; accepted: catalogue, customers"),
        (["--insert-share", "0.8", "--delete-share", "0.3"], "accepted: shares that are at most 1 together"),
        (["--packing", "0"], "greater than or equal to 1"),
        (["--localized-share", "2"], "less than or equal to 1"),
    ],
)
def test_bad_input_is_refused_with_what_is_accepted(run: Run, arguments: list[str], said: str) -> None:
    code, _, err = run(*arguments)
    assert code == 2
    assert said in " ".join(err.replace("│", " ").split())
