"""The tables and their ledgers."""

from __future__ import annotations

from pathlib import Path

from domicile.deployment import Deployment
from domicile.pipeline.apply import LEDGER_EXPIRES_AT
from tests.infra.synthesized import Stack, synthesize_stand_ins


def test_a_table_has_what_the_deployment_file_says(virginia: Stack) -> None:
    table = virginia.named("aws_dynamodb_table", "harbour-visits")
    assert (table["hash_key"], table["range_key"]) == ("pk", "sk")
    assert {attribute["name"]: attribute["type"] for attribute in table["attribute"]} == {
        "pk": "S",
        "sk": "N",
        "$${berth}": "S",
        "flag": "S",
    }
    by_berth, by_flag = table["global_secondary_index"]
    assert (by_berth["hash_key"], by_berth["projection_type"]) == ("$${berth}", "INCLUDE")
    assert by_berth["non_key_attributes"] == ["pilot"]
    assert (by_flag["hash_key"], by_flag["range_key"], by_flag["projection_type"]) == ("flag", "sk", "KEYS_ONLY")
    assert table["ttl"] == {"attribute_name": "expires_at", "enabled": True}
    assert table["deletion_protection_enabled"] is True
    assert table["point_in_time_recovery"] == {"enabled": True}
    assert table["billing_mode"] == "PAY_PER_REQUEST"


def test_a_tables_stream_shows_both_images(virginia: Stack) -> None:
    for name in ("harbour-visits", "harbour-tides"):
        table = virginia.named("aws_dynamodb_table", name)
        assert (table["stream_enabled"], table["stream_view_type"]) == (True, "NEW_AND_OLD_IMAGES")


def test_a_ledger_has_its_tables_key_forgets_by_itself_and_is_as_durable(virginia: Stack) -> None:
    for name in ("harbour-visits", "harbour-tides"):
        table = virginia.named("aws_dynamodb_table", name)
        ledger = virginia.named("aws_dynamodb_table", f"{name}-ledger")
        keys = {table["hash_key"], table.get("range_key")} - {None}
        assert {ledger["hash_key"], ledger.get("range_key")} - {None} == keys
        assert ledger["attribute"] == [item for item in table["attribute"] if item["name"] in keys]
        assert ledger["ttl"] == {"attribute_name": LEDGER_EXPIRES_AT, "enabled": True}
        for setting in ("deletion_protection_enabled", "point_in_time_recovery", "server_side_encryption"):
            assert ledger[setting] == table[setting]
        assert ledger["stream_enabled"] is False


def test_protection_can_be_given_up_in_the_deployment_file(virginia: Stack) -> None:
    table = virginia.named("aws_dynamodb_table", "harbour-tides")
    assert table["deletion_protection_enabled"] is False
    assert table["point_in_time_recovery"] == {"enabled": False}


def test_the_regions_key_encrypts_tables_queues_and_logs(virginia: Stack) -> None:
    ((address, key),) = virginia.resources("aws_kms_key")
    assert key["enable_key_rotation"] is True
    arn = f"${{{address}.arn}}"
    tables = [table["server_side_encryption"] for _, table in virginia.resources("aws_dynamodb_table")]
    assert tables == [{"enabled": True, "kms_key_arn": arn}] * 4
    assert {queue["kms_master_key_id"] for _, queue in virginia.resources("aws_sqs_queue")} == {arn}
    assert {group["kms_key_id"] for _, group in virginia.resources("aws_cloudwatch_log_group")} == {arn}


def test_with_keys_that_aws_owns_there_is_no_key_and_no_permission_for_one(
    deployment: Deployment, tmp_path: Path
) -> None:
    stacks = synthesize_stand_ins(deployment.model_copy(update={"encryption": "aws-owned"}), tmp_path)
    stack = Stack.read(stacks, "harbour-us-east-1")
    assert "kms" not in stack.text
    assert all(queue["sqs_managed_sse_enabled"] for _, queue in stack.resources("aws_sqs_queue"))
