"""One schedule: what applications and functions do, in an order and with faults that one seed decides."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from domicile.core.errors import TransientError
from domicile.core.events import repack_mutation
from domicile.pipeline.batch import answer_queue, answer_stream
from domicile.simulator.applications import Applications
from domicile.simulator.faults import Faults
from domicile.simulator.history import History
from domicile.simulator.network import Network
from domicile.simulator.region import FUNCTIONS, TABLE, Region, policy_document
from domicile.simulator.services import HOUR_MS, POLICY_AGE_MS_MAX, Queue, Shard
from domicile.simulator.tasks import Crash, Task

REGIONS = ("ap-south-1", "eu-west-1", "us-east-1", "sa-east-1", "ca-central-1")
DRAIN_STEPS_MAX = 20_000
REDRIVES_MAX = 20
_STEPS = (15, 40, 80)
_APPLICATIONS = 0.15
"""How many steps are writes of applications."""
_WAITING = 0.2
"""How many steps are of functions that wait, if there are any."""
_POLLS_PER_HOUR = 3
"""A stream is asked every second, but this must do: no fault lasts for all of them."""
FINAL_REASONS = ("stub_write",)
"""Why records stay in the quarantine: what an application wrote on a stub is for its owner to write at its home."""


class Schedule:
    """Runs one seed; ``trace`` hears of every action and effect, in words that hold no attribute's value."""

    def __init__(
        self,
        seed: int,
        *,
        regions: int = 3,
        faults: Faults | None = None,
        trace: Callable[[str], None] | None = None,
    ) -> None:
        self.chance = random.Random(seed)  # noqa: S311  # a schedule, not a secret
        self.faults = faults if faults is not None else Faults.drawn(seed)
        self.regions = REGIONS[:regions]
        self.tracing = trace is not None
        self._trace = trace
        self.now_ms = 1_800_000_000_000
        self.calm = False
        self._nonces = 0
        self._task: Task | None = None
        self._waiting: dict[Task, int] = {}
        self._unfailing: set[Task | None] = set()
        before = {"EU": "eu-west-1", "IN": "ap-south-1"}
        maps = [before, {**before, "CN": self.regions[-1]}]
        if self.happens(self.faults.re_pointed):
            elsewhere = [region for region in self.regions if region != before["EU"]]
            maps.append({**maps[-1], "EU": elsewhere[-1]})
        self.history = History(
            regions=self.regions,
            homes={name: list(dict.fromkeys(m[name] for m in maps if name in m)) for name in maps[-1]},
            stubs_everywhere=self.faults.directory == "everywhere",
            strategy=self.faults.strategy,
            hash_key=b"the simulation's",
        )
        self.documents = [policy_document(self.faults, self.regions, authorities) for authorities in maps]
        self.network = Network(self)
        self.by_name = {name: Region(name, self) for name in self.regions}
        self._applications = Applications(self)

    def run(self) -> History:
        """Run to quiescence: every fault is mended, every dead letter and quarantined record redriven."""
        for _ in range(self.chance.choice(_STEPS)):
            self.now_ms += self.chance.choice([1, 5, 50, 400, 2000])
            self._step()
        self._drain()
        self.history.ended_at_s = self.now_ms // 1000 + 24 * 3600  # what has a TTL has expired by now, or has no copy
        self.history.final = self._items()
        return self.history

    def replay(self) -> History:
        """Handle every record and every message of the schedule once more, after its end."""
        for region in self.by_name.values():
            for record in list(region.stream.all):
                region.stream.shard_of(record["dynamodb"]["Keys"]).records.append(record)
            for queue in (region.inbox, region.receipts):
                for body in list(queue.bodies):
                    queue.send(body)
        self._drain()
        self.history.replayed = self._items()
        return self.history

    # -- for the Regions

    def any_region(self) -> Region:
        """Return a Region at random."""
        return self.by_name[self.chance.choice(self.regions)]

    def happens(self, probability: float) -> bool:
        """Whether a fault happens now."""
        return not self.calm and probability > 0 and self.chance.random() < probability

    def nonce(self) -> str:
        """Return a text that never repeats."""
        self._nonces += 1
        return str(self._nonces)

    def trace(self, line: str) -> None:
        """Say what happens."""
        if self._trace is not None:
            self._trace(f"{self.now_ms - 1_800_000_000_000:>10} {line}")

    def call(self, region: Region, *, tables: bool = False) -> None:
        """Let a function's call fail, or the function wait or die before it."""
        if self.calm:
            return
        if tables and region.tables_refuse and self.may_fail:
            raise TransientError("throttled")
        self.wait_or_die()
        if self.may_fail and self.happens(self.faults.throttle):
            raise TransientError("throttled")

    @property
    def may_fail(self) -> bool:
        """Whether the function that runs now may die, or its calls fail: not if it shares a message with another."""
        return self._task not in self._unfailing

    def wait_or_die(self) -> None:
        """Let the function that runs now wait while others go on, or die."""
        if self.calm:
            return
        draw = self.chance.random()
        if draw < self.faults.crash and self.may_fail:
            if self.tracing:
                self.trace("  crash")
            raise Crash
        task = self._task
        if task is not None and draw < self.faults.crash + self.faults.pause:
            self._waiting.setdefault(task, self.now_ms)
            task.pause()

    # -- steps

    def _step(self) -> None:
        """Let an application write, a function that waits go on, or anything else that is ready happen."""
        draw = self.chance.random()
        if draw < _APPLICATIONS:
            self._applications.act()
        elif draw < _APPLICATIONS + _WAITING and self._waiting:
            self._resume(self.chance.choice(list(self._waiting)))
        elif ready := self._ready():
            self.chance.choice(ready)()
        self._misfortune()

    def _misfortune(self) -> None:
        faults, region = self.faults, self.any_region()
        if self.happens(faults.cut_off):
            self.network.cut_off ^= {region.name}
            self.trace(f"{region.name} cut off or back")
        if self.happens(faults.table_outage):
            region.tables_refuse = not region.tables_refuse
            self.trace(f"{region.name} tables refuse: {region.tables_refuse}")
        if self.happens(faults.policy_outage):
            region.app_config.failing = not region.app_config.failing
        if self.happens(faults.policy_garbage):
            region.app_config.garbage = not region.app_config.garbage
        if self.happens(0.3 if self.faults.re_pointed else 0.05):
            region.app_config.roll_out(self.chance.choice(FUNCTIONS))
        if self.happens(0.1):
            self._expire(region, region.now_ms())
        if self.happens(faults.redrive):
            self._redrive(region)
        if self.happens(faults.hours_pass):
            self._hours_pass()

    def _listen(self, region: Region, shard: Shard) -> None:
        """Give a batch of a shard to the listener; Lambda takes the records up to the first that failed as done."""
        if shard.busy or not shard.records:
            return
        batch = [shard.records[n] for n in range(min(len(shard.records), self.chance.randint(1, shard.batch_max)))]
        records = [record for record in batch if region.passes(record)]
        listener = region.listener
        shard.busy = True

        def action() -> None:
            self._gave_records(region, records)
            response = answer_stream(listener, records, region.emit) if records else {"batchItemFailures": []}
            shard.busy, shard.batch_max = False, 10
            if self.happens(self.faults.lost_response):
                return
            failed = {failure["itemIdentifier"] for failure in response["batchItemFailures"]}
            for record in batch:
                if record["dynamodb"]["SequenceNumber"] in failed:
                    break
                if shard.records and shard.records[0] is record:
                    shard.records.popleft()

        def died() -> None:
            shard.busy, shard.batch_max = False, max(1, len(batch) // 2)

        self._invoke(region, "listener", action, died, f"{len(records)} of {len(batch)} records")

    def _poll(self, region: Region, function: str) -> None:
        """Give messages of a queue to its function."""
        queue = region.inbox if function == "replicator" else region.receipts
        records = queue.receive(self.chance.randint(1, 4))
        if not records:
            return
        step = region.replicator if function == "replicator" else region.anonymizer

        def action() -> None:
            for record in records:
                self.history.gave_message(region.name, record["body"])
            response = answer_queue(step, records, queue, region.emit)
            if not self.happens(self.faults.lost_response):
                queue.delete(records, response)

        names = ", ".join(record["messageId"] for record in records)
        self._invoke(region, function, action, lambda: None, names, unfailing=queue.was_received_twice(records))

    def _gave_records(self, region: Region, records: Sequence[Mapping[str, Any]]) -> None:
        self.history.handled.update((region.name, int(record["dynamodb"]["SequenceNumber"])) for record in records)

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
        if self.tracing:
            self.trace(f"{region.name} {function}: {on}")

        def run() -> None:
            try:
                action()
            except Crash:
                region.start(function)
                died()

        task = Task(run) if self.happens(0.5 if self.faults.pause else 0.0) else None
        if unfailing:
            self._unfailing.add(task)
        if task is not None:
            self._resume(task)
        else:
            run()
            self._unfailing.discard(None)

    def _resume(self, task: Task) -> None:
        """Go on with a function that waits; one that has waited beyond its timeout is dead."""
        late = self.now_ms - self._waiting.get(task, self.now_ms) > self.faults.timeout_ms
        kill = late and task not in self._unfailing
        self._task = task
        task.resume(kill=kill)
        self._task = None
        if task.ended:
            self._waiting.pop(task, None)
            self._unfailing.discard(task)

    def _expire(self, region: Region, now_ms: int) -> bool:
        """Remove what has expired in a Region, as TTL does; return whether anything had."""
        found = [
            item
            for item in region.store.items(TABLE)
            if "expires_at" in item and int(item["expires_at"]["N"]) * 1000 <= now_ms
        ]
        for item in found:
            self.trace(f"{region.name} TTL removes {item['pk']['S']}")
            region.store.replace(TABLE, {"pk": item["pk"]}, None, expired=True)
        return bool(found)

    def _redrive(self, region: Region) -> bool:
        """Hand a Region's quarantined records and dead letters back; return whether there were any."""
        found = self.network.redrive() or bool(region.inbox.dead or region.receipts.dead)
        region.inbox.redrive()
        region.receipts.redrive()
        records = [entry for entry in region.quarantine if entry[0] not in FINAL_REASONS]
        region.quarantine[:] = [entry for entry in region.quarantine if entry[0] in FINAL_REASONS]
        for reason, step, text in records:
            self.trace(f"{region.name} redrive of a record of the {step}: {reason}")
            record = json.loads(text)
            if step == "listener":
                self._redrive_record(region, record, (reason, step, text))
            elif isinstance(record, str):
                (region.inbox if step == "replicator" else region.receipts).send(record)
            else:
                region.inbox.send(json.dumps({"detail": repack_mutation(record, region.name)}))
        return found or bool(records)

    def _redrive_record(self, region: Region, record: Mapping[str, Any], entry: tuple[str, str, str]) -> None:
        """Give a stream record back to the listener; where that fails it stays in the quarantine."""
        listener = region.listener

        def action() -> None:
            self._gave_records(region, [record])
            if answer_stream(listener, [record], region.emit)["batchItemFailures"]:
                region.quarantine.append(entry)

        self._invoke(region, "listener", action, lambda: region.quarantine.append(entry), "a quarantined record")

    def _hours_pass(self) -> None:
        """Let hours pass, in each of which every stream is asked often enough, and some events are delivered."""
        for _ in range(self.chance.choice([1, 3, 8, 30])):
            self.now_ms += HOUR_MS
            self.trace("an hour passes")
            while self._waiting:
                self._resume(self.chance.choice(list(self._waiting)))
            for region in self.by_name.values():
                for shard in region.stream.shards:
                    for _ in range(_POLLS_PER_HOUR):
                        self._listen(region, shard)
                        while self._waiting:
                            self._resume(self.chance.choice(list(self._waiting)))
                self._expire(region, region.now_ms())
                for record in region.stream.forget():
                    self.history.stuck.append(f"{region.name} forgot record {record['dynamodb']['SequenceNumber']}")
            for _ in range(self.chance.randint(0, 4)):
                self.network.carry()
                self._poll(self.any_region(), "replicator")

    # -- the end

    def _drain(self) -> None:
        self.calm = True
        self.now_ms += 10_000
        self.network.cut_off.clear()
        for region in self.by_name.values():
            region.tables_refuse = region.app_config.failing = region.app_config.garbage = False
        while self._waiting:
            self._resume(self.chance.choice(list(self._waiting)))
        for _ in range(REDRIVES_MAX):
            self._quiesce()
            for region in self.by_name.values():
                for function in FUNCTIONS:
                    region.app_config.roll_out(function)
            self.now_ms += POLICY_AGE_MS_MAX + 1
            if not sum(self._redrive(region) for region in self.by_name.values()):
                return
        self.history.stuck.append("redriving does not end")

    def _quiesce(self) -> None:
        """Deliver and handle until nothing is left to do."""
        for _ in range(DRAIN_STEPS_MAX):
            ready = self._ready()
            if ready:
                self.chance.choice(ready)()
                continue
            due = [hop.due_at_ms for hop in self.network.hops]
            due += [message.visible_at_ms for queue in self._queues() for message in queue.messages.values()]
            if due:
                self.now_ms = max(self.now_ms + 1, min(due) + self.faults.service_skew_ms_max)
            elif not self._expire_all():
                return
        self.history.stuck.append("no quiescence")

    def _expire_all(self) -> bool:
        """Wait for what expires next, and let it expire in every Region; return whether there was anything."""
        items = (item for region in self.by_name.values() for item in region.store.items(TABLE))
        times_s = [int(item["expires_at"]["N"]) for item in items if "expires_at" in item]
        if times_s:
            self.now_ms = max(self.now_ms, min(times_s) * 1000)
        return bool(sum(self._expire(region, self.now_ms) for region in self.by_name.values()))

    def _ready(self) -> list[Callable[[], object]]:
        ready: list[Callable[[], object]] = []
        for region in self.by_name.values():
            for shard in region.stream.shards:
                if shard.records and not shard.busy:
                    ready.append(partial(self._listen, region, shard))
            for function, queue in (("replicator", region.inbox), ("anonymizer", region.receipts)):
                if queue.is_ready():
                    ready.append(partial(self._poll, region, function))
        if any(hop.due_at_ms <= self.now_ms for hop in self.network.hops):
            ready.append(self.network.carry)
        return ready

    def _queues(self) -> list[Queue]:
        return [queue for region in self.by_name.values() for queue in (region.inbox, region.receipts)]

    def _items(self) -> dict[str, dict[str, Any]]:
        keys = [f"k{number}" for number in range(self.faults.keys)]
        return {
            key: {name: region.store.get(TABLE, {"pk": {"S": key}}) for name, region in self.by_name.items()}
            for key in keys
        }
