"""Kinesis streams: a mapping delivers each record until it is done, and PutRecords refuses what AWS refuses."""

from __future__ import annotations

import base64
import json
import time
from typing import Any
from uuid import uuid4

import pytest

from tests.plane import Plane, eventually

# Prints each batch's records; those whose data is "bad" fail as the environment says.
RECORDER = """
import base64, json, os, time

def handler(event, context):
    records = event["Records"]
    texts = [base64.b64decode(record["kinesis"]["data"]).decode() for record in records]
    print(json.dumps(records if os.environ.get("WHOLE") else texts))
    if os.environ.get("SLEEP"):
        time.sleep(float(os.environ["SLEEP"]))
    if "bad" in texts:
        if os.environ.get("RAISE"):
            raise ValueError("a bad record")
        number = records[texts.index("bad")]["kinesis"]["sequenceNumber"]
        return {"batchItemFailures": [{"itemIdentifier": number}]}
"""
REPORTS = ["ReportBatchItemFailures"]


def _recorder(plane: Plane, **environment: str) -> str:
    return plane.function(RECORDER, Environment={"Variables": environment})


def _put(plane: Plane, stream: str, *texts: str, key: str = "k") -> dict[str, Any]:
    records = [{"Data": text.encode(), "PartitionKey": key} for text in texts]
    answer: dict[str, Any] = plane.client("kinesis").put_records(StreamName=stream, Records=records)
    return answer


def _to(queue: str) -> dict[str, Any]:
    return {"OnFailure": {"Destination": queue}}


def _held(plane: Plane, stream: str) -> list[bytes]:
    kinesis = plane.client("kinesis")
    (shard,) = kinesis.list_shards(StreamName=stream)["Shards"]
    iterator = kinesis.get_shard_iterator(
        StreamName=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    return [record["Data"] for record in kinesis.get_records(ShardIterator=iterator)["Records"]]


def test_a_record_comes_as_lambda_gives_it(plane: Plane) -> None:
    stream, arn = plane.stream()
    before = time.time()
    (put,) = _put(plane, stream, "a", key="ключ")["Records"]
    function = _recorder(plane, WHOLE="1")
    plane.map(function, arn)
    ((record,),) = eventually(lambda: plane.logged(function))
    arrived = record["kinesis"].pop("approximateArrivalTimestamp")
    assert before - 1 < arrived < time.time() + 1
    assert record == {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": "ключ",
            "sequenceNumber": put["SequenceNumber"],
            "data": base64.b64encode(b"a").decode(),
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"{put['ShardId']}:{put['SequenceNumber']}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": plane.any_role,
        "awsRegion": plane.here,
        "eventSourceARN": arn,
    }


def test_records_before_a_reported_failure_are_done_and_the_rest_comes_again(plane: Plane) -> None:
    stream, arn = plane.stream()
    dead_url, dead_arn = plane.queue()
    numbers = [record["SequenceNumber"] for record in _put(plane, stream, "a", "bad", "c")["Records"]]
    function = _recorder(plane, BAD="bad")
    plane.map(function, arn, FunctionResponseTypes=REPORTS, MaximumRetryAttempts=1, DestinationConfig=_to(dead_arn))
    batches = eventually(lambda: plane.logged(function), lambda found: len(found) == 3)
    assert batches == [["a", "bad", "c"], ["bad", "c"], ["bad", "c"]]
    told = json.loads(eventually(lambda: plane.receive(dead_url))[0]["Body"])
    assert told["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert told["requestContext"]["approximateInvokeCount"] == 2
    info = told["KinesisBatchInfo"]
    assert (info["startSequenceNumber"], info["endSequenceNumber"]) == tuple(numbers[1:])
    assert (info["batchSize"], info["streamArn"], info["shardId"]) == (2, arn, "shardId-000000000000")
    _put(plane, stream, "d")
    assert eventually(lambda: plane.logged(function), lambda found: len(found) == 4)[-1] == ["d"]


def test_a_failing_batch_is_halved_until_the_bad_record_is_alone(plane: Plane) -> None:
    stream, arn = plane.stream()
    dead_url, dead_arn = plane.queue()
    _put(plane, stream, "a", "b", "bad", "c")
    function = _recorder(plane, RAISE="1")
    plane.map(function, arn, BisectBatchOnFunctionError=True, MaximumRetryAttempts=1, DestinationConfig=_to(dead_arn))
    batches = eventually(lambda: plane.logged(function), lambda found: len(found) == 6)
    assert batches == [["a", "b", "bad", "c"], ["a", "b"], ["bad", "c"], ["bad"], ["bad"], ["c"]]
    told = json.loads(eventually(lambda: plane.receive(dead_url))[0]["Body"])
    assert told["KinesisBatchInfo"]["batchSize"] == 1


def test_a_batch_that_is_too_old_is_given_up(plane: Plane) -> None:
    stream, arn = plane.stream()
    dead_url, dead_arn = plane.queue()
    function = _recorder(plane, RAISE="1", SLEEP="1.1")
    _put(plane, stream, "bad")
    plane.map(function, arn, DestinationConfig=_to(dead_arn), MaximumRecordAgeInSeconds=1)
    told = json.loads(eventually(lambda: plane.receive(dead_url))[0]["Body"])
    assert told["requestContext"]["condition"] == "MaxRecordAgeExceeded"


def test_a_blocked_shard_holds_up_no_other(plane: Plane) -> None:
    stream, arn = plane.stream(shards=2)
    function = _recorder(plane, RAISE="1")
    plane.map(function, arn)
    keys: dict[str, str] = {}
    while len(keys) < 2:
        key = str(uuid4())
        (record,) = _put(plane, stream, "good", key=key)["Records"]
        keys[record["ShardId"]] = key
    blocked, free = keys.values()
    # What is good is not to share its batch with what is bad.
    eventually(lambda: plane.logged(function), lambda found: sum(map(len, found)) >= len(keys))
    _put(plane, stream, "bad", key=blocked)
    eventually(lambda: plane.logged(function), lambda found: ["bad"] in found)
    _put(plane, stream, "late", key=free)
    eventually(lambda: plane.logged(function), lambda found: ["late"] in found)


def test_a_mapping_starts_where_it_says_and_goes_on_where_it_stopped(plane: Plane) -> None:
    stream, arn = plane.stream()
    _put(plane, stream, "before")
    oldest, latest = _recorder(plane), _recorder(plane)
    mapping = plane.map(oldest, arn)
    plane.map(latest, arn, StartingPosition="LATEST")
    eventually(lambda: plane.logged(oldest))

    def latest_is_reached() -> bool:
        _put(plane, stream, "more")
        return bool(plane.logged(latest))

    eventually(latest_is_reached)
    assert "before" not in [text for batch in plane.logged(latest) for text in batch]
    functions = plane.client("lambda")
    functions.update_event_source_mapping(UUID=mapping, Enabled=False)
    _put(plane, stream, "meanwhile")
    functions.update_event_source_mapping(UUID=mapping, Enabled=True)
    seen = eventually(lambda: [t for batch in plane.logged(oldest) for t in batch], lambda found: "meanwhile" in found)
    assert (seen[0], seen.count("before"), seen.count("meanwhile")) == ("before", 1, 1)


def test_batch_size_window_and_filters(plane: Plane) -> None:
    stream, arn = plane.stream()
    function, filtered = _recorder(plane), _recorder(plane)
    pattern = json.dumps({"data": {"kind": [{"anything-but": "x"}]}, "partitionKey": ["k"]})
    plane.map(filtered, arn, FilterCriteria={"Filters": [{"Pattern": pattern}]})
    _put(plane, stream, '{"kind": "x"}', "no JSON", '{"kind": "y"}')
    _put(plane, stream, '{"kind": "y"}', key="other")
    assert eventually(lambda: plane.logged(filtered)) == [['{"kind": "y"}']]
    plane.map(function, arn, BatchSize=3, MaximumBatchingWindowInSeconds=1)
    batches = eventually(lambda: plane.logged(function), lambda found: len(found) == 2)
    assert [len(batch) for batch in batches] == [3, 1]


def test_a_partial_rule_refuses_single_records(faults: Plane) -> None:
    stream, _ = faults.stream()
    rule = {"service": "kinesis", "operation": "PutRecords", "code": "ProvisionedThroughputExceededException"}
    assert faults.own("POST", "/_domicile/faults", {**rule, "partial": True, "times": 2})[0] == 201
    answer = _put(faults, stream, "a", "b", "c")
    assert answer["FailedRecordCount"] == 2
    assert [record.get("ErrorCode") for record in answer["Records"]] == [rule["code"], rule["code"], None]
    assert _held(faults, stream) == [b"c"]


def test_a_whole_call_can_fail_and_a_retry_goes_through(faults: Plane) -> None:
    stream, _ = faults.stream()
    rule = {"service": "kinesis", "operation": "PutRecords", "status": 503, "times": 1}
    faults.own("POST", "/_domicile/faults", rule)
    kinesis = faults.client("kinesis")
    with pytest.raises(kinesis.exceptions.ClientError, match="ServiceUnavailable"):
        _put(faults, stream, "a")
    assert _put(faults, stream, "a")["FailedRecordCount"] == 0
    assert _held(faults, stream) == [b"a"]


def test_the_limits_of_a_record_and_of_a_request(plane: Plane) -> None:
    stream, _ = plane.stream()
    kinesis, mebibyte = plane.client("kinesis"), 1024 * 1024
    largest = {"Data": b"x" * (mebibyte - 1), "PartitionKey": "k"}
    too_large = {"Data": b"x" * mebibyte, "PartitionKey": "k"}
    assert kinesis.put_records(StreamName=stream, Records=[largest] * 5)["FailedRecordCount"] == 0
    small = {"Data": b"x", "PartitionKey": "k"}
    for records in ([too_large], [*[largest] * 5, small], [small] * 501):
        with pytest.raises(kinesis.exceptions.ClientError):
            kinesis.put_records(StreamName=stream, Records=records)
    with pytest.raises(kinesis.exceptions.InvalidArgumentException):
        kinesis.put_record(StreamName=stream, **too_large)
    assert len(_held(plane, stream)) == 5
