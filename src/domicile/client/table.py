"""The surface that both clients share: boto3's ``Table``, each method as the steps that it takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from botocore.exceptions import ParamValidationError

from domicile.client.batches import BatchWriter
from domicile.client.context import Context
from domicile.client.expressions import Parameters
from domicile.client.items import Item
from domicile.client.marshal import batch_from_wire, from_wire, image_to_wire, item_from_wire, requests_to_wire, to_wire
from domicile.client.options import Placement, Resolve
from domicile.client.reads import BATCH_KEYS_MAX, Reader
from domicile.client.session import Session
from domicile.client.steps import Pause, Steps
from domicile.client.transactions import TransactionWriter
from domicile.client.writes import Operation, Write, Writer
from domicile.core.policy import TablePolicy


class TableSteps:
    """One table: arguments and answers in Python values, as in boto3."""

    def __init__(self, context: Context, name: str, session: Session | None) -> None:
        self._context = context
        self._session = session
        self._reader = Reader(context)
        self._writer = Writer(context)
        self.name = name

    def get_item(self, arguments: Mapping[str, Any], resolve: Resolve | None) -> Steps[Parameters]:
        """Read one item."""
        table = self._context.table(self.name)
        parameters = to_wire({**_with(arguments, "Key"), "TableName": table.name})
        return from_wire((yield from self._reader.get(table, parameters, resolve, self._session)))

    def page(
        self, operation: Literal["query", "scan"], arguments: Mapping[str, Any], resolve: Resolve | None
    ) -> Steps[Parameters]:
        """Read one page of a query or a scan."""
        table = self._context.table(self.name)
        parameters = to_wire({**arguments, "TableName": table.name})
        return from_wire((yield from self._reader.page(operation, table, parameters, resolve)))

    def batch_get(
        self, keys: Sequence[Mapping[str, Any]], arguments: Mapping[str, Any], resolve: Resolve | None
    ) -> Steps[list[Item]]:
        """Read any number of items by their keys, again and again until DynamoDB has processed all of them."""
        table = self._context.table(self.name)
        left = [image_to_wire(key) for key in keys]
        found: list[Item] = []
        pause_s = self._context.options.pause_s
        while left:
            batch, left = left[:BATCH_KEYS_MAX], left[BATCH_KEYS_MAX:]
            request = {"RequestItems": {self.name: {**arguments, "Keys": batch}}}
            response = yield from self._reader.batch({self.name: table}, request, resolve)
            found += [item_from_wire(item) for item in response["Responses"].get(self.name, [])]
            if unprocessed := response["UnprocessedKeys"].get(self.name):
                left = unprocessed["Keys"] + left
                yield Pause(pause_s)
                pause_s *= 2
        return found

    def write(
        self,
        operation: Operation,
        arguments: Mapping[str, Any],
        placement: Placement | None,
    ) -> Steps[Parameters]:
        """Put, update or delete one item."""
        table = self._context.table(self.name)
        required = "Item" if operation == "put_item" else "Key"
        parameters = to_wire({**_with(arguments, required), "TableName": table.name})
        write = Write(operation=operation, parameters=parameters)
        chosen = placement or self._context.options.placement
        return from_wire((yield from self._writer.write(table, write, chosen, self._session)))


class BatchSteps:
    """The calls that take several tables."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._reader = Reader(context)
        self._writer = BatchWriter(context)
        self._transactions = TransactionWriter(context)

    def batch_get_item(self, arguments: Mapping[str, Any], resolve: Resolve | None) -> Steps[Parameters]:
        """Read up to 100 items by their keys."""
        tables, parameters = self._named(arguments)
        return batch_from_wire((yield from self._reader.batch(tables, parameters, resolve)))

    def batch_write_item(self, arguments: Mapping[str, Any], placement: Placement | None) -> Steps[Parameters]:
        """Put and delete up to 25 items."""
        tables, parameters = self._named(arguments)
        chosen = placement or self._context.options.placement
        return batch_from_wire((yield from self._writer.write(tables, parameters, chosen)))

    def transact_write_items(self, arguments: Mapping[str, Any], placement: Placement | None) -> Steps[Parameters]:
        """Write up to 100 items, all or none, in one Region."""
        items = [
            {kind: to_wire(request) for kind, request in item.items()}
            for item in _with(arguments, "TransactItems", list)["TransactItems"]
        ]
        parameters = {**arguments, "TransactItems": items}
        return (yield from self._transactions.write(parameters, placement or self._context.options.placement))

    def _named(self, arguments: Mapping[str, Any]) -> tuple[dict[str, TablePolicy], Parameters]:
        requests = requests_to_wire(_with(arguments, "RequestItems")["RequestItems"])
        return {name: self._context.table(name) for name in requests}, {**arguments, "RequestItems": requests}


def _with(arguments: Mapping[str, Any], name: str, kind: type = Mapping) -> Mapping[str, Any]:
    if not isinstance(arguments.get(name), kind):
        raise ParamValidationError(report=f'Missing required parameter in input: "{name}"')
    return arguments
