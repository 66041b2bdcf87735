"""Many writes at once: BatchWriteItem takes no condition, and needs none.

A put carries its stamp. Where a greater version is there already, the listener sees a version that is not above the old
image's, treats the put as an ordinary write, and gives it a version above. A delete of a stub erases the item
everywhere, as any delete does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from domicile.client.context import Context
from domicile.client.errors import HomeRegionUnavailable
from domicile.client.events import Event, Kind
from domicile.client.expressions import Parameters, refuse_unsafe
from domicile.client.options import Placement
from domicile.client.reach import Reply
from domicile.client.steps import Steps, Together
from domicile.core.control import Control, without
from domicile.core.policy import TablePolicy

_Requests = dict[str, list[Mapping[str, Any]]]


class BatchWriter:
    """The steps of BatchWriteItem."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def write(
        self, tables: Mapping[str, TablePolicy], parameters: Parameters, placement: Placement
    ) -> Steps[Parameters]:
        """Send each put to where its item lives, and the rest here; ``RequestItems`` goes by the names of ``tables``.

        ``UnprocessedItems`` is what DynamoDB left for a later call, in all Regions.
        """
        by_home: dict[str | None, _Requests] = {}
        for name, requests in parameters["RequestItems"].items():
            for request in requests:
                item = request.get("PutRequest", {}).get("Item", {})
                refuse_unsafe({"Item": item}, tables[name])
                home = self._context.home_of(item.get(tables[name].authority_attribute), tables[name])
                group = by_home.setdefault(home if placement == "home" else None, {})
                group.setdefault(name, []).append(request)
        answers = yield Together(tuple(self._group(tables, parameters, *group) for group in by_home.items()))
        response: Parameters = {**answers[-1], "UnprocessedItems": {}}
        physical = {table.name: name for name, table in tables.items()}
        for answer in answers:
            for name, requests in answer.get("UnprocessedItems", {}).items():
                left = response["UnprocessedItems"].setdefault(physical[name], [])
                left.extend(_unstamped(request, tables[physical[name]]) for request in requests)
        return response

    def _group(
        self, tables: Mapping[str, TablePolicy], parameters: Parameters, home: str | None, requests: _Requests
    ) -> Steps[Parameters]:
        def stamped(region: str) -> Parameters:
            items = {
                tables[name].name: [self._stamped(request, tables[name], region) for request in group]
                for name, group in requests.items()
            }
            return {**parameters, "RequestItems": items}

        reply = yield from self._send(home, stamped, sum(map(len, requests.values())))
        return reply.response

    def _send(self, home: str | None, stamped: Any, count: int) -> Steps[Reply]:
        context = self._context
        if home is None:
            return (yield from context.reach.call(context.regions, "batch_write_item", stamped, None))
        try:
            return (yield from context.home_call(home, "batch_write_item", stamped, None))
        except HomeRegionUnavailable:
            others = context.regions_to_hold(home)
            if not others:
                raise
            reply = yield from context.reach.call(others, "batch_write_item", stamped, None)
            context.tell(Event(Kind.HELD_LOCAL, home, reply.region, count=count))
            return reply

    def _stamped(self, request: Mapping[str, Any], table: TablePolicy, region: str) -> Mapping[str, Any]:
        if "PutRequest" not in request:
            return request
        control = Control(version=self._context.clock.stamp(region), origin=region)
        return {"PutRequest": {"Item": {**request["PutRequest"]["Item"], table.control_attribute: control.to_value()}}}


def _unstamped(request: Mapping[str, Any], table: TablePolicy) -> Mapping[str, Any]:
    if "PutRequest" not in request:
        return request
    return {"PutRequest": {"Item": without(request["PutRequest"]["Item"], table.control_attribute)}}
