"""What the status shows from which numbers, how they are read, and the command's text, JSON and exit code."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws
from moto.cloudwatch.models import Statistics

from domicile.accounts import Accounts
from domicile.deployment import Deployment
from domicile.status import (
    Backlog,
    Lag,
    Metric,
    NativeLag,
    Numbers,
    Queue,
    Unreachable,
    assemble,
    metrics_of_latest,
    metrics_over_window,
    queues_of,
)
from domicile.status_reading import StatusReader
from tests.unit.command_line import Run, command_line

SINGAPORE, IRELAND, BEIJING = "ap-southeast-1", "eu-west-1", "cn-north-1"
AT = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
TABLES = {"orders": {"hash_key": {"name": "pk", "type": "S"}}}
PLAIN = Deployment.model_validate(
    {"name": "shopease", "regions": [SINGAPORE, IRELAND], "authorities": {"EU": IRELAND}, "tables": TABLES}
)
BRIDGED = Deployment.model_validate(
    {
        "name": "shopease",
        "regions": [SINGAPORE, IRELAND, BEIJING],
        "authorities": {"EU": IRELAND, "CN": BEIJING},
        "tables": TABLES,
        "bridges": [{"between": [SINGAPORE, BEIJING]}],
    }
)
NATIVE = Deployment.model_validate(
    PLAIN.model_dump(exclude_none=True)
    | {
        "tables": {
            **TABLES,
            "prices": {"replication": "native", "hash_key": {"name": "sku", "type": "S"}, "primary": IRELAND},
        }
    }
)
FILE = f"""
name: shopease
regions: [{SINGAPORE}, {IRELAND}]
authorities: {{EU: {IRELAND}}}
tables: {{orders: {{hash_key: {{name: pk, type: S}}}}}}
"""


def numbers(
    deployment: Deployment,
    region: str,
    *,
    queues: dict[str, Queue] | None = None,
    over_window: dict[Metric, float] | None = None,
    latest: dict[Metric, tuple[datetime, float]] | None = None,
    replicas: dict[str, dict[str, str]] | None = None,
) -> Numbers:
    """Return the numbers of a Region in which nothing waits but what is given."""
    empty = dict.fromkeys(queues_of(deployment, region), Queue(0, 0))
    return Numbers(empty | (queues or {}), over_window or {}, latest or {}, replicas or {})


def durations(name: str, region: str, origin: str, *values: float) -> dict[Metric, float]:
    service = {"ReplicationLatency": "replicator", "BridgeLag": "gateway"}[name]
    dimensions = (("region", region), ("origin", origin), ("service", service))
    statistics = zip(("p50", "p99", "Maximum"), values, strict=True)
    return {Metric("Domicile", name, dimensions, statistic): value for statistic, value in statistics}


def counted(name: str, region: str) -> Metric:
    service = "courier" if name.startswith(("Sent", "LinkRefused")) else "gateway"
    return Metric("Domicile", name, (("region", region), ("service", service)), "Sum")


def age_of(queue: str) -> Metric:
    return Metric("AWS/SQS", "ApproximateAgeOfOldestMessage", (("QueueName", queue),), "Maximum")


def test_each_pair_of_regions_has_its_lag() -> None:
    lags = durations("ReplicationLatency", IRELAND, SINGAPORE, 310.4, 900, 1200)
    found = {region: numbers(PLAIN, region, over_window=lags) for region in PLAIN.regions}
    pairs = {(pair.origin, pair.destination): pair.lag for pair in assemble(PLAIN, found, AT, 15).pairs}
    assert pairs == {(SINGAPORE, IRELAND): Lag(310, 900, 1200), (IRELAND, SINGAPORE): None}


def test_queues_are_counted_and_an_age_is_that_of_the_window_or_unknown() -> None:
    ireland = numbers(
        PLAIN,
        IRELAND,
        queues={"inbox": Queue(7, 2), "receipts": Queue(1, 0), "bus-dlq": Queue(4, 0), "quarantine": Queue(3, 1)},
        latest={
            age_of("shopease-inbox"): (AT - timedelta(minutes=1), 42.0),
            age_of("shopease-receipts"): (AT - timedelta(minutes=16), 42.0),
        },
    )
    _, region = assemble(PLAIN, {SINGAPORE: numbers(PLAIN, SINGAPORE), IRELAND: ireland}, AT, 15).regions
    assert region.backlogs == {"inbox": Backlog(7, 2, 42), "receipts": Backlog(1, 0, None)}
    assert region.dead_letters == {"inbox-dlq": 0, "receipts-dlq": 0, "bus-dlq": 4, "stream-dlq": 0}
    assert region.quarantined == 4


def test_a_direction_of_a_bridge_is_made_of_what_both_gateways_say() -> None:
    singapore = numbers(
        BRIDGED,
        SINGAPORE,
        queues={"outbox": Queue(9, 1), "outbox-dlq": Queue(2, 0)},
        over_window={
            counted("Sent", SINGAPORE): 50.0,
            counted("SentBytes", SINGAPORE): 9000.0,
            counted("LinkRefused", SINGAPORE): 3.0,
        },
        latest={age_of("shopease-outbox"): (AT, 30.0)},
    )
    stream = (("StreamName", "shopease-from-ap-southeast-1"),)
    beijing = numbers(
        BRIDGED,
        BEIJING,
        over_window={
            counted("Received", BEIJING): 40.0,
            counted("ReceivedBytes", BEIJING): 8000.0,
            **durations("BridgeLag", BEIJING, SINGAPORE, 100, 900, 950),
            **durations("BridgeLag", BEIJING, IRELAND, 200, 300, 2000),
        },
        latest={
            Metric("AWS/Kinesis", "GetRecords.IteratorAgeMilliseconds", stream, "Maximum"): (AT, 1500.0),
            counted("Received", BEIJING): (AT - timedelta(hours=3), 1.0),
        },
    )
    found = {SINGAPORE: singapore, IRELAND: numbers(BRIDGED, IRELAND), BEIJING: beijing}
    there, back = assemble(BRIDGED, found, AT, 15).bridges
    assert (there.sender, there.receiver) == (SINGAPORE, BEIJING)
    assert (there.outbox, there.dead_letters) == (Backlog(9, 1, 30), 2)
    assert (there.sent, there.sent_bytes, there.received, there.received_bytes) == (50, 9000, 40, 8000)
    assert (there.refused, back.refused) == (3, 0)
    assert (there.stream_age_ms, there.lag) == (1500, Lag(200, 900, 2000)), "the worst of all origins"
    assert there.last_crossing == AT - timedelta(hours=3)
    assert (back.sender, back.receiver, back.sent, back.received) == (BEIJING, SINGAPORE, 0, 0)
    assert (back.stream_age_ms, back.lag, back.last_crossing) == (None, None, None)


def native_latency(receiver: str, statistic: str) -> Metric:
    dimensions = (("TableName", "shopease-prices"), ("ReceivingRegion", receiver))
    return Metric("AWS/DynamoDB", "ReplicationLatency", dimensions, statistic)


def test_a_native_table_has_a_row_for_each_direction_by_what_the_sender_says() -> None:
    lags = {native_latency(SINGAPORE, "Average"): 420.4, native_latency(SINGAPORE, "Maximum"): 900.0}
    ireland = numbers(NATIVE, IRELAND, over_window=lags, replicas={"prices": {SINGAPORE: "ACTIVE"}})
    there, back = assemble(NATIVE, {SINGAPORE: numbers(NATIVE, SINGAPORE), IRELAND: ireland}, AT, 15).native[::-1]
    assert (there.table, there.origin, there.destination) == ("prices", IRELAND, SINGAPORE)
    assert (there.replica, there.lag) == ("ACTIVE", NativeLag(420, 900))
    assert (back.origin, back.replica, back.lag) == (SINGAPORE, None, None), "Singapore has no table yet"
    cut_off: dict[str, Numbers | Unreachable] = {SINGAPORE: Unreachable("EndpointConnectionError"), IRELAND: ireland}
    assert [one.replica for one in assemble(NATIVE, cut_off, AT, 15).native] == [None, "ACTIVE"]


def test_of_an_unreachable_region_nothing_is_claimed() -> None:
    reached = {region: numbers(BRIDGED, region) for region in (SINGAPORE, IRELAND)}
    status = assemble(BRIDGED, reached | {BEIJING: Unreachable("EndpointConnectionError")}, AT, 15)
    assert status.unreachable == {BEIJING}
    region = status.regions[2]
    assert (region.error, region.backlogs, region.quarantined) == ("EndpointConnectionError", {}, None)
    there, back = status.bridges
    assert (there.sent, there.outbox, there.received, there.last_crossing) == (0, Backlog(0, 0, None), None, None)
    assert (back.sent, back.outbox, back.dead_letters, back.received) == (None, None, None, 0)


def test_only_gateways_are_asked_about_the_bridge() -> None:
    assert "outbox" not in queues_of(BRIDGED, IRELAND)
    assert {"outbox", "outbox-dlq"} < set(queues_of(BRIDGED, BEIJING))
    asked = {metric.name for metric in metrics_over_window(BRIDGED, IRELAND)}
    asked |= {metric.name for metric in metrics_of_latest(BRIDGED, IRELAND)}
    assert asked == {"ReplicationLatency", "ApproximateAgeOfOldestMessage"}
    origins = {dict(m.dimensions)["origin"] for m in metrics_over_window(BRIDGED, BEIJING) if m.name == "BridgeLag"}
    assert origins == {SINGAPORE, IRELAND}


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Run]:
    """Run the command line on two Regions that have all queues, and return exit code and output."""
    call = command_line(FILE, tmp_path, monkeypatch, capsys)
    # Moto knows no percentiles: here they are all the maximum.
    monkeypatch.setattr(Statistics, "get_statistics_for_type", lambda self, _: max(self.metric_single_values_list))
    with mock_aws():
        for region in PLAIN.regions:
            for role in queues_of(PLAIN, region):
                client("sqs", region).create_queue(QueueName=f"shopease-{role}")
        yield call


def client(service: Any, region: str) -> Any:
    return boto3.client(service, region_name=region)


def put(region: str, metric: Metric, value: float, seconds_ago: int) -> None:
    datum = {
        "MetricName": metric.name,
        "Dimensions": [{"Name": name, "Value": value} for name, value in metric.dimensions],
        "Timestamp": datetime.now(UTC) - timedelta(seconds=seconds_ago),
        "Value": value,
    }
    client("cloudwatch", region).put_metric_data(Namespace=metric.namespace, MetricData=[datum])


def test_numbers_are_read_from_sqs_and_cloudwatch(run: Run) -> None:
    url = client("sqs", IRELAND).get_queue_url(QueueName="shopease-inbox")["QueueUrl"]
    for _ in range(3):
        client("sqs", IRELAND).send_message(QueueUrl=url, MessageBody="{}")
    client("sqs", IRELAND).receive_message(QueueUrl=url)
    age = age_of("shopease-inbox")
    put(IRELAND, age, 60, seconds_ago=200)
    put(IRELAND, age, 20, seconds_ago=20)
    latency = next(iter(durations("ReplicationLatency", IRELAND, SINGAPORE, 0, 0, 0)))
    put(IRELAND, latency, 300, seconds_ago=30)
    put(IRELAND, latency, 9999, seconds_ago=1000)
    status = StatusReader(PLAIN, Accounts({})).look(15)
    assert status.unreachable == set()
    assert status.regions[1].backlogs["inbox"] == Backlog(2, 1, 20), "the latest age, not the worst"
    lags = {(pair.origin, pair.destination): pair.lag for pair in status.pairs}
    assert lags == {(SINGAPORE, IRELAND): Lag(300, 300, 300), (IRELAND, SINGAPORE): None}, "of the window alone"


def test_a_window_that_cloudwatch_splits_or_pages_is_put_together(run: Run) -> None:
    class Stubbed(Accounts):
        def client(self, service: str, region: str, **options: Any) -> Any:
            made = super().client(service, region, **options)
            if service == "cloudwatch":
                stubbers[region] = Stubber(made)
                stubbers[region].activate()
            return made

    def answer(more: dict[str, str], **values: list[float]) -> dict[str, Any]:
        times = [AT, AT + timedelta(minutes=15)]
        results = [{"Id": key, "Timestamps": times[: len(found)], "Values": found} for key, found in values.items()]
        return {"MetricDataResults": results, **more}

    stubbers: dict[str, Stubber] = {}
    reader = StatusReader(PLAIN, Stubbed({}))
    for region, stubber in stubbers.items():
        latency = {"m0": [100.0, 200.0], "m1": [900.0, 400.0]} if region == IRELAND else {}
        stubber.add_response("get_metric_data", answer({"NextToken": "more"}, **latency))
        stubber.add_response("get_metric_data", answer({}, **({"m2": [950.0]} if latency else {})))
        stubber.add_response("get_metric_data", answer({}))
    lags = {(pair.origin, pair.destination): pair.lag for pair in reader.look(15).pairs}
    assert lags == {(SINGAPORE, IRELAND): Lag(200, 900, 950), (IRELAND, SINGAPORE): None}


def test_people_get_aligned_tables(run: Run) -> None:
    url = client("sqs", IRELAND).get_queue_url(QueueName="shopease-bus-dlq")["QueueUrl"]
    client("sqs", IRELAND).send_message(QueueUrl=url, MessageBody="{}")
    put(IRELAND, next(iter(durations("ReplicationLatency", IRELAND, SINGAPORE, 0, 0, 0))), 1300, seconds_ago=30)
    code, out, err = run("status", "--minutes", "5")
    assert (code, err) == (0, "")
    first, *lines = out.splitlines()
    assert first.endswith("UTC; lags and counts are those of the last 5 minutes")
    idle = "0 waiting, 0 in flight, oldest unknown"
    assert lines == [
        "",
        f"Region          {'inbox':38}  {'receipts':38}  dead letters  quarantined",
        f"ap-southeast-1  {idle}  {idle}  0             0",
        f"eu-west-1       {idle}  {idle}  bus-dlq 1     0",
        "",
        "from            to              lag p50     p99    max",
        "eu-west-1       ap-southeast-1  no changes",
        "ap-southeast-1  eu-west-1       1.3 s       1.3 s  1.3 s",
    ]


def test_a_bridge_is_shown_by_its_directions(run: Run) -> None:
    bridged = FILE.replace(IRELAND, BEIJING) + f"bridges: [{{between: [{SINGAPORE}, {BEIJING}]}}]\n"
    Path("domicile.yaml").write_text(bridged)
    for region, roles in ((SINGAPORE, ["outbox", "outbox-dlq"]), (BEIJING, queues_of(BRIDGED, BEIJING))):
        for role in roles:
            client("sqs", region).create_queue(QueueName=f"shopease-{role}")
    put(SINGAPORE, counted("Sent", SINGAPORE), 2, seconds_ago=30)
    put(SINGAPORE, counted("SentBytes", SINGAPORE), 1500, seconds_ago=30)
    put(BEIJING, counted("Received", BEIJING), 2, seconds_ago=7300)
    code, out, _ = run("status")
    idle = "0 waiting, 0 in flight, oldest unknown"
    head, there, back = (re.split("  +", line) for line in out.splitlines()[-3:])
    assert head == [
        *("bridge from", "to", "outbox", "dead letters", "sent", "refused", "received"),
        *("stream age", "lag p50", "p99", "max", "last crossing"),
    ]
    assert there == [SINGAPORE, BEIJING, idle, "0", "2, 1.5 KB", "0", "0, 0 B", "unknown", "no changes", "2 h ago"]
    assert back == [BEIJING, SINGAPORE, idle, "0", "0, 0 B", "0", "0, 0 B", "unknown", "no changes", "none in a day"]
    client("sqs", BEIJING).delete_queue(
        QueueUrl=client("sqs", BEIJING).get_queue_url(QueueName="shopease-outbox")["QueueUrl"]
    )
    code, out, _ = run("status")
    there, back = (re.split("  +", line) for line in out.splitlines()[-2:])
    assert (code, there[2:], back[2:]) == (
        1,
        [idle, "0", "2, 1.5 KB", "0", *["unreachable"] * 4],
        [*["unreachable"] * 4, "0, 0 B", "unknown", "no changes", "none in a day"],
    )


def test_native_tables_are_shown_beside_the_localized_ones(run: Run) -> None:
    Path("domicile.yaml").write_text(
        FILE.replace(
            "tables: {orders",
            f"tables: {{prices: {{replication: native, hash_key: {{name: sku, type: S}}, primary: {IRELAND}}}, orders",
        )
    )
    client("dynamodb", IRELAND).create_table(
        TableName="shopease-prices",
        KeySchema=[{"AttributeName": "sku", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "sku", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    for statistic in ("Average", "Maximum"):
        put(IRELAND, native_latency(SINGAPORE, statistic), 1300, seconds_ago=30)
    code, out, _ = run("status")
    assert code == 0, "moto has no replicas, and Singapore not even the table"
    assert out.splitlines()[-3:] == [
        "native table  from            to              replica there  lag average  max",
        "prices        ap-southeast-1  eu-west-1       none           no changes",
        "prices        eu-west-1       ap-southeast-1  none           1.3 s        1.3 s",
    ]
    _, out, _ = run("status", "--json")
    assert json.loads(out)["native"][1] == {
        "table": "prices",
        "consistency": "eventual",
        "origin": IRELAND,
        "destination": SINGAPORE,
        "replica": None,
        "error": None,
        "lag": {"average_ms": 1300, "max_ms": 1300},
    }


def test_machines_get_one_json_object(run: Run) -> None:
    code, out, _ = run("status", "--json")
    found = json.loads(out)
    assert (code, found["minutes"], found["bridges"]) == (0, 15, [])
    assert datetime.fromisoformat(found["at"]).tzinfo is not None
    assert found["regions"][0]["region"] == SINGAPORE
    assert found["pairs"][0] == {"origin": IRELAND, "destination": SINGAPORE, "lag": None}


def test_a_region_that_can_not_be_read_is_shown_and_the_exit_code_says_so(run: Run) -> None:
    url = client("sqs", IRELAND).get_queue_url(QueueName="shopease-receipts")["QueueUrl"]
    client("sqs", IRELAND).delete_queue(QueueUrl=url)
    code, out, _ = run("status")
    assert code == 1
    assert "eu-west-1       unreachable: AWS.SimpleQueueService.NonExistentQueue\n" in out
    assert "ap-southeast-1  eu-west-1       unreachable\n" in out
    code, out, _ = run("status", "--json")
    assert (code, json.loads(out)["regions"][1]["error"]) == (1, "AWS.SimpleQueueService.NonExistentQueue")


def test_watching_looks_again_until_it_is_stopped(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("domicile.cli.status.time.sleep", wait)
    code, out, _ = run("status", "--watch", "7", "--json")
    assert (code, waits, len(out.splitlines())) == (0, [7, 7, 7], 3)
