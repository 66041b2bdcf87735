"""What EventBridge lets through, asked about the very entries that the Regions write.

``tests/infra`` asks the synthesized stacks; the filters of the streams are held there against the listener's rules.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from domicile.core.events import (
    CHANGES,
    EVERYWHERE,
    FINISHED,
    SOURCE,
    Addressed,
    Mutation,
    Operation,
    Receipt,
    pack_mutations,
    pack_receipts,
)
from domicile.core.patterns import rule_patterns, stream_filters
from domicile.core.version import Version
from domicile.simulator.matching import matches

REGIONS = ("ap-south-1", "eu-west-1", "us-east-1")
HERE, HOME, OTHER = "us-east-1", "eu-west-1", "ap-south-1"
KEY: dict[str, Any] = {"pk": {"S": "k"}}
VERSION = Version(1, plain=False, tie=0, region=HERE)


def changes(emitter: str, *destination: str) -> dict[str, Any]:
    """The event of an entry with a change."""
    delete = Mutation(operation=Operation.DELETE, table="t", key=KEY, version=VERSION, origin=emitter)
    (entry,) = pack_mutations([Addressed(destination, delete)], emitter, {})
    return {"source": SOURCE, "detail-type": entry.detail_type, "detail": json.loads(entry.detail)}


def finished(emitter: str, origin: str, operation: Operation = Operation.MOVE) -> dict[str, Any]:
    """The event of an entry with an answer."""
    receipt = Receipt(operation=operation, table="t", key=KEY, version=VERSION, home=None, outcome="applied")
    (entry,) = pack_receipts([(origin, receipt)], emitter)
    return {"source": SOURCE, "detail-type": entry.detail_type, "detail": json.loads(entry.detail)}


def let_through(region: str, event: dict[str, Any]) -> set[str]:
    """The rules of a Region's bus that an event matches."""
    patterns = rule_patterns(region, [sibling for sibling in REGIONS if sibling != region])
    return {purpose for purpose, pattern in patterns.items() if matches(pattern, event)}


@pytest.mark.parametrize(
    ("event", "rules"),
    [
        (changes(HERE, *EVERYWHERE), {f"to-{HOME}", f"to-{OTHER}"}),
        (changes(HERE, HOME), {f"to-{HOME}"}),
        (changes(HERE, HOME, OTHER), {f"to-{HOME}", f"to-{OTHER}"}),
        (finished(HERE, HOME), {f"to-{HOME}"}),
        # what comes from a sibling goes no further
        (changes(HOME, *EVERYWHERE), {"inbox"}),
        (changes(HOME, HERE), {"inbox"}),
        (finished(HOME, HERE), {"receipts"}),
        (finished(HOME, HERE, Operation.PUT), set()),
        # what is not for this Region
        (changes(HOME, OTHER), set()),
        (finished(HOME, OTHER), set()),
        (changes(HERE, HERE), set()),
        (finished(HERE, HERE), set()),
        ({**changes(HERE, HOME), "source": "aws.events"}, set()),
    ],
    ids=lambda value: None if isinstance(value, set) else json.dumps(value["detail"])[:70],
)
def test_an_event_takes_exactly_these_rules(event: dict[str, Any], rules: set[str]) -> None:
    assert let_through(HERE, event) == rules
    assert event["detail-type"] in (CHANGES, FINISHED)


@pytest.mark.parametrize(("writers", "filters"), [("any", 2), ("stamped", 3)])
def test_each_filter_names_its_events_and_the_control_attribute(writers: Any, filters: int) -> None:
    patterns = stream_filters("_control", writers, HERE)
    assert len(patterns) == filters
    assert all("eventName" in pattern and "_control" in json.dumps(pattern) for pattern in patterns)
