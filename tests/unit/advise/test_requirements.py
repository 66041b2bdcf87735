"""What a deployment asks decides which kinds of replication are left."""

from __future__ import annotations

from typing import Any

import pytest

from domicile.advise.report import advise
from domicile.advise.requirements import Choice, Needs, possible, reasons
from domicile.deployment import Deployment
from tests.unit.advise.workloads import load

EVENTUAL, STRONG, LOCALIZED = Choice.NATIVE_EVENTUAL, Choice.NATIVE_STRONG, Choice.LOCALIZED
EUROPE = ["eu-west-1", "eu-west-2", "eu-central-1"]
MIXED = ["ap-south-1", "us-east-1", "eu-west-1"]


def deployment(regions: list[str], **table: Any) -> Deployment:
    return Deployment.model_validate(
        {
            "name": "shopease",
            "regions": regions,
            "authorities": {"X": regions[0]},
            "tables": {"orders": {"hash_key": {"name": "pk", "type": "S"}, **table}},
            "bridges": [{"between": ["eu-west-1", "cn-north-1"]}] if "cn-north-1" in regions else [],
        }
    )


@pytest.mark.parametrize(
    ("regions", "table", "needs", "left", "excluding"),
    [
        (MIXED, {}, {}, {EVENTUAL, LOCALIZED}, {"consistency"}),
        (MIXED, {"sensitive": {"email": "redact"}}, {}, {LOCALIZED}, {"residency", "consistency"}),
        (MIXED, {"directory": "origin"}, {}, {LOCALIZED}, {"residency", "consistency"}),
        (MIXED, {}, {"localized_share": 0.1}, {LOCALIZED}, {"residency", "consistency"}),
        (["eu-west-1", "cn-north-1"], {}, {}, {LOCALIZED}, {"partitions", "consistency"}),
        (MIXED, {"ttl_attribute": "until"}, {}, {EVENTUAL, LOCALIZED}, {"consistency", "ttl"}),
        (EUROPE, {}, {"strong_reads": True}, {STRONG}, {"consistency"}),
        (EUROPE[:2], {}, {"strong_reads": True}, {STRONG}, {"consistency"}),
        ([*EUROPE, "eu-west-3"], {}, {"strong_reads": True}, set(), {"consistency", "regions"}),
        (MIXED, {}, {"strong_reads": True}, set(), {"consistency", "regions"}),
        (EUROPE, {"ttl_attribute": "until"}, {"strong_reads": True}, set(), {"consistency", "ttl"}),
        (EUROPE, {}, {"strong_reads": True, "transactions": True}, set(), {"consistency", "transactions"}),
        (EUROPE, {"sensitive": {"a": "hash"}}, {"strong_reads": True}, set(), {"residency", "consistency"}),
    ],
)
def test_each_requirement_leaves_what_can_give_it(
    regions: list[str], table: dict[str, Any], needs: dict[str, Any], left: set[Choice], excluding: set[str]
) -> None:
    file = deployment(regions, **table)
    found = reasons(regions, file.localized["orders"], Needs(**needs))
    assert set(possible(found)) == left
    assert {reason.rule for reason in found if reason.excludes} == excluding
    assert all(reason.source for reason in found if reason.excludes)


def test_of_what_is_left_the_cheapest_is_chosen() -> None:
    advice = advise(deployment(MIXED), "orders", Needs(), load())
    assert advice.choice is EVENTUAL
    assert advice.bills[EVENTUAL].usd_per_month < advice.bills[LOCALIZED].usd_per_month


def test_where_nothing_is_left_there_is_no_choice() -> None:
    file = deployment(EUROPE, sensitive={"email": "redact"})
    advice = advise(file, "orders", Needs(strong_reads=True), load())
    assert advice.choice is None
    assert advice.excluded[STRONG] == ["residency"]
    assert advice.excluded[LOCALIZED] == ["consistency"]


def test_a_native_table_is_judged_and_counted_over_its_own_regions() -> None:
    document = deployment([*MIXED, "cn-north-1"]).model_dump(exclude_none=True)
    document["tables"]["prices"] = {
        "replication": "native",
        "hash_key": {"name": "pk", "type": "S"},
        "primary": "us-east-1",
        "regions": ["us-east-1", "eu-west-1"],
    }
    file = Deployment.model_validate(document)
    prices, orders = (advise(file, table, Needs(), load()) for table in ("prices", "orders"))
    assert (prices.choice, orders.choice) == (EVENTUAL, LOCALIZED), "only the Regions of orders are in two partitions"
    written = [advice.bills[EVENTUAL].lines[0].per_write for advice in (prices, orders)]
    assert written == [2, 4]
    assert prices.bills[LOCALIZED] == orders.bills[LOCALIZED], "a localized table is in all Regions"
