"""What an operator sees of a deployment at one time, made of the numbers of its Regions.

Reading the numbers is :mod:`domicile.status_reading`'s, showing them the command line's. Everything here is a count, a
duration or a time: no key and no value.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from domicile.core.partitions import partition_of
from domicile.dead_letters import dead_letter_roles
from domicile.deployment import Deployment
from domicile.naming import Names
from domicile.pipeline.report import Count, Duration

_DOMICILE, _SQS, _KINESIS, _DYNAMODB = "Domicile", "AWS/SQS", "AWS/Kinesis", "AWS/DynamoDB"
# Which function measures or counts it: Powertools gives every metric the dimension `service`.
_FUNCTION_OF = {
    Duration.REPLICATION_LATENCY: "replicator",
    Count.SENT: "courier",
    Count.SENT_BYTES: "courier",
    Count.LINK_REFUSED: "courier",
    Count.RECEIVED: "gateway",
    Count.RECEIVED_BYTES: "gateway",
    Duration.BRIDGE_LAG: "gateway",
}
_PERCENTILES = ("p50", "p99", "Maximum")


class Metric(NamedTuple):
    """One statistic of one CloudWatch metric of a Region, as CloudWatch spells it."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]
    statistic: str


@dataclass(frozen=True)
class Queue:
    """About how many messages wait in a queue, and how many a function works on."""

    waiting: int
    in_flight: int


@dataclass(frozen=True)
class Numbers:
    """What one Region says: its queues by role, metrics over the window, and the latest minute of others.

    A metric without a datapoint is missing. ``latest`` has the minute's beginning and its value. ``replicas`` has for
    each native table the status of its replicas in other Regions, or why DynamoDB did not tell it.
    """

    queues: Mapping[str, Queue]
    over_window: Mapping[Metric, float]
    latest: Mapping[Metric, tuple[datetime, float]]
    replicas: Mapping[str, Mapping[str, str] | Unreachable]


@dataclass(frozen=True)
class Unreachable:
    """A Region, or a table there, that could not be read; ``code`` is the error's, without a service's words."""

    code: str


@dataclass(frozen=True)
class Backlog:
    """What a queue holds; ``oldest_age_s`` is None where CloudWatch has no recent datapoint."""

    waiting: int
    in_flight: int
    oldest_age_s: int | None


@dataclass(frozen=True)
class Lag:
    """From a version's time until it was handled."""

    p50_ms: int
    p99_ms: int
    max_ms: int


@dataclass(frozen=True)
class RegionStatus:
    """One Region; ``error`` is the code why it could not be read, and then the rest is empty."""

    region: str
    error: str | None
    backlogs: Mapping[str, Backlog]
    dead_letters: Mapping[str, int]
    quarantined: int | None


@dataclass(frozen=True)
class PairStatus:
    """How late changes of ``origin`` were applied in ``destination``; no lag where none was, or nobody could say."""

    origin: str
    destination: str
    lag: Lag | None


@dataclass(frozen=True)
class DirectionStatus:
    """One direction of a bridge. What the sender says is None if it is unreachable, and likewise the receiver.

    ``refused`` counts messages that credentials or permissions did not let across. ``lag`` is the worst of all origins
    behind the sender. ``last_crossing`` is the beginning of the last minute, within a day, in which something came.
    """

    sender: str
    receiver: str
    outbox: Backlog | None
    dead_letters: int | None
    sent: int | None
    sent_bytes: int | None
    refused: int | None
    received: int | None
    received_bytes: int | None
    stream_age_ms: int | None
    lag: Lag | None
    last_crossing: datetime | None


@dataclass(frozen=True)
class NativeLag:
    """How long DynamoDB took to replicate; it publishes no percentiles."""

    average_ms: int
    max_ms: int


@dataclass(frozen=True)
class NativePairStatus:
    """A native table's replication from one Region to another.

    ``replica`` is the other one's status as the origin says it, None where it has none; ``error`` is the code why the
    origin could not say it. DynamoDB measures no lag of a strong table.
    """

    table: str
    consistency: str
    origin: str
    destination: str
    replica: str | None
    error: str | None
    lag: NativeLag | None


@dataclass(frozen=True)
class Status:
    """The whole deployment: lags and counts are those of the last ``minutes`` before ``at``."""

    at: datetime
    minutes: int
    regions: list[RegionStatus]
    pairs: list[PairStatus]
    native: list[NativePairStatus]
    bridges: list[DirectionStatus]

    @property
    def complete(self) -> bool:
        """Whether all could be read."""
        return not self.unreachable and not any(pair.error for pair in self.native)

    @property
    def unreachable(self) -> set[str]:
        """The Regions that could not be read."""
        return {region.region for region in self.regions if region.error}


def queues_of(deployment: Deployment, region: str) -> tuple[str, ...]:
    """Return the roles of the queues whose messages are counted in a Region."""
    gateway = deployment.bridge_of(region) is not None
    return (*_backlogs_of(deployment, region), *dead_letter_roles(gateway=gateway), "quarantine")


def native_tables(deployment: Deployment, region: str) -> list[str]:
    """Return the native tables that have a replica in a Region."""
    return [name for name, table in deployment.native.items() if region in table.regions]


def metrics_over_window(deployment: Deployment, region: str) -> Iterator[Metric]:
    """Yield the metrics of a Region of which one value for the whole window is wanted."""
    for origin in _others(deployment, region):
        yield from _durations(Duration.REPLICATION_LATENCY, region, origin)
    names = Names(deployment.name, region, account="")
    for name in native_tables(deployment, region):
        table = deployment.native[name]
        for receiver in table.regions if table.consistency == "eventual" else ():
            if receiver != region:
                yield from _native_latencies(names, name, receiver)
    if bridge := deployment.bridge_of(region):
        for origin in _behind(deployment, bridge.other_end(region)):
            yield from _durations(Duration.BRIDGE_LAG, region, origin)
        for count in (Count.SENT, Count.SENT_BYTES, Count.LINK_REFUSED, Count.RECEIVED, Count.RECEIVED_BYTES):
            yield _count(count, region)


def metrics_of_latest(deployment: Deployment, region: str) -> Iterator[Metric]:
    """Yield the metrics of a Region of which the latest minute is wanted."""
    names = Names(deployment.name, region, account="")
    for role in _backlogs_of(deployment, region):
        yield _age(names, role)
    if bridge := deployment.bridge_of(region):
        yield _stream_age(names, bridge.other_end(region))
        yield _count(Count.RECEIVED, region)


def assemble(
    deployment: Deployment, numbers: Mapping[str, Numbers | Unreachable], at: datetime, minutes: int
) -> Status:
    """Return what is shown, given what each Region said."""
    since = at - timedelta(minutes=minutes)
    directions = [pair for bridge in deployment.bridges for pair in (bridge.between, bridge.between[::-1])]
    return Status(
        at=at,
        minutes=minutes,
        regions=[_region(deployment, region, numbers[region], since) for region in deployment.regions],
        pairs=[
            PairStatus(
                origin, destination, _lag(numbers[destination], Duration.REPLICATION_LATENCY, destination, [origin])
            )
            for destination in deployment.regions
            for origin in _others(deployment, destination)
        ],
        native=[
            _native_pair(deployment, name, (origin, destination), numbers[origin])
            for name, table in deployment.native.items()
            for origin in table.regions
            for destination in table.regions
            if origin != destination
        ],
        bridges=[
            _direction(deployment, (sender, receiver), numbers[sender], numbers[receiver], since)
            for sender, receiver in directions
        ],
    )


def _region(deployment: Deployment, region: str, found: Numbers | Unreachable, since: datetime) -> RegionStatus:
    if isinstance(found, Unreachable):
        return RegionStatus(region, found.code, {}, {}, None)
    names = Names(deployment.name, region, account="")
    dead = dead_letter_roles(gateway=deployment.bridge_of(region) is not None)
    quarantine = found.queues["quarantine"]
    return RegionStatus(
        region=region,
        error=None,
        backlogs={role: _backlog(names, role, found, since) for role in _backlogs_of(deployment, region)},
        dead_letters={role: found.queues[role].waiting for role in dead},
        quarantined=quarantine.waiting + quarantine.in_flight,
    )


def _native_pair(
    deployment: Deployment, name: str, ends: tuple[str, str], found: Numbers | Unreachable
) -> NativePairStatus:
    origin, destination = ends
    replicas = found.replicas.get(name, {}) if isinstance(found, Numbers) else found
    status, error = (None, replicas.code) if isinstance(replicas, Unreachable) else (replicas.get(destination), None)
    lag = None
    if isinstance(found, Numbers):
        names = Names(deployment.name, origin, account="")
        values = [found.over_window.get(metric) for metric in _native_latencies(names, name, destination)]
        measured = [round(value) for value in values if value is not None]
        lag = NativeLag(*measured) if len(measured) == len(values) else None
    return NativePairStatus(name, deployment.native[name].consistency, origin, destination, status, error, lag)


def _direction(
    deployment: Deployment,
    ends: tuple[str, str],
    sending: Numbers | Unreachable,
    receiving: Numbers | Unreachable,
    since: datetime,
) -> DirectionStatus:
    sender, receiver = ends
    here, there = Names(deployment.name, sender, account=""), Names(deployment.name, receiver, account="")
    sends = sending if isinstance(sending, Numbers) else None
    receives = receiving if isinstance(receiving, Numbers) else None
    crossed = receives.latest.get(_count(Count.RECEIVED, receiver)) if receives else None
    return DirectionStatus(
        sender=sender,
        receiver=receiver,
        outbox=_backlog(here, "outbox", sends, since) if sends else None,
        dead_letters=sends.queues["outbox-dlq"].waiting if sends else None,
        sent=_sum(Count.SENT, sender, sends),
        sent_bytes=_sum(Count.SENT_BYTES, sender, sends),
        refused=_sum(Count.LINK_REFUSED, sender, sends),
        received=_sum(Count.RECEIVED, receiver, receives),
        received_bytes=_sum(Count.RECEIVED_BYTES, receiver, receives),
        stream_age_ms=_recent(_stream_age(there, sender), receives, since),
        lag=_lag(receiving, Duration.BRIDGE_LAG, receiver, _behind(deployment, sender)),
        last_crossing=crossed[0] if crossed else None,
    )


def _backlogs_of(deployment: Deployment, region: str) -> tuple[str, ...]:
    return ("inbox", "receipts", "outbox") if deployment.bridge_of(region) else ("inbox", "receipts")


def _others(deployment: Deployment, region: str) -> list[str]:
    return [other for other in deployment.regions if other != region]


def _behind(deployment: Deployment, gateway: str) -> list[str]:
    """Return the Regions whose changes cross by this gateway: those of its partition."""
    return [region for region in deployment.regions if partition_of(region) == partition_of(gateway)]


def _durations(duration: Duration, region: str, origin: str) -> list[Metric]:
    dimensions = (("region", region), ("origin", origin), ("service", _FUNCTION_OF[duration]))
    return [Metric(_DOMICILE, duration.value, dimensions, statistic) for statistic in _PERCENTILES]


def _native_latencies(names: Names, table: str, receiver: str) -> list[Metric]:
    """Return what DynamoDB measures in the Region that sends: it publishes no percentiles."""
    dimensions = (("TableName", names.table(table)), ("ReceivingRegion", receiver))
    return [Metric(_DYNAMODB, "ReplicationLatency", dimensions, statistic) for statistic in ("Average", "Maximum")]


def _count(count: Count, region: str) -> Metric:
    return Metric(_DOMICILE, count.value, (("region", region), ("service", _FUNCTION_OF[count])), "Sum")


def _age(names: Names, role: str) -> Metric:
    return Metric(_SQS, "ApproximateAgeOfOldestMessage", (("QueueName", names.queue(role)),), "Maximum")


def _stream_age(names: Names, sender: str) -> Metric:
    dimensions = (("StreamName", names.bridge_stream(sender)),)
    return Metric(_KINESIS, "GetRecords.IteratorAgeMilliseconds", dimensions, "Maximum")


def _backlog(names: Names, role: str, found: Numbers, since: datetime) -> Backlog:
    queue = found.queues[role]
    return Backlog(queue.waiting, queue.in_flight, _recent(_age(names, role), found, since))


def _recent(metric: Metric, found: Numbers | None, since: datetime) -> int | None:
    """Return a value that is not older than the window: a former age says nothing."""
    at, value = found.latest.get(metric, (None, 0.0)) if found else (None, 0.0)
    return int(value) if at and at >= since else None


def _sum(count: Count, region: str, found: Numbers | None) -> int | None:
    """Return a count: where CloudWatch has no datapoint, nothing was counted."""
    return int(found.over_window.get(_count(count, region), 0)) if found else None


def _lag(found: Numbers | Unreachable, duration: Duration, region: str, origins: Iterable[str]) -> Lag | None:
    if isinstance(found, Unreachable):
        return None
    measured = [
        [found.over_window.get(metric) for metric in _durations(duration, region, origin)] for origin in origins
    ]
    lags = [[round(value) for value in values if value is not None] for values in measured]
    whole = [values for values in lags if len(values) == len(_PERCENTILES)]
    return Lag(*(max(column) for column in zip(*whole, strict=True))) if whole else None
