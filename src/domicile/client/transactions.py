"""Transactions: all or none in the one Region where DynamoDB's transactions end.

Each item is replicated on its own afterwards: other Regions see the items arrive one by one. A transaction whose items
live in different Regions is refused: it would need a commit protocol across Regions, and half of it could be done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from botocore.exceptions import ClientError, ParamValidationError

from domicile.client.context import Context
from domicile.client.errors import UnsafeOperation, WriteContention
from domicile.client.events import Event, Kind
from domicile.client.expressions import Parameters, refuse_unsafe
from domicile.client.options import Placement
from domicile.client.reach import Reply
from domicile.client.session import Seen
from domicile.client.steps import Pause, Steps
from domicile.client.writes import Operation, Write, given_authority
from domicile.core.control import Control, Image, without
from domicile.core.policy import NativePolicy, TablePolicy
from domicile.core.version import Version

_SPLIT = "DynamoDB's transactions end at the Region; write them in a transaction for each"
_STRONG = "DynamoDB does no transactions on a table of strong consistency across Regions; write its items one by one"
_OPERATIONS: Mapping[str, Operation] = {
    "Put": "put_item",
    "Update": "update_item",
    "Delete": "delete_item",
    "ConditionCheck": "condition_check",
}


@dataclass(frozen=True)
class _Member:
    """One action of a transaction.

    ``seen``: what another Region is known to have. ``base``: the version of another write that came first. An item of a
    native table has no versions.
    """

    kind: str
    table: TablePolicy | NativePolicy
    write: Write
    seen: Seen | None = None
    base: Version | None = None

    def sent(self, version: Version, least: Version | None) -> Parameters:
        """Return the action's parameters."""
        if isinstance(self.table, NativePolicy):
            return self.write.parameters
        return self.write.stamped(self.table, version, least)


@dataclass(frozen=True)
class _Refusal:
    """Why one member refused: what it met, as far as DynamoDB told."""

    member: int
    item: Image | None
    control: Control | None


class TransactionWriter:
    """The steps of TransactWriteItems."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def write(self, parameters: Parameters, placement: Placement) -> Steps[Parameters]:
        """Do all of ``TransactItems`` where their items live, or none; tables go by their deployment file's names."""
        members = [
            self._member(kind, request) for item in parameters["TransactItems"] for kind, request in item.items()
        ]
        given = [
            self._context.home_of(given_authority(member.table, member.write), member.table)
            for member in members
            if isinstance(member.table, TablePolicy)
        ]
        if given and "ClientRequestToken" in parameters:
            raise UnsafeOperation("ClientRequestToken: each call is stamped anew and repeats no other; leave it out")
        homes = {home for home in given if home is not None}
        home = _only(homes) if placement == "home" and homes else None
        return _Attempts(self._context, parameters, members).run(home)

    def _member(self, kind: str, request: Parameters) -> _Member:
        if kind not in _OPERATIONS:
            raise ParamValidationError(report=f"TransactItems: must be one of {', '.join(_OPERATIONS)}")
        for name in ("TableName", "Item" if kind == "Put" else "Key"):
            if not request.get(name):
                raise ParamValidationError(report=f'Missing required parameter in TransactItems: "{name}"')
        table = self._context.table(request["TableName"])
        write = Write(operation=_OPERATIONS[kind], parameters={**request, "TableName": table.name})
        if isinstance(table, NativePolicy):
            if table.strong:
                raise UnsafeOperation(f"{request['TableName']}: {_STRONG}")
            return _Member(kind, table, write)
        refuse_unsafe(request, table)
        seen = self._context.last_seen(table, write.key_of(table), None) if write.needs_item else None
        return _Member(kind, table, write, None if seen is None or seen.deleted else seen)


class _Attempts:
    """One transaction on its way to the Region where all its items live."""

    def __init__(self, context: Context, parameters: Parameters, members: list[_Member]) -> None:
        self._context = context
        self._parameters = parameters
        self._members = members
        self._sent: list[Version] = []
        self._region = ""
        self._left: set[str] = set()
        self._pause_s = context.options.pause_s
        self._native = [member.table for member in members if isinstance(member.table, NativePolicy)]
        self._regions = context.regions_of(self._native) if self._native else context.regions
        if len(self._native) < len(members):  # Items of localized tables go nowhere but to these, or home.
            self._regions = tuple(region for region in self._regions if region in context.regions)

    def run(self, home: str | None) -> Steps[Parameters]:
        """Send to ``home``, or where there is none to the nearest Region, until it is done or refused."""
        for _ in range(self._context.options.attempts_max):
            try:
                reply = yield from self._send(home)
            except ClientError as error:
                refusals = self._refusals(error)
                controls = [refusal.control for refusal in refusals if refusal.control is not None]
                if elsewhere := {region for refusal in refusals if (region := self._elsewhere(refusal)) is not None}:
                    home = self._redirect(_only(elsewhere), refusals)
                elif any(control.deleting for control in controls):
                    yield Pause(self._pause_s)
                    self._pause_s *= 2
                elif not self._restamp(refusals) and not self._create(refusals):
                    raise _as_asked(error, self._members) from None
                continue
            self._remember()
            return reply.response
        raise WriteContention("other changes of the items came first every time")

    def _send(self, home: str | None) -> Steps[Reply]:
        for table in self._native:
            if home is not None and home not in table.regions:
                raise UnsafeOperation(f"{table.name} is not in {home}, where other items live: {_SPLIT}")
        if home is None:
            if not self._regions:
                raise UnsafeOperation(f"no Region of this client has all of the tables: {_SPLIT}")
            call, native = self._context.reach.call, bool(self._native)
            return (yield from call(self._regions, "transact_write_items", self._stamp, None, native=native))
        return (yield from self._context.home_call(home, "transact_write_items", self._stamp, None))

    def _stamp(self, region: str) -> Parameters:
        self._region = region
        self._sent = [self._context.clock.stamp(region, member.base) for member in self._members]
        stamped = [
            {member.kind: member.sent(version, self._least(member, region))}
            for member, version in zip(self._members, self._sent, strict=True)
        ]
        return {**self._parameters, "TransactItems": stamped}

    def _refusals(self, error: ClientError) -> list[_Refusal]:
        reasons: Any = error.response.get("CancellationReasons") or []
        found = []
        for number, reason in enumerate(reasons):
            if reason.get("Code") == "ConditionalCheckFailed":
                item, table = reason.get("Item") or None, self._members[number].table
                control = self._context.met(table, item) if isinstance(table, TablePolicy) else None
                found.append(_Refusal(number, item, control))
        return found

    def _least(self, member: _Member, region: str) -> Version | None:
        return member.seen.version if member.seen is not None and member.seen.region != region else None

    def _elsewhere(self, refusal: _Refusal) -> str | None:
        """Return the Region that has the item, where the one that refused has its stub or is behind."""
        member, control = self._members[refusal.member], refusal.control
        least = self._least(member, self._region)
        if member.seen is not None and least is not None and (control is None or control.version < least):
            return member.seen.region
        return control.home if control is not None else None

    def _create(self, refusals: list[_Refusal]) -> bool:
        """Let the updates of items that their home no longer has create them, or the other way round."""
        turned = False
        for refusal in refusals:
            member = self._members[refusal.member]
            absent = refusal.item is None
            if not isinstance(member.table, TablePolicy):
                continue
            if member.write.stub is not None and member.write.create != absent:
                write = member.write.at_home(member.table, absent=absent)
                self._members[refusal.member] = replace(member, write=write)
                turned = True
        return turned

    def _remember(self) -> None:
        for member, version in zip(self._members, self._sent, strict=True):
            if isinstance(member.table, TablePolicy) and member.write.operation != "condition_check":
                deleted = member.write.operation == "delete_item"
                seen = Seen(version, self._region, deleted)
                self._context.wrote(member.table, member.write.key_of(member.table), seen)

    def _redirect(self, home: str, refusals: list[_Refusal]) -> str:
        self._left.add(self._region)
        if home in self._left:
            raise UnsafeOperation(f"the items live in {' and '.join(sorted(self._left))}: {_SPLIT}")
        for refusal in refusals:
            member = self._members[refusal.member]
            if member.write.operation == "update_item" and refusal.control is not None and refusal.control.is_stub:
                self._members[refusal.member] = replace(member, write=replace(member.write, stub=refusal.item))
        self._context.tell(Event(Kind.REDIRECT, self._region, home))
        return home

    def _restamp(self, refusals: list[_Refusal]) -> bool:
        """Stamp those anew that another write came before; tell whether there were any."""
        lost = False
        for refusal in refusals:
            member = self._members[refusal.member]
            control = refusal.control
            if control is not None and member.write.is_stamped and control.version >= self._sent[refusal.member]:
                self._members[refusal.member] = replace(member, base=control.version)
                lost = True
        if lost:
            self._context.tell(Event(Kind.RESTAMP, self._region))
        return lost


def _only(homes: set[str]) -> str:
    if len(homes) > 1:
        raise UnsafeOperation(f"the items live in {' and '.join(sorted(homes))}: {_SPLIT}")
    return next(iter(homes))


def _as_asked(error: ClientError, members: Sequence[_Member]) -> ClientError:
    """Return the cancellation as the caller's own request would have met it."""
    response: dict[str, Any] = dict(error.response)
    if reasons := response.get("CancellationReasons"):
        response["CancellationReasons"] = [
            _reason(reason, member) for reason, member in zip(reasons, members, strict=True)
        ]
    return type(error)(response, error.operation_name)  # type: ignore[arg-type]


def _reason(reason: Mapping[str, Any], member: _Member) -> dict[str, Any]:
    if isinstance(member.table, NativePolicy):
        return dict(reason)
    asked = member.write.parameters.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
    return {
        name: without(value, member.table.control_attribute) if name == "Item" else value
        for name, value in reason.items()
        if name != "Item" or asked
    }
