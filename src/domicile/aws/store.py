"""DynamoDB: the tables of this Region, and those of the others for claim checks."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from domicile.aws.cached import RETRY_S
from domicile.aws.failures import UnreachableError, code_of, translated
from domicile.aws.wire import from_boto, to_boto
from domicile.core.control import Image
from domicile.core.writes import Delete, Expression, Put, Update, Write, Written

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class DynamoDbStore:
    """The port ``Store`` over one Region's client."""

    def __init__(self, client: DynamoDBClient) -> None:
        self._client = client

    def get(self, table: str, key: Image) -> Image | None:
        """Return the item by a strongly consistent read, or None."""
        with translated("GetItem"):
            response = self._client.get_item(TableName=table, Key=to_boto(key), ConsistentRead=True)
        return from_boto(response["Item"]) if "Item" in response else None

    def write(self, write: Write) -> Written:
        """Do a conditional write.

        The item as it was comes back with the answer itself, whether the condition held or not: a second read would
        see another moment.
        """
        with translated(type(write).__name__):
            try:
                response = self._call(write)
            except ClientError as error:
                if code_of(error) != "ConditionalCheckFailedException":
                    raise
                item: Any = error.response.get("Item")
                return Written(False, from_boto(item) if item else None)
        attributes = response.get("Attributes")
        return Written(True, from_boto(attributes) if attributes else None)

    def _call(self, write: Write) -> Any:
        condition = write.condition.expression()
        if isinstance(write, Put):
            return self._client.put_item(Item=to_boto({**write.image, **write.key}), **_common(write, condition))
        if isinstance(write, Delete):
            return self._client.delete_item(Key=to_boto(write.key), **_common(write, condition))
        expression, update = _update_expression(write), _common(write, condition)
        update["ExpressionAttributeNames"] = {**condition.names, **expression.names}
        if expression.values:
            update["ExpressionAttributeValues"] = to_boto({**condition.values, **expression.values})
        return self._client.update_item(Key=to_boto(write.key), UpdateExpression=expression.text, **update)


class DynamoDbPeers:
    """The port ``Peers``: one client per Region, made by ``client_of`` on first use, and by one thread at a time.

    A Region that can't be reached is not asked again for ``RETRY_S``: each item of a batch would otherwise wait for the
    timeouts on its own, for longer in all than the function may take.
    """

    def __init__(self, client_of: Callable[[str], DynamoDBClient], clock: Callable[[], float] = time.monotonic) -> None:
        self._store_of = cache(lambda region: DynamoDbStore(client_of(region)))
        self._clock = clock
        self._lock = Lock()
        self._due_s: dict[str, float] = {}

    def get(self, region: str, table: str, key: Image) -> Image | None:
        """Return the item as ``region`` holds it now."""
        with self._lock:
            store = self._store_of(region)
        if self._clock() < self._due_s.get(region, 0.0):
            raise UnreachableError(f"{region} was not reached a moment ago")
        try:
            return store.get(table, key)
        except UnreachableError:
            self._due_s[region] = self._clock() + RETRY_S
            raise


def _common(write: Write, condition: Expression) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "TableName": write.table,
        "ConditionExpression": condition.text,
        "ExpressionAttributeNames": dict(condition.names),
        "ReturnValues": "ALL_OLD",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
    if condition.values:
        arguments["ExpressionAttributeValues"] = to_boto(condition.values)
    return arguments


def _update_expression(write: Update) -> Expression:
    names = {f"#a{i}": name for i, name in enumerate(write.assign)}
    values = {f":a{i}": value for i, value in enumerate(write.assign.values())}
    removed = {f"#r{i}": name for i, name in enumerate(write.remove)}
    clauses = []
    if names:
        clauses.append("SET " + ", ".join(f"{name} = :{name[1:]}" for name in names))
    if removed:
        clauses.append("REMOVE " + ", ".join(removed))
    return Expression(" ".join(clauses), {**names, **removed}, values)
