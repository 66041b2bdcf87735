"""Whether every Region holds of each item what it should: the last write, in one version, whole or as a stub."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from domicile.errors import OperationError
from domicile.load.plan import Operation
from domicile.load.reader import Found, Reader, batches
from domicile.progress import Step

_PAUSE_S = 0.25

Expected = Mapping[str, str | None]
"""Who holds an item in the end, as :func:`domicile.load.plan.projections` says."""


def problems(operation: Operation, expected: Expected, held: Mapping[str, Found]) -> Iterator[tuple[str, str]]:
    """Yield each Region, and what is wrong there, with an item whose last write is ``operation``.

    ``held`` has what the Regions hold of it; a Region that has nothing is not in it.
    """
    versions = {}
    for region in sorted({*expected, *held}):
        found = held.get(region)
        if found is None:
            yield region, "missing"
        elif region not in expected:
            yield region, "there, and should not be"
        elif found.index != operation.index:
            yield region, "show an earlier write"
        elif found.control is None:
            yield region, "without a version"
        elif found.control.home != expected[region]:
            yield region, "stubs, and should be whole" if expected[region] is None else "whole, and should be stubs"
        else:
            versions[region] = found.control.version
    for region, version in versions.items():
        if version != max(versions.values()):
            yield region, "of an earlier version"


def await_all(
    last: Mapping[int, Operation],
    expected_of: Callable[[Operation], Expected],
    reader: Reader,
    deadline_s: float,
    step: Step,
) -> float:
    """Wait until nothing is wrong with any item, and return after how many seconds that was.

    ``last`` has each item's last operation. Nothing may be written meanwhile: what was right once is not read again.
    Raises :class:`OperationError` at the deadline, with what is wrong in how many items of which Region.
    """
    began_s = time.monotonic()
    left = list(last)
    while True:
        wrong: Counter[tuple[str, str]] = Counter()
        pending = []
        for numbers in batches(left):
            held = reader.read_everywhere(numbers)
            for number in numbers:
                of_item = {region: items[number] for region, items in held.items() if number in items}
                found = list(problems(last[number], expected_of(last[number]), of_item))
                wrong.update(found)
                pending += [number] if found else []
        elapsed_s = time.monotonic() - began_s
        if not pending:
            return elapsed_s
        if elapsed_s > deadline_s:
            counts = "; ".join(f"{region}: {count} {what}" for (region, what), count in sorted(wrong.items()))
            raise OperationError(f"at the deadline {len(pending)} items are not as they should be: {counts}")
        step.update(f"{len(left) - len(pending)} more items, {len(pending)} to go")
        left = pending
        time.sleep(_PAUSE_S)
