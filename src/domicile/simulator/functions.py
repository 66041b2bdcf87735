"""Runs the functions of all Regions on their batches, and lets them fail, wait or die at any call."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from domicile.core.errors import TransientError
from domicile.pipeline.batch import answer_queue, answer_stream
from domicile.simulator.region import QUEUES
from domicile.simulator.services import Shard, sequence_of
from domicile.simulator.tasks import Crash, Task

if TYPE_CHECKING:
    from domicile.simulator.region import Region
    from domicile.simulator.schedule import Schedule


class Functions:
    """The invocations of a schedule; those in ``waiting`` wait in the middle, since a time in milliseconds."""

    def __init__(self, schedule: Schedule) -> None:
        self.waiting: dict[Task, int] = {}
        self._schedule = schedule
        self._task: Task | None = None
        self._unfailing: set[Task | None] = set()

    # -- for the ports

    def call(self, region: Region, *, tables: bool = False) -> None:
        """Let a function's call fail, or the function wait or die before it."""
        if self._schedule.calm:
            return
        if tables and region.tables_refuse and self.may_fail:
            raise TransientError("throttled")
        self.wait_or_die()
        if self.may_fail and self._schedule.happens(self._schedule.faults.throttle):
            raise TransientError("throttled")

    @property
    def may_fail(self) -> bool:
        """Whether the function that runs now may die, or its calls fail: not if it shares a message with another."""
        return self._task not in self._unfailing

    def wait_or_die(self) -> None:
        """Let the function that runs now wait while others go on, or die."""
        schedule = self._schedule
        if schedule.calm:
            return
        draw = schedule.chance.random()
        if draw < schedule.faults.crash and self.may_fail:
            if schedule.tracing:
                schedule.trace("  crash")
            raise Crash
        task = self._task
        if task is not None and draw < schedule.faults.crash + schedule.faults.pause:
            self.waiting.setdefault(task, schedule.now_ms)
            task.pause()

    # -- invocations

    def read(self, region: Region, function: str, shard: Shard) -> None:
        """Give a batch of a shard to its function; Lambda takes the records up to the first that failed as done."""
        schedule = self._schedule
        if shard.busy or not shard.records:
            return
        batch = [shard.records[n] for n in range(min(len(shard.records), schedule.chance.randint(1, shard.batch_max)))]
        records = [record for record in batch if region.passes(record)]
        step = region.stream_step(function)
        shard.busy = True

        def action() -> None:
            self._gave_records(region, records)
            response = answer_stream(step, records, region.emit) if records else {"batchItemFailures": []}
            shard.busy, shard.batch_max = False, 10
            if schedule.happens(schedule.faults.lost_response):
                return
            failed = {failure["itemIdentifier"] for failure in response["batchItemFailures"]}
            for record in batch:
                if sequence_of(record) in failed:
                    break
                if shard.records and shard.records[0] is record:
                    shard.records.popleft()

        def died() -> None:
            shard.busy, shard.batch_max = False, max(1, len(batch) // 2)

        self._invoke(region, function, action, died, f"{len(records)} of {len(batch)} records")

    def poll(self, region: Region, function: str) -> None:
        """Give messages of a queue to its function."""
        schedule, queue = self._schedule, region.queues[QUEUES[function]]
        records = queue.receive(schedule.chance.randint(1, 4))
        if not records:
            return
        step = region.queue_step(function)

        def action() -> None:
            for record in records:
                schedule.history.gave_message(region.name, function, record["body"])
            response = answer_queue(step, records, queue, region.emit)
            if not schedule.happens(schedule.faults.lost_response):
                queue.delete(records, response)

        names = ", ".join(record["messageId"] for record in records)
        self._invoke(region, function, action, lambda: None, names, unfailing=queue.was_received_twice(records))

    def redrive_record(
        self, region: Region, function: str, record: Mapping[str, Any], entry: tuple[str, str, str]
    ) -> None:
        """Give a stream's record back to its function; where that fails it stays in the quarantine."""
        step = region.stream_step(function)

        def action() -> None:
            self._gave_records(region, [record])
            if answer_stream(step, [record], region.emit)["batchItemFailures"]:
                region.quarantine.append(entry)

        self._invoke(region, function, action, lambda: region.quarantine.append(entry), "a quarantined record")

    def resume(self) -> None:
        """Go on with a function that waits; one that has waited beyond its timeout is dead."""
        task = self._schedule.chance.choice(list(self.waiting))
        late = self._schedule.now_ms - self.waiting[task] > self._schedule.faults.timeout_ms
        self._resume(task, kill=late and task not in self._unfailing)

    def resume_all(self) -> None:
        """Go on with those that wait until none does."""
        while self.waiting:
            self.resume()

    def _gave_records(self, region: Region, records: Sequence[Mapping[str, Any]]) -> None:
        for record in records:
            self._schedule.history.gave_record(region.name, record)

    def _invoke(
        self,
        region: Region,
        function: str,
        action: Callable[[], None],
        died: Callable[[], None],
        on: str,
        *,
        unfailing: bool = False,
    ) -> None:
        """Run a function, in one go or with pauses; after its death the next one starts cold."""
        schedule = self._schedule
        if schedule.tracing:
            schedule.trace(f"{region.name} {function}: {on}")

        def run() -> None:
            try:
                action()
            except Crash:
                region.start(function)
                died()

        task = Task(run) if schedule.happens(0.5 if schedule.faults.pause else 0.0) else None
        if unfailing:
            self._unfailing.add(task)
        if task is not None:
            self._resume(task, kill=False)
        else:
            run()
            self._unfailing.discard(None)

    def _resume(self, task: Task, *, kill: bool) -> None:
        self._task = task
        task.resume(kill=kill)
        self._task = None
        if task.ended:
            self.waiting.pop(task, None)
            self._unfailing.discard(task)
