"""The listener: stream records of this Region's tables become events for the others."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from domicile.core.anonymize import anonymize, difference, values_at
from domicile.core.change import Change
from domicile.core.control import Control, Image, without
from domicile.core.errors import PatienceExhaustedError, RecordInvalidError, TransientError
from domicile.core.events import Addressed, Mutation, Operation, coalesce, pack_mutations
from domicile.core.policy import Policy, TablePolicy
from domicile.core.routing import (
    Kind,
    Ledger,
    Verdict,
    classify,
    is_forced,
    needs_ledger,
    plain_version,
    route_delete,
    route_write,
)
from domicile.core.version import Version, refuse_far_future
from domicile.core.writes import SameValue, Update
from domicile.pipeline.apply import Applier
from domicile.pipeline.guard import PATIENCE_MS, guarded, quarantine, retry
from domicile.pipeline.ports import World
from domicile.pipeline.report import Count, Report

STUB_REPAIRS_MAX = 3
STEP = "listener"


@dataclass
class _Work:
    """What one record came to."""

    report: Report = field(default_factory=Report)
    outgoing: list[Addressed] = field(default_factory=list)


class Listener:
    """Handles the records of a stream batch; see ``core.routing`` for the rules that it acts on."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._applier = Applier(world)

    def handle(self, records: Sequence[Mapping[str, Any]]) -> Report:
        """Handle the records, each key's in order, and publish what they raise.

        ``Report.failed`` holds the sequence numbers of the records that must be delivered again.
        """
        by_key: dict[str, list[int]] = {}
        for position, record in enumerate(records):
            by_key.setdefault(_identity(record), []).append(position)
        work: dict[int, _Work] = {}
        for done in self._world.each(lambda positions: self._in_order(records, positions), by_key.values()):
            work.update(done)
        report = Report().add(work[position].report for position in sorted(work))
        self._publish(records, [(p, item) for p, w in sorted(work.items()) for item in w.outgoing], report)
        return report

    def _in_order(self, records: Sequence[Mapping[str, Any]], positions: Sequence[int]) -> dict[int, _Work]:
        done: dict[int, _Work] = {}
        for index, position in enumerate(positions):
            later = positions[index + 1 :]
            work = self._guarded(records[position], [records[p] for p in later])
            done[position] = work
            if work.report.failed:
                # The later changes of the key wait for it: their versions may build on what it leaves in the ledger.
                return done | {p: _Work(retry(_sequence(records[p]), "after_failure")) for p in later}
        return done

    def _guarded(self, record: Mapping[str, Any], later: Sequence[Mapping[str, Any]]) -> _Work:
        work = _Work()

        def action(report: Report) -> None:
            report.counts[Count.CHANGES] += 1
            change = Change.parse(record)
            try:
                work.outgoing = self._one(record, change, later, report)
            except TransientError as error:
                if self._is_old(change):
                    raise PatienceExhaustedError(type(error).__name__) from None
                raise

        work.report = guarded(self._world, STEP, _sequence(record), lambda: record, action)
        return work

    def _one(
        self, record: Mapping[str, Any], change: Change, later: Sequence[Mapping[str, Any]], report: Report
    ) -> list[Addressed]:
        policy = self._world.policy.get()
        table = policy.table(change.table)
        region = self._world.region
        verdict = classify(change, table, region)
        if verdict.kind is Kind.SKIP:
            report.counts[Count.SKIPPED] += 1
            return []
        if verdict.kind is Kind.STUB_WRITE:
            self._stub_write(record, change, table, report)
            return []
        version = self._version(change, verdict, table)
        if verdict.kind is Kind.EXPIRY and verdict.old is not None:
            # Not the removal's version: this Region may have yet to receive one between the two, which must come.
            self._applier.delete(table, change.key, verdict.old.version.tombstone(), region)
            return []
        if verdict.kind is Kind.DELETE:
            self._applier.delete(table, change.key, version, region)
            return [route_delete(change, version, region, policy)]
        outgoing = route_write(change, version, region, policy, self._stub_of(table, report))
        if verdict.kind is Kind.PLAIN:
            self._apply_locally(change, version, policy, later)
        elif verdict.old is None:
            self._applier.honour_tombstone(table, change.key, version)
        return outgoing

    def _version(self, change: Change, verdict: Verdict, table: TablePolicy) -> Version:
        if verdict.kind is Kind.STAMPED and verdict.new is not None:
            refuse_far_future(verdict.new.version, change.at_ms)
            return verdict.new.version
        region = self._world.region
        ledger = self._applier.ledger(table, change.key) if needs_ledger(verdict, region) else Ledger()
        version = plain_version(change, verdict, region, ledger)
        refuse_far_future(version, change.at_ms)
        if is_forced(change, version):
            self._applier.remember_forced(table, change.key, version)
        return version

    def _stub_of(self, table: TablePolicy, report: Report) -> Callable[[Image], Image]:
        def stub_of(image: Image) -> Image:
            result = anonymize(image, table, self._world.hash_key.get())
            report.counts[Count.HASH_KEY_MISSING] += result.hash_keys_missing
            return result.image

        return stub_of

    def _apply_locally(
        self, change: Change, version: Version, policy: Policy, later: Sequence[Mapping[str, Any]]
    ) -> None:
        """Bring this Region's copy to a plain write's version.

        Where the item is still as the record left it, it gets the version and nothing else. Without a control attribute
        it is a later plain write, whose own record follows. A lower version was applied over the write: the image is
        put back. So it is if the item is gone, unless a tombstone above the version or a removal that follows says
        why: what was applied over the write may have expired. If the write itself did, TTL removes it again, and that
        record shows the version.
        """
        table, region = policy.table(change.table), self._world.region
        name = table.control_attribute
        image = change.new or {}
        stamped = self._world.store.write(
            Update(
                table=table.name,
                key=change.key,
                assign={name: Control(version=version, origin=region).to_value()},
                condition=SameValue(name, image.get(name), table.key_names[0]),
            )
        )
        found = Control.of(stamped.before, name)
        if stamped.applied or found is not None:
            # Also where another version is there by now: an earlier delivery may have crashed before this check.
            self._applier.honour_tombstone(table, change.key, version)
        if stamped.applied:
            return
        if stamped.before is None:
            # A delete that follows must lie above this version, which the image that it removed does not show.
            self._applier.remember_forced(table, change.key, version)
            tombstone = self._applier.ledger(table, change.key).tombstone
            overtaken = (tombstone is None or tombstone < version) and not self._is_deleted_by(later, table)
        else:
            overtaken = found is not None and found.version < version
        if overtaken:
            self._put_back(change, version, policy)

    def _is_deleted_by(self, records: Sequence[Mapping[str, Any]], table: TablePolicy) -> bool:
        """Whether an application's delete is among the key's later records, as far as they are known."""
        with suppress(RecordInvalidError):
            kinds = (classify(Change.parse(record), table, self._world.region).kind for record in records)
            return Kind.DELETE in kinds
        return False

    def _put_back(self, change: Change, version: Version, policy: Policy) -> None:
        """Apply a plain write's image over what overtook it.

        It is whole, also where its home is elsewhere and the copy had become a stub: the home may have to read it here,
        and its receipt makes it a stub again.
        """
        table, region = policy.table(change.table), self._world.region
        image = without(change.new or {}, table.control_attribute)
        mutation = Mutation(
            operation=Operation.PUT, table=table.name, key=change.key, version=version, origin=region, image=image
        )
        self._applier.put(table, mutation)

    def _stub_write(self, record: Mapping[str, Any], change: Change, table: TablePolicy, report: Report) -> None:
        """Keep an application's write on a moved item for its owner, and anonymize again what it brought."""
        self._world.quarantine.put("stub_write", STEP, record)
        report.quarantined("stub_write")
        report.counts[Count.STUB_WRITES] += 1
        old, new = change.old or {}, change.new or {}
        written = Control.of(new, table.control_attribute)
        for _ in range(STUB_REPAIRS_MAX):
            current = self._world.store.get(table.name, change.key)
            control = Control.of(current, table.control_attribute)
            if current is None or control is None or written is None or control.version != written.version:
                return
            # Only what this write brought and what is still there: an anonymized value must not be anonymized twice.
            brought = {
                path: strategy
                for path, strategy in table.sensitive.items()
                if values_at(old, path) != values_at(new, path) == values_at(current, path)
            }
            anonymized = self._stub_of(replace(table, sensitive=brought), report)(current)
            assign, remove = difference(current, anonymized)
            if not assign and not remove:
                return
            # The new nonce tells this write's own record from an application's, which leaves the control attribute.
            repaired = replace(control, nonce=self._world.nonce()).to_value()
            condition = SameValue(table.control_attribute, current[table.control_attribute], table.key_names[0])
            update = Update(
                table=table.name,
                key=change.key,
                assign={**assign, table.control_attribute: repaired},
                remove=remove,
                condition=condition,
            )
            if self._world.store.write(update).applied:
                return
        raise TransientError("the stub kept changing while it was anonymized")

    def _publish(
        self, records: Sequence[Mapping[str, Any]], outgoing: list[tuple[int, Addressed]], report: Report
    ) -> None:
        if not outgoing:
            return
        policy = self._world.policy.get()
        partly = {name for name, table in policy.tables.items() if policy.bridges or not table.stubs_everywhere}
        merged = coalesce(outgoing, partly)
        authority_of = {name: table.authority_attribute for name, table in policy.tables.items()}
        entries = pack_mutations([item for item, _ in merged], self._world.region, authority_of, self._world.limits)
        for entry in self._world.publisher.publish(entries):
            for source in (source for member in entry.members for source in merged[member][1]):
                report.add([self._refused(records[source])])

    def _refused(self, record: Mapping[str, Any]) -> Report:
        if self._is_old(Change.parse(record)):
            return quarantine(self._world, STEP, _sequence(record), record, PatienceExhaustedError.reason)
        return retry(_sequence(record), "PutEvents")

    def _is_old(self, change: Change) -> bool:
        return self._world.now_ms() - change.at_ms > PATIENCE_MS


def _identity(record: Mapping[str, Any]) -> str:
    stream = record.get("dynamodb") or {}
    return json.dumps([record.get("eventSourceARN"), stream.get("Keys")], sort_keys=True, default=str)


def _sequence(record: Mapping[str, Any]) -> str:
    """Return the record's name in a batch response; an empty one makes Lambda deliver the whole batch again."""
    return str((record.get("dynamodb") or {}).get("SequenceNumber", ""))
