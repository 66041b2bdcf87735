"""``domicile load`` across a bridge: both directions at once, moves and deletes, while the link is cut and healed."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from domicile.core.control import Control, Image
from domicile.core.parcels import Parcel
from domicile.project import find_root
from tests.bridge.conftest import FILE
from tests.bridge.sides import (
    BEIJING,
    GATEWAYS,
    IRELAND,
    NINGXIA,
    SINGAPORE,
    Sides,
    assert_may_cross,
    assert_redacted,
    cut,
)
from tests.local.regions import CONTROL, eventually, text

pytestmark = pytest.mark.slow
ITEMS, RATE, DEADLINE_S = 120, 10, 100
HOMES = {"": {SINGAPORE, IRELAND, BEIJING, NINGXIA}, "EU": {IRELAND}, "CN": {BEIJING}, "SG": {SINGAPORE}}
"""Where an item of an authority, or of none, is whole."""
STUBS = {"": set(), "EU": {SINGAPORE, BEIJING, NINGXIA}, "CN": {NINGXIA}, "SG": {IRELAND}}
"""Where it may be a stub, besides in the Region that it was written in."""


class Run:
    """One run of the load, started on a copy of the deployment file: its journal lies beside it."""

    def __init__(self, sides: Sides, folder: Path) -> None:
        self._sides, self._file = sides, folder / "domicile.yaml"
        shutil.copy(find_root(Path(__file__).parent) / FILE, self._file)

    def do(self, *arguments: str) -> dict[str, Any]:
        said: dict[str, Any] = json.loads(
            self._sides.operate("load", "--file", str(self._file), "--json", "--deadline", str(DEADLINE_S), *arguments)
        )
        return said

    def written(self) -> int:
        """Return how many writes were done."""
        runs = self._file.parent.glob(".domicile/load/*.jsonl")
        return sum(path.read_text(encoding="utf-8").count('"at"') for path in runs)


def test_a_load_of_both_directions_over_a_cut_link_converges_and_leaves_nothing_where_it_may_not_be(
    sides: Sides, tmp_path: Path
) -> None:
    run = Run(sides, tmp_path)
    given = ["--table", "customers", "--region", IRELAND, "--region", NINGXIA, "--mix", "put=60,update=25,delete=15"]
    with ThreadPoolExecutor(1) as pool:
        with cut(BEIJING), cut(SINGAPORE):
            loading: Future[dict[str, Any]] = pool.submit(run.do, *given, "--items", str(ITEMS), "--rate", str(RATE))
            eventually(lambda: [sides.backlog(gateway) for gateway in GATEWAYS], lambda n: min(n) > 5, "two backlogs")
            before = run.written()
        report = loading.result()
    assert 0 < before < sum(report["writes"].values()), "the link is mended while writes go on"
    assert (report["items"], report["unseen"]) == (ITEMS, 0)
    assert report["converged_s"] is not None
    assert report["writes"]["delete"] > 0

    rest = {region: sides.customers_of_run(region, report["run"]) for region in sides.all}
    keys = {key for images in rest.values() for key in images}
    for key in keys:
        assert_at_home({region: images[key] for region, images in rest.items() if key in images})
    assert len(keys) == ITEMS - report["writes"]["delete"]
    for gateway, kinds in ((BEIJING, {"put", "move", "stub", "delete"}), (SINGAPORE, {"put", "move", "delete"})):
        crossed = [one for one in sides.crossed(gateway) if f"load-{report['run']}-" in text(one.fields["key"])]
        assert kinds <= {kind_of(one) for one in crossed}
        for parcel in crossed:
            assert_may_cross(parcel)

    assert run.do("--remove", report["run"], "--rate", "50") == {"deleted": len(keys)}
    assert not any(sides.customers_of_run(region, report["run"]) for region in sides.all)


def kind_of(parcel: Parcel) -> str:
    return "finished" if parcel.operation else parcel.mutation.operation.value


def assert_at_home(images: dict[str, Image]) -> None:
    """Look at what lies of an item in the tables: whole at home alone, and stubs only where they may be."""
    controls = {region: Control.of(image, CONTROL) for region, image in images.items()}
    stubs = {region: control for region, control in controls.items() if control is None or control.is_stub}
    (authority,) = {image.get("localization_authority", {}).get("S", "") for image in images.values()}
    assert images.keys() - stubs.keys() == HOMES[authority]
    for region, control in stubs.items():
        assert control is not None
        assert region in STUBS[authority] or region == control.version.region
        assert_redacted(images[region])
