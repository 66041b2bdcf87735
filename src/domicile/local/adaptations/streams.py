"""Event source mappings of DynamoDB streams and of Kinesis streams.

AWS: each mapping reads each shard on its own. Records that no filter pattern matches are done at once. A batch is
what arrives within the window, up to the batch size and 6 MB. When the function reports failed items
(ReportBatchItemFailures), the records before the first of them are done and the rest is sent again; when it fails as a
whole, the batch is sent again, in two halves if the mapping says so (BisectBatchOnFunctionError; splitting uses up no
retry). A batch that has used up its retries, or is too old, is described to the on-failure destination and left behind.

MiniStack 1.5.33: one thread reads all mappings and runs their functions, so that a slow function holds up every other
mapping; reported item failures count as done, which loses records; bisecting, retries and the window are ignored, and
a failing batch of Kinesis comes again for ever; the filter language is a subset with errors (``exists`` below an
absent parent, ``$or``, ``anything-but``).

Here each mapping has a thread for each shard while it is enabled, and the filters use EventBridge's matcher, which is
the same language. The on-failure destination is a queue. The waits between retries are shorter than on AWS.
"""

from __future__ import annotations

import itertools
import json
import logging
import threading
import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from ministack.core.responses import request_scope
from ministack.services import eventbridge, lambda_svc

from domicile.local.adaptations import expect_function, expect_value, mapping_roles, queue_messages, shards
from domicile.local.adaptations.shards import Placed, Shard

_PAYLOAD_LIMIT_BYTES = 6 * 1024 * 1024
_RETRY_FIRST_S = 0.2
_RETRY_LONGEST_S = 5.0
_IDLE_S = 1.0

log = logging.getLogger("domicile.local")


def install() -> None:
    """Let MiniStack's poller wake a thread per mapping and shard instead of reading the streams itself."""
    shards.expect()
    expect_function(lambda_svc, "_poll_dynamodb_streams")
    expect_function(lambda_svc, "_poll_kinesis")
    expect_function(lambda_svc, "_iter_all_esms")
    expect_function(lambda_svc, "_get_func_record_for_qualifier", "name", "qualifier")
    expect_function(lambda_svc, "_execute_function", "func", "event")
    expect_value(lambda_svc, "_esms")
    expect_function(eventbridge, "_compiled_pattern", "pattern_str")
    expect_function(eventbridge, "_matches_detail", "detail", "pattern")
    readers: dict[tuple[str, str], _Reader] = {}

    def poll() -> bool:
        woken = False
        for account, region, mapping in lambda_svc._iter_all_esms():
            if not mapping["Enabled"]:
                continue
            with request_scope(account, region):
                for shard in shards.shards(account, region, mapping):
                    key = mapping["UUID"], shard.shard_id
                    reader = readers.get(key)
                    if reader is None or not reader.is_alive():
                        reader = readers[key] = _Reader(account, region, mapping, shard)
                        reader.start()
                    woken = reader.wake() or woken
        return woken

    lambda_svc._poll_dynamodb_streams = poll
    lambda_svc._poll_kinesis = lambda: False


class _Reader(threading.Thread):
    """Reads a shard for one mapping until the mapping is deleted or disabled."""

    def __init__(self, account: str, region: str, mapping: dict[str, Any], shard: Shard) -> None:
        super().__init__(name=f"{mapping['UUID']}-{shard.shard_id}", daemon=True)
        self._scope = (account, region)
        self._mapping = mapping
        self._shard = shard
        self._woken = threading.Event()

    def wake(self) -> bool:
        """Look at the shard now; return whether that was news."""
        if self._woken.is_set() or not self._shard.read(1):
            return False
        self._woken.set()
        return True

    def run(self) -> None:
        with request_scope(*self._scope):
            while self._active:
                self._woken.clear()
                batch = self._read() if mapping_roles.may(self._mapping, *self._shard.read_actions) else []
                if not batch:
                    self._woken.wait(_IDLE_S)
                    continue
                try:
                    self._deliver(batch)
                except Exception:
                    log.exception("mapping %s", self._mapping["UUID"])
                    time.sleep(_RETRY_LONGEST_S)

    @property
    def _active(self) -> bool:
        return lambda_svc._esms.get_scoped(*self._scope, self._mapping["UUID"]) is not None and self._mapping["Enabled"]

    def _done_before(self, position: int) -> None:
        if self._active:
            self._shard.move(position)

    def _read(self) -> list[Placed]:
        """Return the next records in their places, as many as one invocation takes."""
        size, deadline = self._mapping["BatchSize"], None
        while True:
            records = self._shard.read(size)
            window_s = self._mapping["MaximumBatchingWindowInSeconds"]
            if not records or len(records) == size or not window_s:
                break
            deadline = deadline or time.monotonic() + window_s
            remaining_s = deadline - time.monotonic()
            if remaining_s <= 0 or not self._woken.wait(remaining_s):
                break
            self._woken.clear()
        sizes = itertools.accumulate(len(json.dumps(record)) for _, record in records)
        count = sum(total <= _PAYLOAD_LIMIT_BYTES for total in sizes)
        return records[: max(count, 1)]

    def _deliver(self, batch: list[Placed]) -> None:
        end = batch[-1][0] + 1
        pending = [([placed for placed in batch if self._passes(placed[1])], 0)]
        while pending and self._active:
            records, retries = pending.pop(0)
            if not records:
                continue
            result = self._invoke(records)
            failed = self._first_failed(records, result)
            if failed is None:
                continue
            self._done_before(records[failed][0])
            if result.get("throttle"):
                pending.insert(0, (records, retries))
            elif failed:
                retries = 0
                pending.insert(0, (records[failed:], retries))
            elif result.get("error") and self._mapping.get("BisectBatchOnFunctionError") and len(records) > 1:
                middle = len(records) // 2
                pending[:0] = [(records[:middle], retries), (records[middle:], retries)]
            elif condition := self._exhausted(records, retries):
                self._give_up(records, result, condition, retries + 1)
                continue
            else:
                retries += 1
                pending.insert(0, (records, retries))
            time.sleep(min(_RETRY_FIRST_S * 2**retries, _RETRY_LONGEST_S))
        if not pending:
            self._done_before(end)

    def _passes(self, record: dict[str, Any]) -> bool:
        filters = (self._mapping.get("FilterCriteria") or {}).get("Filters") or []
        document = self._shard.document(record)
        return not filters or any(
            eventbridge._matches_detail(document, alternative)
            for pattern in filters
            for alternative in eventbridge._compiled_pattern(pattern["Pattern"]) or ()
        )

    def _function(self) -> dict[str, Any]:
        record, config = lambda_svc._get_func_record_for_qualifier(
            self._mapping["FunctionName"], self._mapping["Qualifier"]
        )
        return {**record, "config": {**config, "FunctionArn": self._mapping["FunctionArn"]}}

    def _invoke(self, records: Sequence[Placed]) -> dict[str, Any]:
        result: dict[str, Any] = lambda_svc._execute_function(
            self._function(), {"Records": [record for _, record in records]}
        )
        self._mapping["LastProcessingResult"] = "PROBLEM: Function call failed" if result.get("error") else "OK"
        return result

    def _first_failed(self, records: Sequence[Placed], result: dict[str, Any]) -> int | None:
        """Return the index of the first record that is not done; an identifier that is none fails the whole batch."""
        if result.get("error"):
            return 0
        body = result.get("body")
        if "ReportBatchItemFailures" not in self._mapping["FunctionResponseTypes"] or not isinstance(body, dict):
            return None
        reported = [failure.get("itemIdentifier") for failure in body.get("batchItemFailures") or ()]
        numbers = [self._shard.number(record) for _, record in records]
        return min((numbers.index(number) if number in numbers else 0 for number in reported), default=None)

    def _exhausted(self, records: Sequence[Placed], retries: int) -> str | None:
        age_s_max = self._mapping.get("MaximumRecordAgeInSeconds") or -1
        oldest = min(self._shard.arrived(record) for _, record in records)
        if 0 < age_s_max < time.time() - oldest:
            return "MaxRecordAgeExceeded"
        retries_max = self._mapping.get("MaximumRetryAttempts")
        if retries_max is not None and 0 <= retries_max <= retries:
            return "RetryAttemptsExhausted"
        return None

    def _give_up(self, records: Sequence[Placed], result: dict[str, Any], condition: str, invocations: int) -> None:
        """Describe a batch, without its records, to the on-failure destination."""
        queue = ((self._mapping.get("DestinationConfig") or {}).get("OnFailure") or {}).get("Destination")
        log.warning("mapping %s: %s, %s", self._mapping["UUID"], condition, queue or "dropped")
        if not queue:
            return
        first, last = records[0][1], records[-1][1]
        description = {
            "requestContext": {
                "requestId": str(uuid.uuid4()),
                "functionArn": self._mapping["FunctionArn"],
                "condition": condition,
                "approximateInvokeCount": invocations,
            },
            "responseContext": {
                "statusCode": 200,
                "executedVersion": self._function()["config"]["Version"],
                "functionError": result.get("function_error"),
            },
            "version": "1.0",
            "timestamp": _moment(time.time()),
            self._shard.batch_info: {
                "shardId": self._shard.shard_id,
                "startSequenceNumber": self._shard.number(first),
                "endSequenceNumber": self._shard.number(last),
                "approximateArrivalOfFirstRecord": _moment(self._shard.arrived(first)),
                "approximateArrivalOfLastRecord": _moment(self._shard.arrived(last)),
                "batchSize": len(records),
                "streamArn": self._mapping["EventSourceArn"],
            },
        }
        if not mapping_roles.may(self._mapping, "sqs:SendMessage", resource_arn=queue):
            return
        try:
            queue_messages.send(queue, json.dumps(description))
        except queue_messages.UndeliverableError as refused:
            log.warning("the on-failure destination of mapping %s: %s", self._mapping["UUID"], refused)


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
