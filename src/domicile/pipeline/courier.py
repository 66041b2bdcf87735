"""The courier: what the outbox holds for the other partition is written to the stream over there.

It is the last step on this side, so it looks once more at whether a change may leave, by the image that it carries and
by this Region's policy. The other side can't read a claim check's image here: the courier reads it, by the same rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from domicile.core.claims import redeem
from domicile.core.errors import NotAllowedToCrossError, PermanentError
from domicile.core.events import Addressed, Mutation, Operation, pack_mutations
from domicile.core.parcels import Parcel, Record, may_cross, parcels_of
from domicile.core.partitions import partition_of
from domicile.core.routing import relying, route_overtaken
from domicile.pipeline.guard import judged, quarantine
from domicile.pipeline.inbox import Message, event_of
from domicile.pipeline.ports import Link, World
from domicile.pipeline.report import Count, Report

STEP = "courier"
REFUSED = "refused"
"""Why a link took nothing: its credentials or its permissions."""


@dataclass
class _Work:
    """What one parcel came to: the record that may leave, and what this side's Regions are to get, by its emitter."""

    message_id: str
    parcel: Parcel
    report: Report = field(default_factory=Report)
    record: Record | None = None
    withheld: str | None = None  # why it may not leave
    onward: tuple[tuple[str, Addressed], ...] = ()


class Courier:
    """Handles the outbox's messages, in any order and any number of times."""

    def __init__(self, world: World, link: Link) -> None:
        self._world = world
        self._link = link

    def handle(self, messages: Sequence[Message]) -> Report:
        """Send what the messages hold; ``Report.failed`` has the ids of those to be delivered again."""
        report = Report()
        jobs: list[tuple[str, Parcel]] = []
        for message in messages:
            try:
                jobs += [(message.id, parcel) for parcel in parcels_of(event_of(message), self._world.region)]
            except PermanentError as error:
                report.add([quarantine(self._world, STEP, message.id, message.body, error.reason)])
        work = list(self._world.each(lambda job: self._guarded(*job), jobs))
        report.add(done.report for done in work)
        self._tell(work, report)
        self._send([(done.message_id, done.record) for done in work if done.record is not None], report)
        self._withhold(work, report)
        return report

    def _guarded(self, message_id: str, parcel: Parcel) -> _Work:
        work = _Work(message_id, parcel)

        def action(report: Report) -> None:
            receipt = parcel.receipt
            if receipt is not None:  # it names a key and a version, and nothing else of the item
                work.record = replace(parcel, fields=receipt.to_json()).to_record()
            else:
                self._one(parcel, work, report)

        def give_up(reason: str) -> Report:
            work.withheld = reason
            return Report()

        work.report = judged(message_id, action, give_up)
        return work

    def _one(self, parcel: Parcel, work: _Work, report: Report) -> None:
        policy, region = self._world.policy.get(), self._world.region
        sent = mutation = parcel.mutation
        if sent.claim:
            table = policy.table(sent.table)
            found = self._world.peers.get(sent.origin, table.name, sent.key)
            redeemed = redeem(sent, table, found)
            if redeemed is None:
                report.counts[Count.STALE] += 1
                overtaken = route_overtaken(sent, found, policy)
                if overtaken is not None:
                    self._bury(parcel, overtaken.mutation, overtaken.destination, work)
                return
            mutation = redeemed
            if mutation.operation is Operation.DELETE and sent.operation is Operation.MOVE and table.stubs_everywhere:
                # Only the home was to be told of the version: nobody else would know that theirs is outdated.
                self._bury(parcel, mutation, relying(sent, policy), work)
                return
        if not may_cross(mutation, parcel.destination, policy, region):
            raise NotAllowedToCrossError(f"a {mutation.operation.value} may not leave {partition_of(region)}")
        work.record = replace(parcel, fields=mutation.to_json()).to_record()

    def _bury(self, parcel: Parcel, delete: Mutation, regions: Iterable[str], work: _Work) -> None:
        """Tell Regions of both sides that a version has come to nothing; its origin knows."""
        region = self._world.region
        near = {name for name in regions if partition_of(name) == partition_of(region)} - {delete.origin}
        beyond = set(regions) - near - {delete.origin}
        # No rule brings a Region what itself emits.
        onward = ((region, near - {region}), (delete.origin, near & {region}))
        work.onward = tuple((emitter, Addressed(tuple(sorted(names)), delete)) for emitter, names in onward)
        if beyond:
            work.record = replace(parcel, fields=delete.to_json(), destination=tuple(sorted(beyond))).to_record()

    def _tell(self, work: Sequence[_Work], report: Report) -> None:
        """Tell this side's Regions what the home would have told them."""
        told = ((done.message_id, *onward) for done in work for onward in done.onward)
        for message_id, emitter, addressed in told:
            if addressed.destination:
                entries = pack_mutations([addressed], emitter, {}, self._world.limits)
                for _ in self._world.publisher.publish(entries):
                    report.retry(message_id, "PutEvents")

    def _send(self, records: Sequence[tuple[str, Record]], report: Report) -> None:
        refused = self._link.send([record for _, record in records]) if records else {}
        for position, (_, record) in enumerate(records):
            if position not in refused:
                report.counts[Count.SENT] += 1
                report.counts[Count.SENT_BYTES] += record.bytes
        for message_id in sorted({records[position][0] for position in refused}):
            causes = {cause for position, cause in refused.items() if records[position][0] == message_id}
            report.retry(message_id, min(causes))
            report.counts[Count.LINK_REFUSED] += REFUSED in causes

    def _withhold(self, work: Sequence[_Work], report: Report) -> None:
        """Quarantine what may not leave, once the rest of its message has: each delivery would quarantine it again."""
        again = set(report.failed)
        for done in work:
            if done.withheld is not None and done.message_id not in again:
                kept = done.parcel.to_message()
                report.add([quarantine(self._world, STEP, done.message_id, kept, done.withheld)])
