"""What Terraform does with each Region's stack at its first apply, compared with a list that a reviewer reads."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from domicile.core.partitions import partition_of
from tests.infra.synthesized import GOLDEN
from tests.terraform import Terraform, empty_aws

pytestmark = pytest.mark.slow

_PLANS_AT_ONCE = 2  # each takes a core and more than a gigabyte
_REGENERATE = "UPDATE_GOLDEN=1 .venv/bin/python -m pytest tests/infra/test_golden_plans.py"


@pytest.mark.parametrize(("fixture", "name"), [("stacks", "deployment"), ("bridged", "bridge"), ("natively", "native")])
def test_the_plans_of_a_deployment_are_as_they_were_reviewed(
    request: pytest.FixtureRequest, tmp_path: Path, fixture: str, name: str
) -> None:
    summary = "".join(f"{line}\n" for line in _summary(request.getfixturevalue(fixture), tmp_path))
    golden = GOLDEN / f"plans-{name}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(summary, encoding="utf-8")
    assert summary.splitlines() == golden.read_text(encoding="utf-8").splitlines(), f"If meant, run: {_REGENERATE}"


def _summary(stacks: Path, folder: Path) -> Iterator[str]:
    """Yield a line for each managed resource: Region, actions, address."""
    regions = sorted(stack.name.removeprefix("harbour-") for stack in stacks.iterdir())
    for partition in sorted(set(map(partition_of, regions))):
        own = [region for region in regions if partition_of(region) == partition]
        copies = [shutil.copytree(stacks / f"harbour-{region}", folder / region) for region in own]
        with empty_aws(partition, folder / partition) as binding, ThreadPoolExecutor(_PLANS_AT_ONCE) as pool:
            plans = pool.map(Terraform.plan, [Terraform(copy, binding) for copy in copies])
            for region, plan in zip(own, plans, strict=True):
                for resource in plan["resource_changes"]:
                    if resource["mode"] == "managed":
                        yield f"{region} {'+'.join(resource['change']['actions'])} {resource['address']}"
