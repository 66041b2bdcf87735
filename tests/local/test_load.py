"""``domicile load`` end to end: two Regions at once, interrupted, gone on with, and removed again."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from domicile.core.control import Control
from domicile.local.account import client_environment
from domicile.local.api import LocalAws
from domicile.project import find_root
from tests.local.regions import CONTROL, Regions, eventually

pytestmark = pytest.mark.slow

ITEMS = 240
HOMES = {"EU": "eu-west-1", "IN": "ap-south-1"}
_DEADLINE_S = 180


class Loading:
    """``domicile load`` on a copy of the deployment file: a run is kept beside it."""

    def __init__(self, local: LocalAws, folder: Path) -> None:
        self._file = folder / "domicile.yaml"
        self._environment = {**os.environ, **client_environment(local.endpoint)}
        self.folder = folder / ".domicile" / "load"
        shutil.copy(find_root(Path(__file__).parent) / "domicile.yaml", self._file)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(  # noqa: S603
            [Path(sys.executable).with_name("domicile"), "load", "--file", self._file, *arguments],
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A shell lets what it runs in the background ignore an interruption, and its children inherit that.
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no thread holds a lock
        )

    def finish(self, *arguments: str) -> dict[str, Any]:
        process = self.start(*arguments, "--json")
        out, err = process.communicate(timeout=_DEADLINE_S)
        assert process.returncode == 0, err
        assert "load-" not in out + err.replace("load --", ""), "no key is printed"
        answer: dict[str, Any] = json.loads(out)
        return answer

    def written(self) -> dict[str, int]:
        """Return how many writes each run has done."""
        return {path.stem: path.read_text().count('"at"') for path in self.folder.glob("*.jsonl")}


def test_a_run_that_is_interrupted_goes_on_converges_and_can_be_removed(
    regions: Regions, local_aws: LocalAws, tmp_path: Path
) -> None:
    load = Loading(local_aws, tmp_path)
    origins = ("us-east-1", "eu-west-1")
    given = (argument for region in origins for argument in ("--region", region))
    first = load.start("--table", "customers", "--items", str(ITEMS), "--rate", "10", *given)
    eventually(lambda: sum(load.written().values()), lambda done: done > 20, "the first writes")
    first.send_signal(signal.SIGINT)
    _, err = first.communicate(timeout=_DEADLINE_S)
    ((run, before),) = load.written().items()
    assert (first.returncode, err.splitlines()[-1]) == (1, f"interrupted; domicile load --resume {run} goes on")
    assert before < ITEMS

    report = load.finish("--resume", run, "--rate", "60")
    assert (report["items"], report["unseen"]) == (ITEMS, 0)
    assert report["writes"]["put"] == ITEMS
    assert report["converged_s"] is not None
    assert {(lag["origin"], lag["region"]) for lag in report["lags"]} == {
        (origin, region) for origin in origins for region in regions.all if region != origin
    }
    assert Path(report["chart"]).read_bytes().startswith(b"\x89PNG")

    images = {region: regions.customers_of_run(region, run) for region in regions.all}
    remaining = ITEMS - report["writes"]["delete"]
    assert {region: len(items) for region, items in images.items()} == dict.fromkeys(regions.all, remaining)
    for region, items in images.items():
        for item in items.values():
            home = HOMES.get(item.get("localization_authority", {}).get("S", ""))
            control = Control.of(item, CONTROL)
            assert control is not None
            assert control.home == (None if home in (None, region) else home)
            assert (item["name"] == {"S": "[redacted]"}) == control.is_stub

    assert load.finish("--remove", run, "--rate", "100") == {"deleted": remaining}
    assert not any(regions.customers_of_run(region, run) for region in regions.all)
    assert load.written() == {}
