"""A step's report as structured logs and CloudWatch metrics (EMF). It holds counts and durations, never a value."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from domicile.pipeline.report import Report

logger = Logger(child=True)


def emit(report: Report, region: str) -> None:
    """Write one log line, and the metrics: counts per Region, durations per pair of Regions."""
    counts = {count.value: n for count, n in report.counts.items() if n}
    logger.info("handled", region=region, counts=counts, reasons=dict(report.reasons), failed=len(report.failed))
    metrics = EphemeralMetrics()
    for name, n in counts.items():
        metrics.add_metric(name=name, unit=MetricUnit.Count, value=n)
    _flush(metrics, region=region)
    by_origin: dict[str, list[Any]] = defaultdict(list)
    for sample in report.samples:
        by_origin[sample.origin].append(sample)
    for origin, samples in by_origin.items():
        metrics = EphemeralMetrics()
        for sample in samples:
            metrics.add_metric(name=sample.duration.value, unit=MetricUnit.Milliseconds, value=sample.ms)
        _flush(metrics, region=region, origin=origin)


def _flush(metrics: EphemeralMetrics, **dimensions: str) -> None:
    if metrics.metric_set:
        for name, value in dimensions.items():
            metrics.add_dimension(name=name, value=value)
        metrics.flush_metrics()
