"""Reads the numbers of :mod:`domicile.status`, all Regions side by side.

Queues are SQS's, replicas of native tables DynamoDB's, the rest is CloudWatch's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from domicile.accounts import Accounts
from domicile.aws.failures import code_of
from domicile.deployment import Deployment
from domicile.naming import Names
from domicile.status import (
    Metric,
    Numbers,
    Queue,
    Status,
    Unreachable,
    assemble,
    metrics_of_latest,
    metrics_over_window,
    native_tables,
    queues_of,
)

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_cloudwatch.type_defs import MetricDataQueryTypeDef
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs import SQSClient

# A Region that is cut off must not hold up the picture of the others.
_IMPATIENT = Config(connect_timeout=5, read_timeout=20, retries={"total_max_attempts": 2})
_LATEST_WITHIN = timedelta(days=1)
_MINUTE_S = 60
_QUERIES_MAX = 500  # of one call

_Points = list[tuple[datetime, float]]


class StatusReader:
    """The clients of every Region of a deployment; it can look again and again."""

    def __init__(self, deployment: Deployment, accounts: Accounts) -> None:
        self._deployment = deployment
        self._clients = {
            region: (
                accounts.client("sqs", region, config=_IMPATIENT),
                accounts.client("cloudwatch", region, config=_IMPATIENT),
                accounts.client("dynamodb", region, config=_IMPATIENT),
            )
            for region in deployment.regions
        }

    def look(self, minutes: int) -> Status:
        """Return the status now, with lags and counts of the last ``minutes``."""
        at = datetime.now(UTC)
        with ThreadPoolExecutor(len(self._clients)) as threads:
            found = threads.map(lambda region: self._numbers(region, at, minutes), self._clients)
            return assemble(self._deployment, dict(zip(self._clients, found, strict=True)), at, minutes)

    def _numbers(self, region: str, at: datetime, minutes: int) -> Numbers | Unreachable:
        sqs, cloudwatch, dynamodb = self._clients[region]
        names = Names(self._deployment.name, region, account="")
        try:
            return Numbers(
                queues={role: _queue(sqs, names.queue(role)) for role in queues_of(self._deployment, region)},
                over_window=_over_window(cloudwatch, metrics_over_window(self._deployment, region), at, minutes),
                latest=_latest(cloudwatch, metrics_of_latest(self._deployment, region), at),
                replicas={
                    name: _replicas(dynamodb, names.table(name)) for name in native_tables(self._deployment, region)
                },
            )
        except (ClientError, BotoCoreError) as error:
            return _unreachable(error)


def _unreachable(error: ClientError | BotoCoreError) -> Unreachable:
    return Unreachable(code_of(error) if isinstance(error, ClientError) else type(error).__name__)


def _queue(sqs: SQSClient, name: str) -> Queue:
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    counts = sqs.get_queue_attributes(
        QueueUrl=url,
        AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
    )["Attributes"]
    return Queue(
        waiting=int(counts["ApproximateNumberOfMessages"]),
        in_flight=int(counts["ApproximateNumberOfMessagesNotVisible"]),
    )


def _replicas(dynamodb: DynamoDBClient, table: str) -> Mapping[str, str] | Unreachable:
    """Return the status of a table's replicas elsewhere; of a table that is not there yet, none.

    DynamoDB alone may be down or forbidden: the rest of the Region is shown all the same.
    """
    try:
        found = dynamodb.describe_table(TableName=table)["Table"]
    except dynamodb.exceptions.ResourceNotFoundException:
        return {}
    except (ClientError, BotoCoreError) as error:
        return _unreachable(error)
    return {replica["RegionName"]: replica["ReplicaStatus"] for replica in found.get("Replicas", [])}


def _over_window(
    cloudwatch: CloudWatchClient, metrics: Iterable[Metric], at: datetime, minutes: int
) -> Mapping[Metric, float]:
    """Return each metric's value over the window. Where CloudWatch splits it, sums add up; else the worst."""
    found = _points(cloudwatch, metrics, at - timedelta(minutes=minutes), at, minutes * _MINUTE_S)
    return {
        metric: (sum if metric.statistic == "Sum" else max)(value for _, value in points) for metric, points in found
    }


def _latest(
    cloudwatch: CloudWatchClient, metrics: Iterable[Metric], at: datetime
) -> Mapping[Metric, tuple[datetime, float]]:
    """Return the latest minute of each metric in which it has a datapoint."""
    return {metric: max(points) for metric, points in _points(cloudwatch, metrics, at - _LATEST_WITHIN, at, _MINUTE_S)}


def _points(
    cloudwatch: CloudWatchClient, metrics: Iterable[Metric], start: datetime, end: datetime, period_s: int
) -> Iterator[tuple[Metric, _Points]]:
    """Yield the datapoints of each metric that has any, as (beginning of the period, value)."""
    asked = {f"m{number}": metric for number, metric in enumerate(metrics)}
    queries = [_query(name, metric, period_s) for name, metric in asked.items()]
    points: dict[str, _Points] = {}
    for first in range(0, len(queries), _QUERIES_MAX):
        pages = cloudwatch.get_paginator("get_metric_data").paginate(
            MetricDataQueries=queries[first : first + _QUERIES_MAX], StartTime=start, EndTime=end
        )
        for page in pages:
            for result in page["MetricDataResults"]:
                points.setdefault(result["Id"], []).extend(zip(result["Timestamps"], result["Values"], strict=True))
    yield from ((asked[name], found) for name, found in points.items() if found)


def _query(name: str, metric: Metric, period_s: int) -> MetricDataQueryTypeDef:
    return {
        "Id": name,
        "MetricStat": {
            "Metric": {
                "Namespace": metric.namespace,
                "MetricName": metric.name,
                "Dimensions": [{"Name": key, "Value": value} for key, value in metric.dimensions],
            },
            "Period": period_s,
            "Stat": metric.statistic,
        },
    }
