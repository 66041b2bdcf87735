"""Patterns: never a no where EventBridge would say yes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto.events.models import EventPattern

from domicile.review.patterns import ANYTHING, may_match, parse, problems

_EVENT = {"source": "domicile", "detail": {"emitter": "us-east-1", "destination": ["eu-west-1", "*"], "n": 3}}


def _detail(**wanted: Any) -> dict[str, Any]:
    return {"detail": wanted}


@pytest.mark.parametrize(
    ("wanted", "matches"),
    [
        (["us-east-1"], True),
        (["eu-west-1"], False),
        (["eu-west-1", "us-east-1"], True),
        ([{"prefix": "us-"}], True),
        ([{"prefix": "eu-"}], False),
        ([{"prefix": {"equals-ignore-case": "US-"}}], True),
        ([{"suffix": "-1"}], True),
        ([{"suffix": "-2"}], False),
        ([{"equals-ignore-case": "US-East-1"}], True),
        ([{"wildcard": "us-*-1"}], True),
        ([{"wildcard": "us-*-2"}], False),
        ([{"anything-but": ["us-east-1"]}], False),
        ([{"anything-but": "eu-west-1"}], True),
        ([{"anything-but": {"prefix": "us-"}}], False),
        ([{"anything-but": {"suffix": ["-2", "-3"]}}], True),
        ([{"anything-but": {"wildcard": "us-*"}}], False),
        ([{"anything-but": {"equals-ignore-case": ["US-EAST-1"]}}], False),
        ([{"exists": True}], True),
        ([{"exists": False}], False),
        ([{"numeric": [">", 0]}], False),
        ([{"cidr": "10.0.0.0/8"}], False),
        ([None], False),
        ([3], False),
    ],
)
def test_operators(wanted: list[Any], matches: bool) -> None:
    assert may_match(_detail(emitter=wanted), _EVENT) is matches
    assert list(problems(_detail(emitter=wanted))) == []


def test_any_member_of_a_list_will_do() -> None:
    assert may_match(_detail(destination=["*"]), _EVENT)
    assert may_match(_detail(destination=[{"anything-but": ["*"]}]), _EVENT)
    assert not may_match(_detail(destination=["us-east-1"]), _EVENT)


def test_what_is_absent_matches_only_that_it_does_not_exist() -> None:
    assert may_match(_detail(operation=[{"exists": False}]), _EVENT)
    assert not may_match(_detail(operation=[{"anything-but": ["move"]}]), _EVENT)


def test_one_alternative_is_enough() -> None:
    assert may_match({"$or": [_detail(emitter=["x"]), {"source": ["domicile"]}]}, _EVENT)
    assert not may_match({"$or": [_detail(emitter=["x"]), {"source": ["x"]}]}, _EVENT)


def test_numbers_are_compared() -> None:
    assert may_match(_detail(n=[{"numeric": [">", 0, "<=", 3]}]), _EVENT)
    assert not may_match(_detail(n=[{"numeric": ["<", 3]}]), _EVENT)


def test_an_address_is_looked_for_in_a_block() -> None:
    assert may_match({"ip": [{"cidr": "10.0.0.0/8"}]}, {"ip": "10.1.2.3"})
    assert not may_match({"ip": [{"cidr": "10.0.0.0/8"}]}, {"ip": "11.1.2.3"})


@pytest.mark.parametrize(
    "wanted",
    [
        [{"sounds-like": "x"}],
        [{"prefix": 3}],
        [{"numeric": [">"]}],
        [{"numeric": ["!", 3]}],
        [{"anything-but": {"near": "x"}}],
        [{"anything-but": []}],
        [{"prefix": "x", "suffix": "y"}],
        [{"exists": "yes"}],
        [["nested"]],
    ],
)
def test_an_operator_that_is_not_understood_may_match_and_is_said(wanted: list[Any]) -> None:
    assert may_match(_detail(emitter=wanted), _EVENT)
    assert list(problems(_detail(emitter=wanted))) != []


@pytest.mark.parametrize("text", [None, "", "{", "[]", "3"])
def test_what_is_no_pattern_is_none(text: str | None) -> None:
    assert parse(text) is None


def test_a_value_that_nobody_knows_may_be_anything() -> None:
    event = {"detail": {"key": ANYTHING}}
    for wanted in (["x"], [{"exists": False}], [{"prefix": "y"}], [{"anything-but": ["z"]}]):
        assert may_match(_detail(key=wanted), event)
    assert may_match(_detail(key={"deep": ["x"]}), event)


_WORD = st.sampled_from(["us-east-1", "eu-west-1", "*", "move"])
_OPERATOR = st.one_of(
    _WORD,
    st.builds(lambda word: {"prefix": word[:2]}, _WORD),
    st.builds(lambda words: {"anything-but": words}, st.lists(_WORD, min_size=1)),
    st.builds(lambda exists: {"exists": exists}, st.booleans()),
)
_FIELDS = st.sampled_from(["emitter", "destination", "operation"])
_PATTERN = st.dictionaries(_FIELDS, st.lists(_OPERATOR, min_size=1, max_size=3), min_size=1)
_DETAIL = st.dictionaries(_FIELDS, st.one_of(_WORD, st.lists(_WORD, min_size=1, max_size=3)))


@given(pattern=_PATTERN, detail=_DETAIL)
def test_what_moto_matches_may_match(pattern: dict[str, Any], detail: dict[str, Any]) -> None:
    event: Any = {"detail": detail}
    if EventPattern.load(json.dumps(_detail(**pattern))).matches_event(event):
        assert may_match(_detail(**pattern), event)
