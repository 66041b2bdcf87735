"""What the quarantine and the dead letters share: queue addresses, receiving, and errors without a service's words."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from domicile.accounts import reported
from domicile.naming import Names

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

WAIT_S = 1
"""How long SQS looks for messages: without a wait it asks some of its servers only."""
BATCH_MAX = 10
"""How many messages SQS gives at once."""


class RegionQueues:
    """The queues of one Region, over a client of that Region."""

    def __init__(self, names: Names, sqs: SQSClient) -> None:
        self._names = names
        self._sqs = sqs

    def _url(self, role: str) -> str:
        return self._sqs.get_queue_url(QueueName=self._names.queue(role))["QueueUrl"]

    def _receive(self, role: str, messages_max: int, hold_s: int) -> list[MessageTypeDef]:
        """Take messages, with the time when they were sent, and hide them from others for ``hold_s``."""
        return self._sqs.receive_message(
            QueueUrl=self._url(role),
            MaxNumberOfMessages=min(BATCH_MAX, messages_max),
            VisibilityTimeout=hold_s,
            WaitTimeSeconds=WAIT_S,
            MessageSystemAttributeNames=["SentTimestamp"],
        ).get("Messages", [])

    def _reported(self, what: str) -> AbstractContextManager[None]:
        """Raise :class:`OperationError` for a service's error: the Region, ``what`` and the error's code alone."""
        return reported(self._names.region, what)
