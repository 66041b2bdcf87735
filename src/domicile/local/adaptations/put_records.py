"""PutRecords can take some records and refuse others, and a record's key counts towards its size.

AWS: a stream whose shard has no capacity left refuses single records inside an answer of status 200, which counts them
in FailedRecordCount. Data and partition key of a record may have 1 MiB together, or the whole request fails.

MiniStack 1.5.33: takes all records or none, and does not count the partition key.

A fault rule refuses the records; there is no capacity here that could be used up.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from ministack.core.responses import get_region
from ministack.services import kinesis

from domicile.local.adaptations import expect_function
from domicile.local.faults import Faults

_RECORD_LIMIT_BYTES = 1024 * 1024


def install(faults: Faults) -> None:
    """Put the checks in front of PutRecord and PutRecords."""
    put_one = expect_function(kinesis, "_put_record", "data")
    put_many = expect_function(kinesis, "_put_records", "data")
    expect_function(kinesis, "json_response", "data", "status", "content_type")
    expect_function(kinesis, "error_response_json", "code", "message", "status", "extra", "message_key", "content_type")

    def put_record(data: dict[str, Any]) -> Any:
        return _too_large([data]) or put_one(data)

    def put_records(data: dict[str, Any]) -> Any:
        records = data.get("Records", [])
        if refused := _too_large(records):
            return refused
        refusals = [_injected(faults) for _ in records]
        passed = [record for record, refusal in zip(records, refusals, strict=True) if refusal is None]
        status, headers, body = put_many({**data, "Records": passed})
        if len(passed) == len(records) or status != 200:  # noqa: PLR2004 - an HTTP status
            return status, headers, body
        answer = json.loads(body)
        results = iter(answer["Records"])
        answer["Records"] = [refusal or next(results) for refusal in refusals]
        return kinesis.json_response({**answer, "FailedRecordCount": len(records) - len(passed)})

    kinesis._put_record = put_record
    kinesis._put_records = put_records


def _too_large(records: list[dict[str, Any]]) -> Any:
    sizes = (len(base64.b64decode(record["Data"])) + len(record["PartitionKey"].encode()) for record in records)
    if max(sizes, default=0) > _RECORD_LIMIT_BYTES:
        return kinesis.error_response_json(
            "InvalidArgumentException", f"A record has more than {_RECORD_LIMIT_BYTES} bytes.", 400
        )
    return None


def _injected(faults: Faults) -> dict[str, str] | None:
    fault = faults.strike("kinesis", "PutRecords", get_region(), partial=True)
    if fault is None or fault.code is None:
        return None
    return {"ErrorCode": fault.code, "ErrorMessage": f"Injected fault: {fault.code}"}
