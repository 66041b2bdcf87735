"""A native table beside a localized one: what is written arrives, and what a change of the file does to it.

The provider waits three minutes for each replica that it makes, whatever is there.
"""

from __future__ import annotations

import io
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from domicile.local.api import LocalAws
from domicile.local.errors import LocalError
from domicile.progress import progress
from tests.local.regions import eventually
from tests.native.stacks import AMERICA, EUROPE, NAME, PRIMARY, ChangedStacks, of_replica
from tests.plans import second_plans, unexpected_changes

pytestmark = pytest.mark.slow

TABLE = f"{NAME}-catalogue"


def put(native: LocalAws, region: str, sku: str, **attributes: str) -> None:
    item = {"sku": {"S": sku}, **{name: {"S": value} for name, value in attributes.items()}}
    native.client("dynamodb", region).put_item(TableName=TABLE, Item=item)


def got(native: LocalAws, region: str, sku: str) -> dict[str, Any] | None:
    answer = native.client("dynamodb", region).get_item(TableName=TABLE, Key={"sku": {"S": sku}}, ConsistentRead=True)
    return dict(answer["Item"]) if "Item" in answer else None


def test_an_item_written_in_any_region_arrives_in_the_others_as_it_is(native: LocalAws) -> None:
    for region in native.regions:
        put(native, region, f"lamp-{region}", brand="Halo")
    for region in native.regions:
        for origin in native.regions:
            item = {"sku": {"S": f"lamp-{origin}"}, "brand": {"S": "Halo"}}
            eventually(partial(got, native, region, f"lamp-{origin}"), item.__eq__, f"{origin}'s item in {region}")
    native.client("dynamodb", AMERICA).delete_item(TableName=TABLE, Key={"sku": {"S": f"lamp-{EUROPE}"}})
    for region in native.regions:
        eventually(partial(got, native, region, f"lamp-{EUROPE}"), lambda item: item is None, f"the delete in {region}")


def test_each_replica_has_its_regions_own_settings(native: LocalAws) -> None:
    found = {r: native.client("dynamodb", r).describe_table(TableName=TABLE)["Table"] for r in native.regions}
    keys = {region: table["SSEDescription"]["KMSMasterKeyArn"] for region, table in found.items()}
    assert all(f":{region}:" in key for region, key in keys.items())
    assert {region for region, table in found.items() if "TableClassSummary" in table} == {EUROPE}
    assert found[EUROPE]["TableClassSummary"]["TableClass"] == "STANDARD_INFREQUENT_ACCESS"
    assert all(table["DeletionProtectionEnabled"] for table in found.values())
    assert all(table["StreamSpecification"]["StreamViewType"] == "NEW_AND_OLD_IMAGES" for table in found.values())


def test_a_second_plan_of_each_region_is_empty(native: LocalAws) -> None:
    plans = second_plans(native, NAME)
    assert unexpected_changes(plans) == {f"{NAME}-{region}": [] for region in native.regions}


def test_recovery_and_tags_of_a_replica_change_in_place(native: LocalAws, tmp_path: Path) -> None:
    def change(table: dict[str, Any]) -> None:
        table["replicas"][AMERICA] = {"point_in_time_recovery": False, "tags": {"team": "us"}}

    assert list(of_replica(ChangedStacks(native, tmp_path, change).plan(AMERICA))) == [["update"]]


def test_a_replica_that_the_provider_would_replace_is_refused_while_it_is_protected(
    native: LocalAws, tmp_path: Path
) -> None:
    def change(table: dict[str, Any]) -> None:
        table["replicas"][AMERICA] = {"table_class": "standard-infrequent-access"}

    with pytest.raises(LocalError, match="Instance cannot be destroyed"):
        ChangedStacks(native, tmp_path / "protected", change).plan(AMERICA)

    def unprotected(table: dict[str, Any]) -> None:
        change(table)
        table["replicas"][AMERICA]["deletion_protection"] = False

    assert list(of_replica(ChangedStacks(native, tmp_path / "unprotected", unprotected).plan(AMERICA))) == [
        ["delete", "create"]
    ]


@pytest.mark.parametrize(("encryption", "of_the_table"), [("aws-owned", [["update"]]), ("aws-managed", [])])
def test_another_kind_of_key_leaves_replicas_to_dynamodb_and_an_earlier_key_where_none_is_named(
    native: LocalAws, tmp_path: Path, encryption: str, of_the_table: list[list[str]]
) -> None:
    stacks = ChangedStacks(native, tmp_path, lambda table: table.update(encryption=encryption))
    assert list(of_replica(stacks.plan(PRIMARY))) == of_the_table
    assert list(of_replica(stacks.plan(AMERICA))) == []


def test_a_region_leaves_the_table_and_comes_back_to_one_that_is_full(native: LocalAws, tmp_path: Path) -> None:
    put(native, PRIMARY, "chair", brand="Oak")

    def without_europe(table: dict[str, Any]) -> None:
        table.update(regions=[PRIMARY, AMERICA], replicas={})

    left = ChangedStacks(native, tmp_path / "left", without_europe)
    assert list(of_replica(left.plan(EUROPE))) == [["delete"]]
    assert list(of_replica(left.plan(PRIMARY))) == []
    left.apply(progress(io.StringIO()))
    listed = native.client("dynamodb", EUROPE).list_tables()["TableNames"]
    assert TABLE not in listed
    assert f"{NAME}-customers" in listed

    back = ChangedStacks(native, tmp_path / "back", lambda table: None)
    assert list(of_replica(back.plan(EUROPE))) == [["create"]]
    assert list(of_replica(back.plan(PRIMARY))) == []
    back.apply(progress(io.StringIO()))
    assert got(native, EUROPE, "chair") == {"sku": {"S": "chair"}, "brand": {"S": "Oak"}}
    put(native, EUROPE, "table", brand="Elm")
    eventually(partial(got, native, PRIMARY, "table"), lambda item: item is not None, "the new replica's item")
