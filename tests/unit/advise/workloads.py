"""Workloads for the tests of the advice."""

from __future__ import annotations

from dataclasses import replace

from domicile.advise.cost import Workload

_LOAD = Workload(
    writes_per_second=10,
    item_bytes=800,
    insert_share=0.3,
    delete_share=0.1,
    localized_share=0,
    away_share=0,
    stamped_share=0,
    packing=1,
    call_ms=10,
)


def load(**changed: float) -> Workload:
    """A workload that differs from the usual one in these fields."""
    return replace(_LOAD, **changed)  # type: ignore[arg-type]  # whole numbers where they are wanted
