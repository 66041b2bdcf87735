"""No attribute's value and no key is in a log record, an event, a span or the message of an error."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from domicile.client.options import Options
from domicile.client.session import Session
from domicile.core.errors import DomicileError
from tests.unit.client.scripted import (
    CANARY,
    IN,
    OK,
    Scripted,
    cancelled,
    down,
    full,
    item,
    marked,
    refused,
    stub,
    version,
)

KEY = {"pk": CANARY, "sk": CANARY}
ITEM = {**KEY, "email": CANARY, "localization_authority": "IN"}
SECRET: dict[str, Any] = {"email": {"S": CANARY}}
UPDATE = {"Key": KEY, "UpdateExpression": "SET email = :e", "ExpressionAttributeValues": {":e": CANARY}}
HOLDING = Options(home_unavailable="hold-local", redirects_max=1, attempts_max=2)
Run = Callable[[Scripted], Any]


def written(client: Scripted, operation: Any, arguments: dict[str, Any], *answers: Any) -> Any:
    return client.run(client.table().write(operation, arguments, None), *answers)


def seen_elsewhere(client: Scripted) -> Session:
    session = Session(None, 8)
    other = Scripted(regions=(IN,))
    other.run(other.table(session).write("put_item", {"Item": ITEM}, "local"), OK)
    return session


CASES: dict[str, Run] = {
    "unknown_authority": lambda c: written(c, "put_item", {"Item": {**ITEM, "localization_authority": CANARY}}),
    "home_down": lambda c: written(c, "update_item", UPDATE, refused(stub(IN, **SECRET)), down()),
    "held": lambda c: written(c, "put_item", {"Item": ITEM}, down(), OK),
    "all_down": lambda c: written(c, "update_item", UPDATE, down(), down(), down()),
    "redirects": lambda c: written(c, "update_item", UPDATE, refused(stub(IN, **SECRET)), refused(stub(IN, **SECRET))),
    "contention": lambda c: written(c, "update_item", UPDATE, *[refused(marked())] * 2),
    "restamp": lambda c: written(c, "put_item", {"Item": ITEM}, refused(full(version(2 * 10**12), **SECRET)), OK),
    "malformed": lambda c: written(c, "update_item", UPDATE, refused(item(None, _dom={"S": CANARY}))),
    "malformed_version": lambda c: written(
        c, "update_item", UPDATE, refused(item(None, _dom={"M": {"v": {"S": CANARY}, "o": {"S": CANARY}}}))
    ),
    "lost_answer": lambda c: written(c, "update_item", {**UPDATE, "ReturnValues": "ALL_OLD"}, _applied),
    "legacy": lambda c: written(c, "put_item", {"Item": ITEM, "Expected": {"email": {"Value": CANARY}}}),
    "placeholder": lambda c: written(
        c, "update_item", {**UPDATE, "ExpressionAttributeValues": {":e": CANARY, f":dom_{CANARY}": CANARY}}
    ),
    "condition": lambda c: written(
        c, "update_item", {**UPDATE, "ConditionExpression": "email = :e"}, refused(full(**SECRET))
    ),
    "behind": lambda c: c.run(c.table(seen_elsewhere(c)).get_item({"Key": KEY}, None), OK, down()),
    "resolve": lambda c: c.run(c.table().get_item({"Key": KEY}, "home"), {**OK, "Item": stub(IN, **SECRET)}, down()),
    "transaction": lambda c: c.run(
        c.batches.transact_write_items({"TransactItems": [{"Update": {**UPDATE, "TableName": "orders"}}] * 2}, None),
        cancelled(stub(IN, **SECRET), stub("eu-west-1", **SECRET)),
    ),
    "token": lambda _: Session(CANARY, 8),
}


def _applied(request: Any) -> Any:
    value = request.parameters["ExpressionAttributeValues"][":dom_control"]
    raise refused({**full(**SECRET), "_dom": value})


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_canary_is_nowhere(case: Run, caplog: pytest.LogCaptureFixture) -> None:
    client = Scripted(options=HOLDING)
    error: BaseException | None = None
    with caplog.at_level(logging.DEBUG):
        try:
            case(client)
        except (DomicileError, ClientError, ValueError) as raised:
            error = raised
    told = [repr(client.events), *(repr(vars(record)) for record in caplog.records)]
    while error is not None:
        told.append(str(error))
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    assert CANARY not in "".join(told)
    assert len("".join(told)) > len("[]")
