"""The dead-letter queues: what waits in them, and how it gets back to work."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from domicile.errors import OperationError
from domicile.naming import Names
from domicile.queues import RegionQueues

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_sqs import SQSClient

HOLD_S = 60
_ROLES = ("inbox-dlq", "receipts-dlq", "bus-dlq", "stream-dlq")
_GATEWAY_ROLES = ("outbox-dlq",)
_MOVABLE = ("inbox-dlq", "receipts-dlq", "outbox-dlq")
LOST_HERE = (
    "its messages only name records of the stream (shard and sequence numbers), so there is nothing to hand back; "
    "see docs/runbooks/quarantine.md"
)


def dead_letter_roles(*, gateway: bool) -> tuple[str, ...]:
    """Return the roles of the dead-letter queues of a Region, which may be the gateway of a bridge."""
    return (*_ROLES, *_GATEWAY_ROLES) if gateway else _ROLES


class DeadLetters(RegionQueues):
    """The dead-letter queues of one Region, over clients of that Region."""

    def __init__(self, names: Names, sqs: SQSClient, events: EventBridgeClient, *, gateway: bool = False) -> None:
        super().__init__(names, sqs)
        self._events = events
        self.roles = dead_letter_roles(gateway=gateway)

    def count(self, role: str) -> int:
        """Return about how many messages a queue holds."""
        with self._reported(f"{role}: can't be read"):
            attributes = self._sqs.get_queue_attributes(
                QueueUrl=self._url(role), AttributeNames=["ApproximateNumberOfMessages"]
            )["Attributes"]
        return int(attributes["ApproximateNumberOfMessages"])

    def redrive(self, role: str, limit: int) -> str:
        """Bring a queue's messages back to work, and say what was done.

        SQS itself moves what a queue gave up, all of it, in the background. It does not do so for a bus: its events, at
        most ``limit`` now, are put on the bus again, whose rules know them by their emitter and destination. One that
        comes back at once, because its target is still missing, is left for the next time.
        """
        if role in _MOVABLE:
            with self._reported(f"{role}: was not redriven"):
                arn = self._sqs.get_queue_attributes(QueueUrl=self._url(role), AttributeNames=["QueueArn"])
                self._sqs.start_message_move_task(SourceArn=arn["Attributes"]["QueueArn"])
            return "SQS moves the messages back"
        if role == "bus-dlq":
            return f"{self._put_again(role, limit)} events are on the bus again"
        raise OperationError(f"{self._names.region}: {role}: {LOST_HERE}")

    def _put_again(self, role: str, limit: int) -> int:
        count, started_ms = 0, time.time() * 1000
        while count < limit:
            with self._reported(f"{role}: was not redriven after {count} events"):
                messages = self._receive(role, limit - count, HOLD_S)
                if not messages:
                    break
                # What came back is hidden now like the rest, so that it is not received again and again.
                waiting = [message for message in messages if int(message["Attributes"]["SentTimestamp"]) < started_ms]
                for message in waiting:
                    self._put(json.loads(message["Body"]))
                    self._sqs.delete_message(QueueUrl=self._url(role), ReceiptHandle=message["ReceiptHandle"])
                    count += 1
        return count

    def _put(self, event: dict[str, object]) -> None:
        answer = self._events.put_events(
            Entries=[
                {
                    "Source": str(event["source"]),
                    "DetailType": str(event["detail-type"]),
                    "Detail": json.dumps(event["detail"], ensure_ascii=False),
                    "EventBusName": self._names.bus,
                }
            ]
        )
        if answer["FailedEntryCount"]:
            code = answer["Entries"][0].get("ErrorCode")
            raise OperationError(f"{self._names.region}: the bus did not take an event: {code}")
