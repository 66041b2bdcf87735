"""Reads: local, with the items that moved fetched from their homes where the caller asks for them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

from domicile.client.context import Context
from domicile.client.errors import RegionsUnavailable, SessionBehind, TooManyRedirects
from domicile.client.events import Event, Kind
from domicile.client.expressions import Parameters, Projection, projected, refuse_unsafe
from domicile.client.items import Item
from domicile.client.options import Resolve
from domicile.client.reach import Reply
from domicile.client.session import Seen, Session
from domicile.client.steps import Pause, Steps, Together
from domicile.core.control import Control
from domicile.core.errors import RecordInvalidError
from domicile.core.policy import TablePolicy

BATCH_KEYS_MAX = 100
"""DynamoDB, per BatchGetItem."""


@dataclass(frozen=True, kw_only=True)
class _Read:
    """What a caller asked for of one table's items, and with what it was sent."""

    table: TablePolicy
    requested: Parameters
    projection: Projection
    resolve: bool

    def by_keys(self) -> Parameters:
        """Return the parameters that read the same of items by their keys."""
        expression = self.requested.get("ProjectionExpression", "")
        used = set(re.findall(r"#\w+", expression))
        names = (self.requested.get("ExpressionAttributeNames") or {}).items()
        parameters: Parameters = {"ConsistentRead": self.requested.get("ConsistentRead", False)}
        if expression:
            parameters["ProjectionExpression"] = expression
            parameters["ExpressionAttributeNames"] = {name: value for name, value in names if name in used}
        return projected(parameters, self.table, (*_control(self.table), *self.table.key_names)).parameters

    def key_of(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """Return an item's key."""
        return {name: item[name] for name in self.table.key_names}


class Reader:
    """The steps of the reads; see ``docs/client.md`` for what a caller may expect."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def get(
        self, table: TablePolicy, parameters: Parameters, resolve: Resolve | None, session: Session | None
    ) -> Steps[Parameters]:
        """Read one item here, or at its home; ``Item`` is an :class:`Item`, and missing where there is none."""
        read = self._read(table, parameters, resolve, table.control_attribute, table.authority_attribute)

        def sent(_: str) -> Parameters:
            return read.projection.parameters

        reply = yield from self._context.reach.call(self._context.regions, "get_item", sent, table.name)
        if session is not None:
            reply = yield from self._as_seen(read, reply, sent, session)
        item = self._item(read, reply.response.pop("Item", None))
        redirects = 0
        while item is not None and item.is_stub and read.resolve:
            redirects = self._counted(redirects)
            home = str(item.home_region)
            self._context.tell(Event(Kind.RESOLVE, reply.region, home, table.name))
            reply = yield from self._context.home_call(home, "get_item", sent, table.name)
            item = self._item(read, reply.response.pop("Item", None))
        if item is not None:
            reply.response["Item"] = _trimmed(item, read.projection)
        return reply.response

    def page(
        self,
        operation: Literal["query", "scan"],
        table: TablePolicy,
        parameters: Parameters,
        resolve: Resolve | None,
    ) -> Steps[Parameters]:
        """Read one page of a query or a scan. ``Items`` are :class:`Item`; a filter sees stubs as stubs."""
        if parameters.get("Select") == "COUNT":
            refuse_unsafe(parameters, table)
            reply = yield from self._call(operation, parameters, table)
            return reply.response
        needed = _control(table)
        if "IndexName" in parameters and "ProjectionExpression" in parameters:
            # Whether the index holds the control attribute is not known here, and asking for it would be an error.
            needed = ()
        read = self._read(table, parameters, resolve, *needed, *table.key_names)
        reply = yield from self._call(operation, read.projection.parameters, table)
        found = [self._item(read, item) for item in reply.response["Items"]]
        items = [item for item in found if item is not None]
        if "IndexName" in parameters:
            items = [_of_index(item, table) for item in items]
        if read.resolve:
            items = yield from self._resolved(read, reply.region, items)
        reply.response["Count"] -= len(found) - len(items)
        reply.response["Items"] = [_trimmed(item, read.projection) for item in items]
        return reply.response

    def batch(
        self, tables: Mapping[str, TablePolicy], parameters: Parameters, resolve: Resolve | None
    ) -> Steps[Parameters]:
        """Read up to 100 keys here; ``RequestItems`` and ``Responses`` go by the names of ``tables``."""
        reads = {
            name: self._read(tables[name], request, resolve, *_control(tables[name]), *tables[name].key_names)
            for name, request in parameters["RequestItems"].items()
        }
        sent = {**parameters, "RequestItems": {r.table.name: r.projection.parameters for r in reads.values()}}
        reply = yield from self._context.reach.call(self._context.regions, "batch_get_item", lambda _: sent, None)
        response = reply.response
        responses, unprocessed = response.get("Responses", {}), response.get("UnprocessedKeys", {})
        response["Responses"], response["UnprocessedKeys"] = {}, {}
        for name, read in reads.items():
            found = [self._item(read, item) for item in responses.get(read.table.name, [])]
            items = [item for item in found if item is not None]
            if read.resolve:
                items = yield from self._resolved(read, reply.region, items)
            if read.table.name in responses:
                response["Responses"][name] = [_trimmed(item, read.projection) for item in items]
            if read.table.name in unprocessed:
                keys = unprocessed[read.table.name]["Keys"]
                response["UnprocessedKeys"][name] = {**parameters["RequestItems"][name], "Keys": keys}
        return response

    def _read(self, table: TablePolicy, parameters: Parameters, resolve: Resolve | None, *needed: str) -> _Read:
        refuse_unsafe(parameters, table)
        if resolve not in (None, "stub", "home"):
            raise ValueError("resolve: must be stub, home or None")
        projection = projected(parameters, table, dict.fromkeys(needed))
        home = resolve == "home" or (resolve is None and projection.names_sensitive)
        return _Read(table=table, requested=parameters, projection=projection, resolve=home)

    def _call(self, operation: str, parameters: Parameters, table: TablePolicy) -> Steps[Reply]:
        return self._context.reach.call(self._context.regions, operation, lambda _: parameters, table.name)

    def _item(self, read: _Read, image: dict[str, Any] | None) -> Item | None:
        """Return what was read, and where it lives, unless its control attribute is malformed and does not tell.

        An item that the replication is deleting is gone already.
        """
        try:
            control = self._context.saw(read.table, image)
        except RecordInvalidError:
            return Item(image or {})
        if image is None or (control is not None and control.deleting):
            return None
        if control is not None and control.home is not None:
            return Item(image, is_stub=True, home_region=control.home)
        authority = image.get(read.table.authority_attribute)
        home = self._context.policy().authorities.get(authority.get("S", "")) if authority else None
        return Item(image, is_stub=False, home_region=home)

    def _as_seen(self, read: _Read, reply: Reply, sent: Any, session: Session) -> Steps[Reply]:
        """Return the reply, or where it is older than what the session has seen, that of the Region which has it."""
        key = read.projection.parameters.get("Key", {})
        control = self._control_of(read, reply)
        seen = session.ahead_of(read.table, key, control)
        if seen is not None:
            try:
                consistent = {**sent(seen.region), "ConsistentRead": True}
                reply = yield from self._context.reach.call(
                    (seen.region,), "get_item", lambda _: consistent, read.table.name
                )
            except RegionsUnavailable as error:
                raise SessionBehind(f"{reply.region} is behind: {error}") from None
            control = self._control_of(read, reply)
        if control is not None:
            session.remember(read.table, key, Seen(control.version, reply.region))
        elif seen is not None and "Item" not in reply.response:
            session.remember(read.table, key, replace(seen, deleted=True))
        return reply

    def _control_of(self, read: _Read, reply: Reply) -> Control | None:
        try:
            return self._context.saw(read.table, reply.response.get("Item"))
        except RecordInvalidError:
            return None

    def _resolved(self, read: _Read, region: str, items: Sequence[Item]) -> Steps[list[Item]]:
        """Return the items with each stub replaced by the full item, without those that their home has deleted."""
        current: dict[str, Item | None] = {str(number): item for number, item in enumerate(items)}
        unknown = {name: item for name, item in current.items() if item is not None and item.is_stub is None}
        if unknown:
            told = yield from self._fetched(read, region, unknown)
            # Of those that live here the answer keeps what the index holds.
            current.update(
                {
                    name: item if item is None or item.is_stub else _told(unknown[name], item)
                    for name, item in told.items()
                }
            )
        redirects = 0
        while stubs := {name: item for name, item in current.items() if item is not None and item.is_stub}:
            redirects = self._counted(redirects)
            homes: dict[str, dict[str, Item]] = {}
            for name, item in stubs.items():
                homes.setdefault(str(item.home_region), {})[name] = item
            for home, moved in homes.items():
                self._context.tell(Event(Kind.RESOLVE, region, home, read.table.name, len(moved)))
            fetched = yield Together(tuple(self._fetched(read, home, moved) for home, moved in homes.items()))
            for found in fetched:
                current.update(found)
        return [item for item in current.values() if item is not None]

    def _fetched(self, read: _Read, region: str, items: Mapping[str, Item]) -> Steps[dict[str, Item | None]]:
        """Read items by their keys in one Region; None for those that it does not have."""
        names = {_hashable(read.key_of(item)): name for name, item in items.items()}
        found: dict[str, Item | None] = dict.fromkeys(items)
        by_keys = read.by_keys()
        keys = [read.key_of(item) for item in items.values()]
        pause_s = self._context.options.pause_s
        while keys:
            batch, keys = keys[:BATCH_KEYS_MAX], keys[BATCH_KEYS_MAX:]
            request = {"RequestItems": {read.table.name: {**by_keys, "Keys": batch}}}
            reply = yield from self._context.home_call(
                region, "batch_get_item", partial(_same, request), read.table.name
            )
            for image in reply.response["Responses"].get(read.table.name, []):
                found[names[_hashable(read.key_of(image))]] = self._item(read, image)
            if left := reply.response.get("UnprocessedKeys", {}).get(read.table.name):
                keys = left["Keys"] + keys
                yield Pause(pause_s)
                pause_s *= 2
        return found

    def _counted(self, redirects: int) -> int:
        if redirects == self._context.options.redirects_max:
            raise TooManyRedirects(f"more than {redirects} stubs pointed to another Region")
        return redirects + 1


def _control(table: TablePolicy) -> tuple[str, ...]:
    return table.control_attribute, table.authority_attribute


def _of_index(item: Item, table: TablePolicy) -> Item:
    """Say that it is not known whether an index's item is a stub, where the index does not hold what would tell."""
    if table.control_attribute in item:
        return item
    return Item(item)


def _told(item: Item, whole: Item) -> Item:
    return Item(item, is_stub=whole.is_stub, home_region=whole.home_region)


def _trimmed(item: Item, projection: Projection) -> Item:
    """Take out what only the library asked for."""
    for name in projection.added:
        item.pop(name, None)
    return item


def _same(parameters: Parameters, _: str) -> Parameters:
    return parameters


def _hashable(key: Mapping[str, Any]) -> Iterable[Any]:
    return tuple((name, *value.items()) for name, value in sorted(key.items()))
