"""What Terraform plans when a table moves between native and localized replication: what is destroyed, and what not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from domicile.deployment import Deployment
from domicile.local.api import LocalAws
from infra.artifacts import ROOT, read_manifest
from infra.synthesis import synthesize
from policies.check import evaluate, policies
from tests.native.stacks import AMERICA, EUROPE, FILE, NAME, PRIMARY
from tests.plans import Plans, changes, with_applied_state

pytestmark = pytest.mark.slow

KEY = {"name": "sku", "type": "S"}
_KINDS = ("aws_dynamodb_table.", "aws_dynamodb_table_replica.")


def plans(native: LocalAws, folder: Path, change: Callable[[dict[str, Any]], object]) -> Plans:
    """Plan the primary's stack and another one after a change of the deployment file's tables."""
    document = Deployment.load(FILE).model_dump(exclude_none=True)
    change(document["tables"])
    deployment = Deployment.model_validate(document)
    stacks = with_applied_state(
        native, NAME, synthesize(deployment, read_manifest(ROOT / "dist"), ROOT / "dist", folder)
    )
    return {region: stacks.plan(f"{NAME}-{region}") for region in (PRIMARY, AMERICA)}


def of_tables(plan: dict[str, Any]) -> dict[str, list[str]]:
    """Return what is done to tables and replicas, by their address without its digest."""
    return {
        address.rpartition("_")[0]: actions for address, actions in changes(plan).items() if address.startswith(_KINDS)
    }


@pytest.mark.parametrize("replacement", [{}, {"replication": "native", "primary": PRIMARY}])
def test_the_table_that_replaces_one_is_made_beside_it(
    native: LocalAws, tmp_path: Path, replacement: dict[str, Any]
) -> None:
    for plan in plans(native, tmp_path, lambda tables: tables.update(goods={"hash_key": KEY, **replacement})).values():
        touched = of_tables(plan)
        assert touched
        assert all(actions == ["create"] and "table-goods" in address for address, actions in touched.items())


def test_another_replication_under_the_same_name_deletes_the_replicas(native: LocalAws, tmp_path: Path) -> None:
    found = plans(native, tmp_path, lambda tables: tables.update(catalogue={"hash_key": KEY}))
    ledger, table = "aws_dynamodb_table.table-catalogue_ledger", "aws_dynamodb_table.table-catalogue_table"
    assert of_tables(found[PRIMARY]) == {ledger: ["create"], table: ["update"]}
    replica = "aws_dynamodb_table_replica.table-catalogue_replica"
    assert of_tables(found[AMERICA]) == {ledger: ["create"], table: ["create"], replica: ["delete"]}
    (change,) = (found["change"] for found in found[PRIMARY]["resource_changes"] if found["address"].startswith(table))
    replicas = [{replica["region_name"] for replica in change[when]["replica"]} for when in ("before", "after")]
    assert replicas == [{AMERICA, EUROPE}, set()], "what Terraform calls an update deletes every replica"
    said = evaluate(found[PRIMARY], [policy for policy in policies() if policy.name == "no_replicas"])
    assert "the native table is localized under its name" in str(said)


def test_a_table_that_is_left_out_is_kept_by_its_protection(native: LocalAws, tmp_path: Path) -> None:
    found = plans(native, tmp_path, lambda tables: tables.pop("catalogue"))
    assert [list(of_tables(plan).values()) for plan in found.values()] == [[["delete"]], [["delete"]]]
    with pytest.raises(ClientError, match="deletion protection"):
        native.client("dynamodb", PRIMARY).delete_table(TableName=f"{NAME}-catalogue")
