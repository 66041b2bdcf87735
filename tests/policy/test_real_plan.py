"""Terraform's own plan of a gateway Region: the rules are run on it too, and it has the shape of ``shape.py``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from domicile.core.partitions import WORLD
from domicile.deployment import Deployment
from infra.artifacts import ROOT
from policies.check import evaluate, policies
from tests.infra.synthesized import synthesize_stand_ins
from tests.policy.changed import Changed
from tests.policy.document_mutations import DOCUMENT_MUTATIONS
from tests.policy.resource_mutations import RESOURCE_MUTATIONS
from tests.policy.shape import first_plan
from tests.policy.untold_mutations import UNTOLD_MUTATIONS
from tests.terraform import Terraform, empty_aws

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The synthesized stack of the gateway Region of AWS."""
    deployment = Deployment.load(ROOT / "examples" / "bridge" / "domicile.yaml")
    return synthesize_stand_ins(deployment, tmp_path_factory.mktemp("bridge")) / "shopease-ap-southeast-1"


@pytest.fixture(scope="module")
def real(stack: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Terraform's first plan of it."""
    with empty_aws(WORLD, tmp_path_factory.mktemp("aws")) as binding:
        return Terraform(stack, binding).plan()


def test_the_policies_say_the_same_of_both(real: dict[str, Any], stack: Path) -> None:
    assert evaluate(real, policies()) == evaluate(first_plan(stack), policies())


def test_the_shape_is_that_of_the_plan(real: dict[str, Any], stack: Path) -> None:
    planned = {resource["address"]: resource for resource in real["resource_changes"]}
    shaped = {resource["address"]: resource for resource in first_plan(stack)["resource_changes"]}
    managed = {address for address, resource in planned.items() if resource["mode"] == "managed"}
    assert managed == set(shaped)
    for address, resource in shaped.items():
        change = planned[address]["change"]
        assert list(_differences(resource["change"]["after"], change["after"], address)) == []
        # What is looked up, as the zones are, the plan knows and the shape does not.
        unknown = {
            name: mark
            for name, mark in resource["change"]["after_unknown"].items()
            if mark is not True or change["after"].get(name) is None
        }
        assert list(_differences(unknown, change["after_unknown"], address)) == []


def test_a_changed_plan_is_told(real: dict[str, Any]) -> None:
    silent = []
    asked = {policy.name: policy for policy in policies()}
    for mutation in (*RESOURCE_MUTATIONS, *DOCUMENT_MUTATIONS, *UNTOLD_MUTATIONS):
        changed = Changed(real)
        mutation.apply(changed)
        said = evaluate(changed.plan, [asked[mutation.rule]])[mutation.rule]
        silent += [] if any(mutation.says in message for message in said) else [mutation.what]
    assert silent == []


def _differences(shaped: Any, planned: Any, where: str) -> Iterator[str]:
    """Yield where a plan has not what the shape has; it has the provider's defaults besides."""
    if isinstance(shaped, Mapping) and isinstance(planned, Mapping):
        for name, value in shaped.items():
            yield from _differences(value, planned.get(name), f"{where}.{name}")
    elif isinstance(shaped, list) and isinstance(planned, list) and len(shaped) == len(planned):
        for mine in shaped:  # some blocks are a set, which a plan has in an order of its own
            if all(any(_differences(mine, its, where)) for its in planned):
                yield f"{where}: {mine!r} is not planned in {planned!r}"
    elif _read(shaped) != _read(planned):
        yield f"{where}: {shaped!r} is planned as {planned!r}"


def _read(value: Any) -> Any:
    """Return a JSON text as what it says: the provider writes it anew."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value
