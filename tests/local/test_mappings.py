"""Event source mappings deliver each record until it is done, and lose none."""

from __future__ import annotations

import json
import time
from typing import Any
from uuid import uuid4

from tests.plane import HERE, Plane, eventually

# Prints the keys (or bodies) of each batch; fails as its environment says.
RECORDER = """
import json, os, time

def handler(event, context):
    records = event["Records"]
    names = [r["body"] if "body" in r else r["dynamodb"]["Keys"]["pk"]["S"] for r in records]
    print(json.dumps(names))
    bad = os.environ.get("BAD")
    if os.environ.get("SLEEP"):
        time.sleep(float(os.environ["SLEEP"]))
    if bad in names:
        if os.environ.get("RAISE"):
            raise ValueError("a bad record")
        number = lambda r: r.get("messageId") or r["dynamodb"]["SequenceNumber"]
        return {"batchItemFailures": [{"itemIdentifier": number(r)} for r, n in zip(records, names) if n == bad]}
"""


def _recorder(plane: Plane, **environment: str) -> str:
    return plane.function(RECORDER, Environment={"Variables": environment})


def _dead_letter(arn: str) -> dict[str, Any]:
    return {"OnFailure": {"Destination": arn}}


def test_records_before_a_reported_failure_are_done_and_the_rest_comes_again(plane: Plane) -> None:
    table, stream = plane.table()
    plane.put(table, "a", "b", "bad", "c")
    dead_url, dead_arn = plane.queue()
    function = _recorder(plane, BAD="bad")
    plane.map(
        function,
        stream,
        FunctionResponseTypes=["ReportBatchItemFailures"],
        MaximumRetryAttempts=1,
        DestinationConfig=_dead_letter(dead_arn),
    )
    batches = eventually(lambda: plane.logged(function), lambda found: len(found) == 3)
    assert batches == [["a", "b", "bad", "c"], ["bad", "c"], ["bad", "c"]]
    told = json.loads(eventually(lambda: plane.receive(dead_url))[0]["Body"])
    assert told["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert told["DDBStreamBatchInfo"]["batchSize"] == 2
    plane.put(table, "d")
    assert eventually(lambda: plane.logged(function), lambda found: len(found) == 4)[-1] == ["d"]


def test_a_failing_batch_is_halved_until_the_bad_record_is_alone(plane: Plane) -> None:
    table, stream = plane.table()
    plane.put(table, "a", "b", "bad", "c")
    dead_url, dead_arn = plane.queue()
    function = _recorder(plane, BAD="bad", RAISE="1")
    plane.map(
        function,
        stream,
        BisectBatchOnFunctionError=True,
        MaximumRetryAttempts=1,
        DestinationConfig=_dead_letter(dead_arn),
    )
    batches = eventually(lambda: plane.logged(function), lambda found: len(found) == 6)
    assert batches == [["a", "b", "bad", "c"], ["a", "b"], ["bad", "c"], ["bad"], ["bad"], ["c"]]
    told = json.loads(eventually(lambda: plane.receive(dead_url))[0]["Body"])
    assert told["DDBStreamBatchInfo"]["batchSize"] == 1


def test_filters_speak_eventbridges_language(plane: Plane) -> None:
    table, stream = plane.table()
    function = _recorder(plane)
    marked = {"pk": {"S": "marked"}, "_dom": {"M": {"x": {"BOOL": True}}}}
    plane.put(table, "plain")
    plane.client("dynamodb").put_item(TableName=table, Item=marked)
    plane.client("dynamodb").put_item(TableName=table, Item={"pk": {"S": "stamped"}, "_dom": {"M": {"v": {"S": "1"}}}})
    unmarked = {
        "eventName": ["INSERT"],
        "dynamodb": {"NewImage": {"_dom": {"M": {"x": {"BOOL": [{"exists": False}]}}}}},
    }
    other = {"$or": [{"eventName": ["REMOVE"]}, {"userIdentity": {"type": ["Service"]}}]}
    plane.map(function, stream, FilterCriteria={"Filters": [{"Pattern": json.dumps(p)} for p in (unmarked, other)]})
    plane.client("dynamodb").delete_item(TableName=table, Key={"pk": {"S": "marked"}})
    eventually(lambda: plane.logged(function), lambda found: sum(map(len, found)) == 3)
    assert [name for batch in plane.logged(function) for name in batch] == ["plain", "stamped", "marked"]


def test_a_throttled_invocation_of_a_queues_mapping_does_not_cost_a_receive(faults: Plane) -> None:
    url, arn = faults.queue(VisibilityTimeout="360")
    function = faults.function("def handler(event, context):\n    print(event['Records'][0]['attributes'])")
    rule = {"service": "lambda", "operation": "Invoke", "status": 500, "times": 2}
    faults.own("POST", "/_domicile/faults", rule)
    faults.map(function, arn)
    faults.client("sqs").send_message(QueueUrl=url, MessageBody="m")
    logs = faults.client("logs")
    group = f"/aws/lambda/{function}"
    eventually(lambda: faults.own("GET", "/_domicile/faults")[1]["rules"][0]["hits"] == 2)
    eventually(lambda: logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"])
    events = logs.filter_log_events(logGroupName=group)["events"]
    assert [event for event in events if "'ApproximateReceiveCount': '1'" in event["message"]]


def test_a_throttled_invocation_of_a_streams_mapping_comes_again_whole(faults: Plane) -> None:
    table, stream = faults.table()
    faults.put(table, "a", "b")
    function = _recorder(faults)
    rule = {"service": "lambda", "operation": "Invoke", "code": "TooManyRequestsException", "status": 429, "times": 3}
    faults.own("POST", "/_domicile/faults", rule)
    faults.map(function, stream, BisectBatchOnFunctionError=True, MaximumRetryAttempts=0)
    assert eventually(lambda: faults.logged(function)) == [["a", "b"]]
    assert faults.own("GET", "/_domicile/faults")[1]["rules"][0]["hits"] == 3


def test_the_batching_window_gathers_records(plane: Plane) -> None:
    table, stream = plane.table()
    function = _recorder(plane)
    plane.map(function, stream, MaximumBatchingWindowInSeconds=1)
    plane.put(table, "a")
    plane.put(table, "b")
    assert eventually(lambda: plane.logged(function)) == [["a", "b"]]


def test_a_slow_function_holds_up_no_other_mapping(plane: Plane) -> None:
    slow_table, slow_stream = plane.table()
    table, stream = plane.table()
    slow, function = _recorder(plane, SLEEP="3"), _recorder(plane)
    plane.map(slow, slow_stream)
    plane.map(function, stream)
    plane.put(slow_table, "slow")
    started = time.monotonic()
    plane.put(table, "fast")
    eventually(lambda: plane.logged(function))
    assert time.monotonic() - started < 2


def test_several_streams_share_one_functions_two_sandboxes(plane: Plane) -> None:
    source = """
import json, os, time

def handler(event, context):
    time.sleep(0.3)
    print(json.dumps([os.getpid(), time.time()]))
"""
    function = plane.function(source)
    tables = [plane.table() for _ in range(4)]
    for table, stream in tables:
        plane.map(function, stream)
        plane.put(table, "a")
    done = eventually(lambda: plane.logged(function), lambda found: len(found) == 4)
    assert len({pid for pid, _ in done}) == 2
    ends = sorted(at for _, at in done)
    assert ends[-1] - ends[0] > 0.25, "two at once, the others after them"


def test_an_expired_item_leaves_a_record_with_the_services_identity(plane: Plane) -> None:
    source = """
import json

def handler(event, context):
    for record in event["Records"]:
        print(json.dumps({"name": record["eventName"], "identity": record.get("userIdentity"),
                          "old": sorted(record["dynamodb"].get("OldImage", {}))}))
"""
    table, stream = plane.table(time_to_live="expires_at")
    function = plane.function(source)
    now = int(time.time())
    moments = {"over": str(now - 10), "later": str(now + 1000), "ancient": str(now - 6 * 365 * 86_400)}
    for key, moment in moments.items():
        plane.client("dynamodb").put_item(TableName=table, Item={"pk": {"S": key}, "expires_at": {"N": moment}})
    assert plane.own("POST", "/_domicile/ttl") == (200, {"expired": 1})
    plane.map(function, stream)
    removed = eventually(lambda: plane.logged(function), lambda found: len(found) == 4)[-1]
    assert removed == {
        "name": "REMOVE",
        "identity": {"type": "Service", "principalId": "dynamodb.amazonaws.com"},
        "old": ["expires_at", "pk"],
    }
    assert {item["pk"]["S"] for item in plane.client("dynamodb").scan(TableName=table)["Items"]} == {"later", "ancient"}


def test_a_failed_message_comes_back_and_a_finished_one_does_not(plane: Plane) -> None:
    url, arn = plane.queue(VisibilityTimeout="1")
    function = _recorder(plane, BAD="bad")
    plane.map(function, arn, FunctionResponseTypes=["ReportBatchItemFailures"])
    entries = [{"Id": str(uuid4()), "MessageBody": body} for body in ("good", "bad")]
    plane.client("sqs").send_message_batch(QueueUrl=url, Entries=entries)
    bodies = eventually(lambda: [b for batch in plane.logged(function) for b in batch], lambda b: b.count("bad") == 2)
    assert bodies.count("good") == 1


def test_a_message_that_keeps_failing_is_dead_lettered_and_can_be_moved_back(plane: Plane) -> None:
    dead_url, dead_arn = plane.queue()
    redrive = json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": 1})
    url, arn = plane.queue(RedrivePolicy=redrive, VisibilityTimeout="1")
    function = _recorder(plane, BAD="m")
    mapping = plane.map(function, arn, FunctionResponseTypes=["ReportBatchItemFailures"])
    sqs = plane.client("sqs")
    sqs.send_message(QueueUrl=url, MessageBody="m")
    eventually(lambda: _waiting(plane, dead_url))
    plane.client("lambda").update_event_source_mapping(UUID=mapping, Enabled=False)
    sqs.start_message_move_task(SourceArn=dead_arn)
    task = sqs.list_message_move_tasks(SourceArn=dead_arn)["Results"][0]
    assert (task["Status"], task["ApproximateNumberOfMessagesMoved"]) == ("COMPLETED", 1)
    assert not _waiting(plane, dead_url)
    assert [message["Body"] for message in plane.receive(url)] == ["m"]


def _waiting(plane: Plane, url: str) -> bool:
    attributes = plane.client("sqs", HERE).get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return bool(attributes["ApproximateNumberOfMessages"] != "0")
