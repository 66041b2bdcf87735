"""The commands ``quarantine`` and ``dlq``: plans, JSON, what is shown, exit codes. What they do is tested apart."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from domicile.aws.quarantine import SqsQuarantine
from tests.unit.command_line import Run, command_line

REGIONS = ("us-east-1", "eu-west-1")
DEPLOYMENT = """
name: shopease
regions: [us-east-1, eu-west-1]
authorities: {EU: eu-west-1}
tables: {orders: {hash_key: {name: pk, type: S}}}
"""
VERSION = "001766361600000-0000001-us-east-1"
CHANGE = {
    "table": "shopease-orders",
    "key": {"pk": {"S": "k-1"}},
    "version": VERSION,
    "image": {"pk": {"S": "k-1"}, "name": {"S": "secret"}},
}


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Run]:
    """Run the command line on two Regions that have all queues, and return exit code and output."""
    monkeypatch.setattr("domicile.queues.WAIT_S", 0)
    call = command_line(DEPLOYMENT, tmp_path, monkeypatch, capsys)
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
    assert run("dlq", "list") == (0, "the dead-letter queues are empty\n", "")
    assert run("dlq", "redrive") == (0, "nothing to do\n", "")


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


def test_a_count_that_may_not_be_all_says_so(run: Run) -> None:
    keep("eu-west-1", "unknown_table")
    keep("eu-west-1", "record_invalid")
    code, _, err = run("quarantine", "list", "--limit", "1")
    assert (code, err) == (0, "eu-west-1: no more than 1 messages were looked at; --limit takes more\n")


def test_the_version_is_printed(run: Run) -> None:
    assert run("--version") == (0, f"{metadata.version('domicile')}\n", "")


def test_show_tells_what_a_record_is_about_without_a_key_or_a_value(run: Run) -> None:
    keep("eu-west-1", "unknown_table")
    keep("us-east-1", "other")
    code, out, err = run("quarantine", "show", "--reason", "unknown_table")
    assert (code, err) == (0, "")
    assert re.fullmatch(
        r"eu-west-1  [0-9a-f]{32}  unknown_table  replicator  shopease-orders  1 keys  attributes name, pk"
        rf"  version {VERSION}  \d+ s old\n",
        out,
    )
    code, out, err = run("quarantine", "show", "--json", "--region", "eu-west-1")
    (one,) = json.loads(out)
    assert one.pop("age_s") < 60
    assert one.pop("id") in run("quarantine", "show", "--region", "eu-west-1")[1]
    assert one == {
        "region": "eu-west-1",
        "reason": "unknown_table",
        "step": "replicator",
        "tables": ["shopease-orders"],
        "keys": 1,
        "attributes": ["name", "pk"],
        "versions": [VERSION],
    }
    assert visible("eu-west-1", "quarantine") == 1


@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_values_are_revealed_on_request_from_one_region_and_on_stdout_alone(run: Run, as_json: list[str]) -> None:
    keep("eu-west-1", "unknown_table")
    keep("us-east-1", "unknown_table")
    code, out, err = run("quarantine", "show", "--reveal", *as_json)
    assert (code, out) == (2, "")
    assert err == "--reveal: needs --region, the one that holds the values; accepted: us-east-1, eu-west-1\n"
    code, out, err = run("quarantine", "show", "--reveal", "--region", "eu-west-1", *as_json)
    assert (code, err) == (0, "")
    assert out.count("secret") == 1
    assert out.count("unknown_table") == 1, "the other Region's record is not read"
    if as_json:
        assert [one["record"] for one in json.loads(out)] == [CHANGE]


def test_one_record_is_shown_by_its_id(run: Run) -> None:
    keep("eu-west-1", "unknown_table")
    keep("eu-west-1", "record_invalid")
    found = [one["id"] for one in json.loads(run("quarantine", "show", "--json")[1])]
    assert len(found) == 2
    shown = json.loads(run("quarantine", "show", "--json", "--id", found[1])[1])
    assert [one["id"] for one in shown] == [found[1]]
    assert run("quarantine", "show", "--id", "other") == (0, "there is no such record\n", "")


@pytest.mark.parametrize(("command", "action"), [("redrive", "hand back"), ("discard", "delete")])
def test_without_a_yes_the_plan_is_shown_and_nothing_changes(run: Run, command: str, action: str) -> None:
    keep("eu-west-1", "unknown_table")
    code, out, err = run("quarantine", command)
    plan = f"eu-west-1  unknown_table  replicator  shopease-orders  1 records of 1 keys  {action}"
    assert (code, out.splitlines(), err) == (0, [plan, "nothing was changed; --yes carries the plan out"], "")
    code, out, err = run("quarantine", command, "--json")
    answer = json.loads(out)
    assert [(group["records"], group["action"]) for group in answer.pop("plan")] == [(1, action)]
    assert (code, answer, err) == (0, {"done": 0, "problems": []}, "")
    assert (visible("eu-west-1", "quarantine"), visible("eu-west-1", "inbox")) == (1, 0)


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


def test_json_tells_what_was_done_and_what_was_not(run: Run) -> None:
    keep("eu-west-1", "stub_write")
    keep("eu-west-1", "unknown_table")
    code, out, err = run("quarantine", "redrive", "--yes", "--json")
    answer = json.loads(out)
    assert [group["action"].partition(":")[0] for group in answer["plan"]] == ["keep", "hand back"]
    assert (code, answer["done"], len(answer["problems"])) == (1, 1, 1)
    assert err == f"{answer['problems'][0]}\n"
    assert "secret" not in out + err


def test_a_service_that_refuses_ends_it_and_what_was_done_before_is_said(run: Run) -> None:
    keep("us-east-1", "unknown_table")
    keep("eu-west-1", "unknown_table")
    sqs("eu-west-1").delete_queue(QueueUrl=url("eu-west-1", "inbox"))
    code, out, err = run("quarantine", "redrive", "--yes", "--json")
    assert (code, json.loads(out)["done"]) == (1, 1)
    assert err.startswith("eu-west-1: the record was not handed back, and is kept: ")
    assert [visible(region, "quarantine") for region in REGIONS] == [0, 1]


def test_a_region_that_the_deployment_does_not_have_is_refused(run: Run) -> None:
    code, out, err = run("quarantine", "list", "--region", "eu-north-1")
    assert (code, out) == (2, "")
    assert err == "--region eu-north-1: is not in domicile.yaml; accepted: us-east-1, eu-west-1\n"


def test_dead_letters_are_listed_and_a_stream_s_are_kept(run: Run) -> None:
    sqs("us-east-1").send_message(QueueUrl=url("us-east-1", "stream-dlq"), MessageBody="{}")
    assert run("dlq", "list") == (0, "us-east-1  stream-dlq  1 messages\n", "")
    assert json.loads(run("dlq", "list", "--json")[1]) == [
        {"region": "us-east-1", "queue": "stream-dlq", "messages": 1}
    ]
    code, out, _ = run("dlq", "redrive")
    assert code == 0
    assert "keep: its messages only name records" in out
    assert out.splitlines()[-1] == "nothing was changed; --yes carries the plan out"
    code, _, err = run("dlq", "redrive", "--yes")
    assert code == 1
    assert err.startswith("us-east-1: stream-dlq: its messages only name records")
    assert visible("us-east-1", "stream-dlq") == 1


def test_events_that_a_bus_gave_up_are_planned_and_brought_back(run: Run) -> None:
    boto3.client("events", region_name="eu-west-1").create_event_bus(Name="shopease")
    event = {"source": "domicile", "detail-type": "changes", "detail": {"changes": [CHANGE]}}
    sqs("eu-west-1").send_message(QueueUrl=url("eu-west-1", "bus-dlq"), MessageBody=json.dumps(event))
    sqs("us-east-1").send_message(QueueUrl=url("us-east-1", "stream-dlq"), MessageBody="{}")
    code, out, _ = run("dlq", "redrive", "--json")
    answer = json.loads(out)
    bus = {"region": "eu-west-1", "queue": "bus-dlq", "messages": 1, "action": "bring back"}
    assert (code, bus in answer["plan"], answer["done"]) == (0, True, [])
    assert visible("eu-west-1", "bus-dlq") == 1
    code, out, err = run("dlq", "redrive", "--yes", "--json")
    answer = json.loads(out)
    assert (code, len(answer["problems"])) == (1, 1), "the stream's can't be, which holds up no other"
    assert answer["done"] == [{"region": "eu-west-1", "queue": "bus-dlq", "result": "1 events are on the bus again"}]
    assert visible("eu-west-1", "bus-dlq") == 0
    assert "secret" not in out + err
