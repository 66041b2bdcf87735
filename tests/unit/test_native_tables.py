"""Native tables in the deployment file: what they default to, what AWS would refuse, and in which order they come."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
import yaml

from domicile.core.policy import Policy
from domicile.deployment import Deployment, DeploymentError
from domicile.errors import UserError
from domicile.local import api
from domicile.native_table import Provisioned, stacks_before
from domicile.progress import progress

GOOD: dict[str, Any] = {
    "name": "shopease",
    "regions": ["us-east-1", "us-east-2", "eu-west-1", "cn-north-1"],
    "authorities": {"EU": "eu-west-1"},
    "bridges": [{"between": ["eu-west-1", "cn-north-1"]}],
    "tables": {
        "customers": {"hash_key": {"name": "id", "type": "S"}},
        "catalogue": {"replication": "native", "hash_key": {"name": "sku", "type": "S"}, "primary": "us-east-1"},
    },
}
STRONG = {"consistency": "strong", "regions": ["us-east-1", "us-east-2"], "witness": "us-west-2"}
WHOLE = (
    "is for localized tables: a Global Table holds every item whole in every Region, and keeps nothing from one; "
    "accepted: replication: localized, or a native table without this key"
)
REGIONS = "us-east-1, us-east-2, eu-west-1, cn-north-1"
BILLING = (
    "on-demand, or {read: {min: N, max: N, target_percent: N}, write: {...}} in capacity units, min from 1 to max, "
    "and target_percent from 20 to 90"
)
SETS = (
    "us-east-1, us-east-2, us-west-2; or eu-west-1, eu-west-2, eu-west-3, eu-central-1; or ap-northeast-1, "
    "ap-northeast-2, ap-northeast-3"
)


def document(catalogue: dict[str, Any], **changes: Any) -> dict[str, Any]:
    tables = {**GOOD["tables"], "catalogue": {**GOOD["tables"]["catalogue"], **catalogue}}
    return {**GOOD, "tables": tables, **changes}


def load(folder: Path, content: dict[str, Any]) -> Deployment:
    file = folder / "domicile.yaml"
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    return Deployment.load(file)


def problems(folder: Path, content: dict[str, Any]) -> list[str]:
    with pytest.raises(DeploymentError) as raised:
        load(folder, content)
    return [problem.removeprefix(f"{folder / 'domicile.yaml'}: ") for problem in raised.value.problems]


def test_what_is_not_given_is_as_on_aws_and_in_each_region_of_the_partition(tmp_path: Path) -> None:
    deployment = load(tmp_path, GOOD)
    (table,) = deployment.native.values()
    assert (table.consistency, table.billing, table.witness) == ("eventual", "on-demand", None)
    assert table.regions == ["us-east-1", "us-east-2", "eu-west-1"]
    assert table.encryption == deployment.encryption == "customer-managed"
    replica = table.replica("eu-west-1")
    assert (replica.table_class, replica.deletion_protection, replica.point_in_time_recovery) == (
        "standard",
        True,
        True,
    )


def test_a_table_is_localized_unless_it_says_otherwise_and_the_functions_see_no_other(tmp_path: Path) -> None:
    deployment = load(tmp_path, GOOD)
    assert list(deployment.localized) == ["customers"]
    assert set(Policy.parse(deployment.policy_document()).tables) == {"shopease-customers"}
    said = document(
        {}, tables={**GOOD["tables"], "customers": {"replication": "localized", **GOOD["tables"]["customers"]}}
    )
    assert load(tmp_path, said) == deployment


def test_clients_learn_of_a_native_table_from_the_policy(tmp_path: Path) -> None:
    policy = Policy.parse(load(tmp_path, GOOD).policy_document())
    (table,) = policy.native.values()
    assert (table.name, table.regions, table.strong) == (
        "shopease-catalogue",
        ("us-east-1", "us-east-2", "eu-west-1"),
        False,
    )


@pytest.mark.parametrize(
    ("change", "at", "problem"),
    [
        *(
            ({key: value}, f".{key}", WHOLE)
            for key, value in {
                "authority_attribute": "place",
                "control_attribute": "_c",
                "sensitive": {"name": "redact"},
                "directory": "origin",
                "writers": "stamped",
            }.items()
        ),
        (
            {"deletion_protection": False},
            ".deletion_protection",
            "is set for each Region; accepted: replicas: {a Region: {deletion_protection: ...}}",
        ),
        ({"primary": "us-west-1"}, ".primary", f"us-west-1 is not a Region of this deployment; accepted: {REGIONS}"),
        (
            {"regions": ["us-east-1", "cn-north-1"]},
            ".regions",
            "lie in the partitions aws and aws-cn, and a Global Table's replicas are all in one; accepted: Regions of "
            "one partition, or replication: localized and a bridge",
        ),
        (
            {"regions": ["us-east-2", "eu-west-1"]},
            ".regions",
            "leave out the primary, us-east-1; accepted: Regions with it",
        ),
        (
            {"regions": ["us-east-1"]},
            ".regions",
            "are us-east-1 alone; accepted: two or more Regions of one partition",
        ),
        ({"primary": "cn-north-1"}, ".regions", "are cn-north-1 alone; accepted: two or more Regions of one partition"),
        (
            {"regions": ["us-east-1", "eu-west-1", "eu-west-1"]},
            ".regions[2]",
            "eu-west-1 is given twice; accepted: each Region once",
        ),
        (
            {"regions": ["us-east-1", "eu-west-9"]},
            ".regions[1]",
            f"eu-west-9 is not a Region of this deployment; accepted: {REGIONS}",
        ),
        (
            {"replicas": {"cn-north-1": {}}},
            ".replicas.cn-north-1",
            "cn-north-1 is not a Region of this table; accepted: us-east-1, us-east-2, eu-west-1",
        ),
        (
            {"replicas": {"eu-west-1": {"table_class": "cold"}}},
            ".replicas.eu-west-1.table_class",
            "can't be 'cold'; accepted: standard or standard-infrequent-access",
        ),
        ({"billing": "provisioned"}, ".billing", f"can't be 'provisioned'; accepted: {BILLING}"),
        (
            {"billing": {"read": {"min": 5, "max": 4}, "write": {"min": 1, "max": 1}}},
            ".billing",
            "can't be {'read': {'max': 4, 'min': 5}, 'write': {'max': 1, 'min': 1}}; accepted: " + BILLING,
        ),
        (
            {
                "billing": {"read": {"min": 1, "max": 4}, "write": {"min": 1, "max": 1}},
                "indexes": [{"name": "by-brand", "hash_key": {"name": "brand", "type": "S"}}],
            },
            ".indexes",
            "can't stand beside provisioned billing: Terraform would undo what auto scaling did to an index; accepted: "
            "billing: on-demand",
        ),
        (
            {"encryption": "none"},
            ".encryption",
            "can't be 'none'; accepted: customer-managed (each Region's key), aws-managed or aws-owned; without it, "
            "the deployment's",
        ),
        (
            {"ttl_attribute": "sku"},
            ".ttl_attribute",
            "sku is already the table's hash_key; accepted: another attribute",
        ),
        (
            {"indexes": [{"name": "by-sku", "hash_key": {"name": "sku", "type": "N"}}]},
            ".indexes[0].hash_key.type",
            "sku is of type S elsewhere in this table; accepted: S",
        ),
        (
            {"witness": "us-west-2"},
            ".witness",
            "can't stand beside consistency: eventual: only strong tables have a witness; accepted: consistency: "
            "strong, or no witness",
        ),
        (
            {**STRONG, "witness": None},
            ".regions",
            "are 2 with no witness, under consistency: strong; accepted: three Regions, or two and a witness",
        ),
        ({**STRONG, "witness": "us-east-2"}, ".witness", "us-east-2 has a replica; accepted: a Region without one"),
        (
            {**STRONG, "witness": "us-west-1"},
            ".regions",
            "us-east-1, us-east-2, us-west-1 are not all in one set of AWS's Regions for consistency: strong; "
            f"accepted: {SETS}",
        ),
        (
            {**STRONG, "ttl_attribute": "expires_at"},
            ".ttl_attribute",
            "can't stand beside consistency: strong: such a table has no TTL; accepted: consistency: eventual",
        ),
    ],
)
def test_what_aws_would_refuse(tmp_path: Path, change: dict[str, Any], at: str, problem: str) -> None:
    assert problems(tmp_path, document(change)) == [f"tables.catalogue{at}: {problem}"]


def test_another_kind_of_replication_is_told_at_its_key(tmp_path: Path) -> None:
    content = document({}, tables={"customers": {**GOOD["tables"]["customers"], "replication": "global"}})
    assert problems(tmp_path, content) == [
        "tables.customers.replication: can't be 'global'; accepted: localized (personal data stays at home) or native "
        "(a DynamoDB Global Table)"
    ]


def test_native_tables_alone_need_no_domicile(tmp_path: Path) -> None:
    content = document({}, tables={"catalogue": GOOD["tables"]["catalogue"]})
    assert problems(tmp_path, content) == [
        "tables: are all native, and Domicile would run for nothing; accepted: at least one localized table"
    ]


def test_a_customer_managed_key_is_one_that_each_region_has(tmp_path: Path) -> None:
    content = document({"encryption": "customer-managed"}, encryption="aws-owned")
    assert problems(tmp_path, content) == [
        "encryption: can't be aws-owned beside a native table of customer-managed: no Region would have a key for "
        "catalogue; accepted: customer-managed"
    ]


def test_a_strong_table_and_provisioned_capacity(tmp_path: Path) -> None:
    capacity = {"read": {"min": 1, "max": 5}, "write": {"min": 2, "max": 9, "target_percent": 50}}
    table = load(tmp_path, document({**STRONG, "billing": capacity})).native["catalogue"]
    assert (table.regions, table.witness) == (["us-east-1", "us-east-2"], "us-west-2")
    assert isinstance(table.billing, Provisioned)
    assert (table.billing.read.target_percent, table.billing.write.max) == (70, 9)


def test_what_the_local_aws_has_no_part_of_is_refused_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(api.STATE_VARIABLE, str(tmp_path / "state"))
    load(tmp_path, document(STRONG))
    with pytest.raises(UserError, match=r"tables\.catalogue: the local AWS has no consistency: strong; accepted there"):
        api.up(tmp_path / "domicile.yaml", 1, progress(io.StringIO()))
    assert not (tmp_path / "state").exists()


def test_a_native_table_is_advised_on_by_what_it_would_be_if_it_were_localized(tmp_path: Path) -> None:
    table = load(tmp_path, document({"ttl_attribute": "expires_at"})).as_localized("catalogue")
    assert (table.hash_key.name, table.ttl_attribute, table.sensitive) == ("sku", "expires_at", {})


def test_a_replica_waits_for_the_primary_and_a_strong_table_for_the_keys(tmp_path: Path) -> None:
    def before(change: dict[str, Any]) -> dict[str, set[str]]:
        return stacks_before(load(tmp_path, document(change)).native)

    assert before({}) == {"us-east-2": {"us-east-1"}, "eu-west-1": {"us-east-1"}}
    assert before(STRONG) == {"us-east-1": {"us-east-2"}}
    assert before({**STRONG, "encryption": "aws-owned"}) == {}


def test_primaries_that_wait_for_each_other_are_refused(tmp_path: Path) -> None:
    content = document({})
    content["tables"]["prices"] = {**content["tables"]["catalogue"], "primary": "eu-west-1"}
    (problem,) = problems(tmp_path, content)
    assert problem.startswith("tables: need each other's native tables or keys in a circle: ")
    assert problem.endswith("; accepted: primaries without a circle, such as one for all native tables")
