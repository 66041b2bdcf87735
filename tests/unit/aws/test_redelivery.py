from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from domicile.aws.redelivery import SqsRedelivery


class Sqs:
    """A client that keeps what it is asked, and refuses the receipt handles in ``refused``."""

    def __init__(self, refused: set[str]) -> None:
        self.urls: list[str] = []
        self.changed: list[tuple[str, str, int]] = []
        self._refused = refused

    def get_queue_url(self, *, QueueName: str) -> dict[str, str]:  # noqa: N803  # as boto3 calls it
        self.urls.append(QueueName)
        return {"QueueUrl": f"https://sqs/{QueueName}"}

    def change_message_visibility(self, **message: Any) -> None:
        if message["ReceiptHandle"] in self._refused:
            raise ClientError({"Error": {"Code": "MessageNotInflight"}}, "ChangeMessageVisibility")
        self.changed.append((message["QueueUrl"], message["ReceiptHandle"], message["VisibilityTimeout"]))


def record(name: str, received: int) -> dict[str, Any]:
    return {
        "messageId": name,
        "receiptHandle": f"receipt-{name}",
        "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:shop-inbox",
        "attributes": {"ApproximateReceiveCount": str(received)},
    }


def postpone(client: Sqs, *failed: str) -> None:
    records = [record("a", 1), record("b", 4), record("c", 40)]
    SqsRedelivery(client).postpone(records, failed)  # type: ignore[arg-type]  # the two methods it calls


def test_failed_messages_come_back_later_the_more_often_they_were_received() -> None:
    client = Sqs(set())
    postpone(client, "a", "b", "c")
    url = "https://sqs/shop-inbox"
    assert client.changed == [(url, "receipt-a", 1), (url, "receipt-b", 8), (url, "receipt-c", 900)]


def test_the_others_are_left_alone() -> None:
    client = Sqs(set())
    postpone(client, "b")
    assert [receipt for _, receipt, _ in client.changed] == ["receipt-b"]


def test_the_queue_is_looked_up_once() -> None:
    client = Sqs(set())
    postpone(client, "a", "b", "c")
    assert client.urls == ["shop-inbox"]


def test_where_one_cannot_be_postponed_the_rest_is_left_to_the_queue_s_own_timeout(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Each would wait for SQS on its own, for longer in all than the function may take."""
    client = Sqs({"receipt-b"})
    postpone(client, "a", "b", "c")
    assert [receipt for _, receipt, _ in client.changed] == ["receipt-a"]
    assert [log.message for log in caplog.records] == ["not_postponed"]


def test_nothing_failed_asks_nothing() -> None:
    client = Sqs(set())
    postpone(client)
    assert (client.urls, client.changed) == ([], [])
