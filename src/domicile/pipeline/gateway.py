"""The gateway: what has come over a bridge goes on this side's bus, whose rules bring it to its Regions.

The event says who emitted it over there, so that no rule sends it back. What is too large for an event is handed to
the replicators of its Regions directly: this side can't read it where it was written.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from domicile.core.control import Image
from domicile.core.errors import PatienceExhaustedError, RecordInvalidError, TransientError
from domicile.core.events import (
    CHANGES,
    SOURCE,
    Addressed,
    Entry,
    Mutation,
    Operation,
    Receipt,
    pack_mutations,
    pack_receipts,
    repack_mutation,
    travels_whole,
)
from domicile.core.parcels import Parcel
from domicile.core.partitions import partition_of
from domicile.core.policy import Policy
from domicile.pipeline.guard import PATIENCE_MS, guarded, quarantine
from domicile.pipeline.ports import Doorstep, World
from domicile.pipeline.report import Count, Duration, Report

STEP = "gateway"
DOORSTEP_PATIENCE_MS = 15 * 60 * 1000
"""A large change that a Region can't take for so long is quarantined: it holds up all that comes after it in its shard,
where the bus would cost that Region's events alone."""


@dataclass
class _Work:
    """What one record came to: the Region that emitted it, and what is to be put on the bus."""

    record: Mapping[str, Any]
    sequence: str
    report: Report = field(default_factory=Report)
    emitter: str = ""
    change: Addressed | None = None
    receipt: tuple[str, Receipt] | None = None


class Gateway:
    """Handles the records of the staging stream, in any order and any number of times."""

    def __init__(self, world: World, doorstep: Doorstep) -> None:
        self._world = world
        self._doorstep = doorstep

    def handle(self, records: Sequence[Mapping[str, Any]]) -> Report:
        """Put the records on the bus; ``Report.failed`` has the sequence numbers of those to be delivered again."""
        work = list(self._world.each(self._guarded, records))
        report = Report().add(done.report for done in work)
        by_emitter: dict[str, list[_Work]] = defaultdict(list)
        for done in work:
            by_emitter[done.emitter].append(done)
        for emitter, members in by_emitter.items():
            self._put_changes(emitter, [done for done in members if done.change is not None], report)
            self._put_receipts(emitter, [done for done in members if done.receipt is not None], report)
        return report

    def _guarded(self, record: Mapping[str, Any]) -> _Work:
        work = _Work(record, _sequence(record))

        def action(report: Report) -> None:
            data = _data(record)
            try:
                self._one(Parcel.of_data(data), work, report)
            except TransientError as error:
                if self._is_old(record):
                    raise PatienceExhaustedError(type(error).__name__) from None
                raise
            report.counts[Count.RECEIVED] += 1
            report.counts[Count.RECEIVED_BYTES] += len(data)

        work.report = guarded(self._world, STEP, work.sequence, lambda: record, action)
        return work

    def _one(self, parcel: Parcel, work: _Work, report: Report) -> None:
        policy, region = self._world.policy.get(), self._world.region
        _check_way(parcel, policy, region)
        receipt = parcel.receipt
        if receipt is not None:
            (origin,) = parcel.destination
            work.emitter, work.receipt = parcel.emitter, (origin, receipt)
            return
        mutation = parcel.mutation
        _check_content(mutation, parcel.destination, policy)
        now_ms = self._world.now_ms()
        report.sample(Duration.BRIDGE_LAG, parcel.emitter, mutation.version.ms, now_ms)
        if mutation.operation in (Operation.PUT, Operation.MOVE) and not travels_whole(mutation, self._world.limits):
            self._hand_over(parcel, work.record)
            return
        work.emitter, work.change = parcel.emitter, Addressed(parcel.destination, mutation)

    def _hand_over(self, parcel: Parcel, record: Mapping[str, Any]) -> None:
        try:
            for destination in parcel.destination:
                self._doorstep.deliver(destination, _message(parcel.fields, destination))
        except TransientError as error:
            if self._is_old(record, DOORSTEP_PATIENCE_MS):
                raise PatienceExhaustedError(type(error).__name__) from None
            raise

    def _put_changes(self, emitter: str, work: Sequence[_Work], report: Report) -> None:
        if not work:
            return
        tables = self._world.policy.get().tables
        authority_of = {name: table.authority_attribute for name, table in tables.items()}
        changes = [done.change for done in work if done.change is not None]
        self._publish(work, pack_mutations(changes, emitter, authority_of, self._world.limits), report)

    def _put_receipts(self, emitter: str, work: Sequence[_Work], report: Report) -> None:
        receipts = [done.receipt for done in work if done.receipt is not None]
        self._publish(work, pack_receipts(receipts, emitter, self._world.limits), report)

    def _publish(self, work: Sequence[_Work], entries: Sequence[Entry], report: Report) -> None:
        for entry in self._world.publisher.publish(entries) if entries else ():
            for done in (work[member] for member in entry.members):
                if self._is_old(done.record):
                    reason = PatienceExhaustedError.reason
                    report.add([quarantine(self._world, STEP, done.sequence, done.record, reason)])
                else:
                    report.retry(done.sequence, "PutEvents")

    def _is_old(self, record: Mapping[str, Any], patience_ms: int = PATIENCE_MS) -> bool:
        return self._world.now_ms() - float(record["kinesis"]["approximateArrivalTimestamp"]) * 1000 > patience_ms


def _sequence(record: Mapping[str, Any]) -> str:
    """Return the record's name in a batch response; an empty one makes Lambda deliver the whole batch again."""
    return str((record.get("kinesis") or {}).get("sequenceNumber", ""))


def _data(record: Mapping[str, Any]) -> bytes:
    try:
        return base64.b64decode(record["kinesis"]["data"], validate=True)
    except (KeyError, TypeError, binascii.Error) as error:
        raise RecordInvalidError(f"not a record of Kinesis ({type(error).__name__})") from None


def _check_way(parcel: Parcel, policy: Policy, region: str) -> None:
    """Refuse what does not come from beyond, or is not for this side: it would go round in circles."""
    here = partition_of(region)
    from_beyond = parcel.emitter in policy.regions and partition_of(parcel.emitter) != here
    for_here = parcel.destination and all(
        name in policy.regions and partition_of(name) == here for name in parcel.destination
    )
    if not from_beyond or not for_here:
        raise RecordInvalidError("a record that is not from beyond for Regions of this side")
    if parcel.operation is not None and len(parcel.destination) != 1:
        raise RecordInvalidError("a receipt for several Regions")


def _check_content(mutation: Mutation, destination: Sequence[str], policy: Policy) -> None:
    """Refuse a full image that is not for its home alone."""
    if mutation.claim:
        raise RecordInvalidError("a claim check, which can't be redeemed on this side")
    if mutation.operation is Operation.MOVE and list(destination) != [mutation.home]:
        raise RecordInvalidError("a move to another Region than its home")
    image: Image = mutation.image or {}
    if mutation.operation is Operation.PUT and policy.table(mutation.table).authority_attribute in image:
        raise RecordInvalidError("a localized item as a global one")


def _message(fields: Mapping[str, Any], region: str) -> str:
    detail = repack_mutation(fields, region)
    return json.dumps({"source": SOURCE, "detail-type": CHANGES, "detail": detail})
