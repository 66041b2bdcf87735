"""Many writes at once: 3,000 in every run, as many as ``DOMICILE_SOAK_WRITES`` says in a longer one."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

from domicile.local.api import LocalAws
from tests.local.failures import IRELAND, MUMBAI, VIRGINIA, await_everywhere, await_quiet, fresh
from tests.local.regions import Regions

_WRITES = int(os.environ.get("DOMICILE_SOAK_WRITES", "3000"))
_WRITERS = (MUMBAI, VIRGINIA, IRELAND, VIRGINIA)
_BATCH = 25


def test_many_writes_of_four_writers_in_three_regions_all_arrive(local_aws: LocalAws) -> None:
    regions, run = Regions(local_aws), fresh("load")

    def write(writer: int) -> dict[str, str]:
        """Write each key of this writer twice; the second write must survive."""
        client = regions.client("dynamodb", _WRITERS[writer])
        skus = [f"{run}-{writer}-{number}" for number in range(_WRITES // len(_WRITERS) // 2)]
        for n in ("1", "2"):
            for start in range(0, len(skus), _BATCH):
                requests = [
                    {"PutRequest": {"Item": {"sku": {"S": sku}, "n": {"N": n}}}} for sku in skus[start : start + _BATCH]
                ]
                assert not client.batch_write_item(RequestItems={"shopease-inventory": requests})["UnprocessedItems"]
        return dict.fromkeys(skus, "2")

    with ThreadPoolExecutor(len(_WRITERS)) as pool:
        expected = {sku: n for written in pool.map(write, range(len(_WRITERS))) for sku, n in written.items()}
    await_everywhere(regions, expected, within_s=180 + _WRITES / 25)
    await_quiet(regions)
    assert regions.dead_letters() == {}
    assert {region: regions.quarantined(region) for region in regions.all} == {region: [] for region in regions.all}
