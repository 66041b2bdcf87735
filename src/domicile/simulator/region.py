"""One Region: its services, its three functions over them, and the calls at which a function may fail, wait or die."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from domicile.core.control import Image
from domicile.core.errors import TransientError
from domicile.core.events import Entry, Limits
from domicile.core.patterns import stream_filters
from domicile.core.writes import Put, Update, Write, Written
from domicile.pipeline.anonymizer import Anonymizer
from domicile.pipeline.listener import Listener
from domicile.pipeline.policy import LastGoodPolicy
from domicile.pipeline.ports import World
from domicile.pipeline.replicator import Replicator
from domicile.pipeline.report import Report
from domicile.simulator.faults import Faults
from domicile.simulator.history import CANARY, Change, Quarantined
from domicile.simulator.matching import matches
from domicile.simulator.services import AppConfig, Bus, CachedDocument, Queue, Stream
from domicile.simulator.store import MemoryStore

if TYPE_CHECKING:
    from domicile.simulator.schedule import Schedule

TABLE, LEDGER, CONTROL = "shop-items", "shop-items-ledger", "_dom"
FUNCTIONS = ("listener", "replicator", "anonymizer")
LIMITS = Limits(chunk_bytes_max=900, packed_bytes_max=1200)
"""So low that an item of one kilobyte is a large one."""


def policy_document(faults: Faults, regions: Sequence[str], authorities: Mapping[str, str]) -> str:
    """Return what AppConfig carries."""
    table = {
        "ledger": LEDGER,
        "hash_key": "pk",
        "authority_attribute": "authority",
        "control_attribute": CONTROL,
        "sensitive": {"email": {"strategy": faults.strategy}, "profile.phone": {"strategy": "redact"}},
        "directory": faults.directory,
        "writers": faults.writers,
    }
    document = {"format": 1, "regions": list(regions), "authorities": dict(authorities)}
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
        self.inbox = Queue("inbox", faults, chance, self.now_ms)
        self.receipts = Queue("receipts", faults, chance, self.now_ms)
        self.bus = Bus(name, schedule.regions)
        self.app_config = AppConfig(schedule.documents)
        self.quarantine: list[tuple[str, str, str]] = []
        self.tables_refuse = False
        self._filters = stream_filters(CONTROL, faults.writers, name)
        for function in FUNCTIONS:
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
        else:
            self.anonymizer = Anonymizer(world)

    def passes(self, record: dict[str, Any]) -> bool:
        """Whether the stream's mapping gives a record to the listener."""
        return any(matches(pattern, record) for pattern in self._filters)

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
        self._schedule.call(self._region, tables=True)
        return self._region.store.get(table, key)

    def write(self, write: Write) -> Written:
        """Do a conditional write. If its answer is lost, the SDK sends it again, or gives up."""
        schedule = self._schedule
        schedule.call(self._region, tables=True)
        image = write.image if isinstance(write, Put) else write.assign if isinstance(write, Update) else {}
        schedule.history.saw(self._region.name, f"table {write.table}", json.dumps(image))
        written = self._region.store.write(write)
        if schedule.tracing:
            schedule.trace(f"  {self._region.name} {_describe(write)}: {'applied' if written.applied else 'refused'}")
        if schedule.happens(schedule.faults.lost_answer):
            schedule.wait_or_die()
            if schedule.may_fail and schedule.happens(0.3):
                raise TransientError("the answer was lost")
            written = self._region.store.write(write)
        schedule.wait_or_die()
        return written

    def publish(self, entries: Sequence[Entry]) -> list[Entry]:
        """Put entries on the bus; it may refuse some."""
        refused = []
        for entry in entries:
            self._schedule.wait_or_die()
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
        peer = self._schedule.by_name[region]
        self._schedule.call(peer, tables=True)
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
        self._schedule.call(self._region)
        text = json.dumps(record)
        history = self._schedule.history
        history.saw(self._region.name, "quarantine", text)
        sequence = int(record["dynamodb"]["SequenceNumber"]) if source == "listener" else None
        canaries = frozenset(map(int, CANARY.findall(text)))
        history.quarantined.append(Quarantined(self._region.name, reason, canaries, sequence))
        self._region.quarantine.append((reason, source, text))
        if self._schedule.tracing:
            self._schedule.trace(f"  {self._region.name} quarantined: {reason}")
        self._schedule.wait_or_die()


class HashKey:
    """The port ``HashKey``: the same key in every Region, and not always within reach."""

    def __init__(self, region: Region, schedule: Schedule) -> None:
        self._region = region
        self._schedule = schedule

    def get(self) -> bytes | None:
        """Return the key."""
        self._schedule.call(self._region)
        return self._schedule.history.hash_key


def _describe(write: Write) -> str:
    condition = type(write.condition).__name__
    image = write.image if isinstance(write, Put) else write.assign if isinstance(write, Update) else {}
    shown = image.get(CONTROL) or {name: value for name, value in image.items() if name.startswith("dom_")}
    members = shown.get("M", shown)
    said = " ".join(f"{name}={next(iter(value.values()))}" for name, value in members.items())
    return f"{type(write).__name__} {write.table} {write.key['pk']['S']} if {condition} {said}"
