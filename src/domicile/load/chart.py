"""A run's chart as a PNG: the lags and the writes over time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from domicile.load.journal import History
from domicile.load.plan import Operation
from domicile.load.report import lags_by_pair, writes_per_second


def draw(path: Path, run: str, planned: Sequence[Operation], history: History) -> None:
    """Draw how many of the writes had arrived after how long, by Region pair, and the writes per second by Region."""
    from matplotlib.figure import Figure  # noqa: PLC0415  # an extra, and slow to import

    figure = Figure(figsize=(10, 8), layout="constrained")
    lags, writes = figure.subplots(2)
    for (origin, region), values in lags_by_pair(planned, history).items():
        shares = [100 * (position + 1) / len(values) for position in range(len(values))]
        lags.step(values, shares, where="post", label=f"{origin} → {region}")
    lags.set(title=f"Run {run}: lag", xlabel="ms after the write", ylabel="% of the sample arrived", ylim=(0, 101))
    for region, counts in writes_per_second(planned, history).items():
        writes.step(range(len(counts)), counts, where="post", label=region)
    writes.set(title="Writes", xlabel="s of writing", ylabel="writes/s", ylim=(0, None))
    for axes in (lags, writes):
        axes.grid(alpha=0.3)
        if axes.get_legend_handles_labels()[0]:
            axes.legend()
    figure.savefig(path)
