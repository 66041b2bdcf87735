"""The commands ``quarantine`` and ``dead-letters``: plans, questions, exit codes. What they do has tests of its own."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from domicile.aws.quarantine import SqsQuarantine
from domicile.cli.main import main

REGIONS = ("us-east-1", "eu-west-1")
DEPLOYMENT = """
name: shopease
regions: [us-east-1, eu-west-1]
authorities: {EU: eu-west-1}
tables: {orders: {hash_key: {name: pk, type: S}}}
"""
CHANGE = {"table": "shopease-orders", "key": {"pk": {"S": "k-1"}}, "image": {"name": {"S": "secret"}}}
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Run]:
    """Run the command line on two Regions that have all queues, and return exit code and output."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setattr("domicile.quarantine.WAIT_S", 0)
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    (tmp_path / "domicile.yaml").write_text(DEPLOYMENT)
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["domicile", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        assert isinstance(ended.value.code, int)
        return ended.value.code, *capsys.readouterr()

    with mock_aws():
        for region in REGIONS:
            for role in ("quarantine", "inbox", "inbox-dlq", "receipts-dlq", "bus-dlq", "stream-dlq"):
                sqs(region).create_queue(QueueName=f"shopease-{role}")
        yield call


def sqs(region: str) -> Any:
    return boto3.client("sqs", region_name=region)


def keep(region: str, reason: str) -> None:
    SqsQuarantine(sqs(region), url(region, "quarantine")).put(reason, "replicator", CHANGE)


def url(region: str, role: str) -> str:
    return str(sqs(region).get_queue_url(QueueName=f"shopease-{role}")["QueueUrl"])


def visible(region: str, role: str) -> int:
    name = "ApproximateNumberOfMessages"
    return int(sqs(region).get_queue_attributes(QueueUrl=url(region, role), AttributeNames=[name])["Attributes"][name])


def test_empty_queues_are_said_to_be_empty(run: Run) -> None:
    assert run("quarantine", "list") == (0, "the quarantines are empty\n", "")
    assert run("quarantine", "redrive") == (0, "nothing to do\n", "")
    assert run("dead-letters", "list") == (0, "the dead-letter queues are empty\n", "")
    assert run("dead-letters", "redrive") == (0, "nothing to do\n", "")


def test_the_list_has_no_values_and_leaves_the_records(run: Run) -> None:
    keep("eu-west-1", "unknown_table")
    code, out, _ = run("quarantine", "list")
    assert code == 0
    assert out.startswith("eu-west-1  unknown_table  replicator  shopease-orders  1 records of 1 keys  oldest ")
    code, out, _ = run("quarantine", "list", "--json")
    (group,) = json.loads(out)
    assert group.pop("oldest_age_s") < 60
    assert group == {
        "region": "eu-west-1",
        "reason": "unknown_table",
        "step": "replicator",
        "table": "shopease-orders",
        "records": 1,
        "keys": 1,
    }
    assert "secret" not in out
    assert "k-1" not in out
    assert visible("eu-west-1", "quarantine") == 1


def test_a_dry_run_shows_the_plan_and_changes_nothing(run: Run) -> None:
    keep("eu-west-1", "unknown_table")
    code, out, err = run("quarantine", "redrive", "--dry-run")
    plan = "eu-west-1  unknown_table  replicator  shopease-orders  1 records of 1 keys  hand back\n"
    assert (code, out, err) == (0, plan, "")
    assert (visible("eu-west-1", "quarantine"), visible("eu-west-1", "inbox")) == (1, 0)


def test_nothing_is_done_without_a_yes(run: Run) -> None:
    keep("eu-west-1", "unknown_table")
    code, _, _ = run("quarantine", "discard")
    assert code == 1, "nobody was there to answer"
    assert visible("eu-west-1", "quarantine") == 1


def test_redrive_hands_back_and_discard_deletes_what_was_chosen(run: Run) -> None:
    keep("eu-west-1", "unknown_table")
    keep("eu-west-1", "other")
    keep("us-east-1", "unknown_table")
    code, out, _ = run("quarantine", "redrive", "--yes", "--region", "eu-west-1", "--reason", "unknown_table")
    assert (code, out.splitlines()[-1]) == (0, "done: 1 of 1 records")
    assert {(r, q): visible(r, q) for r in REGIONS for q in ("quarantine", "inbox")} == {
        ("us-east-1", "quarantine"): 1,
        ("us-east-1", "inbox"): 0,
        ("eu-west-1", "quarantine"): 1,
        ("eu-west-1", "inbox"): 1,
    }
    code, out, _ = run("quarantine", "discard", "--yes")
    assert (code, out.splitlines()[-1]) == (0, "done: 2 of 2 records")
    assert [visible(region, "quarantine") for region in REGIONS] == [0, 0]


def test_what_can_not_be_handed_back_stays_and_the_exit_code_says_so(run: Run) -> None:
    keep("eu-west-1", "stub_write")
    keep("eu-west-1", "unknown_table")
    code, out, err = run("quarantine", "redrive", "--yes")
    assert code == 1
    assert out.splitlines()[-1] == "done: 1 of 2 records"
    assert "repeat the write in the item's home Region" in err
    assert (visible("eu-west-1", "quarantine"), visible("eu-west-1", "inbox")) == (1, 1)


def test_a_region_that_the_deployment_does_not_have_is_refused(run: Run) -> None:
    code, out, err = run("quarantine", "list", "--region", "eu-north-1")
    assert (code, out) == (2, "")
    assert err == "--region eu-north-1: is not in domicile.yaml; accepted: us-east-1, eu-west-1\n"


def test_dead_letters_are_listed_and_a_stream_s_are_kept(run: Run) -> None:
    sqs("us-east-1").send_message(QueueUrl=url("us-east-1", "stream-dlq"), MessageBody="{}")
    assert run("dead-letters", "list") == (0, "us-east-1  stream-dlq  1 messages\n", "")
    assert json.loads(run("dead-letters", "list", "--json")[1]) == [
        {"region": "us-east-1", "queue": "stream-dlq", "messages": 1}
    ]
    code, out, _ = run("dead-letters", "redrive", "--dry-run")
    assert code == 0
    assert "keep: its messages only name records" in out
    code, _, err = run("dead-letters", "redrive", "--yes")
    assert code == 1
    assert "can't be brought back" in err
    assert visible("us-east-1", "stream-dlq") == 1
