from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domicile.core.policy import Policy
from domicile.errors import UserError
from domicile.load.plan import KINDS, Operation, Settings, last_of_each_item, operations, parse_shares, projections
from tests.policies import DOCUMENT, TABLE, policy

REGIONS = ("ap-south-1", "eu-west-1", "us-east-1")


def settings(**values: Any) -> Settings:
    given: dict[str, Any] = {
        "run": "0123abcd",
        "table": "orders",
        "regions": ("us-east-1", "eu-west-1"),
        "items": 200,
        "mix": {"put": 50, "update": 30, "delete": 20},
        "authorities": {"global": 1, "EU": 1},
    }
    return Settings(**(given | values))


mixes = st.tuples(st.integers(1, 9), st.integers(0, 9), st.integers(0, 30)).map(
    lambda n: dict(zip(KINDS, n, strict=True))
)


@given(mixes, st.integers(1, 80), st.text("0123456789abcdef", min_size=8, max_size=8))
def test_each_item_is_put_first_and_then_changed_in_one_region_until_it_is_deleted(
    mix: dict[str, int], items: int, run: str
) -> None:
    planned = operations(settings(mix=mix, items=items, run=run))
    assert [operation.index for operation in planned] == list(range(len(planned)))
    assert len(last_of_each_item(planned)) == items
    for item in range(items):
        of_item = [operation for operation in planned if operation.item == item]
        kinds = [operation.kind for operation in of_item]
        assert kinds[0] == "put"
        assert "put" not in kinds[1:]
        assert "delete" not in kinds[:-1]
        assert len({(operation.region, operation.authority) for operation in of_item}) == 1


def test_a_plan_is_the_same_each_time_and_another_for_another_run() -> None:
    assert operations(settings()) == operations(settings())
    assert operations(settings()) != operations(settings(run="4567abcd"))


def test_the_shares_are_kept_about_and_the_regions_take_turns() -> None:
    planned = operations(settings(items=2000, authorities={"global": 3, "EU": 1}))
    share = {kind: sum(operation.kind == kind for operation in planned) / len(planned) for kind in KINDS}
    assert share == pytest.approx({"put": 0.5, "update": 0.3, "delete": 0.2}, abs=0.03)
    puts = [operation for operation in planned if operation.kind == "put"]
    assert sum(operation.region == "us-east-1" for operation in puts) == 1000
    assert sum(operation.authority is None for operation in puts) / 2000 == pytest.approx(0.75, abs=0.04)


@pytest.mark.parametrize("text", ["put", "put=x", "put=-1", "put=1.5", "putt=1", "put=1,put=2", "", "put=1,", "put=0"])
def test_shares_that_can_not_be_read_are_refused_with_what_is_accepted(text: str) -> None:
    with pytest.raises(UserError, match=r"--mix .*accepted: "):
        parse_shares("--mix", text, KINDS)


def test_shares_are_whole_numbers_of_any_sum() -> None:
    assert parse_shares("--mix", "put=7, delete=0", KINDS) == {"put": 7, "delete": 0}


def put(region: str, authority: str | None) -> Operation:
    return Operation(0, "put", 0, region, authority)


@pytest.mark.parametrize(
    ("operation", "directory", "expected"),
    [
        (put("us-east-1", None), "everywhere", dict.fromkeys(REGIONS)),
        (put("us-east-1", None), "origin", dict.fromkeys(REGIONS)),
        (
            put("us-east-1", "EU"),
            "everywhere",
            {"us-east-1": "eu-west-1", "eu-west-1": None, "ap-south-1": "eu-west-1"},
        ),
        (put("us-east-1", "EU"), "origin", {"us-east-1": "eu-west-1", "eu-west-1": None}),
        (put("eu-west-1", "EU"), "origin", {"eu-west-1": None}),
        (Operation(0, "delete", 0, "us-east-1", "EU"), "everywhere", {}),
    ],
)
def test_the_home_holds_the_whole_and_who_else_is_told_a_stub(
    operation: Operation, directory: str, expected: dict[str, str | None]
) -> None:
    rules = policy(directory=directory)
    assert projections(rules, rules.table(TABLE), operation) == expected


def test_a_region_beyond_a_bridge_is_expected_to_hold_what_the_bridge_lets_through() -> None:
    document = {
        **DOCUMENT,
        "regions": ["cn-north-1", "eu-west-1", "us-east-1"],
        "authorities": {"EU": "eu-west-1", "CN": "cn-north-1"},
        "bridges": [{"between": ["us-east-1", "cn-north-1"], "global_items": False, "stubs": ["EU"]}],
    }
    rules = Policy.parse(document)
    table = rules.table(TABLE)
    assert projections(rules, table, put("us-east-1", None)) == {"us-east-1": None, "eu-west-1": None}
    assert projections(rules, table, put("eu-west-1", "EU"))["cn-north-1"] == "eu-west-1"
    assert projections(rules, table, put("us-east-1", "CN")) == {"us-east-1": "cn-north-1", "cn-north-1": None}
