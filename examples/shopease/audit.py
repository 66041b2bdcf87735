"""What came of the ledger: is every acknowledged write where it belongs, and no sensitive text anywhere else?

It looks at the tables, streams, queues and logs themselves, past the library and the services.
"""

from __future__ import annotations

import base64
import gzip
import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from boto3.dynamodb.types import TypeDeserializer

from domicile.deployment import Deployment
from domicile.local.account import client
from domicile.naming import QUEUES, Names
from examples.shopease.traffic import Ledger, Written, marks_in

DEADLINE_S = 90.0
_POLL_S = 0.5
_BATCHES_MAX = 100
_HOLD_S = 5
_PACKED = re.compile(r"H4sI[A-Za-z0-9+/]+=*")
_NO_REGION = "no Region"

Rows = dict[tuple[str, ...], dict[str, Any]]
"""A table of one Region: the items by their key."""


class Audit:
    """Of one run's ledger, on the local AWS at ``endpoint``."""

    def __init__(self, deployment: Deployment, endpoint: str, ledger: Ledger) -> None:
        self._deployment = deployment
        self._endpoint = endpoint
        self._ledger = ledger
        self._clients: dict[tuple[str, str], Any] = {}

    def await_convergence(self) -> list[str]:
        """Wait until every acknowledged write is where it belongs; return what is missing after the deadline."""
        deadline = time.monotonic() + DEADLINE_S
        while missing := self._waiting() or self.missing():
            if time.monotonic() > deadline:
                break
            time.sleep(_POLL_S)
        return missing

    def missing(self) -> list[str]:
        """Return, in numbers by table and Region, what is not as it was acknowledged."""
        ledger = self._ledger
        found: Counter[str] = Counter()
        for region in self._deployment.regions:
            for name, written in (("customers", ledger.customers), ("orders", ledger.orders)):
                rows = self._rows(region, name)
                for key, item in written.items():
                    held = rows.get(key if isinstance(key, tuple) else (key,))
                    if not self._is_right(name, region, item, held):
                        found[f"{name} in {region}"] += 1
            rows = self._rows(region, "inventory")
            for sku, item in ledger.products.items():
                held = rows.get((sku,))
                if held is None or not _matches(item, held):
                    found[f"products in {region}"] += 1
            for fault in self._wrong_stock(rows):
                found[f"stock of {fault} in {region}"] += 1
        return [f"{what}: {count} not as acknowledged" for what, count in sorted(found.items())]

    def leaks(self, logs: Iterable[Path]) -> list[str]:
        """Return where sensitive texts are that must not be there; ``logs`` are files that may hold none."""
        found: Counter[str] = Counter()
        files = ((_NO_REGION, f"log {log.name}", log.read_text("utf-8", "replace")) for log in logs)
        seen: set[str] = set()
        for region, place, words in chain(self._places(), files):
            marks = marks_in(_clear(words))
            seen |= marks
            for mark in marks & self._ledger.marks.keys():
                if place.startswith("log") or region not in self._ledger.marks[mark]:
                    found[f"{place} in {region}"] += 1
        if not seen & self._ledger.marks.keys():
            return ["the search found no mark at all, not even at home: it proves nothing"]
        return [f"{place}: {count} sensitive texts" for place, count in sorted(found.items())]

    def _is_right(self, name: str, region: str, written: Written, held: Mapping[str, Any] | None) -> bool:
        """Whether a Region holds an item in full, if it is the home, and as a stub that shows nothing, if it is not."""
        table = self._deployment.localized[name]
        control = held.get(table.control_attribute, {}) if held else {}
        if held is None or control.get("x"):
            return False
        if region == written.home:
            return "l" not in control and _matches(written, held)
        return control.get("l") == written.home and not marks_in(repr(held))

    def _wrong_stock(self, rows: Rows) -> Iterator[str]:
        """Yield each product of which more is gone, or is there, than the acknowledged sales explain."""
        gone: Counter[str] = Counter()
        for (sku, warehouse), pieces in self._ledger.stock.items():
            held = rows.get((f"{sku}@{warehouse}",), {}).get("pieces", 0)
            unexplained = pieces - self._ledger.sold[sku, warehouse] - int(held)
            if unexplained < 0:
                yield sku
            gone[sku] += unexplained
        yield from (sku for sku, count in gone.items() if count > self._ledger.perhaps_sold[sku])

    def _rows(self, region: str, name: str) -> Rows:
        table = self._deployment.localized[name]
        keys = [key.name for key in (table.hash_key, table.range_key) if key]
        items = (_plain(item) for item in self._scan(region, self._names(region).table(name)))
        return {tuple(str(item[key]) for key in keys): item for item in items}

    def _scan(self, region: str, physical_name: str) -> Iterator[dict[str, Any]]:
        pages = self._client("dynamodb", region).get_paginator("scan")
        for page in pages.paginate(TableName=physical_name, ConsistentRead=True):
            yield from page["Items"]

    def _waiting(self) -> list[str]:
        """Return the queues of the pipeline that have work."""
        found = []
        for region in self._deployment.regions:
            for role in ("inbox", "receipts"):
                attributes = self._client("sqs", region).get_queue_attributes(
                    QueueUrl=self._queue_url(region, role),
                    AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
                )["Attributes"]
                if count := sum(map(int, attributes.values())):
                    found.append(f"{role} in {region}: {count} messages wait")
        return found

    def _places(self) -> Iterator[tuple[str, str, str]]:
        """Yield Region, place and content of all that the local AWS keeps."""
        for region in self._deployment.regions:
            for table in self._client("dynamodb", region).list_tables()["TableNames"]:
                yield region, f"table {table}", repr(list(self._scan(region, table)))
            yield region, "streams", repr(list(self._stream_records(region)))
            for role in QUEUES:
                yield region, f"queue {role}", "\n".join(self._messages(region, role))
            logs = self._client("logs", region)
            for group in logs.describe_log_groups()["logGroups"]:
                name = group["logGroupName"]
                pages = logs.get_paginator("filter_log_events").paginate(logGroupName=name)
                yield region, f"log {name}", "\n".join(event["message"] for page in pages for event in page["events"])

    def _stream_records(self, region: str) -> Iterator[Any]:
        streams = self._client("dynamodbstreams", region)
        for stream in streams.list_streams()["Streams"]:
            arn = stream["StreamArn"]
            for shard in streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]:
                iterator = streams.get_shard_iterator(
                    StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
                ).get("ShardIterator")
                while iterator and (page := streams.get_records(ShardIterator=iterator))["Records"]:
                    yield from page["Records"]
                    iterator = page.get("NextShardIterator")

    def _messages(self, region: str, role: str) -> Iterator[str]:
        """Yield a queue's messages, which come back after a moment."""
        for _ in range(_BATCHES_MAX):
            messages = (
                self._client("sqs", region)
                .receive_message(
                    QueueUrl=self._queue_url(region, role), MaxNumberOfMessages=10, VisibilityTimeout=_HOLD_S
                )
                .get("Messages", [])
            )
            if not messages:
                return
            yield from (repr(message) for message in messages)

    def _queue_url(self, region: str, role: str) -> str:
        url: str = self._client("sqs", region).get_queue_url(QueueName=self._names(region).queue(role))["QueueUrl"]
        return url

    def _names(self, region: str) -> Names:
        return Names(self._deployment.name, region, account="")

    def _client(self, service: str, region: str) -> Any:
        if (service, region) not in self._clients:
            self._clients[service, region] = client(service, region, self._endpoint)
        return self._clients[service, region]


def _matches(written: Written, held: Mapping[str, Any]) -> bool:
    return all(held.get(name) in (value, *written.or_else.get(name, ())) for name, value in written.values.items())


def _plain(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: TypeDeserializer().deserialize(value) for name, value in item.items()}


def _clear(words: str) -> str:
    """Return a text with what is compressed in it in clear."""
    clear = [words]
    for packed in _PACKED.findall(words):
        try:
            clear.append(gzip.decompress(base64.b64decode(packed)).decode())
        except (ValueError, EOFError, OSError):  # it only looked like it
            continue
    return "\n".join(clear)
