"""A gateway Region in memory, with a link and a doorstep that can be made to fail."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from domicile.core.errors import TransientError
from domicile.core.events import Addressed, Limits, Mutation, Receipt, pack_mutations, pack_receipts
from domicile.core.parcels import Parcel, Record
from domicile.pipeline.courier import Courier
from domicile.pipeline.gateway import Gateway
from domicile.pipeline.inbox import Message
from domicile.pipeline.report import Report
from tests.policies import IRELAND, SINGAPORE, TABLE, bridged
from tests.unit.pipeline.region import NOW_MS, Region


@dataclass
class Stream:
    """The port ``Link``; what ``refuses`` gives a cause for is not taken."""

    refuses: Callable[[Parcel], str | None] = lambda _: None
    records: list[Record] = field(default_factory=list)

    def send(self, records: Sequence[Record]) -> Mapping[int, str]:
        causes = {position: self.refuses(Parcel.of_data(record.data)) for position, record in enumerate(records)}
        self.records += [record for position, record in enumerate(records) if causes[position] is None]
        return {position: cause for position, cause in causes.items() if cause is not None}

    @property
    def parcels(self) -> list[Parcel]:
        """What it took."""
        return [Parcel.of_data(record.data) for record in self.records]


@dataclass
class Doorstep:
    """The port ``Doorstep``: the changes that it took, by Region."""

    error: TransientError | None = None
    delivered: list[tuple[str, str]] = field(default_factory=list)

    def deliver(self, region: str, message: str) -> None:
        if self.error is not None:
            raise self.error
        self.delivered.append((region, message))


class GatewayRegion(Region):
    """A gateway Region's ports, with the two steps of its bridge."""

    def __init__(self, name: str = SINGAPORE, limits: Limits | None = None, **bridge: Any) -> None:
        super().__init__(name, limits)
        self.policy.value = bridged(**bridge)
        self.stream, self.doorstep = Stream(), Doorstep()
        self._courier, self._gateway = Courier(self.world, self.stream), Gateway(self.world, self.doorstep)

    def carry(self, *messages: Message) -> Report:
        """Let the courier handle the outbox's messages."""
        return self._courier.handle(messages)

    def take_in(self, *records: Mapping[str, Any]) -> Report:
        """Let the gateway handle the stream's records."""
        return self._gateway.handle(records)


def outgoing(
    name: str, destination: Sequence[str], *mutations: Mutation, emitter: str = IRELAND, limits: Limits | None = None
) -> Message:
    """A message of the outbox: changes for Regions, as one event packs them."""
    addressed = [Addressed(tuple(destination), mutation) for mutation in mutations]
    (entry,) = pack_mutations(addressed, emitter, {TABLE: "localization_authority"}, limits or Limits())
    return Message(name, json.dumps({"detail-type": entry.detail_type, "detail": json.loads(entry.detail)}))


def answer(name: str, origin: str, receipt: Receipt, emitter: str) -> Message:
    """A message of the outbox with a receipt."""
    (entry,) = pack_receipts([(origin, receipt)], emitter)
    return Message(name, json.dumps({"detail-type": entry.detail_type, "detail": json.loads(entry.detail)}))


def record(sequence: int, data: bytes) -> dict[str, Any]:
    """A record of the stream, as Lambda brings it."""
    text = base64.b64encode(data).decode()
    return {"kinesis": {"sequenceNumber": str(sequence), "data": text, "approximateArrivalTimestamp": NOW_MS / 1000}}


def arrived(sequence: int, destination: Sequence[str], fields: Mapping[str, Any], emitter: str, **more: Any) -> Any:
    """A record of the stream that carries a parcel."""
    parcel = Parcel(emitter=emitter, destination=tuple(destination), fields=fields, **more)
    return record(sequence, parcel.to_record().data)
