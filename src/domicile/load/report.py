"""What a run measured, as lines and as JSON."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from domicile.load.journal import History
from domicile.load.plan import KINDS, Operation, Settings

_BARS = "▁▂▃▄▅▆▇█"
_BINS = 24


@dataclass(frozen=True, kw_only=True)
class Lag:
    """How long after a write in ``origin`` the Region ``region`` showed it, over ``samples`` writes."""

    origin: str
    region: str
    samples: int
    p50_ms: float
    p90_ms: float
    p99_ms: float
    max_ms: float


@dataclass(frozen=True, kw_only=True)
class Report:
    """One run. ``converged_s``: how long after the last write of this session all Regions agreed; None if they did not.

    ``rate_per_s`` is over the time in which some session of the run wrote. ``unseen``: samples that no read showed.
    """

    run: str
    table: str
    regions: tuple[str, ...]
    items: int
    writes: Mapping[str, int]
    writing_s: float
    rate_per_s: float
    rate_wanted_per_s: float
    converged_s: float | None
    lags: tuple[Lag, ...]
    unseen: int


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the nearest-rank percentile of values that are in order."""
    return values[max(0, math.ceil(len(values) * percent / 100) - 1)]


def summarize(
    *,
    settings: Settings,
    rate_wanted: float,
    planned: Sequence[Operation],
    history: History,
    converged_s: float | None,
    unseen: int,
) -> Report:
    """Return the report of everything that the run did so far."""
    spans = [max(session.values()) - min(session.values()) for session in history.sessions if session]
    writing_s, written = sum(spans), history.written
    return Report(
        run=settings.run,
        table=settings.table,
        regions=settings.regions,
        items=len({planned[index].item for index in written}),
        writes={kind: count for kind in KINDS if (count := Counter(planned[index].kind for index in written)[kind])},
        writing_s=round(writing_s, 1),
        rate_per_s=round(len(written) / writing_s, 1) if writing_s else 0.0,
        rate_wanted_per_s=rate_wanted,
        converged_s=None if converged_s is None else round(converged_s, 1),
        lags=tuple(
            Lag(
                origin=origin,
                region=region,
                samples=len(lags),
                p50_ms=round(percentile(lags, 50)),
                p90_ms=round(percentile(lags, 90)),
                p99_ms=round(percentile(lags, 99)),
                max_ms=round(lags[-1]),
            )
            for (origin, region), lags in lags_by_pair(planned, history).items()
        ),
        unseen=unseen,
    )


def lags_by_pair(planned: Sequence[Operation], history: History) -> dict[tuple[str, str], list[float]]:
    """Return the lags in milliseconds, in order, by the Region of the write and the one that showed it."""
    pairs: dict[tuple[str, str], list[float]] = {}
    for (index, region), lag_ms in history.lags_ms.items():
        pairs.setdefault((planned[index].region, region), []).append(lag_ms)
    return {pair: sorted(pairs[pair]) for pair in sorted(pairs)}


def writes_per_second(planned: Sequence[Operation], history: History) -> dict[str, list[int]]:
    """Return how many writes each Region had in each second in which the run wrote; pauses are left out."""
    seconds: dict[str, Counter[int]] = {}
    offset = 0
    for session in filter(None, history.sessions):
        first = min(session.values())
        for index, at in session.items():
            seconds.setdefault(planned[index].region, Counter())[offset + int(at - first)] += 1
        offset += int(max(session.values()) - first) + 1
    return {region: [counts[second] for second in range(offset)] for region, counts in sorted(seconds.items())}


def lines(report: Report, planned: Sequence[Operation], history: History) -> list[str]:
    """Return the report for a terminal, with a chart of the lags of each pair and of the writes of each Region."""
    writes = ", ".join(f"{count} {kind}" for kind, count in report.writes.items())
    reached = f"{report.rate_per_s:g} of {report.rate_wanted_per_s:g} writes/s"
    shown = [
        f"run {report.run}: {report.items} items in {report.table}, written in {', '.join(report.regions)}",
        f"writes       {writes} in {report.writing_s:g} s: {reached}",
        "convergence  "
        + ("not reached" if report.converged_s is None else f"{report.converged_s:g} s after the last write"),
    ]
    if report.lags:
        pairs = {f"{lag.origin} -> {lag.region}": lag for lag in report.lags}
        width = max(map(len, pairs))
        longest_ms = max(lag.max_ms for lag in report.lags)
        by_pair = lags_by_pair(planned, history)
        shown += ["", f"{'lag in ms':{width}}  samples     p50     p90     p99     max  0 to {longest_ms:g} ms"]
        shown += [
            f"{name:{width}}  {lag.samples:7}  {lag.p50_ms:6g}  {lag.p90_ms:6g}  {lag.p99_ms:6g}  {lag.max_ms:6g}  "
            + _bars(_histogram(by_pair[lag.origin, lag.region], longest_ms))
            for name, lag in pairs.items()
        ]
    if report.unseen:
        shown.append(f"{report.unseen} samples were never seen")
    shown += ["", "writes/s, over time"]
    per_second = writes_per_second(planned, history)
    shown += [f"{region}  {_bars(_shrunk(counts))}  at most {max(counts)}" for region, counts in per_second.items()]
    return shown


def _histogram(values: Sequence[float], top: float) -> list[float]:
    counts = Counter(min(_BINS - 1, int(value / top * _BINS)) if top else 0 for value in values)
    return [counts[position] for position in range(_BINS)]


def _shrunk(counts: Sequence[float]) -> list[float]:
    """Return the means of at most so many parts as fit a line."""
    part = math.ceil(len(counts) / (2 * _BINS))
    parts = [counts[start : start + part] for start in range(0, len(counts), part)]
    return [sum(part) / len(part) for part in parts]


def _bars(values: Sequence[float]) -> str:
    top = max(values)
    return "".join(_BARS[math.ceil(value / top * (len(_BARS) - 1))] if value else " " for value in values)
