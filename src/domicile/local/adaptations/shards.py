"""What a mapping reads: a shard of a DynamoDB stream or of a Kinesis stream.

A position is a number that grows along the shard; a mapping keeps one for each shard, that of the first record which
is not done. MiniStack's DynamoDB streams have one shard. Its Kinesis streams lose their records when they are
resharded, so a shard that turns up later has only new ones.
"""

from __future__ import annotations

import base64
from bisect import bisect_left
from collections.abc import Iterable
from typing import Any, Protocol

from ministack.core.arn import parse_arn
from ministack.services import dynamodb, kinesis, lambda_svc

from domicile.local.adaptations import expect_function, expect_value

# A record as the function gets it, and its position in the shard.
Placed = tuple[int, dict[str, Any]]


def expect() -> None:
    """Check what is read of MiniStack."""
    expect_value(lambda_svc, "_dynamodb_stream_positions")
    expect_value(lambda_svc, "_kinesis_positions")
    expect_function(lambda_svc, "_kinesis_record_for_match", "rec")
    expect_function(dynamodb, "stream_start_position", "table_name", "account_id", "region")
    expect_function(dynamodb, "stream_records_since", "table_name", "position", "limit", "account_id", "region")
    expect_value(kinesis, "_streams")


class Shard(Protocol):
    """A shard as one mapping reads it, in the mapping's account and Region."""

    shard_id: str
    batch_info: str
    read_actions: tuple[str, ...]

    def position(self) -> int:
        """Return the mapping's position."""

    def move(self, position: int) -> None:
        """Set the mapping's position."""

    def read(self, limit: int) -> list[Placed]:
        """Return the records from the mapping's position on, at most ``limit``."""

    def number(self, record: dict[str, Any]) -> str:
        """Return a record's sequence number."""

    def arrived(self, record: dict[str, Any]) -> float:
        """Return when a record came to the stream, in seconds since the epoch."""

    def document(self, record: dict[str, Any]) -> dict[str, Any]:
        """Return what filter patterns look at."""


def shards(account: str, region: str, mapping: dict[str, Any]) -> Iterable[Shard]:
    """Return the shards that a mapping reads now: none where it reads no stream, or one that is not there."""
    source = parse_arn(mapping["EventSourceArn"])
    if source.service == "dynamodb":
        return [_TableShard(account, region, mapping)]
    if source.service == "kinesis":
        return _kinesis_shards(account, region, mapping)
    return []


class _TableShard:
    """The one shard of a DynamoDB stream. Positions are MiniStack's own."""

    shard_id = "shardId-00000000000000000000-00000000"
    batch_info = "DDBStreamBatchInfo"
    read_actions: tuple[str, ...] = ("dynamodb:GetShardIterator", "dynamodb:GetRecords")

    def __init__(self, account: str, region: str, mapping: dict[str, Any]) -> None:
        self._scope = {"account_id": account, "region": region}
        self._mapping_id = mapping["UUID"]
        self._table = parse_arn(mapping["EventSourceArn"]).resource.split("/")[1]

    def position(self) -> int:
        done: int = lambda_svc._dynamodb_stream_positions.get_scoped(*self._scope.values(), self._mapping_id, 0)
        start: int = dynamodb.stream_start_position(self._table, **self._scope)
        return max(done, start)

    def move(self, position: int) -> None:
        lambda_svc._dynamodb_stream_positions.set_scoped(*self._scope.values(), self._mapping_id, position)

    def read(self, limit: int) -> list[Placed]:
        position = self.position()
        return list(enumerate(dynamodb.stream_records_since(self._table, position, limit, **self._scope), position))

    def number(self, record: dict[str, Any]) -> str:
        number: str = record["dynamodb"]["SequenceNumber"]
        return number

    def arrived(self, record: dict[str, Any]) -> float:
        return float(record["dynamodb"]["ApproximateCreationDateTime"])

    def document(self, record: dict[str, Any]) -> dict[str, Any]:
        return record


def _stream(mapping: dict[str, Any]) -> dict[str, Any] | None:
    """Return MiniStack's description of the Kinesis stream that a mapping reads."""
    source = parse_arn(mapping["EventSourceArn"])
    stream: dict[str, Any] | None = kinesis._streams.get_scoped(
        source.account_id, source.region, source.resource.removeprefix("stream/")
    )
    return stream


def _kinesis_shards(account: str, region: str, mapping: dict[str, Any]) -> list[Shard]:
    stream = _stream(mapping)
    if stream is None:
        return []
    positions = lambda_svc._kinesis_positions.get_scoped(account, region, mapping["UUID"])
    if positions is None:
        latest = mapping["StartingPosition"] == "LATEST"
        positions = {
            shard_id: _after(shard["records"]) if latest else 0 for shard_id, shard in stream["shards"].items()
        }
        lambda_svc._kinesis_positions.set_scoped(account, region, mapping["UUID"], positions)
    return [_KinesisShard(shard_id, positions, mapping) for shard_id in stream["shards"]]


def _place(stored: dict[str, Any]) -> int:
    return int(stored["SequenceNumber"])


def _after(records: list[dict[str, Any]]) -> int:
    return _place(records[-1]) + 1 if records else 0


class _KinesisShard:
    """A shard of a Kinesis stream. A record's position is its sequence number."""

    batch_info = "KinesisBatchInfo"
    read_actions: tuple[str, ...] = ("kinesis:GetShardIterator", "kinesis:GetRecords")

    def __init__(self, shard_id: str, positions: dict[str, int], mapping: dict[str, Any]) -> None:
        self.shard_id = shard_id
        self._positions, self._mapping = positions, mapping

    def position(self) -> int:
        return self._positions.get(self.shard_id, 0)

    def move(self, position: int) -> None:
        self._positions[self.shard_id] = position

    def read(self, limit: int) -> list[Placed]:
        shard = (_stream(self._mapping) or {"shards": {}})["shards"].get(self.shard_id)
        records = shard["records"] if shard else []
        first = bisect_left(records, self.position(), key=_place)
        return [(_place(stored), self._event(stored)) for stored in records[first : first + limit]]

    def _event(self, stored: dict[str, Any]) -> dict[str, Any]:
        """Return a stored record as a function gets it."""
        data, number, stream = stored["Data"], stored["SequenceNumber"], self._mapping["EventSourceArn"]
        _, function = lambda_svc._get_func_record_for_qualifier(
            self._mapping["FunctionName"], self._mapping["Qualifier"]
        )
        return {
            "kinesis": {
                "kinesisSchemaVersion": "1.0",
                "partitionKey": stored["PartitionKey"],
                "sequenceNumber": number,
                # MiniStack keeps what came from DynamoDB as bytes, and what PutRecords brought as it was sent.
                "data": base64.b64encode(data).decode() if isinstance(data, bytes) else data,
                "approximateArrivalTimestamp": stored["ApproximateArrivalTimestamp"],
            },
            "eventSource": "aws:kinesis",
            "eventVersion": "1.0",
            "eventID": f"{self.shard_id}:{number}",
            "eventName": "aws:kinesis:record",
            "invokeIdentityArn": function["Role"] if function else None,
            "awsRegion": parse_arn(stream).region,
            "eventSourceARN": stream,
        }

    def number(self, record: dict[str, Any]) -> str:
        number: str = record["kinesis"]["sequenceNumber"]
        return number

    def arrived(self, record: dict[str, Any]) -> float:
        return float(record["kinesis"]["approximateArrivalTimestamp"])

    def document(self, record: dict[str, Any]) -> dict[str, Any]:
        document: dict[str, Any] = lambda_svc._kinesis_record_for_match(record)
        return document
