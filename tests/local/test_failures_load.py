"""Many writes, and a Region that is down while others write. ``make soak`` does more of both than the other targets.

``DOMICILE_SOAK_WRITES`` says how many writes (else 3,000), ``DOMICILE_OUTAGE_S`` how long the outage is (else 4 s).
"""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from domicile.local import api
from tests.local.failures import (
    DOWN,
    INVENTORY,
    IRELAND,
    MUMBAI,
    VIRGINIA,
    Load,
    await_everywhere,
    fresh,
    soon_redelivered,
)
from tests.local.regions import DEADLINE_S, Regions, eventually

_WRITES = int(os.environ.get("DOMICILE_SOAK_WRITES", "3000"))
_OUTAGE_S = float(os.environ.get("DOMICILE_OUTAGE_S", "4"))
_WRITERS = (MUMBAI, VIRGINIA, IRELAND, VIRGINIA)
_BATCH = 25


def test_a_region_that_is_down_for_a_while_catches_up(regions: Regions) -> None:
    load, during = Load(regions, fresh("outage"), pause_s=0.05), fresh("during")
    # What Ireland's functions hold when it goes down can't be postponed either, and comes back by its timeout.
    with soon_redelivered(regions):
        with load.running():
            for service in ("events", "dynamodb", "sqs"):
                api.faults_add({"service": service, "region": IRELAND, "code": DOWN})
            until = time.monotonic() + _OUTAGE_S
            regions.put(MUMBAI, "inventory", {"sku": {"S": during}, "n": {"N": "1"}})
            eventually(lambda: regions.get(VIRGINIA, "inventory", {"sku": {"S": during}}), bool, "the others go on")
            met = eventually(
                lambda: {rule["service"]: rule["hits"] for rule in api.faults_list()},
                lambda hits: time.monotonic() > until and hits["events"] > 20,
                "the end of the outage",
                within_s=DEADLINE_S + _OUTAGE_S,
            )
            assert met["dynamodb"] > 0
            api.faults_clear()
        load.await_convergence(within_s=DEADLINE_S + 2 * _OUTAGE_S)
        await_everywhere(regions, {during: "1"})


@pytest.mark.slow
def test_many_writes_of_four_writers_in_three_regions_all_arrive(regions: Regions) -> None:
    run = fresh("load")

    def write(writer: int) -> dict[str, str]:
        """Write each key of this writer twice; the second write must survive."""
        client = regions.client("dynamodb", _WRITERS[writer])
        skus = [f"{run}-{writer}-{number}" for number in range(_WRITES // len(_WRITERS) // 2)]
        for n in ("1", "2"):
            for start in range(0, len(skus), _BATCH):
                requests = [
                    {"PutRequest": {"Item": {"sku": {"S": sku}, "n": {"N": n}}}} for sku in skus[start : start + _BATCH]
                ]
                assert not client.batch_write_item(RequestItems={INVENTORY: requests})["UnprocessedItems"]
        return dict.fromkeys(skus, "2")

    with ThreadPoolExecutor(len(_WRITERS)) as pool:
        expected = {sku: n for written in pool.map(write, range(len(_WRITERS))) for sku, n in written.items()}
    await_everywhere(regions, expected, within_s=180 + _WRITES / 25)
