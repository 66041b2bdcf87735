"""PutEvents refuses what EventBridge refuses.

AWS: an entry needs Source, DetailType and a Detail that is a JSON object, or fails alone while the others pass; all
entries together may have 256 KB of Source, DetailType, Detail, Resources and 14 bytes for each Time, or the whole
request fails.

MiniStack 1.5.33: takes entries of any size and content, and keeps every event that it ever saw in a list that nothing
reads.

A fault rule can refuse single entries, as a throttled bus does.
"""

from __future__ import annotations

import json
from typing import Any

from ministack.core.responses import get_region
from ministack.services import eventbridge

from domicile.local.adaptations import expect_function
from domicile.local.faults import Faults

_REQUEST_LIMIT_BYTES = 256 * 1024
_TIME_BYTES = 14


def install(faults: Faults) -> None:
    """Put the checks in front of PutEvents."""
    original = expect_function(eventbridge, "_put_events", "data", "allow_aws_source")
    expect_function(eventbridge, "_events_log_list")
    expect_function(eventbridge, "json_response", "data", "status", "content_type")
    expect_function(
        eventbridge, "error_response_json", "code", "message", "status", "extra", "message_key", "content_type"
    )

    def put_events(data: dict[str, Any], allow_aws_source: bool = False) -> Any:
        entries = data.get("Entries", [])
        if sum(map(_size_bytes, entries)) > _REQUEST_LIMIT_BYTES:
            return eventbridge.error_response_json(
                "ValidationException", "Total size of the entries in the request is over the limit.", 400
            )
        refusals = [_refusal(entry) or _injected(faults) for entry in entries]
        passed = [entry for entry, refusal in zip(entries, refusals, strict=True) if refusal is None]
        status, headers, body = original({**data, "Entries": passed}, allow_aws_source)
        eventbridge._events_log_list().clear()
        if len(passed) == len(entries) or status != 200:  # noqa: PLR2004 - an HTTP status
            return status, headers, body
        results = iter(json.loads(body)["Entries"])
        answers = [refusal or next(results) for refusal in refusals]
        failed = sum("ErrorCode" in answer for answer in answers)
        return eventbridge.json_response({"FailedEntryCount": failed, "Entries": answers})

    eventbridge._put_events = put_events


def _size_bytes(entry: dict[str, Any]) -> int:
    texts = [entry.get("Source"), entry.get("DetailType"), entry.get("Detail"), *entry.get("Resources", [])]
    return sum(len(text.encode()) for text in texts if text) + (_TIME_BYTES if "Time" in entry else 0)


def _injected(faults: Faults) -> dict[str, str] | None:
    fault = faults.strike("events", "PutEvents", get_region(), partial=True)
    if fault is None or fault.code is None:
        return None
    return {"ErrorCode": fault.code, "ErrorMessage": f"Injected fault: {fault.code}"}


def _refusal(entry: dict[str, Any]) -> dict[str, str] | None:
    for key in ("Source", "DetailType", "Detail"):
        if not entry.get(key):
            message = f"Parameter {key} is not valid. Reason: {key} is a required argument."
            return {"ErrorCode": "InvalidArgument", "ErrorMessage": message}
    try:
        if isinstance(json.loads(entry["Detail"]), dict):
            return None
    except ValueError:
        pass
    return {"ErrorCode": "MalformedDetail", "ErrorMessage": "Detail is malformed."}
