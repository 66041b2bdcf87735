from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from domicile.aws.telemetry import emit
from domicile.pipeline.report import Count, Duration, Report, Sample


def emitted(report: Report, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """The EMF objects that a report becomes."""
    emit(report, "us-east-1")
    return [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]


def metrics(emf: dict[str, Any]) -> dict[str, Any]:
    """The metrics of one EMF object with their values, as CloudWatch reads them."""
    (directive,) = emf["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "Domicile"
    return {metric["Name"]: emf[metric["Name"]] for metric in directive["Metrics"]}


def dimensions(emf: dict[str, Any]) -> dict[str, str]:
    """The dimensions of one EMF object with their values."""
    ((names,),) = ([directive["Dimensions"] for directive in emf["_aws"]["CloudWatchMetrics"]],)
    return {name: emf[name] for name in names[0]}


def latency(ms: int, origin: str = "eu-west-1", duration: Duration = Duration.REPLICATION_LATENCY) -> Sample:
    return Sample(duration, origin, ms)


def test_counts_are_metrics_of_the_region(capsys: pytest.CaptureFixture[str]) -> None:
    report = Report(counts=Counter({Count.CHANGES: 3, Count.QUARANTINED: 1, Count.APPLIED: 0}))
    (emf,) = emitted(report, capsys)
    assert metrics(emf) == {"Changes": [3.0], "Quarantined": [1.0]}
    assert dimensions(emf) == {"region": "us-east-1", "service": "test"}


def test_durations_are_metrics_of_the_pair_of_regions_in_milliseconds(capsys: pytest.CaptureFixture[str]) -> None:
    samples = [latency(10), latency(20), latency(30, "ap-south-1"), latency(40, "us-east-1", Duration.EXPOSURE_WINDOW)]
    found = emitted(Report(samples=samples), capsys)
    assert [(dimensions(emf)["origin"], metrics(emf)) for emf in found] == [
        ("eu-west-1", {"ReplicationLatency": [10.0, 20.0]}),
        ("ap-south-1", {"ReplicationLatency": [30.0]}),
        ("us-east-1", {"ExposureWindow": [40.0]}),
    ]
    assert all(dimensions(emf)["region"] == "us-east-1" for emf in found)
    assert {metric["Unit"] for emf in found for metric in emf["_aws"]["CloudWatchMetrics"][0]["Metrics"]} == {
        "Milliseconds"
    }


@pytest.mark.parametrize("count", [99, 100, 101, 250])
def test_more_samples_than_one_object_holds_all_have_their_dimensions(
    count: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """EMF allows 100 values of a metric, and Powertools writes what it has when they are reached."""
    found = emitted(Report(samples=[latency(ms) for ms in range(count)]), capsys)
    assert [value for emf in found for value in metrics(emf)["ReplicationLatency"]] == list(range(count))
    assert all(dimensions(emf) == {"region": "us-east-1", "origin": "eu-west-1", "service": "test"} for emf in found)


def test_a_report_of_nothing_is_a_log_line_and_no_metric(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    assert emitted(Report(), capsys) == []
    assert [log.message for log in caplog.records] == ["handled"]


def test_the_log_line_tells_counts_reasons_and_how_many_failed(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    report = Report()
    report.retry("the-name-of-a-record", "ThrottlingException")
    report.quarantined("unknown_authority")
    emit(report, "us-east-1")
    (log,) = caplog.records
    assert log.__dict__["counts"] == {"Retried": 1, "Quarantined": 1}
    assert log.__dict__["reasons"] == {"ThrottlingException": 1, "unknown_authority": 1}
    assert log.__dict__["failed"] == 1
