"""EventBridge: putting packed entries on this Region's bus."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from domicile.aws.failures import translated
from domicile.core.errors import DomicileError
from domicile.core.events import SOURCE, Entry, requests

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

ATTEMPTS_MAX = 4
BACKOFF_S = 0.1


class EventBridgePublisher:
    """The port ``Publisher``; PutEvents may refuse some entries of a request, and only those are sent again."""

    def __init__(self, client: EventBridgeClient, bus: str, sleep: Callable[[float], None] = time.sleep) -> None:
        self._client = client
        self._bus = bus
        self._sleep = sleep

    def publish(self, entries: Sequence[Entry]) -> list[Entry]:
        """Put the entries and return those that were still refused after ``ATTEMPTS_MAX`` attempts."""
        pending = list(entries)
        for attempt in range(ATTEMPTS_MAX):
            if attempt:
                # Full jitter: a throttled bus is throttled for every concurrent function.
                self._sleep(random.uniform(0, BACKOFF_S * 2**attempt))  # noqa: S311  # not for secrets
            pending = [entry for request in requests(pending) for entry in self._refused(request)]
            if not pending:
                break
        return pending

    def _refused(self, request: list[Entry]) -> list[Entry]:
        try:
            with translated("PutEvents"):
                response = self._client.put_events(
                    Entries=[
                        {
                            "Source": SOURCE,
                            "DetailType": entry.detail_type,
                            "Detail": entry.detail,
                            "EventBusName": self._bus,
                        }
                        for entry in request
                    ]
                )
        except DomicileError:
            return request
        return [entry for entry, answer in zip(request, response["Entries"], strict=True) if "ErrorCode" in answer]
