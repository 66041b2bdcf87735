"""The replicator: changes of other Regions are applied here, and answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from domicile.core.anonymize import anonymize
from domicile.core.claims import redeem
from domicile.core.control import Control
from domicile.core.errors import PermanentError, RecordInvalidError
from domicile.core.events import (
    Addressed,
    Entry,
    Mutation,
    Operation,
    Receipt,
    pack_mutations,
    pack_receipts,
    unpack_mutations,
)
from domicile.core.policy import Policy, TablePolicy
from domicile.core.routing import relying, route_overtaken
from domicile.pipeline.apply import Applier, Outcome
from domicile.pipeline.guard import guarded, quarantine
from domicile.pipeline.inbox import Message, detail_of
from domicile.pipeline.ports import World
from domicile.pipeline.report import Count, Duration, Report

STEP = "replicator"
_COUNTS = {Outcome.APPLIED: Count.APPLIED, Outcome.DUPLICATE: Count.DUPLICATE, Outcome.STALE: Count.STALE}


@dataclass
class _Work:
    """What one change came to: the answer to its origin, and what the Regions that know nothing of it are to get."""

    message_id: str
    report: Report = field(default_factory=Report)
    receipt: tuple[str, Receipt] | None = None
    onward: Addressed | None = None


class Replicator:
    """Applies ``changes`` events, in any order and any number of times."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._applier = Applier(world)

    def handle(self, messages: Sequence[Message]) -> Report:
        """Apply every change of the messages; ``Report.failed`` holds the ids of those to be delivered again."""
        report = Report()
        jobs: list[tuple[str, Any]] = []
        for message in messages:
            try:
                jobs += [(message.id, fields) for fields in unpack_mutations(detail_of(message))]
            except PermanentError as error:
                report.add([quarantine(self._world, STEP, message.id, message.body, error.reason)])
        work = list(self._world.each(lambda job: self._guarded(*job), jobs))
        report.add(done.report for done in work)
        receipts = [(done.message_id, done.receipt) for done in work if done.receipt is not None]
        onward = [(done.message_id, done.onward) for done in work if done.onward is not None]
        self._publish(
            [message_id for message_id, _ in receipts],
            pack_receipts([receipt for _, receipt in receipts], self._world.region, self._world.limits),
            report,
        )
        if onward:
            tables = self._world.policy.get().tables
            authority_of = {name: table.authority_attribute for name, table in tables.items()}
            self._publish(
                [message_id for message_id, _ in onward],
                pack_mutations(
                    [addressed for _, addressed in onward], self._world.region, authority_of, self._world.limits
                ),
                report,
            )
        return report

    def _guarded(self, message_id: str, fields: Any) -> _Work:
        work = _Work(message_id)

        def action(report: Report) -> None:
            self._one(Mutation.from_json(fields), work, report)

        work.report = guarded(self._world, STEP, message_id, lambda: fields, action)
        return work

    def _one(self, mutation: Mutation, work: _Work, report: Report) -> None:
        policy = self._world.policy.get()
        table = policy.table(mutation.table)
        if mutation.operation is Operation.MOVE and mutation.home != self._world.region:
            # The bus rules deliver a move to its home alone. Where they do not, no table here may hold the full image.
            raise RecordInvalidError("a move to another Region")
        if mutation.claim:
            redeemed = self._redeem(mutation, table)
            if redeemed is None:
                # An earlier delivery may have put the image, and died before its look at the ledger.
                self._applier.honour_tombstone(table, mutation.key, mutation.version)
                report.counts[Count.STALE] += 1
                work.onward = self._overtaken(mutation, policy, table)
                return
            if redeemed.operation is Operation.DELETE and mutation.operation is Operation.MOVE:
                # Only this home was told of the version: nobody else would know that theirs is outdated.
                work.onward = self._to_others(redeemed, mutation, policy, table)
            mutation = redeemed
        outcome = self._apply(mutation, table)
        report.counts[_COUNTS[outcome]] += 1
        if outcome is Outcome.APPLIED:
            now_ms = self._world.now_ms()
            report.sample(Duration.REPLICATION_LATENCY, mutation.origin, mutation.version.ms, now_ms)
        if outcome is Outcome.STALE and mutation.operation is Operation.MOVE:
            work.onward = self._overtaken(mutation, policy, table)
        if outcome is Outcome.STALE or mutation.operation not in (Operation.PUT, Operation.MOVE):
            return
        receipt = Receipt(
            operation=mutation.operation,
            table=mutation.table,
            key=mutation.key,
            version=mutation.version,
            home=mutation.home,
            outcome=outcome.value,
        )
        work.receipt = (mutation.origin, receipt)
        if mutation.operation is Operation.MOVE:
            report.counts[Count.MOVED] += outcome is Outcome.APPLIED
            work.onward = self._stub(mutation, policy, table, report)

    def _apply(self, mutation: Mutation, table: TablePolicy) -> Outcome:
        if mutation.operation is Operation.DELETE:
            return self._applier.delete(table, mutation.key, mutation.version, mutation.origin)
        if mutation.operation is Operation.STUB:
            return self._applier.stub(table, mutation)
        return self._applier.put(table, mutation)

    def _redeem(self, mutation: Mutation, table: TablePolicy) -> Mutation | None:
        """Read the image that a claim check names where it was written; None where it was overtaken.

        What an earlier delivery brought here is read here: its origin may be a stub by now, and the answer not be sent.
        """
        here = self._world.store.get(table.name, mutation.key)
        control = Control.of(here, table.control_attribute)
        if control is not None and control.version > mutation.version:
            return None
        arrived = control is not None and control.version == mutation.version
        image = here if arrived else self._world.peers.get(mutation.origin, table.name, mutation.key)
        return redeem(mutation, table, image)

    def _stub(self, mutation: Mutation, policy: Policy, table: TablePolicy, report: Report) -> Addressed | None:
        """Return a move's stub for the others; its origin makes its own."""
        addressed = self._to_others(mutation, mutation, policy, table)
        if addressed is None:
            return None
        result = anonymize(mutation.image or {}, table, self._world.hash_key.get())
        report.counts[Count.HASH_KEY_MISSING] += result.hash_keys_missing
        return replace(addressed, mutation=replace(mutation, operation=Operation.STUB, image=result.image))

    def _overtaken(self, mutation: Mutation, policy: Policy, table: TablePolicy) -> Addressed | None:
        """Address a delete of a move that a later version overtook here to those who are not told of that one."""
        if not policy.bridges or mutation.operation is not Operation.MOVE:
            return None
        addressed = route_overtaken(mutation, self._world.store.get(table.name, mutation.key), policy)
        others = set(addressed.destination) - {self._world.region} if addressed else set()
        return replace(addressed, destination=tuple(sorted(others))) if addressed and others else None

    def _to_others(self, mutation: Mutation, move: Mutation, policy: Policy, table: TablePolicy) -> Addressed | None:
        """Address what a move came to to those that hear of it by this home, where these are told at all."""
        others = set(policy.regions) - {self._world.region, mutation.origin}
        if policy.bridges:
            others &= set(relying(move, policy))
        return Addressed(tuple(sorted(others)), mutation) if others and table.stubs_everywhere else None

    def _publish(self, message_ids: Sequence[str], entries: Sequence[Entry], report: Report) -> None:
        for entry in self._world.publisher.publish(entries) if entries else ():
            for message_id in sorted({message_ids[member] for member in entry.members}):
                report.retry(message_id, "PutEvents")
