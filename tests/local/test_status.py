"""``domicile status`` on the local AWS: what it shows is what happened."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from domicile.local import api
from domicile.local.api import LocalAws
from tests.local.failures import DOWN, IRELAND, VIRGINIA, await_everywhere, fresh, operate, warm_up
from tests.local.regions import Regions, eventually


@pytest.mark.slow
def test_each_pair_has_a_lag_and_a_dead_letter_is_counted_until_it_is_redriven(
    local_aws: LocalAws, regions: Regions
) -> None:
    warm_up(regions)
    found = status(local_aws)
    assert {region["region"]: region["error"] for region in found["regions"]} == dict.fromkeys(regions.all)
    lags = {(pair["origin"], pair["destination"]): pair["lag"] for pair in found["pairs"]}
    assert set(lags) == {(one, other) for one in regions.all for other in regions.all if one != other}
    for pair, lag in lags.items():
        assert lag is not None, pair
        assert 0 < lag["p50_ms"] <= lag["p99_ms"] <= lag["max_ms"] < 600_000
    sku = fresh("dead-letter")
    with given_up_soon(regions, IRELAND):
        api.faults_add({"service": "dynamodb", "region": IRELAND, "code": DOWN})
        regions.put(VIRGINIA, "inventory", {"sku": {"S": sku}, "n": {"N": "1"}})
        eventually(lambda: dead_letters(local_aws), lambda dead: dead == {f"{IRELAND} inbox-dlq": 1}, "a dead letter")
        api.faults_clear()
    assert "inbox-dlq 1" in operate(local_aws, "status")
    operate(local_aws, "dlq", "redrive", "--yes")
    await_everywhere(regions, {sku: "1"})
    assert dead_letters(local_aws) == {}


def status(local: LocalAws) -> Any:
    return json.loads(operate(local, "status", "--json"))


def dead_letters(local: LocalAws) -> dict[str, int]:
    """Return what the status counts in the dead-letter queues, where there is something."""
    counts = {
        f"{region['region']} {role}": count
        for region in status(local)["regions"]
        for role, count in region["dead_letters"].items()
    }
    return {queue: count for queue, count in counts.items() if count}


@contextmanager
def given_up_soon(regions: Regions, region: str) -> Iterator[None]:
    """Let the inbox of a Region give a message up at its second receipt: its own limit takes a day."""
    sqs, url = regions.client("sqs", region), regions.queue_url(region, "inbox")
    policy = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])["Attributes"]["RedrivePolicy"]
    sqs.set_queue_attributes(
        QueueUrl=url, Attributes={"RedrivePolicy": json.dumps(json.loads(policy) | {"maxReceiveCount": 1})}
    )
    try:
        yield
    finally:
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": policy})
