"""The way between two partitions: the staging streams, the link that fills them, and the doorsteps behind them."""

from __future__ import annotations

import base64
import gzip
import json
import random
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from domicile.core.errors import TransientError
from domicile.core.parcels import Record
from domicile.pipeline.batch import answer_queue
from domicile.pipeline.courier import REFUSED
from domicile.simulator.services import RETENTION_MS, SHARDS, Shard
from domicile.simulator.tasks import Crash

if TYPE_CHECKING:
    from domicile.simulator.region import Region
    from domicile.simulator.schedule import Schedule

_WHOLE_REQUEST = 0.3
"""How many of the throttled requests are so as a whole."""


class StagingStream:
    """A gateway Region's Kinesis stream: each partition key's records are in one shard, in order."""

    def __init__(self, region: str, chance: random.Random, now_ms: Callable[[], int]) -> None:
        self.shards = [Shard() for _ in range(SHARDS)]
        self.all: list[dict[str, Any]] = []
        self._region = region
        self._chance = chance
        self._now_ms = now_ms
        self._due_ms: dict[str, int] = {}

    def append(self, partition_key: str, data: bytes, delay_ms: int) -> dict[str, Any]:
        """Add a record, which can be read after the delay, and return it as Lambda gets it."""
        sequence = str(len(self.all) + 1)
        record = {
            "kinesis": {
                "kinesisSchemaVersion": "1.0",
                "partitionKey": partition_key,
                "sequenceNumber": sequence,
                "data": base64.b64encode(data).decode(),
                "approximateArrivalTimestamp": self._now_ms() / 1000,
            },
            "eventSource": "aws:kinesis",
            "awsRegion": self._region,
        }
        self._due_ms[sequence] = self._now_ms() + delay_ms
        self.all.append(record)
        self.shard_of(record).records.append(record)
        return record

    def shard_of(self, record: Mapping[str, Any]) -> Shard:
        """Return the shard of a record."""
        return self.shards[int(record["kinesis"]["partitionKey"][-1], 16) % SHARDS]

    def due_at_ms(self) -> list[int]:
        """Return when the next record of each shard can be read."""
        return [self._due(shard) for shard in self.shards if shard.records]

    def is_ready(self, shard: Shard) -> bool:
        """Whether Lambda may read a batch of a shard."""
        return bool(shard.records) and not shard.busy and self._due(shard) <= self._now_ms()

    def forget(self) -> list[dict[str, Any]]:
        """Drop the records that are older than the stream's retention, and return them: they are lost."""
        lost = []
        for shard in self.shards:
            while shard.records and self._age_ms(shard.records[0]) > RETENTION_MS:
                lost.append(shard.records.popleft())
        return lost

    def _due(self, shard: Shard) -> int:
        return self._due_ms[shard.records[0]["kinesis"]["sequenceNumber"]]

    def _age_ms(self, record: Mapping[str, Any]) -> float:
        return self._now_ms() - float(record["kinesis"]["approximateArrivalTimestamp"]) * 1000


class SimulatedLink:
    """The port ``Link`` of a gateway Region's courier."""

    def __init__(self, region: Region, schedule: Schedule) -> None:
        self._region = region
        self._schedule = schedule

    def send(self, records: Sequence[Record]) -> Mapping[int, str]:
        """Send the records. The stream may take some alone, or all although nobody hears of it."""
        schedule, faults = self._schedule, self._schedule.faults
        for record in records:
            text = json.dumps({"data": base64.b64encode(record.data).decode()})
            schedule.history.handed_over(self._region.name, text)
        schedule.functions.wait_or_die()
        refused = self._refused(len(records))
        if schedule.tracing:
            schedule.trace(f"  {self._region.name} link: {len(records)} records, refused {sorted(refused.items())}")
        for position, record in enumerate(records):
            if position not in refused:
                receiver = schedule.beyond(self._region)
                delay_ms = schedule.chance.randint(1, faults.link_delay_ms_max)
                staged = receiver.staging.append(record.partition_key, record.data, delay_ms)
                schedule.history.saw(receiver.name, "stream", json.dumps(staged))
        schedule.functions.wait_or_die()
        if schedule.happens(faults.link_lost_answer):
            return dict.fromkeys(range(len(records)), "ReadTimeoutError")
        return refused

    def _refused(self, count: int) -> dict[int, str]:
        schedule, throttled = self._schedule, "ProvisionedThroughputExceededException"
        if self._region.link_is_down:
            return dict.fromkeys(range(count), "ConnectTimeoutError")
        if self._region.key_is_refused:
            return dict.fromkeys(range(count), REFUSED)
        if not schedule.happens(schedule.faults.link_throttle):
            return {}
        part = schedule.chance.random() >= _WHOLE_REQUEST
        return {position: throttled for position in range(count) if not part or schedule.chance.random() < 0.5}  # noqa: PLR2004


class SimulatedDoorstep:
    """The port ``Doorstep``: a Region's replicator is invoked, and may fail or die as if a queue had invoked it."""

    def __init__(self, region: Region, schedule: Schedule) -> None:
        self._region = region
        self._schedule = schedule

    def deliver(self, region: str, message: str) -> None:
        """Let the replicator handle the message."""
        schedule, receiver = self._schedule, self._schedule.by_name[region]
        schedule.functions.call(self._region)
        if region != self._region.name and schedule.network.cut_off & {region, self._region.name}:
            raise TransientError("no way to the Region")
        if schedule.tracing:
            schedule.trace(f"  {self._region.name} invokes the replicator of {region}")
        schedule.history.saw(region, "doorstep", message)
        schedule.history.gave_message(region, "replicator", message)
        record = {"messageId": "doorstep", "body": message, "attributes": {"ApproximateReceiveCount": "1"}}
        try:
            response = answer_queue(receiver.replicator, [record], receiver.queues["inbox"], receiver.emit)
        except Crash:
            receiver.start("replicator")
            raise TransientError("the replicator died") from None
        schedule.functions.wait_or_die()
        if response["batchItemFailures"]:
            raise TransientError("the replicator could not handle it for now")


def poison(chance: random.Random) -> bytes:
    """Return what is no record of a bridge."""
    texts = (
        "nonsense",
        "[]",
        json.dumps({"format": 2}),
        json.dumps({"format": 1, "emitter": "ap-southeast-1", "destination": [], "fields": {}}),
        json.dumps({"format": 1, "emitter": "ap-southeast-1", "destination": ["cn-north-1"], "fields": {"table": 1}}),
        json.dumps({"format": 1, "emitter": "cn-north-1", "destination": ["eu-west-1"], "fields": {"version": ""}}),
    )
    text = chance.choice([None, *texts])
    return chance.randbytes(chance.randint(0, 40)) if text is None else gzip.compress(text.encode(), mtime=0)
