"""The Regions of a running local AWS, for end-to-end tests: items in DynamoDB JSON, and waiting with a deadline."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

from domicile.aws.quarantine import join
from domicile.aws.wire import from_boto, to_boto
from domicile.core.control import Control, Image
from domicile.core.errors import RecordInvalidError
from domicile.load.items import MARKER
from domicile.local.api import LocalAws

Found = TypeVar("Found")
CONTROL = "_dom"
DEADLINE_S = 120


def eventually(
    look: Callable[[], Found], holds: Callable[[Found], bool], what: str, within_s: float = DEADLINE_S
) -> Found:
    """Return what ``look`` finds once it ``holds``, or fail after the deadline, saying ``what`` did not come."""
    deadline = time.monotonic() + within_s
    while True:
        found = look()
        if holds(found):
            return found
        assert time.monotonic() < deadline, f"{what}: {found}"
        time.sleep(0.05)


class Regions:
    """Clients of every Region, and the tables by their logical names."""

    def __init__(self, local: LocalAws) -> None:
        self.all = tuple(local.regions)
        self._tables = local.tables
        self.client: Callable[[str, str], Any] = cache(local.client)

    def put(self, region: str, table: str, item: Image) -> None:
        """Write as ordinary code does."""
        self.client("dynamodb", region).put_item(TableName=self._tables[table], Item=to_boto(item))

    def update(self, region: str, table: str, key: Image, attribute: str, value: dict[str, Any]) -> None:
        """Set one attribute as ordinary code does."""
        self.client("dynamodb", region).update_item(
            TableName=self._tables[table],
            Key=to_boto(key),
            UpdateExpression="SET #a = :v",
            ExpressionAttributeNames={"#a": attribute},
            ExpressionAttributeValues=to_boto({":v": value}),
        )

    def delete(self, region: str, table: str, key: Image) -> None:
        """Delete as ordinary code does."""
        self.client("dynamodb", region).delete_item(TableName=self._tables[table], Key=to_boto(key))

    def get(self, region: str, table: str, key: Image) -> Image | None:
        """Return the whole item, with its control attribute."""
        response = self.client("dynamodb", region).get_item(
            TableName=self._tables[table], Key=to_boto(key), ConsistentRead=True
        )
        return from_boto(response["Item"]) if "Item" in response else None

    def images(self, table: str, key: Image) -> dict[str, Image | None]:
        """Return what every Region holds of the item."""
        return {region: self.get(region, table, key) for region in self.all}

    def await_version(self, table: str, key: Image, holds: Callable[[Image], bool]) -> dict[str, Image]:
        """Wait until every Region has the item in one and the same version, and each image ``holds``."""

        def settled(images: dict[str, Image | None]) -> bool:
            controls = [Control.of(image, CONTROL) for image in images.values()]
            versions = {control.version if control else None for control in controls}
            one = len(versions) == 1 and None not in versions
            return one and all(image is not None and holds(image) for image in images.values())

        found = eventually(lambda: self.images(table, key), settled, "one version everywhere")
        return {region: image for region, image in found.items() if image is not None}

    def await_absence(self, table: str, key: Image) -> None:
        """Wait until no Region has the item."""
        eventually(lambda: self.images(table, key), lambda images: not any(images.values()), "absence everywhere")

    def customers_of_run(self, region: str, run: str) -> dict[str, Image]:
        """Return the customers that a run of ``domicile load`` wrote and that a Region has, by their ids."""
        pages = (
            self.client("dynamodb", region)
            .get_paginator("scan")
            .paginate(
                TableName=self._tables["customers"],
                ConsistentRead=True,
                FilterExpression="begins_with(#marker, :run)",
                ExpressionAttributeNames={"#marker": MARKER},
                ExpressionAttributeValues={":run": {"S": run}},
            )
        )
        return {item["customer_id"]["S"]: from_boto(item) for page in pages for item in page["Items"]}

    def queue_url(self, region: str, role: str) -> str:
        """Return the URL of a queue of the deployment."""
        name = next(iter(self._tables.values())).split("-")[0]
        url: str = self.client("sqs", region).get_queue_url(QueueName=f"{name}-{role}")["QueueUrl"]
        return url

    def queues(self) -> list[tuple[str, str]]:
        """Return the Region and the role of each queue that a function empties."""
        return [(region, role) for region in self.all for role in ("inbox", "receipts")]

    def quarantined(self, region: str) -> list[dict[str, Any]]:
        """Take the records out of a Region's quarantine; one that comes in parts is waited for."""
        sqs, url = self.client("sqs", region), self.queue_url(region, "quarantine")
        bodies: list[str] = []

        def whole_records() -> list[dict[str, Any]] | None:
            while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
                for message in messages:
                    bodies.append(message["Body"])
                    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            try:
                return join(bodies)
            except RecordInvalidError:
                return None

        return eventually(whole_records, lambda records: records is not None, "all parts of the records") or []

    def dead_letters(self) -> dict[str, int]:
        """Return the number of messages in every dead-letter queue of every Region, where there are any."""
        counts = {}
        for region in self.all:
            for role in ("inbox-dlq", "receipts-dlq", "stream-dlq", "bus-dlq"):
                attributes = self.client("sqs", region).get_queue_attributes(
                    QueueUrl=self.queue_url(region, role), AttributeNames=["ApproximateNumberOfMessages"]
                )["Attributes"]
                counts[f"{region} {role}"] = int(attributes["ApproximateNumberOfMessages"])
        return {queue: count for queue, count in counts.items() if count}


def text(value: Any) -> str:
    """Return a value's JSON, for searching it."""
    return json.dumps(value, ensure_ascii=False)
