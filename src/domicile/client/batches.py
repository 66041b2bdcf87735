"""Many writes at once: BatchWriteItem takes no condition, and needs none.

A put carries its stamp. Where a greater version is there already, the listener sees a version that is not above the old
image's, treats the put as an ordinary write, and gives it a version above. A delete of a stub erases the item
everywhere, as any delete does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from domicile.client.context import Context
from domicile.client.errors import HomeRegionUnavailable
from domicile.client.events import Event, Kind
from domicile.client.expressions import Parameters, refuse_unsafe
from domicile.client.options import Placement
from domicile.client.reach import Reply
from domicile.client.session import Seen
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

        ``UnprocessedItems`` is what DynamoDB left for a later call, in all Regions. Where one of these fails, the
        writes in the others may have been done.
        """
        by_region: dict[str | None, _Requests] = {}
        for name, requests in parameters["RequestItems"].items():
            for request in requests:
                item = request.get("PutRequest", {}).get("Item", {})
                refuse_unsafe({"Item": item}, tables[name])
                home = self._context.home_of(item.get(tables[name].authority_attribute), tables[name])
                region = home if placement == "home" else None
                if "DeleteRequest" in request:
                    seen = self._context.last_seen(tables[name], request["DeleteRequest"]["Key"], None)
                    region = seen.region if seen is not None else None
                by_region.setdefault(region, {}).setdefault(name, []).append(request)
        groups = by_region or {None: dict(parameters["RequestItems"])}  # which DynamoDB refuses
        answers = yield Together(tuple(self._group(tables, parameters, *group) for group in groups.items()))
        response: Parameters = {**answers[-1], "UnprocessedItems": {}}
        if "ConsumedCapacity" in response:
            response["ConsumedCapacity"] = [used for answer in answers for used in answer["ConsumedCapacity"]]
        physical = {table.name: name for name, table in tables.items()}
        for answer in answers:
            for name, requests in answer.get("UnprocessedItems", {}).items():
                left = response["UnprocessedItems"].setdefault(physical[name], [])
                left.extend(_unstamped(request, tables[physical[name]]) for request in requests)
        return response

    def _group(
        self, tables: Mapping[str, TablePolicy], parameters: Parameters, home: str | None, requests: _Requests
    ) -> Steps[Parameters]:
        sent: dict[str, list[Mapping[str, Any]]] = {}

        def stamped(region: str) -> Parameters:
            for name, group in requests.items():
                sent[name] = [self._stamped(request, tables[name], region) for request in group]
            return {**parameters, "RequestItems": {tables[name].name: group for name, group in sent.items()}}

        reply = yield from self._send(home, stamped, sum(map(len, requests.values())))
        if reply.region != self._context.regions[0]:
            for name, group in sent.items():
                left = reply.response.get("UnprocessedItems", {}).get(tables[name].name, [])
                self._remember(tables[name], reply.region, [request for request in group if request not in left])
        return reply.response

    def _remember(self, table: TablePolicy, region: str, done: Sequence[Mapping[str, Any]]) -> None:
        for request in done:
            item = request.get("PutRequest", {}).get("Item")
            control = Control.of(item, table.control_attribute)
            if control is not None:
                self._context.wrote(table, item, Seen(control.version, region))

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
