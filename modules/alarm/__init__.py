"""A CloudWatch alarm that leads to a runbook."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from cdktf_cdktf_provider_aws.cloudwatch_metric_alarm import (
    CloudwatchMetricAlarm,
    CloudwatchMetricAlarmMetricQuery,
    CloudwatchMetricAlarmMetricQueryMetric,
)
from constructs import Construct

from domicile.naming import Names

_PERIOD_S = 300


@dataclass(frozen=True)
class Metric:
    """A metric by its namespace, name and dimensions, and what of its five minutes counts."""

    namespace: str
    name: str
    dimensions: Mapping[str, str]
    statistic: Literal["Maximum", "Sum"]


class Alarm(Construct):
    """Tells the SNS topic ``topic``, if any, when something is above ``threshold``, and when it no longer is.

    That is a metric, or an expression over metrics by their ids in it. Missing data is no alarm.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        names: Names,
        topic: str | None,
        description: str,
        of: Metric | tuple[str, Mapping[str, Metric]],
        threshold: float = 0,
        periods: int = 1,
    ) -> None:
        super().__init__(scope, id_)
        topics = [names.topic_arn(topic)] if topic else None
        metric = of if isinstance(of, Metric) else None
        CloudwatchMetricAlarm(
            self,
            "alarm",
            alarm_name=names.alarm(id_),
            alarm_description=description,
            namespace=metric.namespace if metric else None,
            metric_name=metric.name if metric else None,
            dimensions=dict(metric.dimensions) if metric else None,
            statistic=metric.statistic if metric else None,
            period=_PERIOD_S if metric else None,
            metric_query=None if isinstance(of, Metric) else _queries(*of),
            comparison_operator="GreaterThanThreshold",
            threshold=threshold,
            evaluation_periods=periods,
            treat_missing_data="notBreaching",
            alarm_actions=topics,
            ok_actions=topics,
        )


def _queries(expression: str, metrics: Mapping[str, Metric]) -> list[CloudwatchMetricAlarmMetricQuery]:
    result = CloudwatchMetricAlarmMetricQuery(id="result", expression=expression, label="result", return_data=True)
    return [
        result,
        *(
            CloudwatchMetricAlarmMetricQuery(
                id=id_,
                metric=CloudwatchMetricAlarmMetricQueryMetric(
                    namespace=metric.namespace,
                    metric_name=metric.name,
                    dimensions=dict(metric.dimensions),
                    stat=metric.statistic,
                    period=_PERIOD_S,
                ),
            )
            for id_, metric in metrics.items()
        ),
    ]
