from __future__ import annotations

import base64
import copy
import hashlib
import hmac
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from domicile.core.anonymize import REDACTED, anonymize, difference, values_at
from domicile.core.control import Image, Value
from tests.policies import policy
from tests.strategies import images, names, scalars, values

KEY = b"k" * 32
STRATEGIES: dict[str, dict[str, Any]] = {
    "redact": {"strategy": "redact"},
    "remove": {"strategy": "remove"},
    "hash": {"strategy": "hash"},
    "mask domain": {"strategy": "mask", "keep": "domain"},
    "mask first": {"strategy": "mask", "keep": {"first": 3}},
    "mask last": {"strategy": "mask", "keep": {"last": 3}},
    "year": {"strategy": "generalize", "to": "year"},
    "month": {"strategy": "generalize", "to": "month"},
    "bucket": {"strategy": "generalize", "bucket": 1000},
}


def anonymized(image: Image, sensitive: dict[str, Any], hash_key: bytes | None = KEY) -> Image:
    return anonymize(image, policy(sensitive=sensitive).table("shop-orders"), hash_key).image


def one(value: Value, strategy: dict[str, Any], hash_key: bytes | None = KEY) -> Value | None:
    """What becomes of a single sensitive attribute; None where it is removed."""
    return anonymized({"a": value}, {"a": strategy}, hash_key).get("a")


# -- nothing sensitive stays, whatever the shape

CANARY = "canary"
# A canary is in every leaf and in every name of a map: what a sensitive value is made of, in each of its forms.
canary_texts = st.integers(0, 99).map(lambda n: f"{CANARY}-{n}-{CANARY}")
canary_numbers = st.integers(0, 99).map(lambda n: f"777{n:02d}777")
canary_binaries = st.integers(0, 99).map(lambda n: base64.b64encode(f"{CANARY}-{n}".encode()).decode())
canary_leaves: SearchStrategy[Value] = st.one_of(
    [
        canary_texts.map(lambda text: {"S": text}),
        canary_numbers.map(lambda number: {"N": number}),
        canary_binaries.map(lambda data: {"B": data}),
        st.lists(canary_texts, min_size=1, max_size=3, unique=True).map(lambda texts: {"SS": texts}),
        st.lists(canary_numbers, min_size=1, max_size=3, unique=True).map(lambda numbers: {"NS": numbers}),
        st.lists(canary_binaries, min_size=1, max_size=3, unique=True).map(lambda data: {"BS": data}),
    ]
)
canaries: SearchStrategy[Value] = st.recursive(
    canary_leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda members: {"L": members}),
        st.dictionaries(canary_texts, inner, max_size=3).map(lambda members: {"M": members}),
    ),
    max_leaves=8,
)


def along(path: list[str]) -> SearchStrategy[Value]:
    """A value in which ``path`` leads to canaries, through maps and through lists of maps, or meets one too early."""
    if not path:
        return canaries
    step = along(path[1:]).map(lambda value: {"M": {path[0]: value, "harmless": {"S": "kept"}}})
    elements = st.lists(st.one_of([step, canary_leaves]), max_size=3).map(lambda members: {"L": members})
    return st.one_of([step, elements, canary_leaves])


def traces(value: Any) -> list[str]:
    text = json.dumps(value)
    encoded = base64.b64encode(CANARY.encode())[:8].decode()
    return [trace for trace in (f"{CANARY}-", f"-{CANARY}", "77777", encoded) if trace in text]


@given(st.sampled_from(sorted(STRATEGIES)), st.integers(0, 2), st.data())
def test_no_sensitive_value_is_left_whatever_its_shape(strategy: str, depth: int, data: st.DataObject) -> None:
    names = ["profile", "contact", "phone"][: depth + 1]
    image: Image = {"pk": {"S": "k"}, "profile": data.draw(along(names[1:]))}
    result = anonymized(image, {".".join(names): STRATEGIES[strategy]}, data.draw(st.sampled_from([KEY, None])))
    assert traces(result) == []


@given(st.sampled_from(sorted(STRATEGIES)), st.data())
def test_what_lies_beside_a_sensitive_path_stays(strategy: str, data: st.DataObject) -> None:
    members = data.draw(st.dictionaries(names, values, max_size=3))
    image: Image = {"profile": {"M": {**members, "phone": {"S": "x"}}}}
    result = anonymized(image, {"profile.phone": STRATEGIES[strategy]})
    kept = {name: value for name, value in result["profile"]["M"].items() if name != "phone"}
    assert kept == {name: value for name, value in members.items() if name != "phone"}


@given(images, st.sampled_from(sorted(STRATEGIES)), st.data())
def test_other_attributes_are_untouched_and_so_is_the_image_itself(
    image: Image, strategy: str, data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(["absent", *(name for name in sorted(image) if "." not in name)]))
    before = copy.deepcopy(image)
    result = anonymized(image, {name: STRATEGIES[strategy]})
    assert image == before
    assert {**result, name: None} == {**image, name: None}
    assert set(result) <= set(image)


# -- each strategy

EMPTY_AND_ODD: list[Value] = [
    {"S": ""},
    {"NULL": True},
    {"BOOL": False},
    {"L": []},
    {"M": {}},
    {"B": ""},
    {"SS": ["a"]},
]


@pytest.mark.parametrize("value", [*EMPTY_AND_ODD, {"S": "x"}, {"N": "1"}, {"M": {"a": {"S": "x"}}}], ids=str)
def test_redact_replaces_and_remove_removes_every_type(value: Value) -> None:
    assert one(value, STRATEGIES["redact"]) == REDACTED
    assert one(value, STRATEGIES["remove"]) is None


@pytest.mark.parametrize(
    ("keep", "value", "masked"),
    [
        ("domain", {"S": "ada@example.com"}, {"S": "***@example.com"}),
        ("domain", {"S": "a@b@example.com"}, {"S": "***@example.com"}),
        ("domain", {"S": "no address"}, REDACTED),
        ("domain", {"S": "@example.com"}, REDACTED),
        ("domain", {"S": "ada@"}, REDACTED),
        ("domain", {"N": "5"}, REDACTED),
        ({"first": 2}, {"S": "Lovelace"}, {"S": "Lo***"}),
        ({"last": 4}, {"S": "+911234567890"}, {"S": "***7890"}),
        ({"last": 4}, {"N": "1234567890"}, {"S": "***7890"}),
        ({"first": 2}, {"S": "Lo"}, REDACTED),  # what is to be kept would be all of it
        ({"last": 4}, {"S": "789"}, REDACTED),
        ({"first": 1}, {"S": "अदिति"}, {"S": "अ***"}),
        *(({"first": 2}, value, REDACTED) for value in EMPTY_AND_ODD),
    ],
    ids=str,
)
def test_mask(keep: Any, value: Value, masked: Value) -> None:
    assert one(value, {"strategy": "mask", "keep": keep}) == masked


@pytest.mark.parametrize(
    ("value", "year", "month"),
    [
        ("1815-12-10", "1815", "1815-12"),
        ("1815-12-10T08:30:00.5+05:30", "1815", "1815-12"),
        ("1815-12", "1815", "1815-12"),
        ("1815", None, None),
        ("10.12.1815", None, None),
        ("18151210", None, None),
        (" 1815-12-10", None, None),
        ("", None, None),
    ],
)
def test_generalize_a_date(value: str, year: str | None, month: str | None) -> None:
    assert one({"S": value}, STRATEGIES["year"]) == ({"S": year} if year else REDACTED)
    assert one({"S": value}, STRATEGIES["month"]) == ({"S": month} if month else REDACTED)


@pytest.mark.parametrize(
    ("bucket", "number", "lower"),
    [
        (10, "37", "30"),
        (10, "30", "30"),
        (10, "9.99", "0"),
        (10, "-1", "-10"),
        (10, "-1E-130", "-10"),
        (7, "50", "49"),
        (1000, "9.9E+125", "9.9E+125"),
        (1, "12345678901234567890123456789012345678", "12345678901234567890123456789012345678"),
        (10, "99999999999999999999999999999999999999", "99999999999999999999999999999999999990"),
    ],
)
def test_generalize_a_number_to_the_lower_bound_of_its_bucket(bucket: int, number: str, lower: str) -> None:
    result = one({"N": number}, {"strategy": "generalize", "bucket": bucket})
    assert result is not None
    assert Decimal(result["N"]) == Decimal(lower)


def test_a_bucket_that_no_dynamodb_number_can_name_is_redacted() -> None:
    assert one({"N": "1E+125"}, {"strategy": "generalize", "bucket": 7}) == REDACTED


@pytest.mark.parametrize("value", [*EMPTY_AND_ODD, {"S": "37"}, {"N": "37"}, {"NS": ["37"]}], ids=str)
def test_generalize_redacts_what_is_not_of_its_kind(value: Value) -> None:
    assert one(value, STRATEGIES["year"]) == REDACTED
    if "N" not in value:
        assert one(value, STRATEGIES["bucket"]) == REDACTED


def test_hash_is_a_keyed_digest_of_type_and_value() -> None:
    digest = hmac.new(KEY, b'{"S":"x"}', hashlib.sha256).hexdigest()
    assert one({"S": "x"}, STRATEGIES["hash"]) == {"S": digest}
    assert one({"S": "x"}, STRATEGIES["hash"], b"o" * 32) != {"S": digest}
    assert one({"B": "x"}, STRATEGIES["hash"]) != {"S": digest}


@given(values)
def test_equal_values_hash_alike_whatever_order_dynamodb_gives_sets_and_maps(value: Value) -> None:
    def reordered(value: Value) -> Value:
        ((kind, content),) = value.items()
        if kind in ("SS", "NS", "BS"):
            return {kind: content[::-1]}
        if kind == "L":
            return {kind: [reordered(element) for element in content]}
        if kind == "M":
            return {kind: {name: reordered(member) for name, member in reversed(content.items())}}
        return value

    assert one(value, STRATEGIES["hash"]) == one(reordered(value), STRATEGIES["hash"])


@given(scalars, scalars)
def test_values_hash_alike_only_where_they_are_equal(value: Value, other: Value) -> None:
    assert (one(value, STRATEGIES["hash"]) == one(other, STRATEGIES["hash"])) is (value == other)


def test_without_a_key_what_would_be_hashed_is_redacted_and_counted() -> None:
    table = policy(sensitive={"a": {"strategy": "hash"}, "b.c": {"strategy": "hash"}}).table("shop-orders")
    image: Image = {"a": {"S": "x"}, "b": {"L": [{"M": {"c": {"S": "y"}}}, {"M": {"c": {"S": "z"}}}]}}
    result = anonymize(image, table, None)
    assert result.hash_keys_missing == 3
    assert result.image["a"] == REDACTED
    assert anonymize(image, table, KEY).hash_keys_missing == 0


# -- paths


@pytest.mark.parametrize(
    ("value", "result"),
    [
        ({"M": {"birth": {"S": "x"}, "b": {"N": "1"}}}, {"M": {"birth": REDACTED, "b": {"N": "1"}}}),
        ({"M": {}}, {"M": {}}),
        ({"L": [{"M": {"birth": {"S": "x"}}}, {"S": "y"}]}, {"L": [{"M": {"birth": REDACTED}}, REDACTED]}),
        ({"L": [{"L": [{"M": {"birth": {"S": "x"}}}]}]}, {"L": [{"L": [{"M": {"birth": REDACTED}}]}]}),
        ({"L": []}, {"L": []}),
        ({"S": "a map, serialized"}, REDACTED),
        ({"NULL": True}, REDACTED),
        ({"SS": ["x"]}, REDACTED),
    ],
    ids=str,
)
def test_a_path_leads_through_maps_and_each_element_of_lists_and_redacts_what_it_does_not_expect(
    value: Value, result: Value
) -> None:
    assert anonymized({"profile": value}, {"profile.birth": STRATEGIES["redact"]}) == {"profile": result}


def test_a_path_to_an_attribute_that_is_absent_changes_nothing() -> None:
    assert anonymized({"pk": {"S": "k"}}, {"profile.birth": STRATEGIES["redact"]}) == {"pk": {"S": "k"}}


def test_values_at_a_path_are_those_that_anonymization_reaches() -> None:
    image: Image = {"p": {"L": [{"M": {"c": {"S": "x"}}}, {"M": {}}, {"S": "y"}, {"L": [{"M": {"c": {"N": "1"}}}]}]}}
    assert values_at(image, ("p", "c")) == [{"S": "x"}, {"S": "y"}, {"N": "1"}]
    assert values_at(image, ("absent",)) == []


def test_values_at_a_path_compare_equal_whatever_the_order_of_a_set() -> None:
    one_read, another = ({"p": {"M": {"c": {"SS": order}}}} for order in (["a", "b"], ["b", "a"]))
    assert values_at(one_read, ("p", "c")) == values_at(another, ("p", "c"))


@given(images, images)
def test_the_difference_turns_one_image_into_the_other(before: Image, after: Image) -> None:
    assign, remove = difference(before, after)
    assert {n: v for n, v in before.items() if n not in remove} | assign == after
    assert all(before.get(name) != value for name, value in assign.items())
