"""When a failed SQS message comes back: soon at first, then less and less often."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger

from domicile.aws.failures import translated
from domicile.core.errors import DomicileError
from domicile.pipeline.batch import delay_s

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

logger = Logger(child=True)


class SqsRedelivery:
    """The port ``Redelivery``: failed messages get a visibility timeout of 1 s, 2 s, 4 s, ... 15 minutes.

    Without it each would wait out the queue's own timeout, which must exceed the function's by far.
    """

    def __init__(self, client: SQSClient) -> None:
        self._client = client
        self._url_of = cache(lambda name: client.get_queue_url(QueueName=name)["QueueUrl"])

    def postpone(self, records: Sequence[Mapping[str, Any]], failed: Collection[str]) -> None:
        """Postpone the failed ones of a batch, until one can't be: the rest comes back with the queue's timeout.

        Where SQS can't be reached each call waits out its own timeouts, and the function would be stopped before it has
        answered for the batch.
        """
        try:
            with translated("ChangeMessageVisibility"):
                for record in records:
                    if record["messageId"] in failed and "receiptHandle" in record:  # else a caller tries again itself
                        self._postpone(record)
        except DomicileError as error:
            logger.warning("not_postponed", reason=str(error))

    def _postpone(self, record: Mapping[str, Any]) -> None:
        self._client.change_message_visibility(
            QueueUrl=self._url_of(record["eventSourceARN"].rsplit(":", 1)[1]),
            ReceiptHandle=record["receiptHandle"],
            VisibilityTimeout=delay_s(int(record["attributes"]["ApproximateReceiveCount"])),
        )
