"""The CloudWatch dashboard of a Region: what ``domicile status`` reads there, over time, and the functions' errors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from domicile.deployment import Deployment
from domicile.naming import BRIDGE_FUNCTIONS, FUNCTIONS, Names
from domicile.status import Metric, metrics_of_latest, metrics_over_window, queues_of

_COLUMNS, _WIDTH, _HEIGHT = 2, 12, 6  # of CloudWatch's 24 columns
_PERIOD_S = 300  # the alarms', too


def body(deployment: Deployment, region: str) -> dict[str, Any]:
    """Return the dashboard's body as CloudWatch takes it: a graph for each metric, with all that it is measured of."""
    graphs: dict[tuple[str, str], list[Metric]] = {}
    for metric in dict.fromkeys(_metrics(deployment, region)):
        graphs.setdefault((metric.namespace, metric.name), []).append(metric)
    return {
        "widgets": [
            {
                "type": "metric",
                "x": place % _COLUMNS * _WIDTH,
                "y": place // _COLUMNS * _HEIGHT,
                "width": _WIDTH,
                "height": _HEIGHT,
                "properties": {
                    "title": f"{namespace} {name}",
                    "region": region,
                    "period": _PERIOD_S,
                    "metrics": [_line(metric) for metric in metrics],
                },
            }
            for place, ((namespace, name), metrics) in enumerate(graphs.items())
        ]
    }


def _metrics(deployment: Deployment, region: str) -> Iterator[Metric]:
    names = Names(deployment.name, region, account="")
    yield from metrics_over_window(deployment, region)
    yield from metrics_of_latest(deployment, region)
    for role in queues_of(deployment, region):
        queue = (("QueueName", names.queue(role)),)
        yield Metric("AWS/SQS", "ApproximateNumberOfMessagesVisible", queue, "Maximum")
    for role in [*FUNCTIONS, *BRIDGE_FUNCTIONS] if deployment.bridge_of(region) else FUNCTIONS:
        yield Metric("AWS/Lambda", "Errors", (("FunctionName", names.function(role)),), "Sum")


def _line(metric: Metric) -> list[Any]:
    dimensions = [part for dimension in metric.dimensions for part in dimension]
    return [metric.namespace, metric.name, *dimensions, {"stat": metric.statistic}]
