"""The policy document that is deployed, by the plans of a deployment's life."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from domicile.review.arns import Site
from domicile.review.document import DEPLOYMENT, VERSION, findings
from domicile.review.stacks import Resource, Stack

_SITE = Site("aws", "123456789012", "eu-west-1")
_MADE_LATER = f"({VERSION}.version.version_number)"
"""How a reference to a version reads that the plan will make."""


def _found(version: dict[str, Any], **deployments: dict[str, Any]) -> set[str]:
    """Return the addresses that there is something to say of, for a version and deployments with these arguments."""
    resources = [
        Resource(VERSION, f"{VERSION}.version", _SITE, version),
        *(Resource(DEPLOYMENT, name, _SITE, arguments) for name, arguments in deployments.items()),
    ]
    stack = Stack(file=Path("plan.json"), site=_SITE, resources=resources)
    return {finding.resource.removesuffix(" (eu-west-1)") for finding in findings(stack)}


def _deployed(version: str, number: int | None = None) -> dict[str, Any]:
    made = {} if number is None else {"deployment_number": number}
    return {"configuration_version": version, **made}


def test_ahead_of_the_first_apply_each_deployment_is_of_the_version() -> None:
    assert _found({}, first=_deployed(_MADE_LATER), current=_deployed(_MADE_LATER)) == set()
    assert _found({}, first=_deployed("1"), current=_deployed(_MADE_LATER)) == {"first"}


def test_a_former_deployment_may_be_of_a_former_version() -> None:
    version = {"version_number": 2}
    assert _found(version, first=_deployed("1", 1), current=_deployed("2", 10)) == set()
    assert _found(version, first=_deployed("2", 1), current=_deployed("1", 2)) == {"current"}


def test_a_deployment_that_is_to_be_made_is_the_last() -> None:
    assert _found({}, first=_deployed("1", 1), current=_deployed(_MADE_LATER)) == set()
    assert _found({"version_number": 2}, current=_deployed("2", 2), more=_deployed("1")) == {"more"}


def test_a_version_that_nothing_deploys_is_told() -> None:
    assert _found({"version_number": 1}) == {f"{VERSION}.version"}
