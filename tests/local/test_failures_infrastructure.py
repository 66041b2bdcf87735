"""Whatever fails around the functions, every write arrives: tables, sandboxes, buses, deliveries, releases."""

from __future__ import annotations

import io
import json
import random
import time
import zipfile
from typing import Any
from urllib.request import urlopen

import pytest

from domicile.core.control import Image
from domicile.local import api
from tests.local.failures import (
    IRELAND,
    MUMBAI,
    NAME,
    VIRGINIA,
    Load,
    await_everywhere,
    await_hits,
    await_quiet,
    crash_functions,
    drain,
    fresh,
    hits,
    soon_redelivered,
    stream_records,
    tapped,
)
from tests.local.regions import CONTROL, Regions, eventually


def test_a_table_that_throttles_in_the_destination_catches_up(regions: Regions) -> None:
    load = Load(regions, fresh("throttled"))
    throttled = {"service": "dynamodb", "region": IRELAND, "code": "ThrottlingException", "probability": 0.7}
    sku = fresh("throttled-once")
    with load.running():
        for operation in ("GetItem", "UpdateItem"):
            api.faults_add({**throttled, "operation": operation})
        regions.put(VIRGINIA, "inventory", {"sku": {"S": sku}, "n": {"N": "1"}})
        await_hits(30)
        # While the load goes on: a writer in Ireland whose SDK waits would hold up its end.
        api.faults_clear()
    load.await_convergence()
    await_everywhere(regions, {sku: "1"})


@pytest.mark.slow
def test_functions_that_die_in_the_middle_of_their_batches_lose_nothing(regions: Regions) -> None:
    load = Load(regions, fresh("crash"))
    with soon_redelivered(regions):
        with load.running():
            # Every effect takes a while, so that whoever is killed is between two of them.
            api.faults_add({"service": "dynamodb", "operation": "UpdateItem", "latency_ms": 60})
            for _ in range(4):
                taken = hits()
                await_hits(taken + 20)
                assert crash_functions() > 0
        api.faults_clear()
        load.await_convergence()
        await_quiet(regions)


def test_events_that_the_bus_refuses_one_by_one_are_sent_again(regions: Regions) -> None:
    load = Load(regions, fresh("refused"))
    rule = {"service": "events", "operation": "PutEvents", "code": "ThrottlingException", "partial": True}
    with load.running():
        api.faults_add({**rule, "probability": 0.6})
        await_hits(30)
    api.faults_clear()
    load.await_convergence()


def test_everything_delivered_again_changes_nothing(regions: Regions) -> None:
    ended = fresh("ended")
    keys: list[tuple[str, Image]] = [("customers", {"customer_id": {"S": f"again-{n}-{ended}"}}) for n in range(4)]
    with tapped(regions) as taps:
        for (table, key), authority in zip(keys, ("EU", "IN", "EU", None), strict=True):
            item: Image = {**key, "name": {"S": "raw"}}
            regions.put(VIRGINIA, table, {**item, "localization_authority": {"S": authority}} if authority else item)
        for table, key in keys:
            regions.await_version(table, key, lambda _: True)
        regions.update(IRELAND, "customers", keys[0][1], "tier", {"S": "gold"})
        regions.update(IRELAND, "customers", keys[2][1], "localization_authority", {"S": "IN"})
        regions.delete(MUMBAI, "customers", keys[1][1])
        regions.await_absence("customers", keys[1][1])
        regions.await_version("customers", keys[0][1], lambda image: image.get("tier") == {"S": "gold"})
        eventually(
            lambda: regions.get(IRELAND, "customers", keys[2][1]),
            lambda image: image is not None and "l" in image.get(CONTROL, {"M": {}})["M"],
            "the stub of what moved on",
        )
        await_quiet(regions)
        before = [regions.images(table, key) for table, key in keys]
        records = {region: stream_records(regions, region, ended) for region in regions.all}
        messages = {region: [json.loads(body) for body in drain(regions, region, url)] for region, url in taps.items()}
    assert all(records.values())
    assert all(messages.values())
    chance = random.Random(7)
    for region in regions.all:
        again = records[region] * 2
        functions = regions.client("lambda", region)
        for start in range(0, len(again), 10):
            answer = functions.invoke(
                FunctionName=f"{NAME}-listener",
                Qualifier="live",
                Payload=json.dumps({"Records": again[start : start + 10]}),
            )
            assert "FunctionError" not in answer
            assert json.loads(answer["Payload"].read()) == {"batchItemFailures": []}
        for event in chance.sample(messages[region] * 2, 2 * len(messages[region])):
            queue = {"changes": "inbox", "finished": "receipts"}[event["detail-type"]]
            if event["detail"]["emitter"] != region:
                regions.client("sqs", region).send_message(
                    QueueUrl=regions.queue_url(region, queue), MessageBody=json.dumps(event)
                )
    await_quiet(regions)
    assert [regions.images(table, key) for table, key in keys] == before


@pytest.mark.slow
def test_functions_that_are_released_anew_under_load_lose_nothing(regions: Regions) -> None:
    load = Load(regions, fresh("release"))
    released: list[tuple[Any, str, str]] = []
    with load.running():
        for region in regions.all:
            functions = regions.client("lambda", region)
            for role in ("listener", "replicator", "anonymizer"):
                name = f"{NAME}-{role}"
                with urlopen(functions.get_function(FunctionName=name)["Code"]["Location"]) as response:  # noqa: S310
                    code = response.read()
                released.append((functions, name, _release(functions, name, _with_a_comment(code))))
        time.sleep(1)
    load.await_convergence()
    for functions, name, version in released:
        assert functions.get_alias(FunctionName=name, Name="live")["FunctionVersion"] == version


def _with_a_comment(code: bytes) -> bytes:
    changed = io.BytesIO(code)
    with zipfile.ZipFile(changed, "a") as archive:
        archive.writestr("release.txt", str(time.time_ns()))
    return changed.getvalue()


def _release(functions: Any, name: str, code: bytes) -> str:
    functions.update_function_code(FunctionName=name, ZipFile=code)
    functions.get_waiter("function_updated_v2").wait(FunctionName=name)
    version = str(functions.publish_version(FunctionName=name)["Version"])
    functions.update_alias(FunctionName=name, Name="live", FunctionVersion=version)
    return version
