"""The wire format: what one Region tells another, packed into EventBridge entries.

An entry's detail is a JSON object. ``emitter`` is the Region that puts it and ``destination`` a list of Regions or
``["*"]``: the bus rules match these two. Changes of one destination are packed together up to one billing chunk, and so
are receipts. A change above the chunk, and anything with a character that SQS does not take, travels alone and
compressed (``gzip``, base64). A change that is too large even then travels as a claim check, without its image: the
replicator reads it where it is still whole. A stub never does, because reading it would carry the full image out of its
home: it goes without its largest attributes instead.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from domicile.core.control import Image, Value
from domicile.core.errors import RecordInvalidError
from domicile.core.version import Version

FORMAT = 1
SOURCE = "domicile"
CHANGES = "changes"
FINISHED = "finished"
EVERYWHERE = ("*",)

REQUEST_BYTES_MAX = 250 * 1024
REQUEST_ENTRIES_MAX = 10
INFLATED_BYTES_MAX = 8 * 1024 * 1024
"""A compressed body that inflates beyond this is refused: an item has at most 400 KB."""
# SQS takes the characters of XML and refuses a message with others. JSON escapes those below a space, not these two.
_REFUSED_BY_SQS = re.compile("[\ufffe\uffff]")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How large a change may be to travel in company, and alone.

    EventBridge bills each 64 KB of an entry as one event, and the detail's head needs some of them. The limit of an
    entry and of an SQS message is 256 KB; the head and the envelope that EventBridge adds need the rest.
    """

    chunk_bytes_max: int = 63 * 1024
    packed_bytes_max: int = 239 * 1024


LIMITS = Limits()


class Operation(Enum):
    """What a Region does with a change: ``put`` and ``move`` carry full images, ``stub`` an anonymized one."""

    PUT = "put"
    MOVE = "move"
    STUB = "stub"
    DELETE = "delete"


@dataclass(frozen=True, kw_only=True)
class Mutation:
    """One version of one key on its way to other Regions, as the projection that they may hold.

    ``image`` has no control attribute; it is None for a delete and for a ``claim``, whose ``authority`` is that of the
    image for which it was sent. ``partial``: a stub without its largest attributes.
    """

    operation: Operation
    table: str
    key: Image
    version: Version
    origin: str
    home: str | None = None
    image: Image | None = None
    claim: bool = False
    authority: Value | None = None
    partial: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the wire form, without what is empty."""
        fields: dict[str, Any] = {
            "operation": self.operation.value,
            "table": self.table,
            "key": self.key,
            "version": str(self.version),
            "origin": self.origin,
        }
        optional = {
            "home": self.home,
            "image": self.image,
            "claim": self.claim,
            "authority": self.authority,
            "partial": self.partial,
        }
        return fields | {name: value for name, value in optional.items() if value}

    @classmethod
    def from_json(cls, fields: Any) -> Mutation:
        """Read the wire form, or raise :class:`RecordInvalidError`."""
        try:
            mutation = cls(
                operation=Operation(fields["operation"]),
                table=fields["table"],
                key=fields["key"],
                version=Version.parse(fields["version"]),
                origin=fields["origin"],
                home=fields.get("home"),
                image=fields.get("image"),
                claim=fields.get("claim", False),
                authority=fields.get("authority"),
                partial=fields.get("partial", False),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise RecordInvalidError(f"not a change ({type(error).__name__})") from None
        mutation._check()
        return mutation

    def _check(self) -> None:
        has_image = self.image is not None
        if not isinstance(self.table, str) or not isinstance(self.key, dict) or not isinstance(self.image, dict | None):
            well_formed = False
        elif self.operation is Operation.DELETE:
            well_formed = not has_image and not self.claim
        elif self.operation is Operation.STUB:
            well_formed = has_image and not self.claim and self.home is not None
        else:
            well_formed = has_image != self.claim and (self.home is not None) == (self.operation is Operation.MOVE)
        if not well_formed:
            raise RecordInvalidError(f"a {self.operation.value} with the wrong parts")


@dataclass(frozen=True)
class Addressed:
    """A mutation and the Regions that it goes to; :data:`EVERYWHERE` is all but the emitter."""

    destination: tuple[str, ...]
    mutation: Mutation


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """The answer to a ``put`` or ``move``: it names the version that arrived, and nothing of the item but its key."""

    operation: Operation
    table: str
    key: Image
    version: Version
    home: str | None
    outcome: str

    def to_json(self) -> dict[str, Any]:
        """Return the wire form."""
        return {
            "table": self.table,
            "key": self.key,
            "version": str(self.version),
            "home": self.home,
            "outcome": self.outcome,
        }

    @classmethod
    def from_json(cls, fields: Any, operation: Operation) -> Receipt:
        """Read the wire form, or raise :class:`RecordInvalidError`."""
        try:
            return cls(
                operation=operation,
                table=fields["table"],
                key=fields["key"],
                version=Version.parse(fields["version"]),
                home=fields["home"],
                outcome=fields["outcome"],
            )
        except (KeyError, TypeError) as error:
            raise RecordInvalidError(f"not a receipt ({type(error).__name__})") from None


@dataclass(frozen=True)
class Entry:
    """One PutEvents entry; ``members`` are the positions, in what was packed, of the changes that it carries."""

    detail_type: str
    detail: str
    members: tuple[int, ...]

    @property
    def bytes(self) -> int:
        """The size that EventBridge counts."""
        return len(self.detail.encode()) + len(self.detail_type) + len(SOURCE)


def pack_mutations(
    addressed: Sequence[Addressed], emitter: str, authority_of: Mapping[str, str], limits: Limits = LIMITS
) -> list[Entry]:
    """Pack changes into entries; ``authority_of`` maps a table to the attribute that every stub keeps."""
    entries: list[Entry] = []
    groups: dict[tuple[str, ...], list[tuple[int, str]]] = {}
    for position, item in enumerate(addressed):
        text = _dumps(item.mutation.to_json())
        if len(text.encode()) > limits.chunk_bytes_max or _REFUSED_BY_SQS.search(text):
            entries.append(_alone(item, emitter, position, authority_of, limits.packed_bytes_max))
        else:
            groups.setdefault(item.destination, []).append((position, text))
    for destination, members in groups.items():
        for group in _chunks(members, limits.chunk_bytes_max):
            entries.append(_entry(CHANGES, {"emitter": emitter, "destination": list(destination)}, "changes", group))
    return entries


def travels_whole(mutation: Mutation, limits: Limits = LIMITS) -> bool:
    """Whether a change fits into an event with its image, compressed if need be."""
    fields = mutation.to_json()
    return len(_dumps(fields).encode()) <= limits.chunk_bytes_max or len(_deflate(fields)) <= limits.packed_bytes_max


def pack_receipts(receipts: Sequence[tuple[str, Receipt]], emitter: str, limits: Limits = LIMITS) -> list[Entry]:
    """Pack (origin, receipt) pairs into entries of one origin and one operation each."""
    entries: list[Entry] = []
    groups: dict[tuple[str, Operation], list[tuple[int, str]]] = {}

    def head(origin: str, operation: Operation) -> dict[str, Any]:
        return {"emitter": emitter, "destination": [origin], "operation": operation.value}

    for position, (origin, receipt) in enumerate(receipts):
        fields, group = receipt.to_json(), (origin, receipt.operation)
        text = _dumps(fields)
        if _REFUSED_BY_SQS.search(text):
            entries.append(_compressed(FINISHED, head(*group), _deflate(fields), position))
        else:
            groups.setdefault(group, []).append((position, text))
    for group, members in groups.items():
        chunks = _chunks(members, limits.chunk_bytes_max)
        entries += [_entry(FINISHED, head(*group), "receipts", chunk) for chunk in chunks]
    return entries


def repack_mutation(fields: Any, region: str) -> dict[str, Any]:
    """Return a ``changes`` detail that brings one change's wire form, as it is, to ``region`` once more."""
    return {"format": FORMAT, "emitter": region, "destination": [region], "gzip": _deflate(fields)}


def unpack_mutations(detail: Any) -> list[dict[str, Any]]:
    """Return the wire forms of a ``changes`` detail; each is read on its own, so that a bad one fails alone."""
    return _members(detail, "changes")


def unpack_receipts(detail: Any) -> tuple[Operation, list[Any]]:
    """Return the operation of a ``finished`` detail and the wire forms of its receipts; each is read on its own."""
    members = _members(detail, "receipts")
    try:
        return Operation(detail.get("operation")), members
    except ValueError:
        raise RecordInvalidError("a finished event without its operation") from None


def requests(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """Group entries into PutEvents requests, within the limits of entries and bytes of one request."""
    batch: list[Entry] = []
    size = 0
    for entry in entries:
        if batch and (len(batch) == REQUEST_ENTRIES_MAX or size + entry.bytes > REQUEST_BYTES_MAX):
            yield batch
            batch, size = [], 0
        batch.append(entry)
        size += entry.bytes
    if batch:
        yield batch


def coalesce(
    addressed: Sequence[tuple[int, Addressed]], partly_replicated: Collection[str] = ()
) -> list[tuple[Addressed, tuple[int, ...]]]:
    """Keep the greatest version of each key, with the positions of all changes that it stands for.

    Every version reaches every Region in the end, so one that was overtaken before it left need not travel. In the
    tables ``partly_replicated`` the later one may not reach a Region that the earlier must: there it stands only for
    those that do the same for the same Regions.
    """
    last: dict[tuple[object, ...], tuple[Addressed, tuple[int, ...]]] = {}
    for position, item in addressed:
        mutation = item.mutation
        reach = (item.destination, mutation.operation) if mutation.table in partly_replicated else None
        identity = (mutation.table, _dumps(mutation.key), reach)
        kept, positions = last.get(identity, (item, ()))
        winner = item if mutation.version >= kept.mutation.version else kept
        last[identity] = (winner, (*positions, position))
    return list(last.values())


def _dumps(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, sort_keys=True)


def _entry(detail_type: str, head: dict[str, Any], name: str, group: Sequence[tuple[int, str]]) -> Entry:
    texts = ",".join(text for _, text in group)
    detail = f'{_dumps({"format": FORMAT, **head})[:-1]},"{name}":[{texts}]}}'
    return Entry(detail_type, detail, tuple(position for position, _ in group))


def _chunks(members: Iterable[tuple[int, str]], bytes_max: int) -> Iterator[list[tuple[int, str]]]:
    """Group members, of which there is at least one."""
    group: list[tuple[int, str]] = []
    size = 0
    for position, text in members:
        length = len(text.encode()) + 1
        if group and size + length > bytes_max:
            yield group
            group, size = [], 0
        group.append((position, text))
        size += length
    yield group


def _alone(
    item: Addressed, emitter: str, position: int, authority_of: Mapping[str, str], packed_bytes_max: int
) -> Entry:
    mutation = item.mutation
    packed = _deflate(mutation.to_json())
    if len(packed) > packed_bytes_max:
        image = mutation.image or {}
        # The policy may have dropped the table since the change was made.
        authority = authority_of.get(mutation.table, "")
        if mutation.operation is Operation.STUB:
            smallest = _smallest(image, (*mutation.key, authority), packed_bytes_max // 2)
            mutation = replace(mutation, image=smallest, partial=True)
        else:
            mutation = replace(mutation, image=None, claim=True, authority=image.get(authority))
        packed = _deflate(mutation.to_json())
    return _compressed(CHANGES, {"emitter": emitter, "destination": list(item.destination)}, packed, position)


def _compressed(detail_type: str, head: dict[str, Any], packed: str, position: int) -> Entry:
    return Entry(detail_type, _dumps({"format": FORMAT, **head, "gzip": packed}), (position,))


def _smallest(image: Image, first: Iterable[str], bytes_max: int) -> Image:
    """Keep the ``first`` attributes and then the smallest: large ones do not fit, and a TTL is a small one."""
    kept = {name: image[name] for name in first if name in image}
    size = 0
    for length, name in sorted((len(_dumps({name: value}).encode()), name) for name, value in image.items()):
        size += length
        if size > bytes_max:
            break
        kept[name] = image[name]
    return kept


def _deflate(fields: Any) -> str:
    return base64.b64encode(gzip.compress(_dumps(fields).encode(), mtime=0)).decode()


def _inflate(text: Any) -> dict[str, Any]:
    try:
        inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        data = inflater.decompress(base64.b64decode(text, validate=True), INFLATED_BYTES_MAX)
        if inflater.unconsumed_tail:
            raise RecordInvalidError("a compressed change inflates beyond any item's size")
        value = json.loads(data)
    except (ValueError, TypeError, RecursionError, zlib.error) as error:
        raise RecordInvalidError(f"a compressed change cannot be read ({type(error).__name__})") from None
    if not isinstance(value, dict):
        raise RecordInvalidError("a compressed change is not an object")
    return value


def _members(detail: Any, name: str) -> list[Any]:
    known = isinstance(detail, dict) and detail.get("format") == FORMAT
    if known and "gzip" in detail:
        return [_inflate(detail["gzip"])]
    if not known or not isinstance(detail.get(name), list):
        raise RecordInvalidError(f"not a detail of format {FORMAT} with {name}")
    members: list[Any] = detail[name]
    return members
