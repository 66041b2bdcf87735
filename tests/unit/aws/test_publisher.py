from __future__ import annotations

from collections.abc import Sequence

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from domicile.aws.publisher import ATTEMPTS_MAX, BACKOFF_S, EventBridgePublisher
from domicile.core.events import Entry
from tests.unit.aws.fakes import EventBridge


def entries(count: int) -> list[Entry]:
    return [Entry("changes", f'{{"n":{n}}}', (n,)) for n in range(count)]


def publish(client: EventBridge, sent: Sequence[Entry]) -> tuple[list[Entry], list[float]]:
    """Publish, and return what was refused and how long it slept in between."""
    naps: list[float] = []
    publisher = EventBridgePublisher(client, "shop", naps.append)  # type: ignore[arg-type]  # the one method it calls
    return publisher.publish(sent), naps


def test_an_entry_names_bus_source_and_detail_type() -> None:
    client = EventBridge()
    assert publish(client, entries(1)) == ([], [])
    assert client.requests == [
        [{"Source": "domicile", "DetailType": "changes", "Detail": '{"n":0}', "EventBusName": "shop"}]
    ]


def test_only_refused_entries_are_sent_again() -> None:
    client = EventBridge([1, 3], [0])
    refused, naps = publish(client, entries(4))
    assert refused == []
    assert client.details == [['{"n":0}', '{"n":1}', '{"n":2}', '{"n":3}'], ['{"n":1}', '{"n":3}'], ['{"n":1}']]
    assert len(naps) == 2


def test_many_entries_are_several_requests_and_only_the_failed_one_is_repeated() -> None:
    error = ClientError({"Error": {"Code": "InternalFailure"}}, "PutEvents")
    client = EventBridge((), error)
    assert publish(client, entries(25))[0] == []
    assert [len(request) for request in client.requests] == [10, 10, 5, 10]
    assert client.details[1] == client.details[3]


@pytest.mark.parametrize(
    "error",
    [
        ClientError({"Error": {"Code": "ThrottlingException"}}, "PutEvents"),
        ClientError({"Error": {"Code": "ValidationException", "Message": "too large"}}, "PutEvents"),
        ReadTimeoutError(endpoint_url="https://events"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_no_attempt_brings_through_is_returned_and_not_raised(error: Exception) -> None:
    client = EventBridge(*[error] * ATTEMPTS_MAX)
    refused, naps = publish(client, entries(3))
    assert refused == entries(3)
    assert len(client.requests) == ATTEMPTS_MAX
    assert len(naps) == ATTEMPTS_MAX - 1


def test_an_entry_that_is_always_refused_does_not_take_others_along() -> None:
    client = EventBridge([2], "all", "all", "all")
    assert publish(client, entries(4))[0] == entries(4)[2:3]


def test_the_pauses_grow_and_stay_below_a_second() -> None:
    for _ in range(20):
        _, naps = publish(EventBridge(*["all"] * ATTEMPTS_MAX), entries(1))
        assert all(0 <= nap <= BACKOFF_S * 2 ** (n + 1) <= 1 for n, nap in enumerate(naps))


def test_nothing_to_publish_asks_nothing() -> None:
    client = EventBridge()
    assert publish(client, []) == ([], [])
    assert client.requests == []
