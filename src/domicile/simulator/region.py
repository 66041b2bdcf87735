"""One Region: its services, its functions over them, and the calls at which a function may fail, wait or die."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from domicile.core.control import Image
from domicile.core.errors import RecordInvalidError, TransientError
from domicile.core.events import Entry, Limits
from domicile.core.patterns import stream_filters
from domicile.core.writes import Put, Update, Write, Written
from domicile.pipeline.anonymizer import Anonymizer
from domicile.pipeline.batch import QueueStep, StreamStep
from domicile.pipeline.courier import Courier
from domicile.pipeline.gateway import Gateway
from domicile.pipeline.listener import Listener
from domicile.pipeline.policy import LastGoodPolicy
from domicile.pipeline.ports import World
from domicile.pipeline.replicator import Replicator
from domicile.pipeline.report import Report
from domicile.simulator.bridge import SimulatedDoorstep, SimulatedLink, StagingStream
from domicile.simulator.faults import Faults
from domicile.simulator.history import CANARY, Change, Quarantined
from domicile.simulator.matching import matches
from domicile.simulator.services import AppConfig, Bus, CachedDocument, Queue, Stream, sequence_of
from domicile.simulator.store import MemoryStore
from domicile.simulator.topology import Topology

if TYPE_CHECKING:
    from domicile.simulator.schedule import Schedule

TABLE, LEDGER, CONTROL = "shop-items", "shop-items-ledger", "_dom"
QUEUES = {"replicator": "inbox", "anonymizer": "receipts", "courier": "outbox"}
"""The queue of each function that has one."""
LIMITS = Limits(chunk_bytes_max=900, packed_bytes_max=1200)
"""So low that an item of one kilobyte is a large one."""


def policy_document(faults: Faults, topology: Topology, authorities: Mapping[str, str]) -> str:
    """Return what AppConfig carries."""
    document: dict[str, Any] = {"format": 1, "regions": list(topology.regions), "authorities": dict(authorities)}
    if (bridge := topology.bridge) is not None:
        between, stubs = list(bridge.gateways.values()), sorted(bridge.stubs)
        document["bridges"] = [{"between": between, "global_items": bridge.global_items, "stubs": stubs}]
    table = {
        "ledger": LEDGER,
        "hash_key": "pk",
        "authority_attribute": "authority",
        "control_attribute": CONTROL,
        "sensitive": {"email": {"strategy": faults.strategy}, "profile.phone": {"strategy": "redact"}},
        "directory": faults.directory,
        "writers": faults.writers,
    }
    return json.dumps({**document, "tables": {TABLE: table}})


class Region:
    """The name of a Region, its services, and its functions."""

    def __init__(self, name: str, schedule: Schedule) -> None:
        self.name = name
        self._schedule = schedule
        chance, faults = schedule.chance, schedule.faults
        self._skew_ms = chance.randint(-faults.service_skew_ms_max, faults.service_skew_ms_max)
        self.store = MemoryStore(self._changed)
        self.stream = Stream(name, chance, self.now_ms)
        self.staging = StagingStream(name, chance, self.now_ms)
        self.streams: dict[str, Stream | StagingStream] = {"listener": self.stream}
        self.queues = {purpose: Queue(purpose, faults, chance, self.now_ms) for purpose in QUEUES.values()}
        bridge = schedule.topology.bridge
        gateways = list(bridge.gateways.values()) if bridge is not None else []
        self.functions = ["listener", "replicator", "anonymizer"]
        if name in gateways:
            self.functions += ["courier", "gateway"]
            self.streams["gateway"] = self.staging
        self.link_is_down = self.key_is_refused = False
        self.bus = Bus(name, schedule.topology.regions, gateways)
        self.app_config = AppConfig(schedule.documents)
        self.quarantine: list[tuple[str, str, str]] = []
        self.tables_refuse = False
        self._filters = stream_filters(CONTROL, faults.writers, name)
        for function in self.functions:
            self.start(function)

    def now_ms(self) -> int:
        """The Region's own clock."""
        return self._schedule.now_ms + self._skew_ms

    def start(self, function: str) -> None:
        """Begin with a new execution environment, which remembers nothing."""
        world = self._world(function)
        if function == "listener":
            self.listener = Listener(world)
        elif function == "replicator":
            self.replicator = Replicator(world)
        elif function == "anonymizer":
            self.anonymizer = Anonymizer(world)
        elif function == "courier":
            self.courier = Courier(world, SimulatedLink(self, self._schedule))
        else:
            self.gateway = Gateway(world, SimulatedDoorstep(self, self._schedule))

    def stream_step(self, function: str) -> StreamStep:
        """Return the function that a stream feeds."""
        return self.listener if function == "listener" else self.gateway

    def queue_step(self, function: str) -> QueueStep:
        """Return the function that a queue feeds."""
        steps: dict[str, QueueStep] = {"replicator": self.replicator, "anonymizer": self.anonymizer}
        return steps.get(function) or self.courier

    def passes(self, record: dict[str, Any]) -> bool:
        """Whether a stream's mapping gives a record to its function; Kinesis has no filter."""
        return "kinesis" in record or any(matches(pattern, record) for pattern in self._filters)

    def emit(self, report: Report) -> None:
        """Log and measure, where the observer looks too."""
        self._schedule.history.saw(
            self.name, "log", f"{report.counts} {report.reasons} {report.failed} {report.samples}"
        )

    def _world(self, function: str) -> World:
        document = CachedDocument(self.app_config, function, self.now_ms)
        calls = Calls(self, self._schedule)

        def warn(reason: str) -> None:
            self._schedule.history.saw(self.name, "log", reason)

        return World(
            region=self.name,
            store=calls,
            peers=Peers(self, self._schedule),
            publisher=calls,
            quarantine=SimulatedQuarantine(self, self._schedule),
            policy=LastGoodPolicy(document.read, warn),
            hash_key=HashKey(self, self._schedule),
            now_ms=self.now_ms,
            nonce=self._schedule.nonce,
            limits=LIMITS,
        )

    def _changed(self, table: str, key: Image, before: Image | None, after: Image | None, expired: bool) -> None:
        history = self._schedule.history
        if table == TABLE:
            self.stream.append(table, key, before, after, expired)
            history.changes.append(Change(self.name, key["pk"]["S"], before, after, expired))


class Calls:
    """The ports ``Store`` and ``Publisher`` of a function; any call may fail, and the function may die at it."""

    def __init__(self, region: Region, schedule: Schedule) -> None:
        self._region = region
        self._schedule = schedule

    def get(self, table: str, key: Image) -> Image | None:
        """Read an item."""
        self._schedule.functions.call(self._region, tables=True)
        return self._region.store.get(table, key)

    def write(self, write: Write) -> Written:
        """Do a conditional write. If its answer is lost, the SDK sends it again, or gives up."""
        schedule = self._schedule
        schedule.functions.call(self._region, tables=True)
        image = write.image if isinstance(write, Put) else write.assign if isinstance(write, Update) else {}
        schedule.history.saw(self._region.name, f"table {write.table}", json.dumps(image))
        written = self._region.store.write(write)
        if schedule.tracing:
            schedule.trace(f"  {self._region.name} {_describe(write)}: {'applied' if written.applied else 'refused'}")
        if schedule.happens(schedule.faults.lost_answer):
            schedule.functions.wait_or_die()
            if schedule.functions.may_fail and schedule.happens(0.3):
                raise TransientError("the answer was lost")
            written = self._region.store.write(write)
        schedule.functions.wait_or_die()
        return written

    def publish(self, entries: Sequence[Entry]) -> list[Entry]:
        """Put entries on the bus; it may refuse some."""
        refused = []
        for entry in entries:
            self._schedule.functions.wait_or_die()
            if self._schedule.happens(self._schedule.faults.refuse_entry):
                refused.append(entry)
            else:
                self._schedule.network.put(self._region, entry)
        return refused


class Peers:
    """The port ``Peers``: a Region that is cut off reaches nobody."""

    def __init__(self, region: Region, schedule: Schedule) -> None:
        self._region = region
        self._schedule = schedule

    def get(self, region: str, table: str, key: Image) -> Image | None:
        """Read an item of another Region."""
        peer, bridge = self._schedule.by_name[region], self._schedule.topology.bridge
        if bridge is not None and bridge.sides[region] != bridge.sides[self._region.name]:
            raise RecordInvalidError("nobody reads a table of another partition")
        self._schedule.functions.call(peer, tables=True)
        if self._schedule.network.cut_off & {region, self._region.name}:
            raise TransientError("no way to the Region")
        return peer.store.get(table, key)


class SimulatedQuarantine:
    """The port ``Quarantine``."""

    def __init__(self, region: Region, schedule: Schedule) -> None:
        self._region = region
        self._schedule = schedule

    def put(self, reason: str, source: str, record: Any) -> None:
        """Keep a record for a redrive."""
        self._schedule.functions.call(self._region)
        text = json.dumps(record)
        history = self._schedule.history
        history.saw(self._region.name, "quarantine", text)
        sequence = int(sequence_of(record)) if source == "listener" else None
        staged = sequence_of(record) if source == "gateway" else None
        canaries = frozenset(map(int, CANARY.findall(text)))
        history.quarantined.append(Quarantined(self._region.name, reason, canaries, sequence, staged))
        self._region.quarantine.append((reason, source, text))
        if self._schedule.tracing:
            self._schedule.trace(f"  {self._region.name} quarantined: {reason}")
        self._schedule.functions.wait_or_die()


class HashKey:
    """The port ``HashKey``: the same key in every Region, and not always within reach."""

    def __init__(self, region: Region, schedule: Schedule) -> None:
        self._region = region
        self._schedule = schedule

    def get(self) -> bytes | None:
        """Return the key."""
        self._schedule.functions.call(self._region)
        return self._schedule.history.hash_key


def _describe(write: Write) -> str:
    condition = type(write.condition).__name__
    image = write.image if isinstance(write, Put) else write.assign if isinstance(write, Update) else {}
    shown = image.get(CONTROL) or {name: value for name, value in image.items() if name.startswith("dom_")}
    members = shown.get("M", shown)
    said = " ".join(f"{name}={next(iter(value.values()))}" for name, value in members.items())
    return f"{type(write).__name__} {write.table} {write.key['pk']['S']} if {condition} {said}"
