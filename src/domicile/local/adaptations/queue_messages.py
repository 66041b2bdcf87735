"""Putting a message on a queue from inside the local AWS.

AWS: a service that delivers to a queue is one more sender, and no message is lost whoever else works on the queue.

MiniStack 1.5.33: its own senders append to the queue's list while the thread of the event source mappings replaces
that list with a filtered copy; what is appended between the copy and the replacement is gone. Here the append is made
under the lock that this thread holds.
"""

from __future__ import annotations

from collections.abc import Mapping

from ministack.core.arn import parse_arn
from ministack.core.responses import request_scope
from ministack.services import sqs

from domicile.local.adaptations import expect_function, expect_value


class UndeliverableError(Exception):
    """The queue does not exist or refuses the message; ``code`` is EventBridge's word for the reason."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def install() -> None:
    """Check what :func:`send` calls."""
    expect_function(sqs, "_act_send_message", "data", "qurl")
    expect_function(sqs, "_queue_by_arn", "arn")
    expect_function(sqs, "_queue_url", "name")
    expect_value(sqs, "_queues_lock")
    expect_value(sqs, "_Err")


def send(queue_arn: str, body: str, attributes: Mapping[str, str] | None = None) -> None:
    """Send a message with string attributes to the queue with this ARN. Raises :class:`UndeliverableError`."""
    arn = parse_arn(queue_arn)
    message = {
        "MessageBody": body,
        "MessageAttributes": {
            name: {"DataType": "String", "StringValue": value} for name, value in (attributes or {}).items()
        },
    }
    with request_scope(arn.account_id, arn.region), sqs._queues_lock:
        if sqs._queue_by_arn(queue_arn) is None:
            raise UndeliverableError("NO_RESOURCE", f"The queue {queue_arn} does not exist.")
        try:
            sqs._act_send_message(message, sqs._queue_url(arn.resource))
        except sqs._Err as error:
            raise UndeliverableError("INVALID_PARAMETER", str(error)) from error
