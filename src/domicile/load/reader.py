"""Reading the run's items: strongly consistent, in batches, and only what says which write an item shows."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from domicile.accounts import reported
from domicile.aws.wire import from_boto, to_boto
from domicile.core.control import Control
from domicile.core.policy import TablePolicy
from domicile.errors import OperationError
from domicile.load.items import MARKER, Items

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

BATCH_MAX = 100
"""BatchGetItem's limit."""
_ATTEMPTS_MAX = 10
_BACKOFF_S = 0.05


@dataclass(frozen=True)
class Found:
    """An item of the run in one Region: the index of the operation that it shows, and its control attribute."""

    index: int
    control: Control | None


class Reader:
    """Reads items of the run in one table of each Region."""

    def __init__(self, clients: Mapping[str, DynamoDBClient], table: TablePolicy, items: Items) -> None:
        self.regions = tuple(clients)
        self._clients = clients
        self._table = table
        self._items = items

    def read(self, region: str, numbers: Sequence[int]) -> dict[int, Found]:
        """Return what a Region holds of at most ``BATCH_MAX`` items, by number; what is not the run's is left out."""
        keys = {number: self._items.key(number) for number in numbers}
        number_of = {_identity(key): number for number, key in keys.items()}
        found = {}
        for item in self._batch_get(region, [to_boto(key) for key in keys.values()]):
            image = from_boto(item)
            index = self._items.written_by(image)
            if index is not None:
                key = {name: image[name] for name in self._table.key_names}
                found[number_of[_identity(key)]] = Found(index, Control.of(image, self._table.control_attribute))
        return found

    def read_everywhere(self, numbers: Sequence[int]) -> dict[str, dict[int, Found]]:
        """Return the same of every Region, read side by side."""
        with ThreadPoolExecutor(len(self.regions)) as pool:
            return dict(
                zip(self.regions, pool.map(lambda region: self.read(region, numbers), self.regions), strict=True)
            )

    def _batch_get(self, region: str, keys: list[Any]) -> Iterator[Any]:
        names = [*self._table.key_names, self._table.control_attribute, MARKER]
        projection = {f"#n{position}": name for position, name in enumerate(names)}
        request: Any = {
            self._table.name: {
                "Keys": keys,
                "ConsistentRead": True,
                "ProjectionExpression": ", ".join(projection),
                "ExpressionAttributeNames": projection,
            }
        }
        for attempt in range(_ATTEMPTS_MAX):
            with reported(region, "BatchGetItem"):
                response = self._clients[region].batch_get_item(RequestItems=request)
            yield from response["Responses"].get(self._table.name, [])
            request = response.get("UnprocessedKeys")
            if not request:
                return
            time.sleep(_BACKOFF_S * 2**attempt)  # botocore doesn't back off here: the call itself succeeded
        raise OperationError(f"{region}: BatchGetItem: the table is throttled")


def batches(numbers: Iterable[int]) -> Iterator[list[int]]:
    """Yield the numbers in lists that one read can take."""
    left = list(numbers)
    for start in range(0, len(left), BATCH_MAX):
        yield left[start : start + BATCH_MAX]


def _identity(key: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return a key as something hashable; DynamoDB gives a number back as it was written, since it is a whole one."""
    return tuple(sorted((name, *value.items()) for name, value in key.items()))
