"""A write in each Region that must arrive in every Region it may reach: the proof that a deployment replicates."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from domicile.deployment import AnyTable
from domicile.local.errors import LocalError
from domicile.table import Key

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_DEADLINE_S = 60.0
_POLL_S = 0.2


def replicate_canaries(
    clients: Mapping[str, DynamoDBClient], tables: Mapping[str, AnyTable], reaches: Callable[[str, str], bool]
) -> None:
    """Write an item into each table of each Region, wait until it is everywhere, delete it, wait until it is gone.

    ``clients`` are by Region, ``tables`` by physical name; ``reaches`` says whether a global item of one Region comes
    to another. Raises :class:`LocalError` that names table, origin and destination of what did not arrive within a
    minute.
    """
    canaries = [(region, name, _key(table)) for region in clients for name, table in tables.items()]
    ways = [(*canary, region) for canary in canaries for region in clients if reaches(canary[0], region)]
    for region, name, key in canaries:
        clients[region].put_item(TableName=name, Item=key)
    _wait(clients, ways, "reach", lambda item: item is not None)
    for region, name, key in canaries:
        clients[region].delete_item(TableName=name, Key=key)
    _wait(clients, ways, "leave", lambda item: item is None)


def _key(table: AnyTable) -> dict[str, Any]:
    return {key.name: _value(key) for key in (table.hash_key, table.range_key) if key is not None}


def _value(key: Key) -> dict[str, Any]:
    number = secrets.randbits(64)
    values = {"S": f"domicile-canary-{number}", "N": str(number), "B": number.to_bytes(8)}
    return {key.type: values[key.type]}


def _wait(
    clients: Mapping[str, DynamoDBClient],
    missing: list[tuple[str, str, dict[str, Any], str]],
    verb: str,
    arrived: Callable[[Any], bool],
) -> None:
    deadline = time.monotonic() + _DEADLINE_S
    while missing:
        missing = [
            (origin, name, key, region)
            for origin, name, key, region in missing
            if not arrived(clients[region].get_item(TableName=name, Key=key, ConsistentRead=True).get("Item"))
        ]
        if missing and time.monotonic() > deadline:
            pairs = ", ".join(sorted({f"{name} from {origin} to {region}" for origin, name, _, region in missing}))
            raise LocalError(f"a canary did not {verb} every Region within {_DEADLINE_S:.0f} s: {pairs}")
        time.sleep(_POLL_S)
