"""Many schedules: each seed is run and judged on its own, over as many processes as there are cores."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import islice

from domicile.simulator.checkers import check
from domicile.simulator.faults import Faults
from domicile.simulator.history import History
from domicile.simulator.schedule import FINAL_REASONS, Schedule

_CHUNK = 100
_REPLAYED = 3
"""One of so many schedules is handled once more after its end, which takes as long as the schedule itself."""


def run(
    seed: int,
    regions: int = 3,
    faults: Faults | None = None,
    trace: Callable[[str], None] | None = None,
    partitions: int = 1,
) -> list[str]:
    """Run one seed and return what is wrong with it; ``trace`` hears what happens."""
    schedule = Schedule(seed, regions=regions, partitions=partitions, faults=faults, trace=trace)
    history = schedule.run()
    problems = check(history)
    if not problems and seed % _REPLAYED == 0 and not _redriven_out_of_order(history):
        problems = check(schedule.replay())
    return problems


def run_all(
    seeds: Iterable[int], regions: int, faults: Faults | None, jobs: int, partitions: int = 1
) -> Iterator[dict[int, list[str]]]:
    """Run the seeds in chunks, in ``jobs`` processes; yield the results of each chunk, by seed, as it is done."""
    chunk = partial(_run_chunk, regions=regions, faults=faults, partitions=partitions)
    if jobs == 1:
        yield from map(chunk, _chunks(seeds))
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(chunk, _chunks(seeds))


def _redriven_out_of_order(history: History) -> bool:
    """Whether a stream's record was redriven: handled again, those that came after it may find what it left behind."""
    return any(record.sequence is not None and record.reason not in FINAL_REASONS for record in history.quarantined)


def _run_chunk(seeds: list[int], regions: int, faults: Faults | None, partitions: int) -> dict[int, list[str]]:
    return {seed: run(seed, regions, faults, partitions=partitions) for seed in seeds}


def _chunks(seeds: Iterable[int]) -> Iterator[list[int]]:
    rest = iter(seeds)
    while chunk := list(islice(rest, _CHUNK)):
        yield chunk
