"""One schedule: what applications and functions do, in an order and with faults that one seed decides."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from functools import partial
from typing import Any

from domicile.core.events import repack_mutation
from domicile.simulator.applications import Applications
from domicile.simulator.bridge import poison
from domicile.simulator.faults import Faults
from domicile.simulator.functions import Functions
from domicile.simulator.history import History
from domicile.simulator.network import Network
from domicile.simulator.region import QUEUES, TABLE, Region, policy_document
from domicile.simulator.services import HOUR_MS, POLICY_AGE_MS_MAX, sequence_of
from domicile.simulator.topology import Topology

DRAIN_STEPS_MAX = 20_000
REDRIVES_MAX = 20
_STEPS = (15, 40, 80)
_BRIDGED_STEPS = (30, 80, 160)
"""The way is twice as long."""
_APPLICATIONS = 0.15
"""How many steps are writes of applications."""
_WAITING = 0.2
"""How many steps are of functions that wait, if there are any."""
_POLLS_PER_HOUR = 3
_BRIDGED_POLLS_PER_HOUR = 9
"""A stream is asked every second, but this must do: no fault lasts for all of them."""
FINAL_REASONS = ("stub_write", "record_invalid")
"""Why records stay in the quarantine.

What an application wrote on a stub is for its owner to write at its home, and what is no record stays none.
"""


class Schedule:
    """Runs one seed, in one or two ``partitions``.

    ``trace`` hears of every action and effect, in words that hold no attribute's value.
    """

    def __init__(
        self,
        seed: int,
        *,
        regions: int = 3,
        partitions: int = 1,
        faults: Faults | None = None,
        trace: Callable[[str], None] | None = None,
    ) -> None:
        self.chance = random.Random(seed)  # noqa: S311  # a schedule, not a secret
        self.faults = faults if faults is not None else Faults.drawn(seed)
        self.tracing = trace is not None
        self._trace = trace
        self.now_ms = 1_800_000_000_000
        self.calm = False
        self._nonces = 0
        re_pointed = self.happens(self.faults.re_pointed)
        if partitions == 1:
            self.topology = Topology.in_one_partition(regions, re_pointed=re_pointed)
        else:
            self.topology = Topology.bridged(seed, regions, re_pointed=re_pointed)
        self.history = History(
            regions=self.topology.regions,
            homes=self.topology.homes,
            bridge=self.topology.bridge,
            stubs_everywhere=self.faults.directory == "everywhere",
            strategy=self.faults.strategy,
            hash_key=b"the simulation's",
        )
        self.documents = [policy_document(self.faults, self.topology, version) for version in self.topology.maps]
        self.network = Network(self)
        self.functions = Functions(self)
        self.by_name = {name: Region(name, self) for name in self.topology.regions}
        self._gateways = [region for region in self.by_name.values() if "gateway" in region.functions]
        self._applications = Applications(self)

    def run(self) -> History:
        """Run to quiescence: every fault is mended, every dead letter and quarantined record redriven."""
        for _ in range(self.chance.choice(_STEPS if self.topology.bridge is None else _BRIDGED_STEPS)):
            self.now_ms += self.chance.choice([1, 5, 50, 400, 2000])
            self._step()
        self._drain()
        self.history.ended_at_s = self.now_ms // 1000 + 24 * 3600  # what has a TTL has expired by now, or has no copy
        self.history.ended_at_change = len(self.history.changes)
        self.history.final = self._items()
        return self.history

    def replay(self) -> History:
        """Handle every record and every message of the schedule once more, after its end."""
        for region in self.by_name.values():
            for record in list(region.stream.all):
                region.stream.shard_of(record["dynamodb"]["Keys"]).records.append(record)
            for staged in list(region.staging.all):
                region.staging.shard_of(staged).records.append(staged)
            for queue in region.queues.values():
                for body in list(queue.bodies):
                    queue.send(body)
        self._drain()
        self.history.replayed = self._items()
        return self.history

    # -- for the Regions

    def any_region(self) -> Region:
        """Return a Region at random."""
        return self.by_name[self.chance.choice(self.topology.regions)]

    def beyond(self, gateway: Region) -> Region:
        """Return the gateway Region of the other partition."""
        (other,) = (region for region in self._gateways if region is not gateway)
        return other

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

    # -- steps

    def _step(self) -> None:
        """Let an application write, a function that waits go on, or anything else that is ready happen."""
        draw = self.chance.random()
        if draw < _APPLICATIONS:
            self._applications.act()
        elif draw < _APPLICATIONS + _WAITING and self.functions.waiting:
            self.functions.resume()
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
            region.app_config.roll_out(self.chance.choice(region.functions))
        if self.happens(0.1):
            self._expire(region, region.now_ms())
        if self.happens(faults.redrive):
            self._redrive(region)
        if self.happens(faults.hours_pass):
            self._hours_pass()
        if self._gateways:
            self._misfortune_of_a_bridge(self.chance.choice(self._gateways))

    def _misfortune_of_a_bridge(self, gateway: Region) -> None:
        if self.happens(self.faults.link_down):
            gateway.link_is_down = not gateway.link_is_down
            self.trace(f"{gateway.name} link is down: {gateway.link_is_down}")
        if self.happens(self.faults.key_refused):
            gateway.key_is_refused = not gateway.key_is_refused
            self.trace(f"{gateway.name} key is refused: {gateway.key_is_refused}")
        if self.happens(self.faults.poison):
            key = f"{self.chance.getrandbits(256):064x}"
            record = gateway.staging.append(key, poison(self.chance), delay_ms=1)
            self.history.poisoned.add((gateway.name, sequence_of(record)))
            self.trace(f"{gateway.name} poison: staged record {sequence_of(record)}")

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
        found = self.network.redrive() or any(queue.dead for queue in region.queues.values())
        for queue in region.queues.values():
            queue.redrive()
        records = [entry for entry in region.quarantine if entry[0] not in FINAL_REASONS]
        region.quarantine[:] = [entry for entry in region.quarantine if entry[0] in FINAL_REASONS]
        for reason, step, text in records:
            self.trace(f"{region.name} redrive of a record of the {step}: {reason}")
            record = json.loads(text)
            if step in region.streams:
                self.functions.redrive_record(region, step, record, (reason, step, text))
            elif isinstance(record, str):
                region.queues[QUEUES[step]].send(record)
            else:
                region.queues["inbox"].send(json.dumps({"detail": repack_mutation(record, region.name)}))
        return found or bool(records)

    def _hours_pass(self) -> None:
        """Let hours pass, in each of which every stream is asked often enough, and some events are delivered."""
        for _ in range(self.chance.choice([1, 3, 8, 30])):
            self.now_ms += HOUR_MS
            self.trace("an hour passes")
            self.functions.resume_all()
            for region in self.by_name.values():
                for function, stream in region.streams.items():
                    for shard in stream.shards:
                        for _ in range(_BRIDGED_POLLS_PER_HOUR if self._gateways else _POLLS_PER_HOUR):
                            self.functions.read(region, function, shard)
                            self.functions.resume_all()
                self._expire(region, region.now_ms())
                for function, stream in region.streams.items():
                    for record in stream.forget():
                        self.history.stuck.append(f"{region.name} forgot {sequence_of(record)} of the {function}")
            for _ in range(self.chance.randint(0, 4)):
                self.network.carry()
                self.functions.poll(self.any_region(), "replicator")
                if self._gateways:
                    self.functions.poll(self.chance.choice(self._gateways), "courier")

    # -- the end

    def _drain(self) -> None:
        self.calm = True
        self.now_ms += 10_000
        self.network.cut_off.clear()
        for region in self.by_name.values():
            region.tables_refuse = region.app_config.failing = region.app_config.garbage = False
            region.link_is_down = region.key_is_refused = False
        self.functions.resume_all()
        for _ in range(REDRIVES_MAX):
            self._quiesce()
            for region in self.by_name.values():
                for function in region.functions:
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
            for region in self.by_name.values():
                due += [m.visible_at_ms for queue in region.queues.values() for m in queue.messages.values()]
                due += region.staging.due_at_ms()
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
            for function, stream in region.streams.items():
                for shard in stream.shards:
                    if stream.is_ready(shard):
                        ready.append(partial(self.functions.read, region, function, shard))
            for function, purpose in QUEUES.items():
                if region.queues[purpose].is_ready():
                    ready.append(partial(self.functions.poll, region, function))
        if any(hop.due_at_ms <= self.now_ms for hop in self.network.hops):
            ready.append(self.network.carry)
        return ready

    def _items(self) -> dict[str, dict[str, Any]]:
        keys = [f"k{number}" for number in range(self.faults.keys)]
        return {
            key: {name: region.store.get(TABLE, {"pk": {"S": key}}) for name, region in self.by_name.items()}
            for key in keys
        }
