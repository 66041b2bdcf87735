"""Calls on native tables: sent as they are to the nearest Region that has the table, and to the next where it is down.

DynamoDB replicates such a table itself, so that there is nothing to stamp, to follow or to resolve. Nothing keeps two
Regions' writes apart either: of two writes on one item of an eventual table the later one stays, whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from domicile.client.context import Context
from domicile.client.errors import RegionsUnavailable
from domicile.client.expressions import Parameters, refuse_legacy
from domicile.client.items import Item
from domicile.client.reach import Reply
from domicile.client.steps import Pause, Steps
from domicile.core.policy import NativePolicy

_CONFLICT = "ReplicatedWriteConflictException"
_PINNED = (
    "a consistent read of an eventual native table holds in one Region: without ConsistentRead, the next one answers"
)


class Native:
    """The steps of a call; see ``docs/client.md`` for what a caller may expect."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def call(self, table: NativePolicy, operation: str, parameters: Parameters) -> Steps[Parameters]:
        """Do one of boto3's calls on one table and return its response, whose items are :class:`Item`."""
        refuse_legacy(parameters)
        pinned = _is_pinned(table, parameters)
        reply = yield from self._send(self._context.regions_of([table]), operation, parameters, table.name, pinned)
        response = reply.response
        if "Item" in response:
            response["Item"] = _item(response["Item"])
        if "Items" in response:
            response["Items"] = [_item(image) for image in response["Items"]]
        return response

    def batch(
        self, operation: str, tables: Mapping[str, NativePolicy], parameters: Parameters
    ) -> Steps[list[Parameters]]:
        """Do BatchGetItem or BatchWriteItem, a call for the tables of the same Regions, and return the responses.

        ``RequestItems`` and the responses go by the names of ``tables``.
        """
        groups: dict[tuple[tuple[str, ...], bool], dict[str, Any]] = {}
        for name, requests in parameters["RequestItems"].items():
            place = self._context.regions_of([tables[name]]), _is_pinned(tables[name], requests)
            groups.setdefault(place, {})[tables[name].name] = requests
        named = {table.name: name for name, table in tables.items()}
        responses = []
        for (regions, pinned), requests in groups.items():
            reply = yield from self._send(regions, operation, {**parameters, "RequestItems": requests}, None, pinned)
            response = reply.response
            for part in ("Responses", "UnprocessedKeys", "UnprocessedItems"):
                if part in response:
                    response[part] = {named[name]: content for name, content in response[part].items()}
            for items in response.get("Responses", {}).values():
                items[:] = [_item(image) for image in items]
            responses.append(response)
        return responses

    def _send(
        self, regions: tuple[str, ...], operation: str, parameters: Parameters, table: str | None, pinned: bool
    ) -> Steps[Reply]:
        """Send to the first Region that answers, ``pinned`` to the nearest alone.

        A write that met one of another Region at the same item of a strong table was not done, and is sent again.
        """
        attempts, pause_s = 1, self._context.options.pause_s
        while True:
            try:
                reply = yield from self._context.reach.call(
                    regions[:1] if pinned else regions, operation, lambda _: parameters, table, native=True
                )
            except RegionsUnavailable as error:
                if pinned and len(regions) > 1:
                    raise RegionsUnavailable(error.regions, f"{error}; {_PINNED}") from None
                raise
            except ClientError as error:
                if error.response["Error"]["Code"] != _CONFLICT or attempts >= self._context.options.attempts_max:
                    raise
                yield Pause(pause_s)
                attempts, pause_s = attempts + 1, pause_s * 2
                continue
            if reply.refusal is not None:
                raise reply.refusal
            return reply


def _is_pinned(table: NativePolicy, parameters: Any) -> bool:
    """Whether a read promises what only the nearest Region can keep."""
    return not table.strong and isinstance(parameters, Mapping) and bool(parameters.get("ConsistentRead"))


def _item(image: dict[str, Any]) -> Item:
    return Item(image, is_stub=False)
