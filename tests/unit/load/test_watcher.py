from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

from domicile.errors import OperationError
from domicile.load.plan import Operation
from domicile.load.reader import Found
from domicile.load.watcher import Watcher

EARLIER, WATCHED = 3, 8
_HIDDEN_S = 0.3


class Regions:
    """A reader of two Regions: one shows what is watched at once, the other an earlier write until some time passed.

    In between it can't be read.
    """

    regions = ("near", "far")

    def __init__(self) -> None:
        self._began_s = time.monotonic()

    def read(self, region: str, numbers: Sequence[int]) -> dict[int, Found]:
        passed_s = time.monotonic() - self._began_s
        if region == "far" and _HIDDEN_S / 3 < passed_s < _HIDDEN_S / 2:
            raise OperationError("throttled")
        shown = WATCHED if region == "near" or passed_s > _HIDDEN_S else EARLIER
        return {number: Found(shown, None) for number in numbers}


def test_a_lag_lasts_until_a_region_shows_the_very_write() -> None:
    seen: dict[str, float] = {}
    both = threading.Event()

    def note(index: int, region: str, lag_ms: float) -> None:
        assert index == WATCHED
        seen[region] = lag_ms
        if len(seen) == len(Regions.regions):
            both.set()

    reader: Any = Regions()
    with Watcher(reader, note) as watcher:
        watcher.watch(Operation(WATCHED, "put", 0, "here", None), Regions.regions)
        assert both.wait(10)
        assert watcher.unseen == 0
    assert seen["near"] < seen["far"]
    assert seen["far"] > _HIDDEN_S * 900
