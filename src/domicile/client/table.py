"""The surface that both clients share: boto3's ``Table``, each method as the steps that it takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeVar

from botocore.exceptions import ParamValidationError

from domicile.client.batches import BatchWriter
from domicile.client.context import Context
from domicile.client.errors import UnsafeOperation
from domicile.client.expressions import Parameters
from domicile.client.items import Item
from domicile.client.marshal import batch_from_wire, from_wire, image_to_wire, item_from_wire, requests_to_wire, to_wire
from domicile.client.native import Native
from domicile.client.options import Placement, Resolve
from domicile.client.reads import BATCH_KEYS_MAX, Reader
from domicile.client.session import Session
from domicile.client.steps import Pause, Steps
from domicile.client.transactions import TransactionWriter
from domicile.client.writes import Operation, Write, Writer
from domicile.core.policy import NativePolicy, TablePolicy

AnyPolicy = TypeVar("AnyPolicy", TablePolicy, NativePolicy)


class TableSteps:
    """One table: arguments and answers in Python values, as in boto3."""

    def __init__(self, context: Context, name: str, session: Session | None) -> None:
        self._context = context
        self._session = session
        self._reader = Reader(context)
        self._writer = Writer(context)
        self._native = Native(context)
        self._batches = BatchSteps(context)
        self.name = name

    def get_item(self, arguments: Mapping[str, Any], resolve: Resolve | None) -> Steps[Parameters]:
        """Read one item."""
        table = self._context.table(self.name)
        parameters = to_wire({**_with(arguments, "Key"), "TableName": table.name})
        if isinstance(table, NativePolicy):
            return from_wire((yield from self._call(table, "get_item", parameters)))
        return from_wire((yield from self._reader.get(table, parameters, resolve, self._session)))

    def page(
        self, operation: Literal["query", "scan"], arguments: Mapping[str, Any], resolve: Resolve | None
    ) -> Steps[Parameters]:
        """Read one page of a query or a scan."""
        table = self._context.table(self.name)
        parameters = to_wire({**arguments, "TableName": table.name})
        if isinstance(table, NativePolicy):
            return from_wire((yield from self._call(table, operation, parameters)))
        return from_wire((yield from self._reader.page(operation, table, parameters, resolve)))

    def batch_get(
        self, keys: Sequence[Mapping[str, Any]], arguments: Mapping[str, Any], resolve: Resolve | None
    ) -> Steps[list[Item]]:
        """Read any number of items by their keys, again and again until DynamoDB has processed all of them."""
        left = [image_to_wire(key) for key in keys]
        found: list[Item] = []
        pause_s = self._context.options.pause_s
        while left:
            batch, left = left[:BATCH_KEYS_MAX], left[BATCH_KEYS_MAX:]
            request = {"RequestItems": {self.name: {**arguments, "Keys": batch}}}
            response = yield from self._batches.read(request, resolve)
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
        if isinstance(table, NativePolicy):
            return from_wire((yield from self._call(table, operation, parameters)))
        write = Write(operation=operation, parameters=parameters)
        chosen = placement or self._context.options.placement
        return from_wire((yield from self._writer.write(table, write, chosen, self._session)))

    def _call(self, table: NativePolicy, operation: str, parameters: Parameters) -> Steps[Parameters]:
        if self._session is not None:
            raise UnsafeOperation(
                f"{self.name} is a native table, whose items have no versions that a session could follow: "
                "use it without one"
            )
        return self._native.call(table, operation, parameters)


class BatchSteps:
    """The calls that take several tables."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._reader = Reader(context)
        self._writer = BatchWriter(context)
        self._transactions = TransactionWriter(context)
        self._native = Native(context)

    def batch_get_item(self, arguments: Mapping[str, Any], resolve: Resolve | None) -> Steps[Parameters]:
        """Read up to 100 items by their keys."""
        return batch_from_wire((yield from self.read(_requests(arguments), resolve)))

    def batch_write_item(self, arguments: Mapping[str, Any], placement: Placement | None) -> Steps[Parameters]:
        """Put and delete up to 25 items, those of localized tables first."""
        parameters = _requests(arguments)
        localized, native = self._tables(parameters)
        responses: list[Parameters] = []
        if localized or not native:
            chosen = placement or self._context.options.placement
            responses.append((yield from self._writer.write(localized, _only(parameters, localized), chosen)))
        responses += yield from self._native.batch("batch_write_item", native, _only(parameters, native))
        return batch_from_wire(_merged(responses))

    def transact_write_items(self, arguments: Mapping[str, Any], placement: Placement | None) -> Steps[Parameters]:
        """Write up to 100 items, all or none, in one Region."""
        items = [
            {kind: to_wire(request) for kind, request in item.items()}
            for item in _with(arguments, "TransactItems", list)["TransactItems"]
        ]
        parameters = {**arguments, "TransactItems": items}
        return (yield from self._transactions.write(parameters, placement or self._context.options.placement))

    def read(self, parameters: Parameters, resolve: Resolve | None) -> Steps[Parameters]:
        """Read up to 100 items by their keys, in DynamoDB JSON."""
        localized, native = self._tables(parameters)
        responses: list[Parameters] = []
        if localized or not native:
            responses.append((yield from self._reader.batch(localized, _only(parameters, localized), resolve)))
        responses += yield from self._native.batch("batch_get_item", native, _only(parameters, native))
        return _merged(responses)

    def _tables(self, parameters: Parameters) -> tuple[dict[str, TablePolicy], dict[str, NativePolicy]]:
        """Return the localized tables of a batch by their names, and the native ones; without any, DynamoDB refuses."""
        tables = {name: self._context.table(name) for name in parameters["RequestItems"]}
        return _of(TablePolicy, tables), _of(NativePolicy, tables)


def _of(kind: type[AnyPolicy], tables: Mapping[str, TablePolicy | NativePolicy]) -> dict[str, AnyPolicy]:
    return {name: table for name, table in tables.items() if isinstance(table, kind)}


def _requests(arguments: Mapping[str, Any]) -> Parameters:
    return {**arguments, "RequestItems": requests_to_wire(_with(arguments, "RequestItems")["RequestItems"])}


def _only(parameters: Parameters, tables: Mapping[str, Any]) -> Parameters:
    requests = {name: request for name, request in parameters["RequestItems"].items() if name in tables}
    return {**parameters, "RequestItems": requests}


def _merged(responses: Sequence[Parameters]) -> Parameters:
    """Return the responses of a batch's calls as one; no two are of the same table."""
    merged = dict(responses[0])
    for response in responses[1:]:
        for name, part in response.items():
            if isinstance(part, list):
                merged[name] = [*merged.get(name, []), *part]
            elif name != "ResponseMetadata":
                merged[name] = {**merged.get(name, {}), **part}
    return merged


def _with(arguments: Mapping[str, Any], name: str, kind: type = Mapping) -> Mapping[str, Any]:
    if not isinstance(arguments.get(name), kind):
        raise ParamValidationError(report=f'Missing required parameter in input: "{name}"')
    return arguments
