"""Three Regions in one process: the real steps over memory, with a network that reorders, repeats and delays.

One seed decides everything. Applications write through both kinds of writers, functions crash between any two effects,
and checkers that know nothing of the protocol's inside judge the end.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from domicile.core.change import Change
from domicile.core.control import Control, Image
from domicile.core.events import FINISHED, Entry
from domicile.core.policy import Policy, TablePolicy
from domicile.core.routing import Verdict
from domicile.core.version import Version, stamp
from domicile.core.writes import Write, Written
from domicile.memory import MemoryStore
from domicile.pipeline.anonymizer import Anonymizer
from domicile.pipeline.inbox import Message
from domicile.pipeline.listener import Listener
from domicile.pipeline.ports import World
from domicile.pipeline.replicator import Replicator
from domicile.pipeline.report import Report

REGIONS = ("ap-south-1", "eu-west-1", "us-east-1")
AUTHORITIES = {"EU": "eu-west-1", "IN": "ap-south-1"}
TABLE = "shop-items"
KEYS: tuple[Image, ...] = ({"pk": {"S": "x"}}, {"pk": {"S": "y"}})
DRAIN_STEPS_MAX = 20_000


def policy(directory: str = "everywhere") -> Policy:
    return Policy.parse(
        {
            "format": 1,
            "regions": list(REGIONS),
            "authorities": AUTHORITIES,
            "tables": {
                TABLE: {
                    "ledger": f"{TABLE}-ledger",
                    "hash_key": "pk",
                    "authority_attribute": "authority",
                    "control_attribute": "_dom",
                    "sensitive": {"email": {"strategy": "redact"}},
                    "directory": directory,
                    "writers": "any",
                }
            },
        }
    )


class Crash(BaseException):
    """The function dies here; no handler of exceptions may see it."""


@dataclass(frozen=True, kw_only=True)
class Faults:
    """How often things go wrong, as probabilities, by how much clocks differ, and how time passes between two steps."""

    crash: float = 0.02
    duplicate: float = 0.1
    refuse_entry: float = 0.05
    plain_writers: float = 0.5
    skew_ms_max: int = 500
    steps_ms: tuple[int, ...] = (1, 5, 50, 400)


class CrashingStore:
    """A store that may kill its caller before or after a write."""

    def __init__(self, store: MemoryStore, cluster: Cluster) -> None:
        self._store = store
        self._cluster = cluster

    def get(self, table: str, key: Image) -> Image | None:
        return self._store.get(table, key)

    def write(self, write: Write) -> Written:
        self._cluster.maybe_crash()
        written = self._store.write(write)
        self._cluster.observe(self._store)
        self._cluster.maybe_crash()
        return written


class Bus:
    """The port ``Publisher``: routes as the bus rules do, into the network."""

    def __init__(self, region: str, cluster: Cluster) -> None:
        self._region = region
        self._cluster = cluster

    def publish(self, entries: Sequence[Entry]) -> list[Entry]:
        refused = []
        for entry in entries:
            self._cluster.maybe_crash()
            if self._cluster.random.random() < self._cluster.faults.refuse_entry and not self._cluster.draining:
                refused.append(entry)
                continue
            destination = json.loads(entry.detail)["destination"]
            for region in REGIONS:
                if region != self._region and (region in destination or destination == ["*"]):
                    self._cluster.carry(region, entry)
        return refused


class Fixed:
    """The ports that never change: the policy, and no hash key."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def get(self) -> Any:
        return self._value


class NoQuarantine:
    def put(self, reason: str, source: str, record: Any) -> None:
        raise AssertionError(f"{source} quarantined a record: {reason}")


class ObservedListener(Listener):
    """The listener, which also tells the oracle the version that it gave to each record."""

    versions: dict[int, Version]

    def _version(self, change: Change, verdict: Verdict, table: TablePolicy) -> Version:
        version = super()._version(change, verdict, table)
        self.versions[change.sequence] = version
        return version


class Peers:
    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def get(self, region: str, table: str, key: Image) -> Image | None:
        return self._cluster.stores[region].get(table, key)


class Cluster:
    """Runs one schedule; ``listener``, ``replicator`` and ``anonymizer`` are the classes under test."""

    listener: type[ObservedListener] = ObservedListener
    replicator: type[Replicator] = Replicator
    anonymizer: type[Anonymizer] = Anonymizer

    def __init__(self, seed: int, faults: Faults | None = None) -> None:
        self.random = random.Random(seed)
        self.faults = faults or Faults()
        self.now_ms = 10_000_000
        self.draining = False
        self.leaks: list[str] = []
        self.events = 0
        self.writes = 0
        self._writers: dict[str, tuple[str, str | None]] = {}
        self._nonces = 0
        self._network: list[tuple[str, str, str]] = []
        self.application_records: dict[str, dict[int, tuple[Image, bool]]] = {region: {} for region in REGIONS}
        streamed = frozenset({TABLE})
        self.stores = {region: MemoryStore(region, lambda: self.now_ms, streamed) for region in REGIONS}
        skew_ms = self.faults.skew_ms_max
        self._skew_ms = {region: self.random.randint(-skew_ms, skew_ms) for region in REGIONS}
        worlds = {region: self._world(region) for region in REGIONS}
        self.listeners = {region: self.listener(worlds[region]) for region in REGIONS}
        for listener in self.listeners.values():
            listener.versions = {}
        self._replicators = {region: self.replicator(worlds[region]) for region in REGIONS}
        self._anonymizers = {region: self.anonymizer(worlds[region]) for region in REGIONS}

    def _world(self, region: str) -> World:
        return World(
            region=region,
            store=CrashingStore(self.stores[region], self),
            peers=Peers(self),
            publisher=Bus(region, self),
            quarantine=NoQuarantine(),
            policy=Fixed(policy()),
            hash_key=Fixed(None),
            now_ms=lambda: self.now_ms,
            nonce=self._nonce,
        )

    def _nonce(self) -> str:
        self._nonces += 1
        return str(self._nonces)

    def maybe_crash(self) -> None:
        if not self.draining and self.random.random() < self.faults.crash:
            raise Crash

    def carry(self, region: str, entry: Entry) -> None:
        self.events += 1
        self._see(region, entry.detail)
        self._network.append((region, entry.detail_type, json.dumps({"detail": json.loads(entry.detail)})))

    def observe(self, store: MemoryStore) -> None:
        region = next(region for region, candidate in self.stores.items() if candidate is store)
        if store.records:
            self._see(region, json.dumps(store.records[-1]["dynamodb"].get("NewImage")))

    def _see(self, region: str, text: str) -> None:
        """Note a leak: a localized item's value in a Region that is neither its writer's nor its home."""
        for value, (writer, home) in self._writers.items():
            if home is not None and region not in (writer, home) and f'"{value}"' in text:
                self.leaks.append(f"{value} of {writer}, home {home}, in {region}")

    # -- applications

    def application(self) -> None:
        region, key = self.random.choice(REGIONS), self.random.choice(KEYS)
        store = self.stores[region]
        item = store.get(TABLE, key)
        control = Control.of(item, "_dom")
        if self.random.random() < 0.2:
            if item is not None:
                self._written(region, store.replace(TABLE, key, None))
            return
        content = self._content(region)
        if self.random.random() < self.faults.plain_writers:
            # PutItem drops the control attribute, UpdateItem keeps it.
            updates = item is not None and self.random.random() < 0.6
            if updates and control is not None and (control.is_stub or control.deleting):
                updates = False
            self._written(region, store.replace(TABLE, key, {**(item or {}), **content} if updates else content))
            return
        if control is not None and control.home is not None:
            region = control.home
            store = self.stores[region]
            item = store.get(TABLE, key)
            control = Control.of(item, "_dom")
            if item is None or (control is not None and control.is_stub):
                return
            authority = item.get("authority")
            content = {**self._content(region), **({"authority": authority} if authority else {})}
            self._claim(content, region)
        base = control.version if control is not None else None
        version = stamp(self.now_ms + self._skew_ms[region], base, region)
        content["_dom"] = Control(version=version, origin=region).to_value()
        self._written(region, store.replace(TABLE, key, content))

    def _content(self, region: str) -> Image:
        self.writes += 1
        content: Image = {"value": {"N": str(self.writes)}, "email": {"S": f"pii-{self.writes}"}}
        authority = self.random.choice([None, None, "EU", "IN"])
        if authority is not None:
            content["authority"] = {"S": authority}
        self._claim(content, region)
        return content

    def _claim(self, content: Image, region: str) -> None:
        authority = content.get("authority")
        self._writers[content["email"]["S"]] = (region, AUTHORITIES[authority["S"]] if authority else None)

    def _written(self, region: str, record: Mapping[str, Any] | None) -> None:
        if record is not None:
            stream = record["dynamodb"]
            deleted = "NewImage" not in stream
            self.application_records[region][int(stream["SequenceNumber"])] = (stream["Keys"], deleted)

    # -- functions

    def listen(self) -> None:
        region = self.random.choice(REGIONS)
        records = self.stores[region].records
        batch = [records[i] for i in range(min(len(records), self.random.randint(1, 4)))]
        if not batch:
            return
        try:
            report = self.listeners[region].handle(batch)
        except Crash:
            return
        failed = set(report.failed)
        for record in batch:
            if record["dynamodb"]["SequenceNumber"] in failed:
                return
            records.popleft()

    def deliver(self) -> None:
        if not self._network:
            return
        position = self.random.randrange(len(self._network))
        region, detail_type, body = self._network[position]
        step = self._anonymizers[region] if detail_type == FINISHED else self._replicators[region]
        try:
            report: Report = step.handle([Message("m", body)])
        except Crash:
            return
        if not report.failed and (self.draining or self.random.random() >= self.faults.duplicate):
            self._network.pop(position)

    # -- the schedule

    def run(self, steps: int) -> str | None:
        """Run the schedule to quiescence; return what is wrong, or None."""
        for _ in range(steps):
            self.now_ms += self.random.choice(self.faults.steps_ms)
            chance = self.random.random()
            if chance < 0.25:
                self.application()
            elif chance < 0.6:
                self.listen()
            else:
                self.deliver()
        self.draining = True
        for _ in range(DRAIN_STEPS_MAX):
            if not self._network and not any(store.records for store in self.stores.values()):
                return self.verdict()
            self.now_ms += 1
            if self.random.random() < 0.5:
                self.listen()
            else:
                self.deliver()
        return "no quiescence"

    def verdict(self) -> str | None:
        """Judge invariants 1, 2, 6 and 7 of the protocol."""
        if self.leaks:
            return f"leak: {self.leaks[0]}"
        if self.events > 40 * (self.writes + 1) * len(REGIONS):
            return f"traffic: {self.events} events of {self.writes} writes"
        return next((problem for key in KEYS if (problem := self._verdict_of(key)) is not None), None)

    def _verdict_of(self, key: Image) -> str | None:
        images = {region: self.stores[region].get(TABLE, key) for region in REGIONS}
        best = max(
            (
                (listener.versions[sequence], deleted)
                for region, listener in self.listeners.items()
                for sequence, (written, deleted) in self.application_records[region].items()
                if written == key and sequence in listener.versions
            ),
            default=None,
        )
        controls = {region: Control.of(image, "_dom") for region, image in images.items()}
        versions = {control.version if control else None for control in controls.values()}
        if best is not None and versions != {None if best[1] else best[0]}:
            return f"lost write: {best} is not {versions}"
        present = [image for image in images.values() if image is not None]
        if present and len(present) < len(REGIONS):
            return f"diverged presence of {key}"
        if not present:
            return None
        if len(versions) > 1 or None in versions:
            return f"diverged versions {versions}"
        if len({json.dumps([image.get("authority"), image["value"]]) for image in present}) > 1:
            return f"diverged content of {key}"
        authority = present[0].get("authority")
        home = AUTHORITIES[authority["S"]] if authority else None
        for region, image in images.items():
            full = image is not None and image["email"]["S"].startswith("pii-")
            control = controls[region]
            stub_home = control.home if control is not None else None
            if home in (None, region) and (not full or stub_home is not None):
                return f"not full in {region}"
            if home not in (None, region) and (full or stub_home != home):
                return f"not a stub in {region}"
        return None
