"""The functions, and what invokes them."""

from __future__ import annotations

from typing import Any

import pytest

from domicile.aws.settings import Settings
from tests.infra.synthesized import Stack


def _mapping(stack: Stack, source: str) -> dict[str, Any]:
    """Return the mapping whose source is the queue or the table's stream of a name."""
    mappings = [mapping for _, mapping in stack.resources("aws_lambda_event_source_mapping")]
    (found,) = [mapping for mapping in mappings if stack.resolve(mapping["event_source_arn"])["name"] == source]
    return found


def _function(stack: Stack, mapping: dict[str, Any]) -> dict[str, Any]:
    """Return the function that a mapping invokes, which must be by its alias."""
    alias = stack.resolve(mapping["function_name"])
    assert alias["name"] == "live"
    assert alias["function_version"].endswith(".version}")
    return stack.resolve(alias["function_name"])


@pytest.mark.parametrize("role", ["listener", "replicator", "anonymizer"])
def test_a_function_runs_its_handler_with_the_settings_that_it_reads(virginia: Stack, role: str) -> None:
    function = virginia.named("aws_lambda_function", f"harbour-{role}", key="function_name")
    assert function["handler"] == f"functions.{role}.handler.handler"
    assert (function["runtime"], function["architectures"], function["memory_size"]) == ("python3.13", ["arm64"], 512)
    assert function["publish"] is True
    assert function["tracing_config"] == {"mode": "Active"}
    assert function["source_code_hash"] == "code-hash"
    variables = function["environment"]["variables"]
    settings = Settings.from_env(variables | {"AWS_REGION": "us-east-1"})
    assert virginia.resolve(settings.quarantine_url)["name"] == "harbour-quarantine"
    assert (settings.bus, settings.policy) == ("harbour", "harbour/live/policy")
    assert settings.hash_secret == "harbour/hash-key"
    assert variables["POWERTOOLS_SERVICE_NAME"] == role
    assert variables["POWERTOOLS_METRICS_NAMESPACE"] == "Domicile"


@pytest.mark.parametrize("role", ["listener", "replicator", "anonymizer"])
def test_a_function_writes_to_its_own_log_group_which_forgets(virginia: Stack, role: str) -> None:
    function = virginia.named("aws_lambda_function", f"harbour-{role}", key="function_name")
    log_group = virginia.resolve(function["logging_config"]["log_group"])
    assert log_group["name"] == f"/aws/lambda/harbour-{role}"
    assert log_group["retention_in_days"] == 30


@pytest.mark.parametrize("table", ["visits", "tides"])
def test_the_listener_follows_each_stream_from_its_oldest_record(virginia: Stack, table: str) -> None:
    mapping = _mapping(virginia, f"harbour-{table}")
    assert _function(virginia, mapping)["function_name"] == "harbour-listener"
    assert mapping["starting_position"] == "TRIM_HORIZON"
    assert mapping["batch_size"] == 100
    assert mapping["bisect_batch_on_function_error"] is True
    assert mapping["function_response_types"] == ["ReportBatchItemFailures"]
    assert (mapping["maximum_retry_attempts"], mapping["maximum_record_age_in_seconds"]) == (-1, -1)
    dead_letters = mapping["destination_config"]["on_failure"]["destination_arn"]
    assert virginia.resolve(dead_letters)["name"] == "harbour-stream-dlq"


@pytest.mark.parametrize(("queue", "role"), [("inbox", "replicator"), ("receipts", "anonymizer")])
def test_a_queues_messages_come_in_small_batches_to_few_at_a_time(virginia: Stack, queue: str, role: str) -> None:
    mapping = _mapping(virginia, f"harbour-{queue}")
    function = _function(virginia, mapping)
    assert function["function_name"] == f"harbour-{role}"
    assert mapping["batch_size"] == 10
    assert mapping["function_response_types"] == ["ReportBatchItemFailures"]
    assert mapping["scaling_config"] == {"maximum_concurrency": 10}
    visibility = virginia.named("aws_sqs_queue", f"harbour-{queue}")["visibility_timeout_seconds"]
    assert visibility == 6 * function["timeout"]


def test_every_source_has_its_mapping(virginia: Stack) -> None:
    sources = {
        virginia.resolve(mapping["event_source_arn"])["name"]
        for _, mapping in virginia.resources("aws_lambda_event_source_mapping")
    }
    assert sources == {"harbour-visits", "harbour-tides", "harbour-inbox", "harbour-receipts"}
