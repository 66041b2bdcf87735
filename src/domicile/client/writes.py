"""Writes of one item: stamped, conditional, and sent on to the item's home where a stub is in the way."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from botocore.exceptions import ClientError

from domicile.client.context import Context
from domicile.client.errors import (
    AnswerLost,
    HomeRegionUnavailable,
    SessionBehind,
    TooManyRedirects,
    UnsafeOperation,
    WriteContention,
)
from domicile.client.events import Event, Kind
from domicile.client.expressions import (
    Parameters,
    assigned_value,
    guarded,
    on_existing,
    refuse_unsafe,
    touches,
    with_assigned,
    with_authority,
)
from domicile.client.options import Placement
from domicile.client.reach import Reply
from domicile.client.session import Seen, Session
from domicile.client.steps import Pause, Steps
from domicile.core.control import Control, Image, Value, without
from domicile.core.policy import TablePolicy
from domicile.core.version import Version

_LOST_VALUES = ("ALL_OLD", "UPDATED_OLD", "UPDATED_NEW")

Operation = Literal["put_item", "update_item", "delete_item", "condition_check"]


@dataclass(frozen=True, kw_only=True)
class Write:
    """A write of one item: a boto3 client's method and its parameters.

    ``stub`` is the one that an update followed: at home it must find the item, or ``create`` it under the stub's
    authority, lest personal data become a global item. ``over_stub``: a stub is replaced.
    """

    operation: Operation
    parameters: Parameters
    stub: Image | None = None
    create: bool = False
    over_stub: bool = False

    @property
    def is_stamped(self) -> bool:
        """Whether the write carries its version; a delete's comes from the stream."""
        return self.operation in ("put_item", "update_item")

    @property
    def needs_item(self) -> bool:
        """Whether it matters what the item was before."""
        return self.operation != "put_item" or not self.is_whole

    @property
    def is_whole(self) -> bool:
        """Whether the outcome depends on nothing but the parameters, so that it can be written without the item."""
        return (
            self.operation != "update_item"
            and "ConditionExpression" not in self.parameters
            and self.parameters.get("ReturnValues", "NONE") == "NONE"
        )

    def at_home(self, table: TablePolicy, *, absent: bool) -> Write:
        """Return the update for a home that was found to have the item, or not any more though a stub says so."""
        if absent and touches(self.parameters, table.authority_attribute):
            return replace(self, stub=None)
        if absent and table.authority_attribute not in (self.stub or {}):
            raise UnsafeOperation("the item is gone, and its stub does not say under which authority: put it whole")
        return replace(self, create=absent)

    def stamped(self, table: TablePolicy, version: Version, at_least: Version | None = None) -> Parameters:
        """Return the parameters for the Region of ``version``, where the item must have reached ``at_least``."""
        control, parameters = Control(version=version, origin=version.region), self.parameters
        if self.operation == "put_item":
            item = {**parameters["Item"], table.control_attribute: control.to_value()}
            parameters = {**parameters, "Item": item}
        elif self.operation == "update_item":
            parameters = with_assigned(parameters, table, control)
            if self.create and self.stub is not None:
                parameters = with_authority(parameters, table, self.stub[table.authority_attribute])
            elif self.stub is not None:
                parameters = on_existing(parameters, table)
        return guarded(
            parameters, table, version if self.is_stamped else None, over_stub=self.over_stub, at_least=at_least
        )

    def key_of(self, table: TablePolicy) -> Image:
        """Return the item's key, or of a malformed write what there is of it."""
        image: Image = self.parameters.get("Key") or self.parameters.get("Item") or {}
        return {name: image[name] for name in table.key_names if name in image}


class Writer:
    """The steps of a write; see ``docs/client.md`` for what a caller may expect."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def write(self, table: TablePolicy, write: Write, placement: Placement, session: Session | None) -> Steps[Any]:
        """Do the write where the item lives, and return boto3's response.

        Starts here, or with ``placement`` home at the home of the authority that the write gives the item.
        """
        refuse_unsafe(write.parameters, table)
        home = self._context.home_of(given_authority(table, write), table)
        return _Attempts(self._context, table, write, session).run(home if placement == "home" else None)


class _Attempts:
    """One write on its way: from stub to home, and again above whatever came first.

    A Region whose answer is lost may have done the write; the next Region then does it again, under a greater version
    that replaces the first one's everywhere. So an update that counts can count twice, as in any retry of DynamoDB's.
    """

    def __init__(self, context: Context, table: TablePolicy, write: Write, session: Session | None) -> None:
        self._context = context
        self._table = table
        self._write = write
        self._session = session
        self._key = write.key_of(table)
        seen = context.last_seen(table, self._key, session) if write.needs_item else None
        self._awaited = None if seen is None or seen.deleted else seen
        self._ahead: str | None = None
        self._sent: dict[str, Version] = {}
        self._base: Version | None = None
        self._redirects = 0
        self._pause_s = context.options.pause_s

    def run(self, home: str | None) -> Steps[Any]:
        """Send to ``home``, or where there is none to the nearest Region, until it is done or refused."""
        for _ in range(self._context.options.attempts_max):
            reply = yield from self._send(home)
            if reply.refusal is None:
                return self._done(reply)
            control = self._context.met(self._table, reply.met)
            if control is not None and control.version == self._sent[reply.region]:
                return self._done_before(reply, control)
            if self._is_behind(reply.region, control):
                home = self._await(reply, control)
            elif control is not None and control.deleting:
                yield Pause(self._pause_s)
                self._pause_s *= 2
            elif control is not None and control.home is not None and not self._write.over_stub:
                home = self._redirect(reply, control, control.home)
            elif control is not None and self._write.is_stamped and control.version > self._sent[reply.region]:
                self._base = control.version
                self._context.tell(Event(Kind.RESTAMP, reply.region, table=self._table.name))
            elif self._write.stub is not None and self._write.create != (reply.met is None):
                self._write = self._write.at_home(self._table, absent=reply.met is None)
            else:
                raise self._refused(reply.refusal)
        raise WriteContention("other changes of the item came first every time")

    def _send(self, home: str | None) -> Steps[Reply]:
        context, table = self._context, self._table
        try:
            if home is None:
                return (yield from context.reach.call(context.regions, self._write.operation, self._stamp, table.name))
            return (yield from context.home_call(home, self._write.operation, self._stamp, table.name))
        except HomeRegionUnavailable as error:
            if self._ahead is not None and home == self._ahead:
                raise SessionBehind(f"{context.regions[0]} is behind: {error}") from None
            others = context.regions_to_hold(home or "")
            if not self._write.is_whole or not others:
                raise
            self._write = replace(self._write, over_stub=True)
            reply = yield from context.reach.call(others, self._write.operation, self._stamp, table.name)
            context.tell(Event(Kind.HELD_LOCAL, home or "", reply.region, table.name))
            return reply

    def _stamp(self, region: str) -> Parameters:
        version = self._context.clock.stamp(region, self._base)
        self._sent[region] = version
        seen = self._awaited
        least = seen.version if seen is not None and seen.region != region else None
        return self._write.stamped(self._table, version, least)

    def _is_behind(self, region: str, control: Control | None) -> bool:
        seen = self._awaited
        if seen is None or seen.region == region:
            return False
        return control is None or control.version < seen.version

    def _await(self, reply: Reply, control: Control | None) -> str:
        """Return the Region that has what this one does not have yet."""
        ahead = self._awaited.region if self._awaited else reply.region
        self._ahead, self._awaited = ahead, None
        return self._redirect(reply, control, ahead)

    def _redirect(self, reply: Reply, control: Control | None, home: str) -> str:
        self._redirects += 1
        if self._redirects > self._context.options.redirects_max:
            raise TooManyRedirects(f"more than {self._context.options.redirects_max} stubs pointed to another Region")
        if self._write.operation == "update_item" and control is not None and control.is_stub:
            self._write = replace(self._write, stub=reply.met)
        self._context.tell(Event(Kind.REDIRECT, reply.region, home, self._table.name))
        return home

    def _done(self, reply: Reply) -> Parameters:
        self._remember(reply.region)
        response = reply.response
        attributes = response.get("Attributes")
        if attributes is not None:
            attributes.pop(self._table.control_attribute, None)
            if not attributes:
                del response["Attributes"]
        return response

    def _done_before(self, reply: Reply, control: Control) -> Parameters:
        """Answer a write whose first answer was lost: what was met is what it wrote, or the stub that it became."""
        wanted = self._write.parameters.get("ReturnValues", "NONE")
        if wanted in _LOST_VALUES or (wanted == "ALL_NEW" and control.is_stub):
            raise AnswerLost(f"the write was done, but its {wanted} values were lost with the answer")
        self._remember(reply.region)
        refusal: Parameters = dict(reply.refusal.response) if reply.refusal else {}
        response = {name: value for name, value in refusal.items() if name == "ResponseMetadata"}
        if wanted == "ALL_NEW":
            response["Attributes"] = without(reply.met or {}, self._table.control_attribute)
        return response

    def _remember(self, region: str) -> None:
        seen = Seen(self._sent[region], region, deleted=self._write.operation == "delete_item")
        self._context.wrote(self._table, self._key, seen, self._session)

    def _refused(self, refusal: ClientError) -> ClientError:
        """Return the refusal as the caller's own request would have met it."""
        response: dict[str, Any] = dict(refusal.response)
        item = response.pop("Item", None)
        if item and self._write.parameters.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD":
            response["Item"] = without(item, self._table.control_attribute)
        return type(refusal)(response, refusal.operation_name)  # type: ignore[arg-type]


def given_authority(table: TablePolicy, write: Write) -> Value | None:
    """Return the authority that a write gives its item, None where it gives none, or one that only DynamoDB sees."""
    if write.operation == "put_item":
        value: Value | None = write.parameters["Item"].get(table.authority_attribute)
        return value
    return assigned_value(write.parameters, table.authority_attribute)
