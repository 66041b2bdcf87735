"""The ways that resources open from one place to another, whatever passes on them."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from domicile.review.arns import arn_of, place_of, region_of, service_of, short
from domicile.review.deployment import BUS, FUNCTION, LOG_GROUP, PLACES, TABLE, Deployment
from domicile.review.document import DEPLOYMENT
from domicile.review.findings import Finding, Severity
from domicile.review.patterns import may_match, parse, problems
from domicile.review.protocol import Content, Event
from domicile.review.stacks import Resource, blocks_of, is_unknown
from domicile.review.templates import global_tables

_ARN = re.compile(r'arn:[^"\s,]+')
JUDGED = {
    *PLACES,
    *("aws_appconfig_deployment", "aws_appconfig_hosted_configuration_version", "aws_cloudformation_stack"),
    *("aws_cloudwatch_event_archive", "aws_cloudwatch_event_bus_policy"),
    *("aws_cloudwatch_event_permission", "aws_cloudwatch_event_rule", "aws_cloudwatch_event_target"),
    *("aws_cloudwatch_log_account_policy", "aws_cloudwatch_log_subscription_filter", "aws_dynamodb_global_table"),
    *("aws_dynamodb_kinesis_streaming_destination", "aws_dynamodb_resource_policy", "aws_dynamodb_table_export"),
    *("aws_dynamodb_table_replica", "aws_iam_group_policy", "aws_iam_group_policy_attachment", "aws_iam_policy"),
    *("aws_iam_policy_attachment", "aws_iam_role", "aws_iam_role_policy", "aws_iam_role_policy_attachment"),
    *("aws_iam_user_policy", "aws_iam_user_policy_attachment", "aws_kinesis_firehose_delivery_stream"),
    *("aws_kinesis_resource_policy", "aws_kms_key", "aws_kms_key_policy", "aws_lambda_alias"),
    *("aws_lambda_event_source_mapping", "aws_lambda_function_event_invoke_config", "aws_lambda_permission"),
    *("aws_pipes_pipe", "aws_secretsmanager_secret", "aws_secretsmanager_secret_policy", "aws_sqs_queue_policy"),
    *("aws_sqs_queue_redrive_policy",),
}
HARMLESS = {
    *("aws_appautoscaling_policy", "aws_appautoscaling_target", "aws_cloudwatch_composite_alarm"),
    *("aws_appconfig_application", "aws_appconfig_configuration_profile", "aws_appconfig_deployment_strategy"),
    *("aws_appconfig_environment", "aws_default_security_group", "aws_eip", "aws_internet_gateway", "aws_nat_gateway"),
    *("aws_cloudwatch_dashboard", "aws_cloudwatch_log_metric_filter", "aws_cloudwatch_metric_alarm"),
    *("aws_dynamodb_tag", "aws_lambda_provisioned_concurrency_config", "aws_route", "aws_route_table"),
    *("aws_route_table_association", "aws_security_group", "aws_subnet", "aws_vpc", "aws_vpc_endpoint"),
    *("aws_sqs_queue_redrive_allow_policy", "aws_iam_user", "aws_iam_group", "aws_kms_alias"),
}
"""What moves no item: it sees names, numbers and settings, or is the network that encrypted packets pass."""


@dataclass(frozen=True)
class Way:
    """What ``carrier`` takes from one place to another; ``pattern`` lets only some events pass, None all."""

    source: str
    target: str
    carrier: Resource
    pattern: str | None = None

    def passes(self, cargo: Content | Event) -> bool:
        """Whether a cargo may pass; a pattern that can't be read lets all pass."""
        pattern = parse(self.pattern) if self.pattern is not None else None
        if pattern is None or isinstance(cargo, Content):
            return True
        return any(may_match(pattern, envelope) for envelope in cargo.envelopes())


def ways(deployment: Deployment) -> Iterator[Way]:
    """Yield every way of the stacks, without what functions send by themselves."""
    rules = {_rule(rule): rule for rule in deployment.of_kind("aws_cloudwatch_event_rule")}
    for resource in deployment.resources:
        match resource.kind:
            case "aws_cloudwatch_event_target":
                yield from _event_target(resource, rules)
            case _:
                for source, target in _pairs(resource, deployment):
                    yield Way(place_of(source), place_of(target), resource)


def findings(deployment: Deployment) -> Iterator[Finding]:
    """Yield what of the ways can't be judged, such as a pattern, and the Global Tables outside the protocol."""
    localized = [table for _, table in deployment.replicated()]
    for resource in deployment.resources:
        # A native table's capacity is auto scaling's, and the first deployment is never repeated.
        if resource.keeps and (resource.kind in JUDGED - {DEPLOYMENT, TABLE} or resource in localized):
            yield Finding(resource.label, "ignores changes: what it is, is known in a plan alone", Severity.UNKNOWN)
        if resource.kind not in JUDGED | HARMLESS:
            yield Finding(resource.label, "is of a kind that the review does not know", Severity.UNKNOWN)
        for name, value in resource.arguments.items() if resource.kind in JUDGED else ():
            if is_unknown(value) and name not in ("policy", "inline_policy"):  # they are judged with the access
                yield Finding(resource.label, f"its {name} is not known", Severity.UNKNOWN)
        if resource.kind == "aws_cloudwatch_event_rule":
            yield from _pattern(resource)
        if resource.kind == "aws_cloudformation_stack":
            native = deployment.protocol(resource.site.region).policy.native
            tables = {table.name for table in global_tables(resource)}
            if not tables or tables - set(native):
                text = "its template is not known to have native tables alone"
                yield Finding(resource.label, text, Severity.UNKNOWN)
    yield from _sources(deployment)


def _sources(deployment: Deployment) -> Iterator[Finding]:
    """Look at where ways come from: nobody knows where, or a table that the protocol has no part in."""
    localized = {place for place, _ in deployment.replicated()}
    copied: dict[tuple[Resource, str], set[str]] = defaultdict(set)
    for way in ways(deployment):
        if way.source.startswith("("):
            text = f"where it takes items from is not known: {way.source}"
            yield Finding(way.carrier.label, text, Severity.UNKNOWN)
        elif {service_of(way.source), service_of(way.target)} == {"dynamodb"} and way.source not in localized:
            copied[way.carrier, way.source] |= {region_of(way.target)} - {region_of(way.source)}
    for (carrier, table), regions in copied.items():
        if regions:
            text = f"outside the protocol: every item of {short(table)} comes whole to {', '.join(sorted(regions))}"
            yield Finding(carrier.label, text, Severity.RELIED)


def _pattern(rule: Resource) -> Iterator[Finding]:
    pattern = rule.arguments.get("event_pattern")
    if pattern is not None or not rule.text("schedule_expression"):
        for problem in problems(parse(pattern)):
            yield Finding(rule.label, f"its pattern {problem}: taken for one that matches all", Severity.UNKNOWN)


def _event_target(target: Resource, rules: Mapping[tuple[str, str, str], Resource]) -> Iterator[Way]:
    bus = _bus(target)
    rule = rules.get((target.site.region, bus, target.text("rule")))
    pattern = rule.arguments.get("event_pattern") if rule else "(unknown)"
    pattern = str(pattern) if pattern is not None or not (rule and rule.text("schedule_expression")) else "{}"
    for arn in (target.text("arn"), target.text("dead_letter_config", "arn")):
        if arn:
            yield Way(bus, place_of(arn), target, pattern)


def _rule(rule: Resource) -> tuple[str, str, str]:
    return rule.site.region, _bus(rule), rule.text("name")


def _bus(resource: Resource) -> str:
    """Return the ARN of the bus that a rule or a target belongs to."""
    return bus_arn(resource.text("event_bus_name") or "default", resource)


def bus_arn(name: str, of: Resource) -> str:
    """Return the ARN of a bus that a resource of the same Region names, by its name or by its ARN."""
    return name if name.startswith("arn:") else arn_of(BUS, {"name": name}, of.site) or name


def _table(name: str, of: Resource) -> str:
    return place_of(name) if name.startswith("arn:") else arn_of(TABLE, {"name": name}, of.site) or name


def _pairs(one: Resource, deployment: Deployment) -> Iterator[tuple[str, str]]:  # noqa: PLR0912  # a table of kinds
    """Yield (from, to) of each way that a resource opens; places are given by their ARNs."""
    own = one.arn or ""
    match one.kind:
        case "aws_lambda_event_source_mapping":
            source = one.text("event_source_arn")
            yield source, function_arn(one)
            yield from ((source, target) for target in _destinations(one))
        case "aws_lambda_function_event_invoke_config":
            yield from ((function_arn(one), target) for target in _destinations(one))
        case "aws_pipes_pipe":
            for target in filter(None, (one.text("target"), one.text("enrichment"))):
                yield one.text("source"), target
        case "aws_cloudwatch_event_bus" if target := one.text("dead_letter_config", "arn"):
            yield own, target
        case "aws_cloudwatch_event_archive":
            yield one.text("event_source_arn"), own
        case "aws_dynamodb_table":
            yield from ((own, _in(block.get("region_name"), own)) for block in one.blocks("replica"))
            for source in (one.text("restore_source_table_arn"), one.text("restore_source_name")):
                if source:
                    yield _table(source, one), own
        case "aws_dynamodb_table_replica":
            yield one.text("global_table_arn"), _in(one.site.region, place_of(one.text("global_table_arn")))
        case "aws_dynamodb_global_table":
            table = _table(one.text("name"), one)
            yield from ((table, _in(block.get("region_name"), table)) for block in one.blocks("replica"))
        case "aws_cloudformation_stack":
            for found in global_tables(one):
                table = _table(found.name, one)
                yield from ((table, _in(region, table)) for region in found.regions if region != one.site.region)
        case "aws_dynamodb_kinesis_streaming_destination":
            yield _table(one.text("table_name"), one), one.text("stream_arn")
        case "aws_dynamodb_table_export":
            yield one.text("table_arn"), f"arn:{one.site.partition}:s3:::{one.text('s3_bucket')}"
        case "aws_kinesis_firehose_delivery_stream":
            for block in one.blocks("kinesis_source_configuration"):
                yield str(block.get("kinesis_stream_arn")), own
        case "aws_sqs_queue":
            yield from ((own, target) for target in _ARN.findall(one.text("redrive_policy")))
        case "aws_sqs_queue_redrive_policy":
            yield from ((one.text("queue_url"), target) for target in _ARN.findall(one.text("redrive_policy")))
        case "aws_lambda_function":
            group = one.text("logging_config", "log_group") or f"/aws/lambda/{one.text('function_name')}"
            yield own, arn_of(LOG_GROUP, {"name": group}, one.site) or group
            if target := one.text("dead_letter_config", "target_arn"):
                yield own, target
        case "aws_cloudwatch_log_subscription_filter":
            group = arn_of(LOG_GROUP, {"name": one.text("log_group_name")}, one.site) or ""
            yield group, one.text("destination_arn")
        case "aws_cloudwatch_log_account_policy" if one.text("policy_type") == "SUBSCRIPTION_FILTER_POLICY":
            for place, resource in deployment.places.items():
                if resource.kind == LOG_GROUP and resource.site == one.site:
                    yield place, _destination(one.text("policy_document"))


def function_arn(one: Resource) -> str:
    """Return the ARN of the function that a resource of the same Region names, with a version or an alias."""
    name = one.text("function_name")
    return name if name.startswith("arn:") else arn_of(FUNCTION, {"function_name": name}, one.site) or name


def _destinations(one: Resource) -> Iterator[str]:
    for block in one.blocks("destination_config"):
        for outcome in ("on_failure", "on_success"):
            for destination in blocks_of(block.get(outcome)):
                yield str(destination.get("destination_arn") or destination.get("destination"))


def _destination(document: str) -> str:
    try:
        return str(json.loads(document)["DestinationArn"])
    except (ValueError, KeyError, TypeError):
        return document


def _in(region: object, arn: str) -> str:
    fields = arn.split(":", 5)
    return ":".join([*fields[:3], str(region), *fields[4:]])
