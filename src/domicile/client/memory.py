"""One Region in memory: moto's DynamoDB, called in process, and the pipeline's own steps over it.

moto is called below its ``mock_aws``: nothing is patched, and what an application mocks itself neither sees these
tables nor resets them.
"""

from __future__ import annotations

import base64
import json
import time
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from botocore.awsrequest import AWSPreparedRequest
from moto.core.request import normalize_request
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.responses import DynamoHandler
from werkzeug.exceptions import HTTPException

from domicile.aws.store import DynamoDbStore
from domicile.aws.wire import to_boto
from domicile.core.control import Image
from domicile.core.errors import TransientError
from domicile.core.events import SOURCE, Entry
from domicile.core.patterns import rule_patterns
from domicile.core.policy import Policy
from domicile.pipeline.anonymizer import Anonymizer
from domicile.pipeline.batch import QueueStep
from domicile.pipeline.inbox import Message
from domicile.pipeline.listener import Listener
from domicile.pipeline.ports import World
from domicile.pipeline.replicator import Replicator
from domicile.simulator.matching import matches

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Value = TypeVar("Value")

_ACCOUNT = "123456789012"
_HASH_KEY = bytes(32)
_TTL = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}


class Tables:
    """The tables of one Region, and their streams."""

    def __init__(self, region: str) -> None:
        self._region = region
        self._backend = DynamoDBBackend(region, _ACCOUNT)
        # moto makes a handler for each request, which asks its class for the backend.
        self._handler: Any = type("Handler", (DynamoHandler,), {"dynamodb_backend": self._backend})
        self.changes: dict[str, list[dict[str, Any]]] = {}

    def answer(self, request: AWSPreparedRequest) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body of the answer, and add what was changed to ``changes``."""
        normalized = normalize_request(request)
        try:
            status, headers, body = self._handler.dispatch(normalized, normalized.raw_url, normalized.headers)
        except HTTPException as error:
            status, headers, body = error.code, error.get_headers(), error.get_body()
        self._collect()
        return int(status), dict(headers), body.encode() if isinstance(body, str) else body

    def mark_expired(self, table: str) -> None:
        """Say of a table's latest change that it was the TTL's."""
        self.changes[table][-1]["userIdentity"] = _TTL

    def _collect(self) -> None:
        for name, table in self._backend.tables.items():
            shard = table.stream_shard
            if shard is None or not shard.items:
                continue
            records = [self._record(name, record.to_json()) for record in shard.items]
            self.changes.setdefault(name, []).extend(_once_for_each_key(records))
            # moto numbers a record by those before it.
            shard.starting_sequence_number += len(shard.items)
            shard.items.clear()

    def _record(self, table: str, record: Mapping[str, Any]) -> dict[str, Any]:
        """Return a record as Lambda gets it."""
        stream = record["dynamodb"]
        at_s = int(stream["ApproximateCreationDateTime"].replace(tzinfo=UTC).timestamp())
        return {
            **record,
            "awsRegion": self._region,
            "eventSourceARN": f"arn:aws:dynamodb:{self._region}:{_ACCOUNT}:table/{table}/stream/0",
            "dynamodb": {**_in_json(stream), "ApproximateCreationDateTime": at_s},
        }


class Region:
    """The tables, bus, queues and functions of one Region. It is their ports ``Publisher`` and ``Quarantine``."""

    def __init__(self, name: str, policy: Policy, client: DynamoDBClient, network: Network) -> None:
        self._name = name
        self._network = network
        self.tables = Tables(name)
        self.store = DynamoDbStore(client)
        self.quarantined: list[str] = []
        self._client = client
        self._queues: dict[str, list[str]] = {"inbox": [], "receipts": []}
        self._rules = rule_patterns(name, [sibling for sibling in policy.regions if sibling != name])
        world = World(
            region=name,
            store=self.store,
            peers=network,
            publisher=self,
            quarantine=self,
            policy=Fixed(policy),
            hash_key=Fixed(_HASH_KEY),
            now_ms=lambda: time.time_ns() // 1_000_000,
            nonce=lambda: uuid.uuid4().hex[:16],
        )
        self._listener = Listener(world)
        self._steps: dict[str, QueueStep] = {"inbox": Replicator(world), "receipts": Anonymizer(world)}

    def put(self, reason: str, source: str, record: Any) -> None:
        """Keep the reason of a record that cannot be handled."""
        self.quarantined.append(reason)

    def publish(self, entries: Sequence[Entry]) -> list[Entry]:
        """Put entries on this Region's bus, whose rules send them on to others."""
        for entry in entries:
            self.deliver({"source": SOURCE, "detail-type": entry.detail_type, "detail": json.loads(entry.detail)})
        return []

    def deliver(self, event: Mapping[str, Any]) -> None:
        """Let the rules of this Region's bus have an event."""
        for purpose, pattern in self._rules.items():
            if not matches(pattern, event):
                continue
            if purpose in self._queues:
                self._queues[purpose].append(json.dumps(event))
            else:
                self._network.regions[purpose.removeprefix("to-")].deliver(event)

    def work(self) -> bool:
        """Let each function handle once what waits for it; return whether any of it was done."""
        done = False
        changes, self.tables.changes = self.tables.changes, {}
        for table, records in changes.items():
            failed = set(self._listener.handle(records).failed)
            left = [record for record in records if record["dynamodb"]["SequenceNumber"] in failed]
            if left:
                self.tables.changes[table] = left + self.tables.changes.get(table, [])
            done |= len(left) < len(records)
        for purpose, step in self._steps.items():
            bodies, self._queues[purpose] = self._queues[purpose], []
            failed = set(step.handle([Message(str(number), body) for number, body in enumerate(bodies)]).failed)
            again = [body for number, body in enumerate(bodies) if str(number) in failed]
            self._queues[purpose] += again
            done |= len(again) < len(bodies)
        return done

    def overwrite(self, table: str, key: Image, image: Image | None) -> None:
        """Make an item of a native table what it is in another Region, which is no change of this one's."""
        if image is None:
            self._client.delete_item(TableName=table, Key=to_boto(key))
        else:
            self._client.put_item(TableName=table, Item=to_boto(image))
        self.tables.changes.pop(table, None)

    def expire(self, table: str, ttl_attribute: str, key_names: Sequence[str], now_s: float) -> None:
        """Remove the items of a table whose time has passed, as DynamoDB's TTL does."""
        pages = self._client.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
        for item in [item for page in pages for item in page["Items"]]:
            expires_at = item.get(ttl_attribute, {}).get("N")
            if expires_at is not None and float(expires_at) < now_s:
                self._client.delete_item(TableName=table, Key={name: item[name] for name in key_names})
                self.tables.mark_expired(table)


class Network:
    """The Regions, and which of them are out of reach. It is the port ``Peers`` too."""

    def __init__(self) -> None:
        self.regions: dict[str, Region] = {}
        self.cut_off: set[str] = set()

    def get(self, region: str, table: str, key: Image) -> Image | None:
        """Read an item of another Region."""
        if region in self.cut_off:
            raise TransientError("the Region is cut off")
        return self.regions[region].store.get(table, key)

    def work(self) -> bool:
        """Let each Region that is in reach work; return whether anything was done."""
        return any(region.work() for name, region in self.regions.items() if name not in self.cut_off)


class Fixed(Generic[Value]):
    """The ports ``PolicySource`` and ``HashKey`` over a value that stays as it is."""

    def __init__(self, value: Value) -> None:
        self._value = value

    def get(self) -> Value:
        """Return the value."""
        return self._value


def _once_for_each_key(records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the records of one request as DynamoDB gives them: one for each item.

    Of an update that makes an item moto gives two, the first with the key alone.
    """
    merged: dict[str, dict[str, Any]] = {}
    for record in records:
        key = json.dumps(record["dynamodb"]["Keys"], sort_keys=True)
        first = merged.get(key, record)["dynamodb"]
        images = {name: image for name, image in record["dynamodb"].items() if name != "OldImage"}
        old = {"OldImage": first["OldImage"]} if "OldImage" in first else {}
        merged[key] = {**record, "dynamodb": {**images, **old}}
    return list(merged.values())


def _in_json(value: Any) -> Any:
    """Return an image with its bytes as base64 text: moto has some of them as the one, some as the other."""
    match value:
        case bytes():
            return base64.b64encode(value).decode()
        case dict():
            return {name: _in_json(member) for name, member in value.items()}
        case list():
            return [_in_json(member) for member in value]
        case _:
            return value
