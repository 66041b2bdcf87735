"""The anonymizer: the origin's copy becomes a stub once the home has the version, and not before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from domicile.core.anonymize import anonymize, difference
from domicile.core.control import Control
from domicile.core.errors import PermanentError, TransientError
from domicile.core.events import Operation, Receipt, unpack_receipts
from domicile.core.writes import SameValue, Update
from domicile.pipeline.guard import guarded, quarantine
from domicile.pipeline.inbox import Message, detail_of
from domicile.pipeline.ports import World
from domicile.pipeline.report import Count, Duration, Report

STEP = "anonymizer"
ATTEMPTS_MAX = 3


class Anonymizer:
    """Handles ``finished`` events of moves."""

    def __init__(self, world: World) -> None:
        self._world = world

    def handle(self, messages: Sequence[Message]) -> Report:
        """Anonymize what the messages say has arrived; ``Report.failed`` holds the ids to be delivered again."""
        report = Report()
        jobs: list[tuple[Message, Operation, Any]] = []
        for message in messages:
            try:
                operation, forms = unpack_receipts(detail_of(message))
                jobs += [(message, operation, fields) for fields in forms]
            except PermanentError as error:
                report.add([quarantine(self._world, STEP, message.id, message.body, error.reason)])
        return report.add(self._world.each(lambda job: self._guarded(*job), jobs))

    def _guarded(self, message: Message, operation: Operation, fields: Any) -> Report:
        def action(report: Report) -> None:
            self._one(Receipt.from_json(fields, operation), report)

        return guarded(self._world, STEP, message.id, lambda: message.body, action)

    def _one(self, receipt: Receipt, report: Report) -> None:
        """Replace the sensitive attributes and set the home, in one update of exactly the item that was read.

        Another version, a mark or a stub: the receipt is dropped, because a newer version has its own on the way.
        """
        if receipt.operation is not Operation.MOVE or receipt.home is None:
            return
        table = self._world.policy.get().table(receipt.table)
        name = table.control_attribute
        for _ in range(ATTEMPTS_MAX):
            current = self._world.store.get(table.name, receipt.key)
            control = Control.of(current, name)
            if current is None or control is None or control.version != receipt.version:
                break
            if control.is_stub or control.deleting:
                break
            anonymized = anonymize(current, table, self._world.hash_key.get())
            assign, remove = difference(current, anonymized.image)
            update = Update(
                table=table.name,
                key=receipt.key,
                assign={**assign, name: replace(control, home=receipt.home).to_value()},
                remove=remove,
                condition=SameValue(name, current[name], table.key_names[0]),
            )
            if self._world.store.write(update).applied:
                report.counts[Count.ANONYMIZED] += 1
                report.counts[Count.HASH_KEY_MISSING] += anonymized.hash_keys_missing
                now_ms = self._world.now_ms()
                report.sample(Duration.EXPOSURE_WINDOW, self._world.region, receipt.version.ms, now_ms)
                return
        else:
            raise TransientError("the item kept changing while it was anonymized")
        report.counts[Count.STALE] += 1
