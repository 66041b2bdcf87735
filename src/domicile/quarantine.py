"""The operator's way through the quarantine: see what a Region keeps there, hand it back, or give it up.

Only :attr:`Kept.record` holds attribute values. What is counted, described, logged or raised here has none, and no key:
whoever mends a deployment need not see personal data.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from domicile.aws.quarantine import join
from domicile.core.control import Control
from domicile.core.errors import RecordInvalidError
from domicile.core.events import CHANGES, SOURCE, repack_mutation, unpack_mutations, unpack_receipts
from domicile.core.parcels import Parcel
from domicile.core.version import Version
from domicile.naming import Names
from domicile.queues import BATCH_MAX, RegionQueues

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_sqs import SQSClient

HOLD_S = 600
"""How long the messages that were taken stay hidden from others: time to read a plan, and to act on it."""
_QUEUES = {"replicator": "inbox", "anonymizer": "receipts", "courier": "outbox"}
_INVOKED = ("listener", "gateway")  # the steps that a stream feeds
_USELESS = {
    "stub_write": "it would be quarantined again; repeat the write in the item's home Region, then discard this",
    "version_in_future": "it would be quarantined again; delete the item there, write it again, then discard this",
}


@dataclass(frozen=True)
class Kept:
    """One record in a Region's quarantine; ``receipts`` are the handles of the messages that hold its parts."""

    region: str
    id: str
    reason: str
    step: str
    sent_ms: int
    record: Any = field(repr=False)
    receipts: tuple[str, ...] = field(repr=False)

    @property
    def useless(self) -> str | None:
        """Why handing it back can't help, and what does; None where it can."""
        return _USELESS.get(self.reason)


@dataclass(frozen=True)
class Group:
    """Records of one Region that were quarantined by one step for one reason, of one table."""

    region: str
    reason: str
    step: str
    table: str
    records: int
    keys: int
    oldest_age_s: int


@dataclass(frozen=True)
class Description:
    """What one record is about. An event can have several tables, keys and versions; a plain write may have none."""

    region: str
    id: str
    reason: str
    step: str
    tables: list[str]
    keys: int
    attributes: list[str]
    versions: list[str]
    age_s: int


class Quarantine(RegionQueues):
    """The quarantine of one Region, over clients of that Region."""

    def __init__(self, names: Names, sqs: SQSClient, functions: LambdaClient) -> None:
        super().__init__(names, sqs)
        self._functions = functions

    def take(self, limit: int) -> list[Kept]:
        """Take at least the parts of one record, and at most about ``limit`` messages, and hold them for ``HOLD_S``.

        What is not complete (SQS may keep a part back for a moment) is released at once. Whoever takes must
        :meth:`release` what was neither redriven nor discarded.
        """
        taken: dict[str, list[dict[str, Any]]] = {}
        with self._reported("the quarantine can't be read"):
            while sum(map(len, taken.values())) < limit or any(map(_lacks_parts, taken.values())):
                messages = self._receive("quarantine", BATCH_MAX, HOLD_S)
                if not messages:
                    break
                for message in messages:
                    head = json.loads(message["Body"])
                    taken.setdefault(head["id"], []).append({**message, "head": head})
        for parts in [parts for parts in taken.values() if _lacks_parts(parts)]:
            del taken[parts[0]["head"]["id"]]
            self._show(part["ReceiptHandle"] for part in parts)
        return sorted((self._kept(parts) for parts in taken.values()), key=lambda kept: (kept.sent_ms, kept.id))

    def release(self, records: Iterable[Kept]) -> None:
        """Let others take the records again."""
        self._show(receipt for kept in records for receipt in kept.receipts)

    def redrive(self, kept: Kept) -> str | None:
        """Hand a record back to the step that quarantined it and then delete it; return why it stays where it does.

        A step that can't handle it now either quarantines it anew, as a record of its own.
        """
        if kept.useless is not None:
            return kept.useless
        with self._reported("the record was not handed back, and is kept"):
            problem = self._invoke(kept) if kept.step in _INVOKED else self._send(kept)
        if problem is None:
            self.discard(kept)
        return problem

    def discard(self, kept: Kept) -> None:
        """Delete a record."""
        with self._reported("the record was not deleted"):
            for receipt in kept.receipts:
                self._sqs.delete_message(QueueUrl=self._url("quarantine"), ReceiptHandle=receipt)

    def _invoke(self, kept: Kept) -> str | None:
        answer = self._functions.invoke(
            FunctionName=self._names.function(kept.step),
            Qualifier="live",
            Payload=json.dumps({"Records": [kept.record]}).encode(),
        )
        if "FunctionError" in answer:
            return f"the {kept.step} failed; see its log"
        failed = json.loads(answer["Payload"].read())["batchItemFailures"]
        return f"the {kept.step} could not handle it for now; try again later" if failed else None

    def _send(self, kept: Kept) -> str | None:
        queue = _QUEUES.get(kept.step)
        if queue is None:
            return f"no function is the step {kept.step}"
        self._sqs.send_message(QueueUrl=self._url(queue), MessageBody=_event(kept))
        return None

    def _show(self, receipts: Iterable[str]) -> None:
        with self._reported("the quarantine's messages could not be released; they come back by themselves"):
            for receipt in receipts:
                self._sqs.change_message_visibility(
                    QueueUrl=self._url("quarantine"), ReceiptHandle=receipt, VisibilityTimeout=0
                )

    def _kept(self, parts: list[dict[str, Any]]) -> Kept:
        head = parts[0]["head"]
        (record,) = join({part["Body"]: None for part in parts})
        return Kept(
            region=self._names.region,
            id=head["id"],
            reason=head["reason"],
            step=head["step"],
            sent_ms=min(int(part["Attributes"]["SentTimestamp"]) for part in parts),
            record=record,
            receipts=tuple(part["ReceiptHandle"] for part in parts),
        )


def summarize(records: Iterable[Kept], now_s: Callable[[], float] = time.time) -> list[Group]:
    """Count records by Region, reason, step and table. An event of several keys counts as one record."""
    groups: dict[tuple[str, str, str, str], list[tuple[Kept, set[str]]]] = {}
    for kept in records:
        keys: dict[str, set[str]] = {}
        for subject in _subjects(kept):
            keys.setdefault(subject.table, set()).add(subject.key)
        for table, keys_of_table in keys.items():
            groups.setdefault((kept.region, kept.reason, kept.step, table), []).append((kept, keys_of_table))
    return [
        Group(
            *name,
            records=len(members),
            keys=len(set().union(*(keys for _, keys in members))),
            oldest_age_s=int(now_s() - min(kept.sent_ms for kept, _ in members) / 1000),
        )
        for name, members in sorted(groups.items())
    ]


def describe(kept: Kept, control_of: Mapping[str, str], now_s: Callable[[], float] = time.time) -> Description:
    """Say what a record is about; ``control_of`` maps a table to its control attribute, which has the version."""
    subjects = _subjects(kept, control_of)
    return Description(
        region=kept.region,
        id=kept.id,
        reason=kept.reason,
        step=kept.step,
        tables=sorted({subject.table for subject in subjects}),
        keys=len({(subject.table, subject.key) for subject in subjects}),
        attributes=sorted(set().union(*(subject.attributes for subject in subjects))),
        versions=sorted({subject.version for subject in subjects if subject.version}),
        age_s=int(now_s() - kept.sent_ms / 1000),
    )


def _lacks_parts(messages: list[dict[str, Any]]) -> bool:
    expected: int = messages[0]["head"].get("parts", 1)
    return len({message["head"].get("part") for message in messages}) < expected


def _event(kept: Kept) -> str:
    """Return the message that the step got: the step quarantined it whole, or one change of it."""
    if isinstance(kept.record, str):
        return kept.record
    detail = repack_mutation(kept.record, kept.region)
    return json.dumps({"source": SOURCE, "detail-type": CHANGES, "detail": detail})


@dataclass(frozen=True)
class _Subject:
    """One change or receipt of a record: its table, its key as text, the names of its attributes, its version."""

    table: str
    key: str
    attributes: frozenset[str]
    version: str | None


def _subjects(kept: Kept, control_of: Mapping[str, str] | None = None) -> list[_Subject]:
    """Return what a record is about; an unreadable record counts as one key of no known table."""
    try:
        found = list(_read(kept.record, control_of or {}))
    except (RecordInvalidError, ValueError, KeyError, TypeError, IndexError, AttributeError):
        found = []
    return found or [_Subject("?", kept.id, frozenset(), None)]


def _read(record: Any, control_of: Mapping[str, str]) -> Iterator[_Subject]:
    if isinstance(record, dict) and "dynamodb" in record:
        table = record["eventSourceARN"].split(":table/", 1)[1].split("/", 1)[0]
        change = record["dynamodb"]
        images = [change[name] for name in ("NewImage", "OldImage") if name in change]
        yield _subject(table, change["Keys"], images, _version_in(images, control_of.get(table)))
        return
    if isinstance(record, dict) and "kinesis" in record:
        record = Parcel.of_data(base64.b64decode(record["kinesis"]["data"])).to_message()
    for member in _members(record):
        images = [member["image"]] if "image" in member else []
        yield _subject(member["table"], member["key"], images, _version(member.get("version")))


def _members(record: Any) -> list[Any]:
    """Return the wire forms of a whole event, or of the one change that was quarantined by itself."""
    if not isinstance(record, str):
        return [record]
    detail = json.loads(record)["detail"]
    return unpack_receipts(detail)[1] if "operation" in detail else unpack_mutations(detail)


def _subject(table: Any, key: Any, images: list[Any], version: str | None) -> _Subject:
    if not isinstance(table, str):
        raise TypeError("a table's name is text")
    # A malformed image can be a text or a list, and its parts would be values.
    names = frozenset(name for image in (key, *images) if isinstance(image, dict) for name in image)
    return _Subject(table, json.dumps(key, sort_keys=True), names, version)


def _version(text: Any) -> str | None:
    """Return a version; None for anything else, which could be an attribute's value."""
    with suppress(RecordInvalidError, TypeError):
        return str(Version.parse(text))
    return None


def _version_in(images: list[Any], attribute: str | None) -> str | None:
    """Return the version in the control attribute of the latest image."""
    with suppress(RecordInvalidError):
        control = Control.of(images[0], attribute) if images and attribute else None
        return str(control.version) if control else None
    return None
