"""Native tables: who owns what, what it is encrypted with, who may use it, and what watches it."""

from __future__ import annotations

import difflib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from domicile.deployment import Deployment
from domicile.review.patterns import may_match, problems
from domicile.review.reading import read_stacks
from domicile.review.verdict import review
from modules.native_table.keys import pattern
from tests.infra.synthesized import GOLDEN, NATIVE, Stack, synthesize_stand_ins

VIRGINIA, IRELAND, MUMBAI, OHIO, OREGON = "us-east-1", "eu-west-1", "ap-south-1", "us-east-2", "us-west-2"
SHIPS, BUOYS, BERTHS = "harbour-ships", "harbour-buoys", "harbour-berths"
_REGENERATE = "UPDATE_GOLDEN=1 .venv/bin/python -m pytest tests/infra/test_native_tables.py"


def stack(stacks: Path, region: str) -> Stack:
    return Stack.read(stacks, f"harbour-{region}")


def names(stacks: Path, region: str, type_: str) -> list[str]:
    key = "global_table_arn" if type_ == "aws_dynamodb_table_replica" else "name"
    found = (arguments[key].rpartition("/")[2] for _, arguments in stack(stacks, region).resources(type_))
    return sorted(name for name in found if name in (SHIPS, BUOYS, BERTHS))


def of_native_tables(of: Stack) -> dict[str, Any]:
    """Return the resources of the native tables alone."""
    return {
        f"{type_}.{id_}": {key: value for key, value in arguments.items() if key != "//"}
        for type_, instances in sorted(of.configuration["resource"].items())
        for id_, arguments in sorted(instances.items())
        if id_.startswith(("table-ships", "table-buoys", "table-berths"))
    }


@pytest.mark.parametrize("region", [VIRGINIA, IRELAND, MUMBAI, OREGON])
def test_the_native_tables_are_as_they_were_reviewed(natively: Path, region: str) -> None:
    synthesized = json.dumps(of_native_tables(stack(natively, region)), indent=2) + "\n"
    golden = GOLDEN / f"native-{region}.json"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(synthesized, encoding="utf-8")
    reviewed = golden.read_text(encoding="utf-8")
    if synthesized != reviewed:
        lines = difflib.unified_diff(reviewed.splitlines(), synthesized.splitlines(), "reviewed", "now", lineterm="")
        pytest.fail("\n".join([*lines, f"If these changes are meant, run: {_REGENERATE}"]), pytrace=False)


def test_each_part_has_one_owner(natively: Path) -> None:
    assert names(natively, VIRGINIA, "aws_dynamodb_table") == [BUOYS, SHIPS]
    for region, replicas in {IRELAND: [BUOYS, SHIPS], MUMBAI: [SHIPS], OHIO: [], OREGON: []}.items():
        assert names(natively, region, "aws_dynamodb_table") == []
        assert names(natively, region, "aws_dynamodb_table_replica") == replicas
    assert names(natively, OREGON, "aws_cloudformation_stack") == [BERTHS]
    assert names(natively, OHIO, "aws_cloudformation_stack") == []


def test_no_stack_undoes_what_another_one_owns(natively: Path) -> None:
    virginia = stack(natively, VIRGINIA)
    ships, buoys = (virginia.named("aws_dynamodb_table", name) for name in (SHIPS, BUOYS))
    assert ships["lifecycle"]["ignore_changes"] == ["replica"]
    assert buoys["lifecycle"]["ignore_changes"] == ["replica", "read_capacity", "write_capacity"]
    for table in (ships, buoys):
        assert (table["stream_enabled"], table["stream_view_type"]) == (True, "NEW_AND_OLD_IMAGES")


def test_a_protected_replica_is_not_replaced(natively: Path) -> None:
    def lifecycle(region: str) -> dict[str, Any]:
        of = stack(natively, region).named("aws_dynamodb_table_replica", _arn(SHIPS), key="global_table_arn")
        return dict(of["lifecycle"])

    assert lifecycle(IRELAND) == {"prevent_destroy": True}
    assert lifecycle(MUMBAI) == {"prevent_destroy": False}


def test_each_region_encrypts_with_its_own_key_or_as_the_table_says(natively: Path) -> None:
    for region in (IRELAND, MUMBAI):
        here = stack(natively, region)
        replica = here.named("aws_dynamodb_table_replica", _arn(SHIPS), key="global_table_arn")
        assert here.resolve(replica["kms_key_arn"])["enable_key_rotation"]
    buoys = stack(natively, IRELAND).named("aws_dynamodb_table_replica", _arn(BUOYS), key="global_table_arn")
    assert "kms_key_arn" not in buoys
    owned = stack(natively, VIRGINIA).named("aws_dynamodb_table", BUOYS)["server_side_encryption"]
    assert owned == {"enabled": False}


def test_aws_managed_keys_are_named_nowhere(tmp_path: Path) -> None:
    document = Deployment.load(NATIVE).model_dump(exclude_none=True)
    document["tables"]["ships"]["encryption"] = "aws-managed"
    stacks = synthesize_stand_ins(Deployment.model_validate(document), tmp_path)
    table = stack(stacks, VIRGINIA).named("aws_dynamodb_table", SHIPS)
    replica = stack(stacks, IRELAND).named("aws_dynamodb_table_replica", _arn(SHIPS), key="global_table_arn")
    assert table["server_side_encryption"] == {"enabled": True}
    assert "kms_key_arn" not in replica


def test_a_strong_table_waits_for_its_own_key_too(natively: Path) -> None:
    oregon = stack(natively, OREGON)
    (awaited,) = oregon.named("aws_cloudformation_stack", BERTHS)["depends_on"]
    assert oregon.resolve(f"{awaited}.name")["name"] == "alias/harbour"


def test_a_strong_table_is_cloudformations_with_its_replicas_and_its_witness(natively: Path) -> None:
    made = stack(natively, OREGON).named("aws_cloudformation_stack", BERTHS)
    properties = _properties(made)
    assert properties["MultiRegionConsistency"] == "STRONG"
    assert properties["GlobalTableWitnesses"] == [{"Region": VIRGINIA}]
    assert [replica["Region"] for replica in properties["Replicas"]] == [OREGON, OHIO]
    assert all(replica["SSESpecification"] == {"KMSMasterKeyId": "alias/harbour"} for replica in properties["Replicas"])
    assert properties["KeySchema"][1] == {"AttributeName": "${day}", "KeyType": "RANGE"}
    assert made["lifecycle"] == {"prevent_destroy": True}


def test_a_strong_tables_provisioned_capacity_is_scaled_for_all_replicas_to_write_and_for_each_to_read(
    tmp_path: Path,
) -> None:
    document = Deployment.load(NATIVE).model_dump(exclude_none=True)
    limits = {"min": 2, "max": 9, "target_percent": 50}
    document["tables"]["berths"] |= {"billing": {"read": limits, "write": limits}, "indexes": []}
    stacks = synthesize_stand_ins(Deployment.model_validate(document), tmp_path)
    properties = _properties(stack(stacks, OREGON).named("aws_cloudformation_stack", BERTHS))
    scaling = {
        "MinCapacity": 2,
        "MaxCapacity": 9,
        "TargetTrackingScalingPolicyConfiguration": {"TargetValue": 50},
    }
    assert properties["BillingMode"] == "PROVISIONED"
    assert properties["WriteProvisionedThroughputSettings"] == {"WriteCapacityAutoScalingSettings": scaling}
    assert [replica["ReadProvisionedThroughputSettings"] for replica in properties["Replicas"]] == [
        {"ReadCapacityAutoScalingSettings": scaling}
    ] * 2


def test_stacks_that_wait_for_others_say_so_to_cdktf(natively: Path) -> None:
    manifest = json.loads((natively.parent / "manifest.json").read_text(encoding="utf-8"))["stacks"]
    waits = {name: sorted(entry["dependencies"]) for name, entry in manifest.items()}
    assert waits == {
        f"harbour-{VIRGINIA}": [],
        f"harbour-{IRELAND}": [f"harbour-{VIRGINIA}"],
        f"harbour-{MUMBAI}": [f"harbour-{VIRGINIA}"],
        f"harbour-{OHIO}": [],
        f"harbour-{OREGON}": [f"harbour-{OHIO}"],
    }


def test_applications_may_use_native_tables_and_the_replication_may_not(natively: Path) -> None:
    virginia = stack(natively, VIRGINIA)
    policy = virginia.named("aws_iam_policy", f"harbour-application-{VIRGINIA}")["policy"]
    statements = {statement["Sid"]: statement for statement in json.loads(policy)["Statement"]}
    tables = {arn.rpartition("/")[2] for arn in statements["UseTables"]["Resource"]}
    assert tables == {"harbour-visits", SHIPS, BUOYS, BERTHS}
    assert {arn.split("/")[1] for arn in statements["SearchIndexes"]["Resource"]} == {SHIPS, BERTHS}
    for _, own in virginia.resources("aws_iam_role_policy"):
        assert not [name for name in (SHIPS, BUOYS, BERTHS) if name in own["policy"]]
    for _, mapping in virginia.resources("aws_lambda_event_source_mapping"):
        assert "ships" not in str(mapping)
    document = next(iter(virginia.resources("aws_appconfig_hosted_configuration_version")))[1]["content"]
    assert list(json.loads(document)["tables"]) == ["harbour-visits"]


def test_each_pair_of_regions_of_an_eventual_table_has_an_alarm_in_the_one_that_sends(natively: Path) -> None:
    def watched(region: str) -> set[tuple[str, str]]:
        alarms = (alarm for _, alarm in stack(natively, region).resources("aws_cloudwatch_metric_alarm"))
        found = [alarm for alarm in alarms if alarm.get("metric_name") == "ReplicationLatency"]
        assert all(alarm["alarm_actions"] == [f"arn:aws:sns:{region}:1234:pilots"] for alarm in found)
        return {(alarm["dimensions"]["TableName"], alarm["dimensions"]["ReceivingRegion"]) for alarm in found}

    assert watched(VIRGINIA) == {(SHIPS, IRELAND), (SHIPS, MUMBAI), (BUOYS, IRELAND)}
    assert watched(MUMBAI) == {(SHIPS, VIRGINIA), (SHIPS, IRELAND)}
    assert watched(OREGON) == set()


def test_a_region_tells_of_its_key_where_a_replica_needs_it(natively: Path, tmp_path: Path) -> None:
    def told(stacks: Path, region: str) -> list[dict[str, Any]]:
        here = stack(stacks, region)
        targets = [target for _, target in here.resources("aws_cloudwatch_event_target") if ":sns:" in target["arn"]]
        assert all(target["arn"] == f"arn:aws:sns:{region}:1234:pilots" for target in targets)
        return [here.resolve(target["rule"]) for target in targets]

    for region in (VIRGINIA, IRELAND, MUMBAI, OHIO, OREGON):
        (rule,) = told(natively, region)
        assert "event_bus_name" not in rule, "AWS tells on its own bus"
        key = json.loads(rule["event_pattern"])["$or"][1]["resources"][0]
        assert stack(natively, region).resolve(key)["enable_key_rotation"]
    document = Deployment.load(NATIVE).model_dump(exclude_none=True)
    for table in ("ships", "berths"):
        document["tables"][table]["encryption"] = "aws-owned"
    assert told(synthesize_stand_ins(Deployment.model_validate(document), tmp_path), VIRGINIA) == []


KEY = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"


def called(name: str, **detail: Any) -> dict[str, Any]:
    """Return a call of KMS as CloudTrail records it and EventBridge passes it on."""
    resources = [{"accountId": "111122223333", "type": "AWS::KMS::Key", "ARN": KEY}]
    record = {"eventSource": "kms.amazonaws.com", "eventName": name, "resources": resources, **detail}
    return {"source": "aws.kms", "detail-type": "AWS API Call via CloudTrail", "resources": [], "detail": record}


@pytest.mark.parametrize(
    ("event", "told"),
    [
        *((called(name), True) for name in ("DisableKey", "ScheduleKeyDeletion", "PutKeyPolicy", "RevokeGrant")),
        ({"source": "aws.kms", "detail-type": "KMS CMK Deletion", "resources": [KEY], "detail": {}}, True),
        (called("EnableKey"), False),
        (called("DisableKey", errorCode="AccessDenied"), False),
        (called("DisableKey", resources=[{"ARN": KEY.replace("1234abcd", "4321abcd")}]), False),
        ({"source": "aws.kms", "detail-type": "KMS CMK Rotation", "resources": [KEY], "detail": {}}, False),
    ],
)
def test_what_ends_a_keys_use_is_told_and_nothing_else(event: dict[str, Any], told: bool) -> None:
    assert list(problems(pattern(KEY))) == []
    assert may_match(pattern(KEY), event) is told


def test_the_review_has_nothing_against_stacks_with_native_tables(natively: Path) -> None:
    found = review(read_stacks(natively))
    assert found.clean


def _properties(cloudformation_stack: dict[str, Any]) -> dict[str, Any]:
    template = json.loads(cloudformation_stack["template_body"].replace("$${", "${"))
    return dict(template["Resources"]["Table"]["Properties"])


def _arn(table: str) -> str:
    return f"arn:aws:dynamodb:{VIRGINIA}:1234:table/{table}"
