"""A step's report as structured logs and CloudWatch metrics (EMF). It holds counts and durations, never a value."""

from __future__ import annotations

from collections import defaultdict

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from domicile.pipeline.report import Report, Sample

logger = Logger(child=True)


def emit(report: Report, region: str) -> None:
    """Write one log line, and the metrics: counts per Region, durations per pair of Regions."""
    counts = {count.value: n for count, n in report.counts.items() if n}
    logger.info("handled", region=region, counts=counts, reasons=dict(report.reasons), failed=len(report.failed))
    metrics = _metrics(region=region)
    for name, n in counts.items():
        metrics.add_metric(name=name, unit=MetricUnit.Count, value=n)
    _flush(metrics)
    by_origin: dict[str, list[Sample]] = defaultdict(list)
    for sample in report.samples:
        by_origin[sample.origin].append(sample)
    for origin, samples in by_origin.items():
        metrics = _metrics(region=region, origin=origin)
        for sample in samples:
            metrics.add_metric(name=sample.duration.value, unit=MetricUnit.Milliseconds, value=sample.ms)
        _flush(metrics)


def _metrics(**dimensions: str) -> EphemeralMetrics:
    """Return metrics that have their dimensions before their values: a hundred values are written at once."""
    metrics = EphemeralMetrics()
    for name, value in dimensions.items():
        metrics.add_dimension(name=name, value=value)
    return metrics


def _flush(metrics: EphemeralMetrics) -> None:
    if metrics.metric_set:
        metrics.flush_metrics()
