"""The queues of one Region in moto, as the tests of the quarantine and of the dead letters use them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from moto import mock_aws

from domicile.naming import Names

REGION = "eu-west-1"
NAMES = Names("shopease", REGION, account="123456789012")


class Queues:
    """Queues by their roles, and the client that the code under test gets."""

    def __init__(self, sqs: Any) -> None:
        self.sqs = sqs

    def url(self, role: str) -> str:
        """Return the URL of a queue."""
        return str(self.sqs.get_queue_url(QueueName=NAMES.queue(role))["QueueUrl"])

    def send(self, role: str, body: str) -> None:
        """Put a message on a queue."""
        self.sqs.send_message(QueueUrl=self.url(role), MessageBody=body)

    def bodies(self, role: str) -> list[str]:
        """Return the bodies of the messages that nobody holds, and leave them there."""
        found = self.sqs.receive_message(QueueUrl=self.url(role), MaxNumberOfMessages=10, VisibilityTimeout=0)
        return [message["Body"] for message in found.get("Messages", [])]


@contextmanager
def in_moto(monkeypatch: pytest.MonkeyPatch, *roles: str) -> Iterator[Queues]:
    """Make the queues, without the wait of those who receive."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setattr("domicile.queues.WAIT_S", 0)
    with mock_aws():
        sqs = boto3.client("sqs", region_name=REGION)
        for role in roles:
            sqs.create_queue(QueueName=NAMES.queue(role))
        yield Queues(sqs)
