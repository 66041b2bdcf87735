"""Which Region is asked: the order, the circuit breaker, and what counts as a Region's failure."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, NoCredentialsError

from domicile.client.errors import HomeRegionUnavailable, RegionsUnavailable
from domicile.client.events import Event, Kind
from domicile.client.options import Options
from tests.unit.client.scripted import EU, IN, KEY, OK, US, Scripted, down, error, hangs

OPTIONS = Options(failures_max=2, retry_after_s=1, retry_after_s_max=3)


@pytest.fixture
def client() -> Scripted:
    return Scripted(options=OPTIONS)


def get(client: Scripted) -> Any:
    return client.table().get_item({"Key": KEY}, None)


def open_circuit(client: Scripted) -> None:
    for _ in range(OPTIONS.failures_max):
        client.run(get(client), down(), OK)


@pytest.mark.parametrize(
    "failure",
    [
        down(),
        hangs(),
        ConnectTimeoutError(endpoint_url="x"),
        error("InternalServerError", 500),
        error("ServiceUnavailable", 503),
    ],
    ids=lambda failure: type(failure).__name__,
)
def test_the_next_region_answers_for_one_that_does_not(client: Scripted, failure: Exception) -> None:
    client.run(get(client), failure, failure, OK)
    assert client.went_to == [US, EU, IN]
    assert [(event.kind, event.region, event.to_region) for event in client.events] == [
        (Kind.FAILOVER, US, EU),
        (Kind.FAILOVER, EU, IN),
    ]


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("ProvisionedThroughputExceededException", 400),
        ("ThrottlingException", 400),
        ("RequestLimitExceeded", 400),
        ("ValidationException", 400),
        ("AccessDeniedException", 400),
        ("ResourceNotFoundException", 400),
        ("UnrecognizedClientException", 403),
    ],
)
def test_what_every_region_would_answer_passes_through(client: Scripted, code: str, status: int) -> None:
    for _ in range(OPTIONS.failures_max + 1):
        with pytest.raises(ClientError, match=code):
            client.run(get(client), error(code, status))
    assert set(client.went_to) == {US}
    assert client.events == []


def test_what_is_wrong_here_passes_through(client: Scripted) -> None:
    with pytest.raises(NoCredentialsError):
        client.run(get(client), NoCredentialsError())


def test_no_region_answers(client: Scripted) -> None:
    with pytest.raises(RegionsUnavailable, match="us-east-1, eu-west-1, ap-south-1") as raised:
        client.run(get(client), down(), down(), down())
    assert raised.value.regions == (US, EU, IN)


def test_an_answer_in_between_keeps_the_circuit_closed(client: Scripted) -> None:
    client.run(get(client), down(), OK)
    client.run(get(client), OK)
    client.run(get(client), down(), OK)
    assert Kind.CIRCUIT_OPENED not in client.kinds


def test_an_open_circuit_costs_no_call_until_its_pause_is_over(client: Scripted) -> None:
    open_circuit(client)
    assert client.kinds.count(Kind.CIRCUIT_OPENED) == 1
    client.sent.clear()
    client.run(get(client), OK)
    assert client.went_to == [EU]
    client.now_s = 1
    client.run(get(client), OK)
    assert client.went_to == [EU, US]
    assert client.kinds[-1] == Kind.CIRCUIT_CLOSED
    client.run(get(client), OK)
    assert client.went_to[-1] == US


def test_one_call_tries_while_the_others_are_held_off(client: Scripted) -> None:
    open_circuit(client)
    client.now_s = 1
    assert [client.health.admits(US) for _ in range(3)] == [True, False, False]


def test_each_failed_try_doubles_the_pause_up_to_its_bound(client: Scripted) -> None:
    open_circuit(client)
    pauses = []
    for _ in range(4):
        began = client.now_s
        while not client.health.admits(US):
            client.now_s += 0.5
        pauses.append(client.now_s - began)
        client.health.failed(US)
    assert pauses == [1, 2, 3, 3]


def test_calls_that_began_before_it_opened_do_not_prolong_the_pause(client: Scripted) -> None:
    open_circuit(client)
    for _ in range(20):
        client.health.failed(US)
    client.now_s = 1
    assert client.health.admits(US)
    assert client.kinds.count(Kind.CIRCUIT_OPENED) == 1


def test_a_home_whose_circuit_is_open_fails_at_once(client: Scripted) -> None:
    put = client.table()
    item = {**KEY, "localization_authority": "IN"}
    for _ in range(OPTIONS.failures_max):
        with pytest.raises(HomeRegionUnavailable):
            client.run(put.write("put_item", {"Item": item}, None), down())
    client.sent.clear()
    with pytest.raises(HomeRegionUnavailable):
        client.run(put.write("put_item", {"Item": item}, None))
    assert client.sent == []


def test_a_hook_that_raises_harms_no_call(caplog: pytest.LogCaptureFixture) -> None:
    def hook(event: Event) -> None:
        raise RuntimeError(event.region)

    client = Scripted(hook=hook)
    with caplog.at_level(logging.WARNING, "domicile.client.events"):
        client.run(get(client), down(), OK)
    assert [record.getMessage() for record in caplog.records] == ["hook_failed"]
