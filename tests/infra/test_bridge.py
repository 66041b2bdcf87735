"""What a gateway Region has besides, and the events' way through it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest

from domicile.aws.link import SEND_S_MAX
from domicile.aws.settings import CourierSettings, GatewaySettings
from domicile.aws.world import CONFIG, DOORSTEP_CONFIG, LINK_CONFIG
from domicile.core.events import CHANGES, FINISHED, SOURCE
from tests.infra.matching import matches
from tests.infra.synthesized import Stack

_DAYS_14 = 14 * 24 * 3600


def _rules(stack: Stack, emitter: str, *destination: str, detail_type: str = CHANGES) -> set[str]:
    """Return the purposes of the rules that an event on the stack's bus matches."""
    detail = {"emitter": emitter, "destination": list(destination), "operation": "move"}
    event = {"source": SOURCE, "detail-type": detail_type, "detail": detail}
    rules = (rule for _, rule in stack.resources("aws_cloudwatch_event_rule"))
    return {rule["name"].removeprefix("harbour-") for rule in rules if matches(rule["event_pattern"], event)}


def _function(stack: Stack, role: str) -> dict[str, Any]:
    return stack.named("aws_lambda_function", f"harbour-{role}", key="function_name")


def _mapping(stack: Stack, role: str) -> dict[str, Any]:
    """Return the only event source mapping of a function."""
    mappings = [mapping for _, mapping in stack.resources("aws_lambda_event_source_mapping")]
    functions = [stack.resolve(stack.resolve(mapping["function_name"])["function_name"]) for mapping in mappings]
    (found,) = [
        mapping
        for mapping, function in zip(mappings, functions, strict=True)
        if function["function_name"] == f"harbour-{role}"
    ]
    return found


@pytest.mark.parametrize("detail_type", [CHANGES, FINISHED])
def test_what_is_for_the_other_partition_goes_to_the_gateway_and_out(bridged: Path, detail_type: str) -> None:
    ireland, singapore = (Stack.read(bridged, f"harbour-{region}") for region in ("eu-west-1", "ap-southeast-1"))
    assert _rules(ireland, "eu-west-1", "cn-northwest-1", detail_type=detail_type) == {"to-ap-southeast-1"}
    assert _rules(singapore, "eu-west-1", "cn-northwest-1", detail_type=detail_type) == {"outbox"}
    assert _rules(singapore, "ap-southeast-1", "cn-north-1", detail_type=detail_type) == {"outbox"}


def test_what_comes_from_the_other_partition_goes_on_to_its_regions_and_not_back(beijing: Stack) -> None:
    assert _rules(beijing, "eu-west-1", "cn-north-1", "cn-northwest-1") == {"inbox", "to-cn-northwest-1"}
    assert _rules(beijing, "eu-west-1", "ap-southeast-1") == set()


def test_only_a_gateway_region_has_more_than_before(bridged: Path, stacks: Path) -> None:
    plain = set(Stack.read(stacks, "harbour-us-east-1").configuration["resource"])
    for region in ("eu-west-1", "cn-northwest-1"):
        stack = Stack.read(bridged, f"harbour-{region}")
        assert set(stack.configuration["resource"]) <= plain
        assert "courier" not in stack.text


def test_no_target_and_no_policy_names_the_other_partition(bridged: Path) -> None:
    for region, foreign in (("ap-southeast-1", "cn-"), ("cn-north-1", "eu-west-1"), ("cn-north-1", "ap-southeast-1")):
        text = Stack.read(bridged, f"harbour-{region}").text
        arns = {part.split('"')[0].split("\\")[0] for part in text.split("arn:")[1:]}
        assert arns
        assert not [arn for arn in arns if foreign in arn and f":stream/harbour-from-{foreign}" not in arn]


def test_every_target_keeps_what_it_cannot_deliver(beijing: Stack) -> None:
    targets = {target["target_id"]: target for _, target in beijing.resources("aws_cloudwatch_event_target")}
    assert set(targets) == {"to-cn-northwest-1", "outbox", "inbox", "receipts"}
    for target in targets.values():
        assert beijing.resolve(target["dead_letter_config"]["arn"])["name"] == "harbour-bus-dlq"
    policy = json.loads(beijing.named("aws_sqs_queue", "harbour-bus-dlq")["policy"])
    (allowed,) = [statement for statement in policy["Statement"] if statement["Effect"] == "Allow"]
    rules = [arn.rpartition("/")[2] for arn in allowed["Condition"]["ArnEquals"]["aws:SourceArn"]]
    assert sorted(rules) == sorted(f"harbour-{purpose}" for purpose in targets)


def test_the_outbox_outlasts_a_link_that_is_down(beijing: Stack) -> None:
    outbox = beijing.named("aws_sqs_queue", "harbour-outbox")
    assert outbox["message_retention_seconds"] == _DAYS_14
    redrive = json.loads(outbox["redrive_policy"])
    assert redrive["maxReceiveCount"] == 1000
    dead_letters = beijing.resolve(redrive["deadLetterTargetArn"])
    assert dead_letters["name"] == "harbour-outbox-dlq"
    assert dead_letters["message_retention_seconds"] == _DAYS_14


def test_the_courier_empties_the_outbox_in_large_batches(beijing: Stack) -> None:
    mapping, function = _mapping(beijing, "courier"), _function(beijing, "courier")
    outbox = beijing.resolve(mapping["event_source_arn"])
    assert outbox["name"] == "harbour-outbox"
    assert outbox["visibility_timeout_seconds"] == 6 * function["timeout"]
    assert (mapping["batch_size"], mapping["maximum_batching_window_in_seconds"]) == (100, 1)
    assert mapping["function_response_types"] == ["ReportBatchItemFailures"]
    settings = CourierSettings.from_env(function["environment"]["variables"] | {"AWS_REGION": "cn-north-1"})
    assert (settings.receiver, settings.stream) == ("ap-southeast-1", "harbour-from-cn-north-1")
    assert (settings.endpoint, settings.proxy) == ("", "")
    assert beijing.named("aws_secretsmanager_secret", settings.secret)["recovery_window_in_days"] == 0
    assert "aws_secretsmanager_secret_version" not in beijing.configuration["resource"]


def test_a_function_of_the_bridge_answers_before_its_timeout(beijing: Stack) -> None:
    """What it does not answer for is delivered again, all of it, and much later."""
    courier, gateway, replicator = (
        _function(beijing, role)["timeout"] for role in ("courier", "gateway", "replicator")
    )
    own, link, doorstep = (cast("Any", config) for config in (CONFIG, LINK_CONFIG, DOORSTEP_CONFIG))
    call_s = own.retries["total_max_attempts"] * (own.connect_timeout + own.read_timeout)
    # The way to a proxy, its answer, TLS and the request's body each may take the connect timeout.
    request_s = 4 * link.connect_timeout + link.read_timeout
    postponing_s = call_s  # which ends with the first call that fails
    assert SEND_S_MAX + request_s + postponing_s <= 2 / 3 * courier  # the rest is for claim checks
    assert doorstep.read_timeout > replicator
    # A large item goes to one Region of this side after the other.
    assert 2 * (doorstep.connect_timeout + doorstep.read_timeout) <= gateway / 2


def test_the_gateway_function_follows_its_stream_until_records_are_done_or_gone(beijing: Stack) -> None:
    mapping, function = _mapping(beijing, "gateway"), _function(beijing, "gateway")
    stream = beijing.resolve(mapping["event_source_arn"])
    assert (stream["name"], stream["shard_count"]) == ("harbour-from-ap-southeast-1", 2)
    assert stream["retention_period"] == 168
    assert stream["stream_mode_details"] == {"stream_mode": "PROVISIONED"}
    assert stream["encryption_type"] == "KMS"
    assert "aws_kms_key" in stream["kms_key_id"]
    assert (mapping["starting_position"], mapping["batch_size"]) == ("TRIM_HORIZON", 100)
    assert (mapping["maximum_retry_attempts"], mapping["maximum_record_age_in_seconds"]) == (-1, -1)
    assert mapping["bisect_batch_on_function_error"] is True
    assert mapping["function_response_types"] == ["ReportBatchItemFailures"]
    dead_letters = mapping["destination_config"]["on_failure"]["destination_arn"]
    assert beijing.resolve(dead_letters)["name"] == "harbour-stream-dlq"
    settings = GatewaySettings.from_env(function["environment"]["variables"] | {"AWS_REGION": "cn-north-1"})
    assert settings.replicator == "harbour-replicator"


def test_there_is_no_tracing_in_china(beijing: Stack, singapore: Stack) -> None:
    assert {"tracing_config" in function for _, function in singapore.resources("aws_lambda_function")} == {True}
    assert {"tracing_config" in function for _, function in beijing.resources("aws_lambda_function")} == {False}
    assert "xray:" not in beijing.text


def test_each_alarm_tells_the_topic_and_leads_to_the_runbook(beijing: Stack) -> None:
    alarms = {alarm["alarm_name"]: alarm for _, alarm in beijing.resources("aws_cloudwatch_metric_alarm")}
    sending = ("outbox-age", "outbox-stuck", "outbox-dlq", "courier-errors", "link-refused")
    purposes = (*sending, "staging-age", "gateway-age", "gateway-errors")
    assert set(alarms) == {f"harbour-{purpose}" for purpose in purposes}
    for alarm in alarms.values():
        assert alarm["alarm_description"].endswith(": docs/runbooks/bridge.md")
        assert alarm["alarm_actions"] == alarm["ok_actions"] == ["arn:aws-cn:sns:cn-north-1:1234:oncall"]
        assert (alarm["treat_missing_data"], alarm["comparison_operator"]) == ("notBreaching", "GreaterThanThreshold")
    age = alarms["harbour-outbox-age"]
    assert (age["metric_name"], age["dimensions"]) == ("ApproximateAgeOfOldestMessage", {"QueueName": "harbour-outbox"})
    assert (age["threshold"], age["statistic"]) == (900, "Maximum")
    unread = alarms["harbour-staging-age"]
    assert (unread["dimensions"], unread["threshold"]) == ({"StreamName": "harbour-from-ap-southeast-1"}, 900_000)
    # A batch that is tried again holds up its shard without an error, and without a newer age of the stream.
    handled = alarms["harbour-gateway-age"]
    assert (handled["metric_name"], handled["threshold"]) == ("IteratorAge", 900_000)
    assert handled["dimensions"] == alarms["harbour-gateway-errors"]["dimensions"]
    assert handled["dimensions"] == {"FunctionName": "harbour-gateway"}


def test_the_metrics_of_the_functions_have_the_dimensions_that_powertools_gives_them(beijing: Stack) -> None:
    refused = beijing.named("aws_cloudwatch_metric_alarm", "harbour-link-refused", key="alarm_name")
    assert (refused["namespace"], refused["metric_name"]) == ("Domicile", "LinkRefused")
    assert refused["dimensions"] == {"region": "cn-north-1", "service": "courier"}
    stuck = beijing.named("aws_cloudwatch_metric_alarm", "harbour-outbox-stuck", key="alarm_name")
    metrics = {query["id"]: query["metric"] for query in stuck["metric_query"] if query.get("metric")}
    assert metrics["sent"]["dimensions"] == refused["dimensions"]
    assert all(id_ in stuck["metric_query"][0]["expression"] for id_ in metrics)
    assert "FILL" not in stuck["metric_query"][0]["expression"]  # it need not fill a metric that has no value at all
    assert stuck["evaluation_periods"] * metrics["sent"]["period"] == 900
