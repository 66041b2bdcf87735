"""What came of a schedule, as its checkers may know it: what applications wrote, and what observers saw.

Nothing here comes from the inside of the replication. A version is the string that the documented control attribute and
the events carry; its byte order is the order of versions.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Image = Mapping[str, Any]

CANARY = re.compile(r"canary([0-9]+)@")
"""Every sensitive value names the write that brought it: ``canary17@...``."""
VERSION = re.compile(r"[0-9]{15}-[01][0-9]{6,40}-[a-z0-9-]+")
# A body that travels compressed, in JSON, or in JSON within JSON.
_COMPRESSED = re.compile(r'"(?:gzip|data)\\*":\s?\\*"([A-Za-z0-9+/=]+)')
_CLAIM = re.compile(r'"claim":\s?true')
_ID = r'"value\\*":\s?\{\\*"N\\*":\s?\\*"([0-9]+)'
_TRACE = re.compile(rf"canary([0-9]+)@|([0-9]{{15}}-[01][0-9]{{6,40}}-[a-z0-9-]+)|{_ID}")
TRANSIT = ("event", "outbox", "stream", "quarantine")
"""Where a full image may be in a gateway Region on its way home."""


@dataclass(frozen=True, kw_only=True)
class Bridge:
    """What is documented of a bridge: the partition of each Region, each one's gateway, and what may cross."""

    sides: Mapping[str, str]
    gateways: Mapping[str, str]
    global_items: bool
    stubs: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Write:
    """One change by an application.

    ``id`` is in the item's attribute ``value``; ``image`` is the whole item after it, without the control attribute, or
    None for a delete. ``over`` is the write whose item it replaced, and ``over_version`` that item's version.
    ``version``: a stamped write's own; a plain one's holds the ``sequence`` number of its stream record. ``void``: why
    it is not replicated, as documented.
    """

    id: int
    region: str
    key: str
    image: Image | None
    over: int | None
    sequence: int
    version: str | None = None
    over_version: str | None = None
    void: str | None = None


@dataclass(frozen=True)
class Change:
    """A change of an item in a Region's table, by whomever; ``expired``: by TTL."""

    region: str
    key: str
    before: Image | None
    after: Image | None
    expired: bool = False


@dataclass(frozen=True)
class Quarantined:
    """A record that was quarantined: its canaries, and its sequence number in a table's or a staging stream."""

    region: str
    reason: str
    canaries: frozenset[int]
    sequence: int | None = None
    staged: str | None = None


@dataclass
class History:
    """One schedule.

    ``homes`` maps an authority to its home Regions, one after the other. ``seen`` maps (Region, canary) to the place
    where it was first seen there, outside of ``TRANSIT`` if it ever was; ``shown`` does so for the ids of writes.
    ``poisoned`` are records of staging streams that no courier sent. ``crossed`` counts what couriers handed to their
    links, by their Region and version, and ``offered`` what outboxes gave to them. ``sent`` counts what events
    carried: by emitter, type and version. ``handled`` counts what functions were given: by Region and by a record's
    sequence number or a change's version; ``claims`` the messages that only name an image, which may be of a later
    version. ``ended_at_change`` is how many ``changes`` came before the end. ``final`` and ``replayed`` are the items
    by key and Region at the end, and after everything was handled once more.
    """

    regions: tuple[str, ...]
    homes: Mapping[str, Sequence[str]]
    bridge: Bridge | None = None
    stubs_everywhere: bool = True
    strategy: str = "redact"
    hash_key: bytes = b""
    writes: list[Write] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    seen: dict[tuple[str, int], str] = field(default_factory=dict)
    shown: dict[tuple[str, int], str] = field(default_factory=dict)
    versions: set[str] = field(default_factory=set)
    poisoned: set[tuple[str, str]] = field(default_factory=set)
    quarantined: list[Quarantined] = field(default_factory=list)
    handled: Counter[tuple[str, int | str]] = field(default_factory=Counter)
    claims: Counter[str] = field(default_factory=Counter)
    sent: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    offered: Counter[tuple[str, str]] = field(default_factory=Counter)
    crossed: Counter[tuple[str, str]] = field(default_factory=Counter)
    stuck: list[str] = field(default_factory=list)
    final: dict[str, dict[str, Image | None]] = field(default_factory=dict)
    replayed: dict[str, dict[str, Image | None]] = field(default_factory=dict)
    ended_at_s: int = 0
    ended_at_change: int | None = None

    def saw(self, region: str, place: str, text: str) -> None:
        """Note which canaries, versions and ids of writes a text brought to a place in a Region."""
        for canary, version, write in _TRACE.findall(_readable(text)):
            if version:
                self.versions.add(version)
                continue
            places, trace = (self.seen, (region, int(canary))) if canary else (self.shown, (region, int(write)))
            if places.get(trace, "event") in TRANSIT:
                places[trace] = place

    def put_event(self, region: str, kind: str, text: str) -> None:
        """Note what an event carries."""
        self.saw(region, "event", text)
        self.sent.update((region, kind, version) for version in VERSION.findall(_readable(text)))

    def gave_message(self, region: str, function: str, text: str) -> None:
        """Note what a message gives to a function."""
        readable = _readable(text)
        versions = [(region, version) for version in VERSION.findall(readable)]
        self.handled.update(versions)
        self.claims[region] += _CLAIM.search(readable) is not None
        if function == "courier":
            self.offered.update(versions)

    def gave_record(self, region: str, record: Mapping[str, Any]) -> None:
        """Note which record of a stream was given to a function."""
        if "kinesis" in record:
            self.gave_message(region, "gateway", json.dumps(record))
        else:
            self.handled[region, int(record["dynamodb"]["SequenceNumber"])] += 1

    def handed_over(self, region: str, text: str) -> None:
        """Note what a Region's courier hands to its link."""
        self.crossed.update((region, version) for version in VERSION.findall(_readable(text)))


def _readable(text: str) -> str:
    """Return a text with what is compressed in it: who can read the one can read the other."""
    return "\n".join([text, *map(_inflated, _COMPRESSED.findall(text))])


def _inflated(body: str) -> str:
    try:
        return gzip.decompress(base64.b64decode(body)).decode()
    except (OSError, EOFError, ValueError, zlib.error):
        return ""  # nothing of Domicile's, which only a staging stream may have


def write_id(image: Image | None) -> int | None:
    """Return the id of the write that an item shows, None where it shows none."""
    return int(image["value"]["N"]) if image is not None and "value" in image else None


def authority(image: Image | None) -> str | None:
    """Return an item's authority."""
    return str(image["authority"]["S"]) if image is not None and "authority" in image else None


def control(image: Image | None) -> Mapping[str, Any] | None:
    """Return the members of an item's control attribute."""
    return image["_dom"]["M"] if image is not None and "_dom" in image else None


def version(image: Image | None) -> str | None:
    """Return an item's version."""
    members = control(image)
    return str(members["v"]["S"]) if members is not None else None


def is_stub(image: Image | None) -> bool:
    """Whether the item says that it is the stub of one that lives elsewhere."""
    members = control(image)
    return members is not None and "l" in members
