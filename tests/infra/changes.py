"""What may be changed by hand in synthesized stacks, for the tests of the review."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from domicile.review.verdict import Review
from tests.infra.changed import Changed, named

Change = Callable[[Changed], None]


def pattern_of(region: str, rule: str, **detail: Any) -> Change:
    """Give a rule other conditions on some fields of the detail; None takes a field's away."""

    def change(changed: Changed) -> None:
        arguments = changed.one(region, "aws_cloudwatch_event_rule", f"rule-{rule}_")
        pattern = json.loads(arguments["event_pattern"])
        merged = {**pattern["detail"], **detail}
        pattern["detail"] = {name: wanted for name, wanted in merged.items() if wanted is not None}
        arguments["event_pattern"] = json.dumps(pattern)

    return change


def set_of(region: str, kind: str, part: str, /, **arguments: Any) -> Change:
    return lambda changed: changed.one(region, kind, part).update(arguments)


def added(region: str, kind: str, /, **arguments: Any) -> Change:
    return lambda changed: changed.add(region, kind, **arguments)


def one_statement_more(
    region: str, kind: str, part: str, statement: dict[str, Any], argument: str = "policy"
) -> Change:
    """Add a statement to a policy document; ``ARN`` in it is the first one's resource."""

    def change(changed: Changed) -> None:
        arguments = changed.one(region, kind, part)
        document = json.loads(arguments[argument])
        resource = document["Statement"][0].get("Resource", "*")
        added = {"Effect": "Allow", "Resource": resource, **statement}
        arguments[argument] = json.dumps({**document, "Statement": [*document["Statement"], added]})

    return change


def one_target_more(region: str, rule: str, arn: str, *, of: str = "added") -> Change:
    """Give a rule one more target."""

    def change(changed: Changed) -> None:
        bus = changed.reference(region, "aws_cloudwatch_event_bus", "bus", "name")
        name = changed.reference(region, "aws_cloudwatch_event_rule", f"rule-{rule}_", "name")
        changed.add(region, "aws_cloudwatch_event_target", rule=name, event_bus_name=bus, target_id=of, arn=arn)

    return change


def added_with_reference(region: str, kind: str, to: tuple[str, str, str, str], /, **arguments: Any) -> Change:
    """Add a resource one of whose arguments, named first in ``to``, is an attribute of another resource."""

    def change(changed: Changed) -> None:
        name, *of = to
        changed.add(region, kind, **{name: changed.reference(region, of[0], of[1], of[2])}, **arguments)

    return change


def review_of(change: Change, stacks: Path, folder: Path, *, caught: str) -> Review:
    """Review changed stacks, which must not be clean for the resource ``caught``."""
    changed = Changed(stacks)
    change(changed)
    found = changed.review(folder)
    assert not found.clean
    assert caught in {name.split(" ")[0] for name in named(found)}
    return found
