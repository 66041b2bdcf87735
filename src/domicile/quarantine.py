"""The operator's way through the quarantine: see what a Region keeps there, hand it back, or give it up.

Nothing here shows, logs or raises an attribute's value: whoever mends a deployment need not see personal data.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from domicile.aws.failures import code_of
from domicile.aws.quarantine import join
from domicile.core.events import CHANGES, SOURCE, repack_mutation
from domicile.errors import OperationError
from domicile.naming import Names

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_sqs import SQSClient

HOLD_S = 600
"""How long the messages that were taken stay hidden from others: time to read a plan, and to act on it."""
WAIT_S = 1
"""How long SQS looks for messages: without a wait it asks some of its servers only."""
_BATCH = 10
_QUEUES = {"replicator": "inbox", "anonymizer": "receipts"}
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


class Quarantine:
    """The quarantine of one Region, over clients of that Region."""

    def __init__(self, names: Names, sqs: SQSClient, functions: LambdaClient) -> None:
        self._names = names
        self._sqs = sqs
        self._functions = functions

    def take(self, limit: int) -> list[Kept]:
        """Take at least the parts of one record, and at most about ``limit`` messages, and hold them for ``HOLD_S``.

        What is not complete (SQS may keep a part back for a moment) is released at once. Whoever takes must
        :meth:`release` what was neither redriven nor discarded.
        """
        taken: dict[str, list[dict[str, Any]]] = {}
        with self._reported("the quarantine can't be read"):
            while sum(map(len, taken.values())) < limit or any(map(_lacks_parts, taken.values())):
                messages = self._sqs.receive_message(
                    QueueUrl=self._url("quarantine"),
                    MaxNumberOfMessages=_BATCH,
                    VisibilityTimeout=HOLD_S,
                    WaitTimeSeconds=WAIT_S,
                    MessageSystemAttributeNames=["SentTimestamp"],
                ).get("Messages", [])
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
            problem = self._invoke_listener(kept.record) if kept.step == "listener" else self._send(kept)
        if problem is None:
            self.discard(kept)
        return problem

    def discard(self, kept: Kept) -> None:
        """Delete a record."""
        with self._reported("the record was not deleted"):
            for receipt in kept.receipts:
                self._sqs.delete_message(QueueUrl=self._url("quarantine"), ReceiptHandle=receipt)

    def _invoke_listener(self, record: Any) -> str | None:
        answer = self._functions.invoke(
            FunctionName=self._names.function("listener"),
            Qualifier="live",
            Payload=json.dumps({"Records": [record]}).encode(),
        )
        if "FunctionError" in answer:
            return "the listener failed; see its log"
        failed = json.loads(answer["Payload"].read())["batchItemFailures"]
        return "the listener could not handle it for now; try again later" if failed else None

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

    def _url(self, role: str) -> str:
        return self._sqs.get_queue_url(QueueName=self._names.queue(role))["QueueUrl"]

    @contextmanager
    def _reported(self, what: str) -> Iterator[None]:
        try:
            yield
        except ClientError as error:
            raise OperationError(f"{self._names.region}: {what}: {code_of(error)}") from None
        except BotoCoreError as error:
            raise OperationError(f"{self._names.region}: {what}: {type(error).__name__}") from None


def summarize(records: Iterable[Kept], now_s: Callable[[], float] = time.time) -> list[Group]:
    """Count records by Region, reason, step and table. An event of several keys counts as one record."""
    groups: dict[tuple[str, str, str, str], list[tuple[Kept, set[str]]]] = {}
    for kept in records:
        for table, keys in _keys_by_table(kept).items():
            groups.setdefault((kept.region, kept.reason, kept.step, table), []).append((kept, keys))
    return [
        Group(
            *name,
            records=len(members),
            keys=len(set().union(*(keys for _, keys in members))),
            oldest_age_s=int(now_s() - min(kept.sent_ms for kept, _ in members) / 1000),
        )
        for name, members in sorted(groups.items())
    ]


def _lacks_parts(messages: list[dict[str, Any]]) -> bool:
    expected: int = messages[0]["head"].get("parts", 1)
    return len({message["head"].get("part") for message in messages}) < expected


def _event(kept: Kept) -> str:
    """Return the message that the step got: the step quarantined it whole, or one change of it."""
    if isinstance(kept.record, str):
        return kept.record
    detail = repack_mutation(kept.record, kept.region)
    return json.dumps({"source": SOURCE, "detail-type": CHANGES, "detail": detail})


def _keys_by_table(kept: Kept) -> dict[str, set[str]]:
    """Return the keys, as text, by table; an unreadable record counts as one key of no known table."""
    found: dict[str, set[str]] = {}
    try:
        for table, key in _subjects(kept.record):
            found.setdefault(table, set()).add(json.dumps(key, sort_keys=True))
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):
        found = {}
    return found or {"?": {kept.id}}


def _subjects(record: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(record, str):
        detail = json.loads(record)["detail"]
        for member in (*detail.get("receipts", ()), *detail.get("changes", ())):
            yield member["table"], member["key"]
    elif "dynamodb" in record:
        yield record["eventSourceARN"].split(":table/", 1)[1].split("/", 1)[0], record["dynamodb"]["Keys"]
    else:
        yield record["table"], record["key"]
