"""Writing at a given rate with plain boto3: many writes at a time, and those of one item in their order."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from domicile.accounts import reported
from domicile.aws.wire import to_boto
from domicile.core.control import Image
from domicile.core.policy import Policy, TablePolicy
from domicile.errors import OperationError
from domicile.load.items import Items
from domicile.load.plan import Operation
from domicile.pace import Pace

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

LANES = 24
"""How many writes a Region has under way. Those of one item share a lane, and so keep their order."""
_QUEUED_MAX = 4 * LANES


@dataclass
class Writer:
    """Does one Region's operations, and calls ``written`` after each, from several threads.

    It ends early when ``stop`` is set, and sets it when a write fails: what botocore's retries can't mend needs a look.
    """

    client: DynamoDBClient
    region: str
    policy: Policy
    table: TablePolicy
    items: Items
    written: Callable[[Operation], None]
    stop: threading.Event
    _errors: list[OperationError] = field(default_factory=list)

    def run(self, operations: Iterable[Operation], rate: float) -> None:
        """Write in this order, at most ``rate`` a second. Raises :class:`OperationError` for a write that failed."""
        pace, queued = Pace(rate), threading.BoundedSemaphore(_QUEUED_MAX)
        lanes = [ThreadPoolExecutor(1) for _ in range(LANES)]
        try:
            for operation in operations:
                method, arguments = self._request(operation)
                queued.acquire()
                if self.stop.wait(pace.wait_s()):
                    break
                done = lanes[operation.item % LANES].submit(self._write, operation, method, arguments)
                done.add_done_callback(lambda _: queued.release())
        finally:
            for lane in lanes:
                lane.shutdown()
        if self._errors:
            raise self._errors[0]

    def _write(self, operation: Operation, method: str, arguments: dict[str, Any]) -> None:
        if self.stop.is_set():
            return
        try:
            with reported(self.region, method):
                getattr(self.client, method)(TableName=self.table.name, **arguments)
        except OperationError as error:
            self._errors.append(error)
            self.stop.set()
        else:
            self.written(operation)

    def _request(self, operation: Operation) -> tuple[str, dict[str, Any]]:
        key = self.items.key(operation.item)
        if operation.kind == "delete":
            return "delete_item", {"Key": to_boto(key)}
        if operation.kind == "update" and self._stays_whole(operation):
            return "update_item", {"Key": to_boto(key), **_assignments(self.items.change(operation))}
        # A stub can't be updated, but replaced: that is how plain code changes an item that has moved home.
        return "put_item", {"Item": to_boto(self.items.whole(operation))}

    def _stays_whole(self, operation: Operation) -> bool:
        return operation.authority is None or self.policy.authorities[operation.authority] == self.region


def _assignments(attributes: Image) -> dict[str, Any]:
    names = {f"#a{position}": name for position, name in enumerate(attributes)}
    return {
        "UpdateExpression": "SET " + ", ".join(f"{alias} = :{alias[1:]}" for alias in names),
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": to_boto({f":{alias[1:]}": attributes[name] for alias, name in names.items()}),
    }
