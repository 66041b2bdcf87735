from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from domicile.deployment import Deployment
from domicile.errors import OperationError
from domicile.load.items import Items
from domicile.load.plan import Operation, Settings, operations
from domicile.load.writer import LANES, Writer
from domicile.pace import Pace
from tests.policies import TABLE, policy

RUN = "0123abcd"
MODEL = Deployment.model_validate(
    {
        "name": "shop",
        "regions": ["eu-west-1", "us-east-1"],
        "authorities": {"EU": "eu-west-1"},
        "tables": {"orders": {"hash_key": {"name": "pk", "type": "S"}}},
    }
).localized["orders"]
ITEMS = Items(MODEL, RUN)


class Dynamo:
    """A client that notes its calls by the key, and refuses what it is told to."""

    def __init__(self, refused: str | None = None) -> None:
        self.calls: list[tuple[str, str]] = []
        self._refused = refused

    def __getattr__(self, method: str) -> Callable[..., None]:
        def call(*, TableName: str, **arguments: Any) -> None:  # noqa: N803  # as boto3 has it
            assert TableName == TABLE
            key = (arguments.get("Key") or arguments["Item"])["pk"]["S"]
            time.sleep(0.001)
            self.calls.append((method.removesuffix("_item"), key))
            if key == self._refused:
                raise ClientError({"Error": {"Code": "Refused", "Message": "secret"}}, method)

        return call


def write(client: Any, planned: list[Operation], rate: float = 10_000) -> list[int]:
    rules = policy()
    written: list[int] = []
    writer = Writer(
        client=client,
        region="us-east-1",
        policy=rules,
        table=rules.table(TABLE),
        items=ITEMS,
        written=lambda operation: written.append(operation.index),
        stop=threading.Event(),
    )
    writer.run(planned, rate)
    return written


def planned(items: int) -> list[Operation]:
    return operations(
        Settings(
            run=RUN,
            table="orders",
            regions=("us-east-1",),
            items=items,
            mix={"put": 2, "update": 5, "delete": 1},
            authorities={"global": 1},
        )
    )


def pk(item: int) -> str:
    return str(ITEMS.key(item)["pk"]["S"])


def test_each_operation_is_done_once_and_those_of_an_item_in_their_order() -> None:
    client, plan = Dynamo(), planned(200)
    assert sorted(write(client, plan)) == [operation.index for operation in plan]
    for item in range(200):
        wanted = [operation.kind for operation in plan if operation.item == item]
        assert [method for method, key in client.calls if key == pk(item)] == wanted


def test_an_item_that_moved_home_is_replaced_since_a_stub_can_not_be_updated() -> None:
    client = Dynamo()
    write(client, [Operation(0, "update", 0, "us-east-1", "EU"), Operation(1, "update", 1, "us-east-1", None)])
    assert sorted(client.calls) == sorted([("put", pk(0)), ("update", pk(1))])


def test_a_write_that_fails_ends_it_and_no_later_one_of_its_item_is_done() -> None:
    failing = 3
    plan = [Operation(n, "put" if n == failing else "update", failing, "us-east-1", None) for n in range(3, 6)]
    plan += [Operation(6 + n, "put", failing + 1 + n, "us-east-1", None) for n in range(50 * LANES)]
    client = Dynamo(refused=pk(failing))
    with pytest.raises(OperationError, match=r"^us-east-1: put_item: Refused$"):
        write(client, plan)
    assert [method for method, key in client.calls if key == pk(failing)] == ["put"]
    assert len(client.calls) < len(plan)


def test_the_pace_is_kept_and_a_long_delay_is_not_caught_up() -> None:
    now = 100.0
    pace = Pace(10, lambda: now)
    assert [round(pace.wait_s(), 3) for _ in range(3)] == [0, 0.1, 0.2]
    now = 110.0
    assert [pace.wait_s() for _ in range(11)] == [0] * 11
    assert round(pace.wait_s(), 3) == 0.1
