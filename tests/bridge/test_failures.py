"""The link down, slow and lossy, keys that are revoked or rotated, poison, and dying functions: nothing is lost."""

from __future__ import annotations

import base64
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domicile.core.control import Image
from domicile.local import api
from tests.bridge.sides import (
    BEIJING,
    GATEWAYS,
    IRELAND,
    NAME,
    NINGXIA,
    POISON,
    SINGAPORE,
    Sides,
    await_images,
    cut,
    link_fault,
)
from tests.local.failures import Load, await_everywhere, await_hits, crash_functions, fresh, hits, soon_redelivered
from tests.local.regions import eventually, text

pytestmark = pytest.mark.slow


def test_a_link_that_is_cut_under_load_catches_up(sides: Sides) -> None:
    load = Load(sides, fresh("cut"), pause_s=0.05)
    with load.running(), cut(BEIJING):
        eventually(lambda: sides.backlog(SINGAPORE), lambda n: n > 5, "a backlog")
        (direction,) = [found for found in directions(sides) if found["receiver"] == BEIJING]
        assert direction["outbox"]["waiting"] + direction["outbox"]["in_flight"] > 0
        # The other direction, and both sides by themselves, go on.
        other: Image = {"sku": {"S": fresh("meanwhile")}}
        sides.put(NINGXIA, "inventory", {**other, "n": {"N": "1"}})
        await_images(sides, "inventory", other, dict.fromkeys(sides.all, "full"))
    load.await_convergence()
    assert sides.dead_letters() == {}
    said = ("sent", "sent_bytes", "received", "received_bytes", "lag", "last_crossing")
    found = eventually(
        lambda: directions(sides), lambda found: all(one[name] for one in found for name in said), "what crossed"
    )
    assert {one["receiver"] for one in found} == set(GATEWAYS)
    for one in found:
        assert 0 < one["lag"]["p50_ms"] <= one["lag"]["p99_ms"] <= one["lag"]["max_ms"] < 600_000
        assert datetime.now(UTC) - datetime.fromisoformat(one["last_crossing"]) < timedelta(minutes=10)


def directions(sides: Sides) -> list[dict[str, Any]]:
    """Return what ``status`` says of each direction of the bridge."""
    found: list[dict[str, Any]] = json.loads(sides.operate("status", "--json"))["bridges"]
    return found


@pytest.mark.parametrize(
    "rule",
    [
        {"code": "ProvisionedThroughputExceededException", "partial": True, "probability": 0.4},
        {"code": "ProvisionedThroughputExceededException", "status": 400, "probability": 0.5},
        {"latency_ms": 400},
    ],
    ids=["partly throttled", "throttled", "slow"],
)
def test_a_stream_that_does_not_take_everything_gets_it_again(sides: Sides, rule: dict[str, Any]) -> None:
    load = Load(sides, fresh("throttled"), pause_s=0.1)
    with load.running(), link_fault(BEIJING, **rule), link_fault(SINGAPORE, **rule):
        await_hits(10)
    load.await_convergence()


def test_records_whose_answer_was_lost_cross_again_and_change_nothing(sides: Sides) -> None:
    run = fresh("answer-lost")
    load = Load(sides, run, pause_s=0.1)
    lossy = {"status": 503, "answer_lost": True, "probability": 0.5}
    with load.running(), link_fault(BEIJING, **lossy), link_fault(SINGAPORE, **lossy):
        await_hits(20)
        lost = hits()
    load.await_convergence()
    crossed = [text([one.fields, one.destination]) for receiver in GATEWAYS for one in sides.crossed(receiver)]
    of_run = [one for one in crossed if run in one]
    assert len(of_run) - len(set(of_run)) >= lost, "what was sent again is there again"


def test_functions_that_die_at_work_lose_nothing_and_apply_nothing_twice(sides: Sides) -> None:
    load = Load(sides, fresh("dying"), pause_s=0.1)
    with soon_redelivered(sides):
        with load.running():
            until = time.monotonic() + 6
            eventually(crash_functions, lambda _: time.monotonic() > until, "six seconds of crashes")
        load.await_convergence()


def test_poison_in_the_stream_is_quarantined_and_holds_nothing_up(sides: Sides) -> None:
    kinesis = sides.client("kinesis", BEIJING)
    kinesis.put_record(StreamName=f"{NAME}-from-{SINGAPORE}", Data=POISON, PartitionKey="p")
    key: Image = {"sku": {"S": fresh("after-poison")}}
    sides.put(IRELAND, "inventory", {**key, "n": {"N": "1"}})
    await_images(sides, "inventory", key, dict.fromkeys(sides.all, "full"))
    (poison,) = eventually(lambda: sides.quarantined(BEIJING), bool, "the poison in the quarantine")
    assert base64.b64decode(poison["kinesis"]["data"]) == POISON


def key_ids(sides: Sides, receiver: str) -> dict[str, str]:
    """Return the status of each access key of a direction's user."""
    user = f"{NAME}-courier-{GATEWAYS[receiver]}"
    keys = sides.client("iam", receiver).list_access_keys(UserName=user)["AccessKeyMetadata"]
    return {key["AccessKeyId"]: key["Status"] for key in keys}


def test_keys_are_rotated_under_load(sides: Sides) -> None:
    load = Load(sides, fresh("rotated"), pause_s=0.05)
    before = {receiver: key_ids(sides, receiver) for receiver in GATEWAYS}
    with load.running():
        for step in (["rotate"], ["rotate"], ["rotate", "--delete"]):
            sides.operate("bridge", "credentials", *step, "--yes")
            key: Image = {"sku": {"S": fresh("step")}}
            sides.put(IRELAND, "inventory", {**key, "n": {"N": "1"}})
            await_images(sides, "inventory", key, dict.fromkeys(sides.all, "full"))
    load.await_convergence()
    for receiver in GATEWAYS:
        after = key_ids(sides, receiver)
        assert list(after.values()) == ["Active"]
        assert not set(after) & set(before[receiver])
    sides.operate("bridge", "credentials", "check")


def test_a_revoked_key_holds_the_outbox_until_there_is_a_new_one(sides: Sides) -> None:
    (revoked,) = key_ids(sides, BEIJING)
    user, iam = f"{NAME}-courier-{SINGAPORE}", sides.client("iam", BEIJING)
    iam.update_access_key(UserName=user, AccessKeyId=revoked, Status="Inactive")
    sku = fresh("revoked")
    sides.put(IRELAND, "inventory", {"sku": {"S": sku}, "n": {"N": "1"}})
    eventually(lambda: sides.get(SINGAPORE, "inventory", {"sku": {"S": sku}}), bool, "this side goes on")
    eventually(lambda: sides.backlog(SINGAPORE), bool, "a backlog")
    assert sides.get(BEIJING, "inventory", {"sku": {"S": sku}}) is None
    sides.operate("bridge", "credentials", "check", code=1)
    iam.delete_access_key(UserName=user, AccessKeyId=revoked)
    sides.operate("bridge", "credentials", "rotate", "--yes")
    await_everywhere(sides, {sku: "1"})


def test_dead_letters_of_the_outbox_go_back_to_work(sides: Sides) -> None:
    sqs, url = sides.client("sqs", SINGAPORE), sides.queue_url(SINGAPORE, "outbox")
    read = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])["Attributes"]
    sqs.set_queue_attributes(
        QueueUrl=url,
        Attributes={"RedrivePolicy": json.dumps(json.loads(read["RedrivePolicy"]) | {"maxReceiveCount": 1})},
    )
    sku = fresh("dead")
    try:
        with cut(BEIJING):
            sides.put(IRELAND, "inventory", {"sku": {"S": sku}, "n": {"N": "1"}})
            eventually(sides.dead_letters, lambda dead: f"{SINGAPORE} outbox-dlq" in dead, "a dead letter")
    finally:
        sqs.set_queue_attributes(QueueUrl=url, Attributes=read)
    assert api.faults_list() == []
    sides.operate("dlq", "redrive", "--yes")
    await_everywhere(sides, {sku: "1"})
