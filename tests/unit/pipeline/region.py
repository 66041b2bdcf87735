"""One Region in memory for the tests of the steps: ports that can be made to fail, and what they received."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from domicile.core.control import Control, Image, Value
from domicile.core.errors import DomicileError, TransientError
from domicile.core.events import (
    CHANGES,
    EVERYWHERE,
    FINISHED,
    Addressed,
    Entry,
    Limits,
    Mutation,
    Operation,
    Receipt,
    pack_mutations,
    pack_receipts,
    unpack_mutations,
    unpack_receipts,
)
from domicile.core.version import Version
from domicile.core.writes import Write, Written
from domicile.pipeline.anonymizer import Anonymizer
from domicile.pipeline.inbox import Message
from domicile.pipeline.listener import Listener
from domicile.pipeline.ports import World
from domicile.pipeline.replicator import Replicator
from domicile.pipeline.report import Report
from domicile.simulator.store import MemoryStore
from tests.policies import LEDGER, TABLE, policy

HERE, HOME, OTHER = "us-east-1", "eu-west-1", "ap-south-1"
"""The Region under test, the home of authority EU, and that of IN."""
NOW_MS = 1_766_361_600_500
AT_MS = 1_766_361_600_000
"""A record's time: now, rounded down to the second."""
KEY: Image = {"pk": {"S": "order-1"}, "sk": {"N": "1"}}
EMAIL: Value = {"S": "ada@example.com"}
REDACTED: Value = {"S": "[redacted]"}


def stamped(ms: int = NOW_MS - 60_000, region: str = HERE) -> Version:
    """The version of a stamped write, a minute ago if nothing else is said."""
    return Version(ms, plain=False, tie=0, region=region)


def plain(sequence: int, ms: int = AT_MS, region: str = HERE) -> Version:
    """The version of a plain write."""
    return Version(ms, plain=True, tie=sequence, region=region)


def item(version: Version | None = None, *, authority: str | None = None, name: str = "k", **control: Any) -> Image:
    """An item with an e-mail address; ``control`` is passed on to its control attribute."""
    image: Image = {"pk": {"S": name}, "sk": {"N": "1"}, "email": EMAIL}
    if authority is not None:
        image["localization_authority"] = {"S": authority}
    if version is not None:
        control.setdefault("origin", version.region)
        image["_dom"] = Control(version=version, **control).to_value()
    return image


def key_of(image: Image) -> Image:
    """The item's key."""
    return {"pk": image["pk"], "sk": image["sk"]}


def stub(version: Version, *, authority: str = "EU", home: str = HOME, nonce: str = "0", **control: Any) -> Image:
    """The stub of an item."""
    return {**item(version, authority=authority, home=home, nonce=nonce, **control), "email": REDACTED}


@dataclass
class Source:
    """A port with ``get``: gives its value, or raises its error."""

    value: Any = None
    error: DomicileError | None = None

    def get(self) -> Any:
        if self.error is not None:
            raise self.error
        return self.value


@dataclass
class Bus:
    """The port ``Publisher``; entries for which ``refuses`` holds are not taken."""

    refuses: Callable[[Entry], bool] = lambda _: False
    entries: list[Entry] = field(default_factory=list)

    def publish(self, entries: Sequence[Entry]) -> list[Entry]:
        self.entries += [entry for entry in entries if not self.refuses(entry)]
        return [entry for entry in entries if self.refuses(entry)]

    @property
    def changes(self) -> list[tuple[tuple[str, ...], Mutation]]:
        """The changes that it took, with their destinations."""
        details = [json.loads(entry.detail) for entry in self.entries if entry.detail_type == CHANGES]
        return [
            (tuple(detail["destination"]), Mutation.from_json(fields))
            for detail in details
            for fields in unpack_mutations(detail)
        ]

    @property
    def receipts(self) -> list[tuple[str, Receipt]]:
        """The answers that it took, with the Region that they go to."""
        found = []
        for entry in self.entries:
            if entry.detail_type == FINISHED:
                detail = json.loads(entry.detail)
                operation, forms = unpack_receipts(detail)
                found += [(detail["destination"][0], Receipt.from_json(fields, operation)) for fields in forms]
        return found


@dataclass
class Kept:
    """The port ``Quarantine``: what it keeps, as (reason, step, record)."""

    records: list[tuple[str, str, Any]] = field(default_factory=list)
    error: DomicileError | None = None

    def put(self, reason: str, source: str, record: Any) -> None:
        if self.error is not None:
            raise self.error
        self.records.append((reason, source, record))

    @property
    def reasons(self) -> list[str]:
        """Why each record is kept."""
        return [reason for reason, _, _ in self.records]


class FaultyStore:
    """A store that calls ``before_write`` with each write, which may raise, and counts reads and writes."""

    def __init__(self, store: MemoryStore) -> None:
        self.memory = store
        self.before_get: Callable[[str, Image], None] = lambda _table, _key: None
        self.before_write: Callable[[Write], None] = lambda _: None
        self.writes: list[Write] = []

    def get(self, table: str, key: Image) -> Image | None:
        self.before_get(table, key)
        return self.memory.get(table, key)

    def write(self, write: Write) -> Written:
        self.before_write(write)
        self.writes.append(write)
        return self.memory.write(write)


@dataclass
class Peers:
    """The tables of the other Regions, where a claim check's image is read."""

    items: dict[str, Image | None] = field(default_factory=dict)
    error: DomicileError | None = None

    def get(self, region: str, table: str, key: Image) -> Image | None:
        assert (table, list(key)) == (TABLE, ["pk", "sk"])
        if self.error is not None:
            raise self.error
        return self.items[region]


class Region:
    """A Region's tables and ports, and the three steps over them."""

    def __init__(self, name: str = HERE, limits: Limits | None = None, **table: Any) -> None:
        self.now_ms = NOW_MS
        self.name, self.records = name, list[dict[str, Any]]()
        self.memory = MemoryStore(self._changed)
        self.store = FaultyStore(self.memory)
        self.bus, self.quarantine, self.peers = Bus(), Kept(), Peers()
        self.policy, self.hash_key = Source(policy(**table)), Source(None)
        nonces = itertools.count(1)
        self.world = World(
            region=name,
            store=self.store,
            peers=self.peers,
            publisher=self.bus,
            quarantine=self.quarantine,
            policy=self.policy,
            hash_key=self.hash_key,
            now_ms=lambda: self.now_ms,
            nonce=lambda: f"n{next(nonces)}",
            limits=limits or Limits(),
        )
        self._listener = Listener(self.world)
        self._replicator, self._anonymizer = Replicator(self.world), Anonymizer(self.world)

    def _changed(self, table: str, key: Image, old: Image | None, new: Image | None, expired: bool) -> None:
        if table != TABLE:
            return
        images = {"OldImage": old, "NewImage": new}
        record: dict[str, Any] = {
            "eventSourceARN": f"arn:aws:dynamodb:{self.name}:123456789012:table/{table}/stream/0",
            "dynamodb": {
                "Keys": key,
                "ApproximateCreationDateTime": float(self.now_ms // 1000),
                "SequenceNumber": str(len(self.records) + 1),
                **{name: image for name, image in images.items() if image is not None},
            },
        }
        if expired:
            record["userIdentity"] = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
        self.records.append(record)

    # -- what applications and the clock do

    def put(self, image: Image) -> dict[str, Any]:
        """Write an item as ordinary code does, and return its stream record."""
        assert self.memory.replace(TABLE, key_of(image), image)
        return self.records[-1]

    def update(self, image: Image, **attributes: Value) -> dict[str, Any]:
        """Set attributes of what is there, as ordinary code does."""
        return self.put({**(self.item(image) or {}), **attributes})

    def remove(self, image: Image, *, expired: bool = False) -> dict[str, Any]:
        """Delete an item as ordinary code does, or as TTL does."""
        assert self.memory.replace(TABLE, key_of(image), None, expired=expired)
        return self.records[-1]

    def seed(self, image: Image) -> None:
        """Let the table hold an item from before, without a stream record."""
        self.put(image)
        self.records.pop()

    # -- the steps

    def listen(self, *records: Mapping[str, Any]) -> Report:
        """Let the listener handle a batch."""
        return self._listener.handle(records)

    def listen_on(self) -> Report:
        """Let the listener handle the whole stream, and what that writes, until nothing is left."""
        report, handled = Report(), 0
        while handled < len(self.records):
            batch, handled = self.records[handled:], len(self.records)
            report.add([self.listen(*batch)])
        return report

    def receive(self, *mutations: Mutation) -> Report:
        """Let the replicator handle changes, each in a message of its own named m0, m1, ..."""
        return self.replicate(*(changes_message(f"m{n}", mutation) for n, mutation in enumerate(mutations)))

    def replicate(self, *messages: Message) -> Report:
        """Let the replicator handle messages."""
        return self._replicator.handle(messages)

    def finish(self, *receipts: Receipt) -> Report:
        """Let the anonymizer handle receipts, each in a message of its own named m0, m1, ..."""
        return self.anonymize(*(receipts_message(f"m{n}", receipt) for n, receipt in enumerate(receipts)))

    def anonymize(self, *messages: Message) -> Report:
        """Let the anonymizer handle messages."""
        return self._anonymizer.handle(messages)

    # -- what is there

    def item(self, image: Image) -> Image | None:
        """The item with this one's key."""
        return self.memory.get(TABLE, key_of(image))

    def control(self, image: Image) -> Control | None:
        """Its control attribute."""
        return Control.of(self.item(image), "_dom")

    def version(self, image: Image) -> Version | None:
        """Its version."""
        control = self.control(image)
        return control.version if control else None

    def tombstone(self, image: Image) -> str | None:
        """The version that the ledger remembers of its last delete."""
        entry = self.memory.get(LEDGER, key_of(image)) or {}
        return entry["dom_tombstone"]["S"] if "dom_tombstone" in entry else None


def mutation(operation: Operation, image: Image, version: Version, **more: Any) -> Mutation:
    """A change of ``image``'s key, from the Region of its version."""
    more.setdefault("image", None if operation is Operation.DELETE else {n: image[n] for n in image if n != "_dom"})
    more.setdefault("origin", version.region)
    return Mutation(operation=operation, table=TABLE, key=key_of(image), version=version, **more)


def receipt(image: Image, version: Version, operation: Operation = Operation.MOVE, home: str = HOME) -> Receipt:
    """The answer that a version of ``image`` arrived at its home."""
    return Receipt(operation=operation, table=TABLE, key=key_of(image), version=version, home=home, outcome="applied")


def changes_message(name: str, *mutations: Mutation) -> Message:
    """A message that carries changes, as one entry packs them."""
    addressed = [Addressed(EVERYWHERE, change) for change in mutations]
    (entry,) = pack_mutations(addressed, HOME, {TABLE: "localization_authority"}, Limits())
    return message(name, json.loads(entry.detail))


def receipts_message(name: str, *receipts: Receipt) -> Message:
    """A message that carries receipts, as one entry packs them."""
    (entry,) = pack_receipts([(HERE, answer) for answer in receipts], HOME, Limits())
    return message(name, json.loads(entry.detail))


def message(name: str, detail: Any) -> Message:
    """A message with an event of this detail."""
    return Message(name, json.dumps({"source": "domicile", "detail": detail}))


def sequence(record: Mapping[str, Any]) -> int:
    """A stream record's sequence number."""
    return int(record["dynamodb"]["SequenceNumber"])


def failing(*kinds: type, times: int = 1) -> Callable[[Write], None]:
    """Fail the first ``times`` writes of these kinds, for now."""
    remaining = iter(range(times))

    def before(write: Write) -> None:
        if isinstance(write, kinds) and next(remaining, None) is not None:
            raise TransientError("ThrottlingException")

    return before


class Crash(BaseException):
    """The function dies; no handler of exceptions may see it."""


def crashing(number: int) -> Callable[[Write], None]:
    """Let the function die before the write of this number, counted from 0."""
    numbers = itertools.count()

    def before(_: Write) -> None:
        if next(numbers) == number:
            raise Crash

    return before
