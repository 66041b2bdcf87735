from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domicile.core.anonymize import REDACTED, anonymize, values_at
from domicile.core.control import Image, Value
from domicile.core.policy import Policy
from domicile.deployment import Deployment
from domicile.load.items import MARKER, Items
from domicile.load.plan import Operation

RUN = "0123abcd"
STRATEGIES: list[Any] = [
    "redact",
    "hash",
    {"strategy": "mask", "keep": "domain"},
    {"strategy": "mask", "keep": {"first": 1}},
    {"strategy": "mask", "keep": {"last": 40}},
    {"strategy": "generalize", "to": "year"},
    {"strategy": "generalize", "to": "month"},
    {"strategy": "generalize", "bucket": 10},
]
NAMES = ["email", "phone", "birth_date", "name", "age", "income", "card_number", "address", "lines", "xyz", "名"]


def deployment(**table: Any) -> Deployment:
    return Deployment.model_validate(
        {
            "name": "shop",
            "regions": ["eu-west-1", "us-east-1"],
            "authorities": {"EU": "eu-west-1", "US": "us-east-1"},
            "tables": {"orders": {"hash_key": {"name": "pk", "type": "S"}, **table}},
        }
    )


def items(run: str = RUN, **table: Any) -> Items:
    return Items(deployment(**table).localized["orders"], run)


def put(index: int = 0, item: int = 0, authority: str | None = None) -> Operation:
    return Operation(index, "put", item, "us-east-1", authority)


def stub(image: Image, **table: Any) -> Image:
    policy = Policy.parse(deployment(**table).policy_document())
    return anonymize(image, policy.table("shop-orders"), b"key").image


@given(
    st.dictionaries(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map(tuple), st.sampled_from(STRATEGIES)),
    st.sampled_from([None, "EU", "US"]),
    st.integers(0, 10**6),
)
def test_each_strategy_finds_a_value_that_it_can_work_on(
    paths: dict[tuple[str, ...], Any], authority: str | None, index: int
) -> None:
    apart = {p: s for p, s in paths.items() if not any(p[:n] in paths for n in range(1, len(p)))}
    sensitive = {".".join(path): strategy for path, strategy in apart.items()}
    image = items(sensitive=sensitive).whole(put(index, authority=authority))
    anonymized = stub(image, sensitive=sensitive)
    for path, strategy in apart.items():
        before, after = values_at(image, path), values_at(anonymized, path)
        assert before
        assert len(before) == len(after)
        redacted = [value == REDACTED for value in after]
        assert redacted == [strategy == "redact"] * len(before)


def test_a_dotted_path_leads_through_a_map_or_for_a_plural_through_lists() -> None:
    image = items(sensitive={"address.street": "redact", "lines.recipient": "redact"}).whole(put())
    assert set(image["address"]["M"]) == {"street"}
    assert all(set(line["M"]) == {"recipient"} for line in image["lines"]["L"])


def kind_of(value: Value) -> str:
    (kind,) = value
    return kind


@pytest.mark.parametrize(("hash_type", "range_type"), [("S", "N"), ("N", "B"), ("B", "S")])
def test_keys_have_their_types_and_no_two_items_or_runs_share_one(hash_type: str, range_type: str) -> None:
    keys: Mapping[str, Any] = {
        "hash_key": {"name": "pk", "type": hash_type},
        "range_key": {"name": "sk", "type": range_type},
    }
    made = [items(run, **keys).key(item) for run in (RUN, "4567abcd") for item in range(50)]
    assert {(kind_of(key["pk"]), kind_of(key["sk"])) for key in made} == {(hash_type, range_type)}
    assert len({str(key["pk"]) for key in made}) == 100
    assert items(**keys).whole(put(item=7)).items() >= items(**keys).key(7).items()


def test_index_keys_have_the_type_that_dynamodb_insists_on() -> None:
    indexes = [
        {
            "name": "one",
            "hash_key": {"name": "status", "type": "N"},
            "range_key": {"name": "blob", "type": "B"},
        },
        {"name": "two", "hash_key": {"name": "phone", "type": "N"}, "range_key": {"name": "expires", "type": "N"}},
        {"name": "three", "hash_key": {"name": "income", "type": "S"}},
    ]
    made = items(
        indexes=indexes,
        ttl_attribute="expires",
        sensitive={"phone": "remove", "income": {"strategy": "mask", "keep": {"last": 4}}},
    ).whole(put())
    assert [kind_of(made[name]) for name in ("status", "blob", "phone", "income")] == ["N", "B", "N", "S"]
    assert "expires" not in made, "a copy that expires is not missing"


def test_an_item_is_the_same_whenever_it_is_made_and_another_for_another_operation() -> None:
    table: Any = {"sensitive": {"name": "redact", "birth_date": {"strategy": "generalize", "to": "year"}}}
    maker = items(**table)
    first = maker.whole(put(1, authority="EU"))
    assert maker.whole(put(2, authority="EU")) != first
    assert maker.whole(put(1, authority="EU")) == first == items(**table).whole(put(1, authority="EU"))
    assert items("4567abcd", **table).whole(put(1, authority="EU")) != first


def test_the_authority_and_the_run_are_in_the_item() -> None:
    maker = items(authority_attribute="law")
    assert maker.whole(put(authority="EU"))["law"] == {"S": "EU"}
    assert "law" not in maker.whole(put())
    assert maker.written_by(maker.whole(put(17))) == 17
    assert items("4567abcd").written_by(maker.whole(put(17))) is None
    assert maker.written_by({"pk": {"S": "1"}}) is None


def test_an_update_sets_one_attribute_and_the_marker_but_no_key_and_no_authority() -> None:
    maker = items(sensitive={"email": "redact"})
    changes = [maker.change(Operation(index, "update", 3, "eu-west-1", "EU")) for index in range(60)]
    assert {frozenset(change) - {MARKER} for change in changes} == {
        frozenset({name}) for name in ("email", "notes", "created_at")
    }
    assert [maker.written_by(change) for change in changes] == list(range(60))
