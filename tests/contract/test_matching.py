"""The simulator's pattern matching agrees with moto's and the local AWS's on the patterns that Terraform writes."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

import pytest
from moto.events.models import EventPattern

from domicile.core.control import Control, Image
from domicile.core.events import CHANGES, FINISHED, SOURCE
from domicile.core.patterns import Pattern, rule_patterns, stream_filters
from domicile.core.version import Version
from domicile.simulator.matching import matches

Matcher = Callable[[Pattern, dict[str, Any]], bool]
REGIONS = ("ap-south-1", "eu-west-1", "us-east-1")
BRIDGED = ("eu-west-1", "ap-southeast-1", "cn-north-1")
GATEWAYS = BRIDGED[1:]


@pytest.fixture(params=["moto", "local_aws"])
def reference(request: pytest.FixtureRequest) -> Matcher:
    if request.param == "moto":
        return lambda pattern, event: EventPattern.load(json.dumps(pattern)).matches_event(cast(Any, event))
    client = request.getfixturevalue("plane").client("events")
    return lambda pattern, event: bool(
        client.test_event_pattern(EventPattern=json.dumps(pattern), Event=json.dumps(event))["Result"]
    )


def events(regions: Sequence[str]) -> Iterator[dict[str, Any]]:
    destinations = [["*"], *([region] for region in regions), list(regions[:2]), []]
    for kind, emitter, destination, operation in itertools.product(
        (CHANGES, FINISHED), regions, destinations, ("move", "put", None)
    ):
        detail = {"emitter": emitter, "destination": destination}
        yield {
            "source": SOURCE,
            "detail-type": kind,
            "detail": detail | ({"operation": operation} if operation else {}),
        }
    yield {"source": "aws.s3", "detail-type": CHANGES, "detail": {"emitter": regions[0], "destination": ["*"]}}
    yield {"source": SOURCE, "detail-type": CHANGES, "detail": {}}


def records() -> Iterator[dict[str, Any]]:
    version = Version(1, plain=False, tie=0, region=REGIONS[0])
    images: list[Image | None] = [
        None,
        {"pk": {"S": "k"}},
        *(
            {"pk": {"S": "k"}, "_dom": Control(version=version, origin=origin, deleting=deleting).to_value()}
            for origin in REGIONS[:2]
            for deleting in (False, True)
        ),
    ]
    for old, new, kind in itertools.product(images, images, ("Service", "User", None)):
        stream = {name: image for name, image in (("OldImage", old), ("NewImage", new)) if image is not None}
        name = "REMOVE" if new is None else "INSERT" if old is None else "MODIFY"
        yield {"eventName": name, "dynamodb": stream} | ({"userIdentity": {"type": kind}} if kind else {})


@pytest.mark.parametrize(("regions", "gateways"), [(REGIONS, ()), (BRIDGED, GATEWAYS)], ids=["one side", "two sides"])
def test_the_rules_of_every_bus_agree_on_every_event(
    reference: Matcher, regions: Sequence[str], gateways: Sequence[str]
) -> None:
    answers = [
        (matches(pattern, event), reference(pattern, event))
        for region in regions
        for pattern in rule_patterns(region, [other for other in regions if other != region], gateways).values()
        for event in events(regions)
    ]
    assert {simulated for simulated, _ in answers} == {True, False}
    assert all(simulated == other for simulated, other in answers)


@pytest.mark.parametrize("writers", ["any", "stamped"])
def test_the_filters_of_every_stream_agree_on_every_record(reference: Matcher, writers: Any) -> None:
    answers = [
        (matches(pattern, record), reference(pattern, record))
        for pattern in stream_filters("_dom", writers, REGIONS[0])
        for record in records()
    ]
    assert {simulated for simulated, _ in answers} == {True, False}
    assert all(simulated == other for simulated, other in answers)
