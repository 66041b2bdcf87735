"""Runs of ``domicile backfill``, over moto: refused, interrupted and gone on with."""

from __future__ import annotations

import fcntl
import json
from pathlib import Path

import pytest

from domicile.aws.store import DynamoDbStore
from domicile.backfill import session
from domicile.core.errors import TransientError
from domicile.core.writes import Write, Written
from tests.unit.backfill.tables import (
    BACK,
    EUROPE,
    FORTH,
    INDIA,
    PRIMARY,
    counted,
    dynamodb,
    fill,
    held,
    item,
    put,
)
from tests.unit.command_line import Run


def test_what_failed_goes_on_where_it_was_and_its_file_holds_no_key(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fill(*(item(f"k{n}") for n in range(12)))
    writes: list[Write] = []

    def fail_in_the_end(self: DynamoDbStore, write: Write) -> Written:
        writes.append(write)
        if len(writes) > 6:
            raise TransientError("Put: ProvisionedThroughputExceededException")
        return original(self, write)

    original = DynamoDbStore.write
    monkeypatch.setattr(session, "WORKERS", 1)
    monkeypatch.setattr(DynamoDbStore, "write", fail_in_the_end)
    code, out, err = run(*FORTH, "--yes")
    said = f"{PRIMARY}: Put: ProvisionedThroughputExceededException; --resume goes on"
    assert (code, out, err.splitlines()[-1]) == (1, "", said)
    (kept,) = (tmp_path / ".domicile" / "backfill").iterdir()
    assert kept.name == f"goods-people-{PRIMARY}.jsonl"
    text = kept.read_text()
    assert "secret" not in text
    done = sum(items for line in text.splitlines()[1:] for _, _, items in json.loads(line)["counts"])
    assert 0 < done <= 6
    kept.write_text(text + '{"segm')  # a crash cut the last line off

    monkeypatch.setattr(DynamoDbStore, "write", original)
    found = counted(run, *FORTH, "--yes", "--resume")
    assert sum(found.values()) == 12
    assert found["us-east-1 global new"] >= 12 - (6 - done), "segments that were done keep their counts"
    assert len(held("people", PRIMARY)) == 12
    assert not kept.exists()


def test_progress_of_another_map_is_not_gone_on_with(run: Run, tmp_path: Path) -> None:
    fill(item("a"))
    folder = tmp_path / ".domicile" / "backfill"
    folder.mkdir(parents=True)
    head = {"move": {"source": "shop-goods", "homes": {"EU": PRIMARY}}, "segments": 1}
    lines = [json.dumps(head), json.dumps({"segment": 0, "counts": []})]
    (folder / f"goods-people-{PRIMARY}.jsonl").write_text("\n".join(lines) + "\n")
    assert counted(run, *FORTH, "--yes", "--resume") == {"us-east-1 global new": 1}


def test_what_was_done_is_only_left_out_if_that_is_wanted(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It may have changed since, and the last pass must not miss that."""
    fill(item("a"))
    kept = tmp_path / ".domicile" / "backfill" / f"goods-people-{PRIMARY}.jsonl"
    monkeypatch.setattr(Path, "unlink", lambda self: None)
    run(*FORTH, "--yes")
    assert len(kept.read_text().splitlines()) == 1 + 4
    fill(item("a", size="L"), item("b"))
    assert counted(run, *FORTH, "--yes", "--resume", "--region", PRIMARY) == {"us-east-1 global new": 1}
    assert set(held("people", PRIMARY)) == {"a"}
    assert counted(run, *FORTH, "--yes") == {"us-east-1 global changed": 1, "us-east-1 global new": 1}


def test_two_processes_do_not_copy_one_regions_part(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / ".domicile" / "backfill"
    folder.mkdir(parents=True)
    with (folder / f"goods-people-{PRIMARY}.jsonl").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        code, out, err = run(*FORTH, "--yes")
    assert (code, out) == (2, "")
    assert err.splitlines()[-1].endswith("another process works on it; accepted: one process for a Region")


def test_a_plan_has_nothing_to_go_on_with(run: Run) -> None:
    assert run(*FORTH, "--resume") == (
        2,
        "",
        "--resume: accepted: with --yes; a plan has nothing to go on with\n",
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--from", "x", "--to", "people"), "--from x: is not in domicile.yaml; accepted: goods, people, orders"),
        (("--from", "goods", "--to", "x"), "--to x: is not in domicile.yaml; accepted: goods, people, orders"),
        (("--from", "people", "--to", "orders"), "both are localized; accepted: a native and a localized table"),
        (("--from", "goods", "--to", "orders"), "their keys differ; accepted: tables with the same keys"),
        ((*FORTH[1:], "--region", INDIA), "has nothing to copy; accepted: us-east-1, eu-west-1"),
        ((*BACK[1:], "--region", EUROPE), "has nothing to copy; accepted: us-east-1"),
        ((*FORTH[1:], "--finish"), "--finish: accepted: into a native table, and without --remove"),
        ((*BACK[1:], "--finish", "--remove"), "--finish: accepted: into a native table, and without --remove"),
        ((*BACK[1:], "--finish", "--resume"), "--finish: accepted: into a native table, and without --remove"),
    ],
)
def test_what_cannot_be_copied_is_refused(run: Run, arguments: tuple[str, ...], said: str) -> None:
    code, out, err = run("backfill", *arguments, "--yes")
    assert (code, out) == (2, "")
    assert said in err


def test_a_table_that_is_not_there_is_told_by_its_region(run: Run) -> None:
    dynamodb(EUROPE).delete_table(TableName="shop-goods")
    put("goods", item("a"))
    code, _, err = run(*FORTH, "--yes")
    assert code == 1
    assert err.splitlines()[-1] == "eu-west-1: shop-goods: DescribeTable: ResourceNotFoundException"
