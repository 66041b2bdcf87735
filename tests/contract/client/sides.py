"""The two sides of the client's contract, boto3 and the library, and how what they do is compared."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

import boto3
from boto3.dynamodb.types import Binary
from botocore.exceptions import BotoCoreError, ClientError

from domicile.client import Options
from domicile.core.policy import Policy
from domicile.deployment import AnyTable, Deployment

REGION = "us-east-1"
DEPLOYMENT = Deployment.load(Path(__file__).with_name("deployment.yaml"))
POLICY = Policy.parse(DEPLOYMENT.policy_document())
PATIENT = Options(connect_timeout_s=30, read_timeout_s=30)
"""What a busy machine does late is no outage."""
PLAIN = "boto"
"""The prefix of the tables that boto3 uses; the library's have the deployment's name."""
CONTROL = "_dom"

Call = tuple[str, str, Mapping[str, Any]]
"""A table's name in the deployment file, a method, and its arguments."""
_SEEDS_STAMPED = 4


class Subject(Protocol):
    """What the suite calls. The methods of ``table(name)`` are those of boto3's ``Table``, and synchronous."""

    def table(self, name: str) -> Any:
        """Return a table by its name in the deployment file."""

    def batch_get_item(self, **arguments: Any) -> Any:
        """As boto3's resource, with the names of the deployment file."""

    def batch_write_item(self, **arguments: Any) -> Any:
        """As boto3's resource, with the names of the deployment file."""

    def transact_write_items(self, **arguments: Any) -> Any:
        """As the client of boto3's resource, with the names of the deployment file."""


NewSubject = Callable[[boto3.Session], AbstractContextManager[Subject]]


class Boto3:
    """The other side: boto3 on tables of its own, which go by the same names."""

    def __init__(self, resource: Any) -> None:
        self._resource = resource

    def table(self, name: str) -> Any:
        return _Boto3Table(self._resource, name)

    def batch_get_item(self, **arguments: Any) -> Any:
        return self._resource.batch_get_item(**_physical(arguments))

    def batch_write_item(self, **arguments: Any) -> Any:
        return self._resource.batch_write_item(**_physical(arguments))

    def transact_write_items(self, **arguments: Any) -> Any:
        items = [
            {kind: {**request, "TableName": f"{PLAIN}-{request['TableName']}"} for kind, request in item.items()}
            for item in arguments["TransactItems"]
        ]
        return self._resource.meta.client.transact_write_items(**{**arguments, "TransactItems": items})


class _Boto3Table:
    def __init__(self, resource: Any, name: str) -> None:
        self._resource = resource
        self._table = resource.Table(f"{PLAIN}-{name}")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._table, name)

    def get_paginator(self, operation: str) -> Any:
        paginator, name = self._resource.meta.client.get_paginator(operation), self._table.name

        class _OfTable:
            @staticmethod
            def paginate(**arguments: Any) -> Any:
                return paginator.paginate(TableName=name, **arguments)

        return _OfTable()

    def batch_get(self, Keys: Sequence[Any], **arguments: Any) -> list[Any]:  # noqa: N803
        items: list[Any] = []
        for start in range(0, len(Keys), 100):
            request = {self._table.name: {"Keys": Keys[start : start + 100], **arguments}}
            items += self._resource.batch_get_item(RequestItems=request)["Responses"][self._table.name]
        return items


def _physical(arguments: Mapping[str, Any]) -> dict[str, Any]:
    requests = {f"{PLAIN}-{name}": request for name, request in arguments["RequestItems"].items()}
    return {**arguments, "RequestItems": requests}


@dataclass(frozen=True)
class Pair:
    """Equal tables twice; each call is made on both."""

    plain: Subject
    ours: Subject
    raw: Any
    """A boto3 resource, to see what lies in the tables."""
    changed: set[str] = field(default_factory=lambda: set(DEPLOYMENT.tables))
    """The tables that may differ from the seeds."""

    def agree(self, *calls: Call, message: bool = True) -> list[Any]:
        """Make the calls in order on both sides, compare each outcome and then the tables; return the outcomes."""
        named = {name for name, _, _ in calls}
        touched = set(DEPLOYMENT.tables) if "*" in named else named
        self.changed.update(touched)
        outcomes = []
        for call in calls:
            expected, found = (outcome(subject, call, message=message) for subject in (self.plain, self.ours))
            assert found == expected, call
            outcomes.append(found)
        for name in touched:
            assert self.contents(DEPLOYMENT.name, name) == self.contents(PLAIN, name), name
        return outcomes

    def contents(self, prefix: str, name: str) -> dict[str, Any]:
        """Return what lies in a table but for the control attribute, by the items' keys."""
        return {
            repr(meant(_key(name, item))): meant({key: value for key, value in item.items() if key != CONTROL})
            for item in self._scan(prefix, name)
        }

    def reset(self, seeds: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        """Leave the seeds alone in the tables: the first ones put by each side's own means, the rest as ordinary code.

        What lies there already stays, and what nothing touched is not looked at, which saves most of the time.
        """
        for name in self.changed:
            for prefix, subject in ((PLAIN, self.plain), (DEPLOYMENT.name, self.ours)):
                raw, found = self.raw.Table(f"{prefix}-{name}"), self.contents(prefix, name)
                for number, item in enumerate(seeds.get(name, ())):
                    if found.pop(repr(meant(_key(name, item))), None) != meant(item):
                        (subject.table(name) if number < _SEEDS_STAMPED else raw).put_item(Item=item)
                for item in self._scan(prefix, name) if found else ():
                    if repr(meant(_key(name, item))) in found:
                        raw.delete_item(Key=_key(name, item))
        self.changed.clear()

    def _scan(self, prefix: str, name: str) -> list[Any]:
        items: list[Any] = self.raw.Table(f"{prefix}-{name}").scan(ConsistentRead=True)["Items"]
        return items


def outcome(subject: Subject, call: Call, *, message: bool = True) -> Any:
    """Return what came of a call, in a form that compares equal where the two sides did the same."""
    name, method, arguments = call
    given = copy.deepcopy(arguments)
    target = subject if name == "*" else subject.table(name)
    try:
        result = _called(target, method, dict(given))
    except ClientError as error:
        response: Any = error.response
        told = {key: response.get(key) for key in ("Item", "CancellationReasons")}
        reason = response["Error"]["Message"] if message else None
        return meant(
            ["ClientError", type(error).__name__, response["Error"]["Code"], reason, error.operation_name, told]
        )
    except (BotoCoreError, TypeError, ValueError, ArithmeticError) as error:
        return meant([type(error).__name__, str(error) if message else None])
    assert given == arguments, "the call changed its arguments"
    return meant(result)


def _called(target: Any, method: str, arguments: dict[str, Any]) -> Any:
    if method == "batch_writer":
        requests = arguments.pop("requests")
        with target.batch_writer(**arguments) as batch:
            for name, request in requests:
                getattr(batch, name)(**request)
        return None
    if method.startswith("pages_of_"):
        return list(target.get_paginator(method.removeprefix("pages_of_")).paginate(**arguments))
    return getattr(target, method)(**arguments)


def meant(value: Any) -> Any:
    """Return a result without what no two calls share; of capacity only what it is reported for.

    The control attribute weighs something, and the tables have different names.
    """
    match value:
        case {"ResponseMetadata": _}:
            return meant({key: member for key, member in value.items() if key != "ResponseMetadata"})
        case {"CapacityUnits": _}:
            return {
                key: True if isinstance(member, float | int | Decimal) else meant(member)
                for key, member in value.items()
            }
        case {"SS": list(members)} | {"NS": list(members)} | {"BS": list(members)}:
            # In DynamoDB JSON, which an error carries. DynamoDB keeps no order, and each side sent the set in one.
            return {kind: sorted(members) for kind in value}
        case dict():
            # Where an update returns nothing, some give an empty map and DynamoDB none.
            present = {key: member for key, member in value.items() if (key, member) != ("Attributes", {})}
            return {meant(key): meant(member) for key, member in present.items()}
        case list():
            return [meant(member) for member in value]
        case str():
            return value.replace(f"{PLAIN}-", "").replace(f"{DEPLOYMENT.name}-", "")
        case Binary():
            return value.__bytes__()
        case set():
            return sorted(map(repr, value))
        case _:
            return value


def create_tables(client: Any, prefix: str) -> None:
    """Create the deployment's tables under a prefix; the deployment in memory has its own already."""
    there = client.list_tables()["TableNames"]
    for name, table in DEPLOYMENT.tables.items():
        if f"{prefix}-{name}" in there:
            continue
        keys = {key.name: key.type for key in _keys(table)}
        indexes = []
        for index in table.indexes:
            parts = [part for part in (index.hash_key, index.range_key) if part is not None]
            keys |= {part.name: part.type for part in parts}
            projection: dict[str, Any] = {"ProjectionType": "INCLUDE", "NonKeyAttributes": index.projection}
            if isinstance(index.projection, str):
                projection = {"ProjectionType": index.projection.upper().replace("-", "_")}
            indexes.append({"IndexName": index.name, "KeySchema": _schema(parts), "Projection": projection})
        client.create_table(
            TableName=f"{prefix}-{name}",
            KeySchema=_schema(_keys(table)),
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": kind} for key, kind in keys.items()],
            BillingMode="PAY_PER_REQUEST",
            **({"GlobalSecondaryIndexes": indexes} if indexes else {}),
        )


def drop_tables(client: Any, prefix: str) -> None:
    """Delete them."""
    for name in DEPLOYMENT.tables:
        client.delete_table(TableName=f"{prefix}-{name}")


def _key(name: str, item: Mapping[str, Any]) -> dict[str, Any]:
    return {key.name: item[key.name] for key in _keys(DEPLOYMENT.tables[name])}


def _keys(table: AnyTable) -> list[Any]:
    return [key for key in (table.hash_key, table.range_key) if key is not None]


def _schema(keys: Sequence[Any]) -> list[dict[str, str]]:
    return [{"AttributeName": key.name, "KeyType": kind} for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)]
