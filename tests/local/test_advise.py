"""The advice's cost model against the calls that the local AWS sees: what one change causes, and a batch of them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence

import pytest

from domicile.advise.calls import Change, Kind, Layout, Placement, parts
from domicile.aws.wire import to_boto
from domicile.core.control import Control, Image
from domicile.core.version import stamp
from domicile.local import api
from tests.local.failures import IRELAND, MUMBAI, VIRGINIA, await_quiet, fresh
from tests.local.regions import CONTROL, Regions, eventually

pytestmark = pytest.mark.slow

LAYOUT = Layout(regions=3)
HOME, ORIGIN = IRELAND, VIRGINIA
SERVICES = {
    "PutItem": "dynamodb",
    "UpdateItem": "dynamodb",
    "DeleteItem": "dynamodb",
    "GetItem": "dynamodb",
    "PutEvents": "events",
    "SendMessage": "sqs",
    "Invoke": "lambda",
}
BATCHED = ("PutEvents", "SendMessage", "Invoke")
WRITES = {Kind.INSERT: "PutItem", Kind.UPDATE: "UpdateItem", Kind.DELETE: "DeleteItem"}

Calls = Counter[tuple[str, str]]
"""Calls by Region and operation."""


def count_from_now(regions: Regions) -> None:
    """Count calls from now on: a fault rule counts what it delays by a millisecond."""
    await_quiet(regions)
    for region in regions.all:
        for operation, service in SERVICES.items():
            api.faults_add({"service": service, "operation": operation, "region": region, "latency_ms": 1})


def counted() -> Calls:
    rules = api.faults_list()
    return +Counter({(str(rule["region"]), str(rule["operation"])): int(rule["hits"]) for rule in rules})


def modelled(regions: Regions, change: Change, origin: str) -> Calls:
    """What the model says of a change that is made in ``origin``, Region by Region, without the application's write."""
    calls: Calls = Counter()
    taken = [origin]
    for part in parts(change, LAYOUT):
        if part.role == "origin":
            places: Sequence[str] = [origin]
        elif part.role == "home":
            places = [HOME]
            taken.append(HOME)
        else:
            places = [region for region in regions.all if region not in taken]
        assert len(places) == part.regions
        for place in places:
            calls.update({(place, operation): count for operation, count in part.calls.operations().items()})
    return +calls


def change(regions: Regions, change: Change, origin: str, name: str) -> None:
    """Make the change as ordinary code does, or as a stamping writer."""
    key: Image = {"customer_id": {"S": name}}
    version = stamp(int(time.time() * 1000), None, origin)
    control: Image = {CONTROL: Control(version=version, origin=origin).to_value()}
    if change.kind is Kind.INSERT:
        regions.put(origin, "customers", {**item(name, change.placement), **(control if change.stamped else {})})
    elif change.kind is Kind.DELETE:
        regions.delete(origin, "customers", key)
    elif change.stamped:
        regions.update(origin, "customers", key, CONTROL, control[CONTROL])
    else:
        regions.update(origin, "customers", key, "city", {"S": "Cork"})


def item(name: str, placement: Placement) -> Image:
    image: Image = {"customer_id": {"S": name}, "name": {"S": f"raw {name}"}}
    return image if placement is Placement.GLOBAL else {**image, "localization_authority": {"S": "EU"}}


def test_each_change_causes_the_calls_that_the_model_counts(regions: Regions) -> None:
    expected: Calls = Counter()
    count_from_now(regions)
    for origin, placement, kinds, stamped in (
        (ORIGIN, Placement.GLOBAL, list(Kind), False),
        (HOME, Placement.HOME, list(Kind), False),
        (ORIGIN, Placement.AWAY, [Kind.INSERT], False),
        (ORIGIN, Placement.GLOBAL, [Kind.INSERT, Kind.UPDATE], True),
        (HOME, Placement.HOME, [Kind.INSERT, Kind.UPDATE], True),
        (MUMBAI, Placement.AWAY, [Kind.INSERT], True),
    ):
        name = fresh("counted")
        for kind in kinds:
            made = Change(kind, placement, stamped)
            change(regions, made, origin, name)
            expected += modelled(regions, made, origin) + Counter({(origin, WRITES[kind]): 1})
            eventually(counted, expected.__eq__, f"{made}: {expected}", within_s=60)
    await_quiet(regions)
    assert counted() == expected


def test_a_batch_causes_as_many_calls_of_dynamodb_and_fewer_of_the_others(regions: Regions) -> None:
    made, count = Change(Kind.INSERT), 20
    one = modelled(regions, made, ORIGIN)
    names = [fresh("batch") for _ in range(count)]
    count_from_now(regions)
    requests = [{"PutRequest": {"Item": to_boto(item(name, made.placement))}} for name in names]
    regions.client("dynamodb", ORIGIN).batch_write_item(RequestItems={"shopease-customers": requests})

    def exact(calls: Calls) -> Calls:
        return Counter({place: hits for place, hits in calls.items() if place[1] not in BATCHED})

    expected = exact(Counter({place: hits * count for place, hits in one.items()}))
    eventually(lambda: exact(counted()), expected.__eq__, f"{expected}", within_s=60)
    await_quiet(regions)
    found = counted()
    assert exact(found) == expected
    for place, hits in one.items():
        if place[1] in BATCHED:
            assert 1 <= found[place] < hits * count, place
