"""What a session remembers, and its token; the clock that its versions set."""

from __future__ import annotations

import base64
import json
import random
from decimal import Decimal
from typing import Any

import pytest
from boto3.dynamodb.types import TypeSerializer
from hypothesis import given
from hypothesis import strategies as st

from domicile.client.clock import Clock
from domicile.client.session import Seen, Session
from domicile.core.control import Control
from domicile.core.version import AHEAD_MS_MAX, COUNTER_MAX, Version
from tests.policies import TABLE, policy
from tests.unit.client.scripted import CANARY, EU, NOW_MS, US, WIRE_KEY, version

OF_TABLE = policy().table(TABLE)


def key(number: int) -> dict[str, Any]:
    return {"pk": {"S": str(number)}, "sk": {"S": CANARY}}


def test_the_greatest_version_of_a_key_is_kept() -> None:
    session = Session(None, 8)
    for ms in (2, 3, 1):
        session.remember(OF_TABLE, WIRE_KEY, Seen(version(ms), US))
    assert session.last(OF_TABLE, WIRE_KEY) == Seen(version(3), US)


@pytest.mark.parametrize(
    ("found", "deleted", "ahead"),
    [(None, False, True), (None, True, False), (1, False, True), (2, False, False), (2, True, True), (3, True, False)],
)
def test_what_is_missing_here_is_ahead(found: int | None, deleted: bool, ahead: bool) -> None:
    session = Session(None, 8)
    session.remember(OF_TABLE, WIRE_KEY, Seen(version(2), EU, deleted))
    control = None if found is None else Control(version=version(found), origin=US)
    assert (session.ahead_of(OF_TABLE, WIRE_KEY, control) is not None) is ahead


def test_a_token_carries_the_session_on_and_no_key() -> None:
    session = Session(None, 8)
    session.remember(OF_TABLE, key(1), Seen(version(), EU))
    session.remember(OF_TABLE, key(2), Seen(version(), US, deleted=True))
    token = session.token
    assert CANARY not in base64.urlsafe_b64decode(token).decode()
    again = Session(token, 8)
    for number in (1, 2):
        assert again.last(OF_TABLE, key(number)) == session.last(OF_TABLE, key(number))
    assert again.token == token
    assert again.versions() == [version(), version()]


def test_a_session_and_its_token_are_bounded_and_the_latest_stay() -> None:
    session = Session(None, 64)
    for number in range(200):
        session.remember(OF_TABLE, key(number), Seen(version(), EU))
    assert session.last(OF_TABLE, key(135)) is None
    assert session.last(OF_TABLE, key(136)) is not None
    assert len(session.token) < 64 * 150
    assert Session(session.token, 2).versions() == [version()] * 2


@pytest.mark.parametrize(
    ("one", "other"), [(Decimal("1"), Decimal("1.00")), (Decimal("100"), Decimal("1E+2")), (b"x", bytearray(b"x"))]
)
def test_one_key_in_two_spellings_is_one_key(one: Any, other: Any) -> None:
    session, wire = Session(None, 8), TypeSerializer().serialize
    session.remember(OF_TABLE, {"pk": {"S": "k"}, "sk": wire(one)}, Seen(version(), EU))
    assert session.last(OF_TABLE, {"pk": {"S": "k"}, "sk": wire(other)}) is not None


CONTENTS: list[Any] = [
    None,
    [],
    {},
    {"format": 2, "seen": {}},
    {"format": [], "seen": {}},
    {"format": 1},
    {"format": 1, "seen": []},
    {"format": 1, "seen": {"k": 1}},
    {"format": 1, "seen": {"k": ["not a version", "r", False]}},
    {"format": 1, "seen": {"k": [str(version()), "r"]}},
    {"format": 1, "seen": {"k": [7, "r", False]}},
]
GARBAGE = [
    "x",
    "é",
    "!!!!",
    base64.urlsafe_b64encode(b"\xff\xfe").decode(),
    base64.urlsafe_b64encode(b"[" * 200_000).decode(),
    *(base64.urlsafe_b64encode(json.dumps(content).encode()).decode() for content in CONTENTS),
]


@pytest.mark.parametrize("token", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_is_not_a_token(token: str) -> None:
    with pytest.raises(ValueError, match=r"^not a session's token$"):
        Session(token, 8)


@given(st.text(max_size=200))
def test_no_text_breaks_the_reader(token: str) -> None:
    try:
        Session(token, 8)
    except ValueError as error:
        assert not token or str(error) == "not a session's token"


class TestTheClock:
    def test_is_monotone_whatever_time_and_observations_do(self) -> None:
        chance = random.Random(7)
        now = [NOW_MS]
        clock = Clock(lambda: now[0], chance)
        last = clock.stamp(US)
        for _ in range(3000):
            now[0] += chance.choice([-50, 0, 0, 0, 1, 20])
            if chance.random() < 0.2:
                clock.observe(Version(now[0] + chance.randrange(100), chance.random() < 0.5, chance.randrange(9), EU))
            stamped = clock.stamp(US)
            assert stamped > last
            last = stamped

    def test_goes_to_the_next_millisecond_where_the_counter_overflows(self) -> None:
        clock = Clock(lambda: NOW_MS, random.Random(1))
        clock.observe(Version(NOW_MS, plain=False, tie=COUNTER_MAX - 1, region=EU))
        stamped = clock.stamp(US)
        assert (stamped.ms, stamped.tie) == (NOW_MS + 1, 0)
        assert clock.stamp(US) > stamped

    def test_lies_above_a_plain_version_of_the_same_millisecond(self) -> None:
        clock = Clock(lambda: NOW_MS, random.Random(1))
        plain = Version(NOW_MS, plain=True, tie=10**39, region=EU)
        clock.observe(plain)
        assert clock.stamp(US) > plain

    def test_does_not_follow_a_clock_that_is_far_ahead(self) -> None:
        clock = Clock(lambda: NOW_MS, random.Random(1))
        for ahead_ms, follows in ((AHEAD_MS_MAX + 1, False), (AHEAD_MS_MAX, True)):
            ahead = Version(NOW_MS + ahead_ms, plain=False, tie=0, region=EU)
            clock.observe(ahead)
            assert (clock.stamp(US) > ahead) is follows

    def test_lies_above_a_base_in_any_case(self) -> None:
        clock = Clock(lambda: NOW_MS, random.Random(1))
        base = Version(NOW_MS + 10**9, plain=True, tie=5, region=EU)
        assert clock.stamp(US, base) > base
        assert clock.stamp(US) < base
