"""What the scenario sees: each Region's tables through ordinary boto3 code, and the quarantines."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3

from domicile.aws.quarantine import join
from domicile.deployment import Deployment
from domicile.naming import Names

if TYPE_CHECKING:
    from domicile.local.api import LocalAws

Item = dict[str, Any]


@dataclass(frozen=True)
class Holding:
    """What one Region holds of an item: ``kind`` is absent, full or stub; ``item`` has no control attribute."""

    kind: str
    item: Item
    home: str | None = None


class Stage:
    """The deployment's Regions on a running local AWS."""

    def __init__(self, local: LocalAws, deployment: Deployment) -> None:
        self.regions = tuple(local.regions)
        self._deployment = deployment
        self._tables = local.tables
        self._session = boto3.Session(aws_access_key_id=local.access_key, aws_secret_access_key=local.secret_key)
        self._endpoint = local.endpoint
        self.table = cache(self._table)
        self._sqs = cache(self._make_sqs)

    def _table(self, region: str, table: str) -> Any:
        resource = self._session.resource("dynamodb", region_name=region, endpoint_url=self._endpoint)
        return resource.Table(self._tables[table])

    def _make_sqs(self, region: str) -> Any:
        return self._session.client("sqs", region_name=region, endpoint_url=self._endpoint)

    def holdings(self, table: str, key: Item) -> dict[str, Holding]:
        """Return what each Region holds of the item now."""
        return {region: self._holding(region, table, key) for region in self.regions}

    def _holding(self, region: str, table: str, key: Item) -> Holding:
        item = self.table(region, table).get_item(Key=key, ConsistentRead=True).get("Item")
        if item is None:
            return Holding("absent", {})
        control = item.pop(self._deployment.localized[table].control_attribute, {})
        home = control.get("l")
        return Holding("stub" if home else "full", item, home)

    def quarantined(self, region: str) -> list[Mapping[str, Any]]:
        """Return the records in a Region's quarantine, and leave them there."""
        sqs = self._sqs(region)
        names = Names(name=self._deployment.name, region=region, account="")
        url = sqs.get_queue_url(QueueName=names.queue("quarantine"))["QueueUrl"]
        messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0).get("Messages", [])
        return join(message["Body"] for message in messages)

    def is_sensitive(self, table: str, attribute: str) -> bool:
        """Whether an attribute, or something in it, is personal data."""
        return any(path.split(".")[0] == attribute for path in self._deployment.localized[table].sensitive)


def shown(value: Any) -> str:
    """Return an attribute's value on one line."""
    return json.dumps(value, default=str, ensure_ascii=False) if isinstance(value, dict | list) else str(value)
