"""Each Region's dashboard: what it shows, and that it is where the numbers are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.infra.synthesized import Stack


def graphs(stacks: Path, region: str) -> dict[str, list[list[Any]]]:
    """Return the lines of each graph in a Region's dashboard by its title."""
    found = Stack.read(stacks, f"harbour-{region}").named(
        "aws_cloudwatch_dashboard", f"harbour-{region}", key="dashboard_name"
    )
    widgets = json.loads(found["dashboard_body"])["widgets"]
    assert len({(widget["x"], widget["y"]) for widget in widgets}) == len(widgets), "none hides another"
    assert {widget["properties"]["region"] for widget in widgets} == {region}
    return {widget["properties"]["title"]: widget["properties"]["metrics"] for widget in widgets}


def test_a_region_shows_lag_ages_backlogs_and_errors(stacks: Path) -> None:
    shown = graphs(stacks, "eu-west-1")
    assert set(shown) == {
        "Domicile ReplicationLatency",
        "AWS/SQS ApproximateAgeOfOldestMessage",
        "AWS/SQS ApproximateNumberOfMessagesVisible",
        "AWS/Lambda Errors",
    }
    lag = {(line[5], line[-1]["stat"]) for line in shown["Domicile ReplicationLatency"]}
    origins = {"ap-south-1", "us-east-1"}
    assert lag == {(origin, statistic) for origin in origins for statistic in ("p50", "p99", "Maximum")}
    queues = {line[3] for line in shown["AWS/SQS ApproximateNumberOfMessagesVisible"]}
    assert {"harbour-inbox", "harbour-bus-dlq", "harbour-quarantine"} < queues
    assert {line[3] for line in shown["AWS/Lambda Errors"]} == {
        "harbour-listener",
        "harbour-replicator",
        "harbour-anonymizer",
    }


def test_a_gateway_region_shows_the_bridge_too(bridged: Path) -> None:
    shown = graphs(bridged, "cn-north-1")
    assert {"Domicile BridgeLag", "Domicile LinkRefused", "AWS/Kinesis GetRecords.IteratorAgeMilliseconds"} < set(shown)
    assert ["AWS/Lambda", "Errors", "FunctionName", "harbour-courier", {"stat": "Sum"}] in shown["AWS/Lambda Errors"]


def test_native_tables_show_what_dynamodb_measures_of_them(natively: Path) -> None:
    lines = graphs(natively, "us-east-1")["AWS/DynamoDB ReplicationLatency"]
    assert {(line[3], line[5]) for line in lines} == {
        ("harbour-ships", "eu-west-1"),
        ("harbour-ships", "ap-south-1"),
        ("harbour-buoys", "eu-west-1"),
    }
    assert "AWS/DynamoDB ReplicationLatency" not in graphs(natively, "us-west-2"), "nothing is measured of a strong one"
