"""The quarantine: an SQS queue that keeps whole records, in parts where one message is too small."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from domicile.aws.failures import translated
from domicile.core.errors import RecordInvalidError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

PART_BYTES_MAX = 200 * 1024
"""Below 256 KB, which every service on the way and Terraform's provider allow; the rest is for the head."""


class SqsQuarantine:
    """The port ``Quarantine``.

    A message is ``{"reason", "step", "id", "record"}``, or for a large record ``{"reason", "step", "id", "part",
    "parts", "gzip"}``: the concatenated parts are the record in JSON, gzip-compressed and base64-encoded. The id
    follows from the rest: a batch that is delivered again, because of another record in it, quarantines no record anew.
    """

    def __init__(self, client: SQSClient, queue_url: str) -> None:
        self._client = client
        self._queue_url = queue_url

    def put(self, reason: str, source: str, record: Any) -> None:
        """Send the record; returns when every part of it is in the queue."""
        for body in _bodies(reason, source, record):
            with translated("SendMessage"):
                self._client.send_message(
                    QueueUrl=self._queue_url,
                    MessageBody=body,
                    MessageAttributes={"reason": {"DataType": "String", "StringValue": reason}},
                )


def join(bodies: Iterable[str]) -> list[Any]:
    """Return the records of quarantine messages; the messages may come in any order, and more than once."""
    messages: dict[str, dict[int, dict[str, Any]]] = {}
    for message in map(json.loads, bodies):
        messages.setdefault(message["id"], {})[message.get("part", 0)] = message
    lacking = [parts for parts in messages.values() if len(parts) < next(iter(parts.values())).get("parts", 1)]
    if lacking:
        raise RecordInvalidError(f"parts are missing of {len(lacking)} quarantined records")
    return [_record([parts[number] for number in sorted(parts)]) for parts in messages.values()]


def _record(parts: Sequence[Mapping[str, Any]]) -> Any:
    if "record" in parts[0]:
        return parts[0]["record"]
    return json.loads(gzip.decompress(base64.b64decode("".join(part["gzip"] for part in parts))))


def _bodies(reason: str, step: str, record: Any) -> list[str]:
    identity = json.dumps([reason, step, record], sort_keys=True)
    head = {"reason": reason, "step": step, "id": hashlib.sha256(identity.encode()).hexdigest()[:32]}
    # Escaped to ASCII: SQS refuses some characters that an item may have, and a refused record would be lost.
    whole = json.dumps({**head, "record": record})
    if len(whole) <= PART_BYTES_MAX:
        return [whole]
    packed = base64.b64encode(gzip.compress(json.dumps(record).encode(), mtime=0)).decode()
    texts = [packed[start : start + PART_BYTES_MAX] for start in range(0, len(packed), PART_BYTES_MAX)]
    return [json.dumps({**head, "part": n, "parts": len(texts), "gzip": text}) for n, text in enumerate(texts)]
