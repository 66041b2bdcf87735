"""The services of one Region in memory: streams, queues, the event bus and AppConfig, with what they may do wrong."""

from __future__ import annotations

import json
import random
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from domicile.core.control import Image
from domicile.core.errors import PolicyUnavailableError
from domicile.core.patterns import rule_patterns
from domicile.pipeline.batch import delay_s
from domicile.simulator.faults import Faults
from domicile.simulator.matching import matches

HOUR_MS = 3600 * 1000
RETENTION_MS = 24 * HOUR_MS
"""How long a stream keeps a record, and EventBridge tries to deliver an event."""
SHARDS = 2
_AFTER_TIMEOUT_MS = 1000
POLICY_AGE_MS_MAX = 1000
_IN_ONE_BATCH = 0.3
"""How many of the messages that are received twice are so in one batch."""
_OLD_HANDLE = 0.5
"""How often such a message is deleted by the handle of its first receipt."""


@dataclass
class Shard:
    """Records in order. Lambda handles one batch of a shard at a time, smaller ones after a function's death."""

    records: deque[dict[str, Any]] = field(default_factory=deque)
    busy: bool = False
    batch_max: int = 10


class Stream:
    """A table's stream: each key's records are in one shard, in order. ``all`` is what a replay needs."""

    def __init__(self, region: str, chance: random.Random, now_ms: Callable[[], int]) -> None:
        self.shards = [Shard() for _ in range(SHARDS)]
        self.all: list[dict[str, Any]] = []
        self.sequence = 0
        self._region = region
        self._chance = chance
        self._now_ms = now_ms

    def append(self, table: str, key: Image, before: Image | None, after: Image | None, expired: bool) -> None:
        """Add the record of a change; DynamoDB rounds its time down to the second."""
        self.sequence += self._chance.randint(1, 3)
        stream: dict[str, Any] = {
            "Keys": key,
            "ApproximateCreationDateTime": float(self._now_ms() // 1000),
            "SequenceNumber": str(self.sequence),
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        }
        if before is not None:
            stream["OldImage"] = before
        if after is not None:
            stream["NewImage"] = after
        record = {
            "eventName": "REMOVE" if after is None else "MODIFY" if before is not None else "INSERT",
            "eventSource": "aws:dynamodb",
            "awsRegion": self._region,
            "eventSourceARN": f"arn:aws:dynamodb:{self._region}:123456789012:table/{table}/stream/0",
            "dynamodb": stream,
        }
        if expired:
            record["userIdentity"] = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
        self.all.append(record)
        self.shard_of(key).records.append(record)

    def shard_of(self, key: Image) -> Shard:
        """Return the shard of a key."""
        return self.shards[ord(key["pk"]["S"][-1]) % SHARDS]

    def is_ready(self, shard: Shard) -> bool:
        """Whether Lambda may read a batch of a shard."""
        return bool(shard.records) and not shard.busy

    def forget(self) -> list[dict[str, Any]]:
        """Drop the records that are older than the stream's retention, and return them: they are lost."""
        lost = []
        for shard in self.shards:
            while shard.records and self._now_ms() - _created_ms(shard.records[0]) > RETENTION_MS:
                lost.append(shard.records.popleft())
        return lost


def sequence_of(record: Mapping[str, Any]) -> str:
    """Return the sequence number of a record of DynamoDB or Kinesis."""
    return str(record["kinesis"]["sequenceNumber"] if "kinesis" in record else record["dynamodb"]["SequenceNumber"])


def _created_ms(record: Mapping[str, Any]) -> int:
    return int(record["dynamodb"]["ApproximateCreationDateTime"]) * 1000


@dataclass
class QueuedMessage:
    """A message of a queue: it may be received from ``visible_at_ms`` on, until it is deleted."""

    id: str
    body: str
    visible_at_ms: int
    received: int = 0
    twice: bool = False


class Queue:
    """SQS: at least once, in no order; what was received too often in vain is a dead letter.

    It is the port ``Redelivery`` too: a failed message comes back as the functions say.
    """

    def __init__(self, name: str, faults: Faults, chance: random.Random, now_ms: Callable[[], int]) -> None:
        self.messages: dict[str, QueuedMessage] = {}
        self.dead: list[QueuedMessage] = []
        self.bodies: list[str] = []
        self._name = name
        self._receives_max = faults.receives_max
        self._received_twice = faults.received_twice
        self._visibility_ms = faults.timeout_ms + _AFTER_TIMEOUT_MS
        self._chance = chance
        self._now_ms = now_ms

    def send(self, body: str) -> None:
        """Add a message."""
        self.bodies.append(body)
        message = QueuedMessage(f"{self._name}-{len(self.bodies)}", body, self._now_ms())
        self.messages[message.id] = message

    def is_ready(self) -> bool:
        """Whether a message is visible."""
        now_ms = self._now_ms()
        return any(message.visible_at_ms <= now_ms for message in self.messages.values())

    def receive(self, count_max: int) -> list[dict[str, Any]]:
        """Return visible messages as Lambda gets them, and hide them for the visibility timeout."""
        now_ms = self._now_ms()
        visible = [message for message in self.messages.values() if message.visible_at_ms <= now_ms]
        records = []
        for message in self._chance.sample(visible, min(len(visible), count_max)):
            if message.received >= self._receives_max:
                self.dead.append(self.messages.pop(message.id))
                continue
            message.received += 1
            message.visible_at_ms = now_ms + self._visibility_ms
            record = {
                "messageId": message.id,
                "body": message.body,
                "attributes": {"ApproximateReceiveCount": str(message.received)},
            }
            records.append(record)
            if self._received_twice and not message.twice and self._chance.random() < self._received_twice:
                message.twice = True
                if self._chance.random() < _IN_ONE_BATCH:
                    records.append(record)
                else:
                    message.visible_at_ms = now_ms
        return records

    def was_received_twice(self, records: Sequence[Mapping[str, Any]]) -> bool:
        """Whether any of these messages was, or is about to be, received while another function has it."""
        return any(self.messages[record["messageId"]].twice for record in records)

    def postpone(self, records: Sequence[Mapping[str, Any]], failed: Collection[str]) -> None:
        """Let failed messages come back after the delay that the functions give them."""
        for record in records:
            message = self.messages.get(record["messageId"])
            if message is not None and message.id in failed:
                received = int(record["attributes"]["ApproximateReceiveCount"])
                message.visible_at_ms = self._now_ms() + delay_s(received) * 1000

    def delete(self, records: Sequence[Mapping[str, Any]], response: Mapping[str, Any]) -> None:
        """Delete what a batch's response does not name; in vain, if a message has been received again since."""
        failed = {failure["itemIdentifier"] for failure in response["batchItemFailures"]}
        for record in records:
            if record["messageId"] not in failed and self._may_delete(record):
                self.messages.pop(record["messageId"], None)

    def _may_delete(self, record: Mapping[str, Any]) -> bool:
        """Whether a receipt handle is the latest; of a message that two functions have, an earlier one may do too."""
        message = self.messages.get(record["messageId"])
        if message is None:
            return False
        latest = str(message.received) == record["attributes"]["ApproximateReceiveCount"]
        return latest or (message.twice and self._chance.random() < _OLD_HANDLE)

    def redrive(self) -> None:
        """Move the dead letters back."""
        for message in self.dead:
            message.received = 0
            message.visible_at_ms = self._now_ms()
            self.messages[message.id] = message
        self.dead.clear()


class Bus:
    """An event bus with the rules that Terraform writes."""

    def __init__(self, region: str, regions: Sequence[str], gateways: Sequence[str]) -> None:
        siblings = [sibling for sibling in regions if sibling != region]
        self._patterns = rule_patterns(region, siblings, gateways)

    def purposes(self, event: Mapping[str, Any]) -> list[str]:
        """Return the purposes of the rules that match an event."""
        return [purpose for purpose, pattern in self._patterns.items() if matches(pattern, event)]


class AppConfig:
    """One Region's AppConfig: each function reads the version that a gradual rollout has brought to it."""

    def __init__(self, documents: Sequence[str]) -> None:
        self.failing = False
        self.garbage = False
        self._documents = documents
        self._version_of: dict[str, int] = {}

    def roll_out(self, function: str) -> None:
        """Give a function the next version, if there is one."""
        self._version_of[function] = min(self._version_of.get(function, 0) + 1, len(self._documents) - 1)

    def read(self, function: str) -> str:
        """Return the document, or what is wrong with it or with AppConfig."""
        if self.failing:
            raise PolicyUnavailableError("AppConfig gave no policy")
        return json.dumps({"format": 2}) if self.garbage else self._documents[self._version_of.get(function, 0)]


class CachedDocument:
    """What an execution environment of a function remembers of AppConfig."""

    def __init__(self, config: AppConfig, function: str, now_ms: Callable[[], int]) -> None:
        self._config = config
        self._function = function
        self._now_ms = now_ms
        self._text = ""
        self._read_at_ms: int | None = None

    def read(self) -> str:
        """Return the document, at most ``POLICY_AGE_MS_MAX`` old."""
        if self._read_at_ms is None or self._now_ms() - self._read_at_ms > POLICY_AGE_MS_MAX:
            self._text = self._config.read(self._function)
            self._read_at_ms = self._now_ms()
        return self._text
