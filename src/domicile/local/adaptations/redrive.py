"""Moving messages out of a dead-letter queue.

AWS: StartMessageMoveTask moves the messages of a dead-letter queue back to the queues that they came from, or to the
queue that it names; ListMessageMoveTasks tells how far the newest task of a queue is.

MiniStack 1.5.33: has neither operation. Here a task is over when the call returns.
"""

from __future__ import annotations

import time
import uuid
from typing import Any

from ministack.core.concurrency import esm_wake
from ministack.services import sqs

from domicile.local.adaptations import expect_function, expect_value


def install() -> None:
    """Add the two operations."""
    handlers = expect_value(sqs, "_HANDLERS")
    expect_function(sqs, "_queue_by_arn", "arn")
    expect_value(sqs, "_queues_lock")
    tasks: dict[str, list[dict[str, Any]]] = {}

    def start(data: dict[str, Any], _url: str) -> dict[str, str]:
        source_arn = data["SourceArn"]
        source = _queue(source_arn)
        if "DestinationArn" in data:
            _queue(data["DestinationArn"])
        with sqs._queues_lock:
            moved = sum(_move(source, message, data.get("DestinationArn")) for message in list(source["messages"]))
        esm_wake.set()
        task = {
            "Status": "COMPLETED",
            "SourceArn": source_arn,
            "ApproximateNumberOfMessagesMoved": moved,
            "ApproximateNumberOfMessagesToMove": moved,
            "StartedTimestamp": int(time.time() * 1000),
        }
        tasks.setdefault(source_arn, []).insert(0, task)
        return {"TaskHandle": str(uuid.uuid4())}

    def list_tasks(data: dict[str, Any], _url: str) -> dict[str, Any]:
        return {"Results": tasks.get(data["SourceArn"], [])[: data.get("MaxResults", 1)]}

    handlers["StartMessageMoveTask"] = start
    handlers["ListMessageMoveTasks"] = list_tasks


def _queue(arn: str) -> dict[str, Any]:
    queue: dict[str, Any] | None = sqs._queue_by_arn(arn)
    if queue is None:
        raise sqs._Err("ResourceNotFoundException", f"The queue {arn} does not exist.", 404)
    return queue


def _move(source: dict[str, Any], message: dict[str, Any], destination_arn: str | None) -> bool:
    now = time.time()
    origin = destination_arn or message["sys"].get("DeadLetterQueueSourceArn")
    destination = sqs._queue_by_arn(origin) if origin else None
    if destination is None or message["visible_at"] > now:
        return False
    source["messages"].remove(message)
    message["sys"].pop("DeadLetterQueueSourceArn", None)
    message |= {"receive_count": 0, "first_receive_at": None, "receipt_handle": None, "visible_at": now}
    destination["messages"].append(message)
    return True
