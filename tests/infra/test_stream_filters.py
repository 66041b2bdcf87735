"""The filters of the streams' mappings, asked about records, beside what the listener would do with them."""

from __future__ import annotations

import json
from typing import Any, Literal

import pytest

from domicile.core.change import Change
from domicile.core.control import Control, Image
from domicile.core.patterns import stream_filters
from domicile.core.policy import TablePolicy
from domicile.core.routing import Kind, classify
from domicile.core.version import Version
from tests.infra.matching import matches
from tests.infra.synthesized import Stack

_HERE, _ELSEWHERE = "us-east-1", "eu-west-1"
_TABLE = TablePolicy(
    name="visits",
    ledger="visits-ledger",
    key_names=("pk",),
    authority_attribute="flag",
    control_attribute="_dom",
    sensitive={},
    stubs_everywhere=True,
)


def _image(**control: Any) -> Image:
    """Return an item, with a control attribute if its members are given."""
    item: Image = {"pk": {"S": "1"}, "name": {"S": "Aurora"}}
    return item | ({"_dom": Control(**control).to_value()} if control else {})


def _version(ms: int, region: str = _HERE, *, plain: bool = False) -> Version:
    return Version(ms=ms, plain=plain, tie=1, region=region)


_PLAIN = _image()
_STAMPED_HERE = _image(version=_version(2), origin=_HERE)
_OWN_STAMP = _image(version=_version(2, plain=True), origin=_HERE)
_REPLICA = _image(version=_version(3, _ELSEWHERE), origin=_ELSEWHERE)
_STUB = _image(version=_version(2), origin=_HERE, home=_ELSEWHERE)
_MARKED_HERE = _image(version=_version(4), origin=_HERE, deleting=True)
_MARKED = _image(version=_version(4, _ELSEWHERE), origin=_ELSEWHERE, deleting=True)
_EXPIRY = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}


def _record(old: Image | None, new: Image | None, identity: dict[str, str] | None = None) -> dict[str, Any]:
    name = "INSERT" if old is None else "REMOVE" if new is None else "MODIFY"
    images = {"OldImage": old, "NewImage": new}
    stream = {"Keys": {"pk": {"S": "1"}}, "ApproximateCreationDateTime": 1, "SequenceNumber": "7"}
    record = {
        "eventName": name,
        "eventSourceARN": "arn:aws:dynamodb:us-east-1:1234:table/visits/stream/2026",
        "dynamodb": stream | {key: image for key, image in images.items() if image is not None},
    }
    return record | ({"userIdentity": identity} if identity else {})


_RECORDS = {
    "plain insert": _record(None, _PLAIN),
    "plain write on a stamped item": _record(_STAMPED_HERE, _PLAIN),
    "stamped insert": _record(None, _STAMPED_HERE),
    "stamped write": _record(_REPLICA, _image(version=_version(9), origin=_HERE)),
    "write on a stub": _record(_STUB, _STUB),
    "delete": _record(_PLAIN, None),
    "delete of a stamped item": _record(_STAMPED_HERE, None),
    "delete of a stub": _record(_STUB, None),
    "delete with an identity of another kind": _record(_PLAIN, None, {"type": "User", "principalId": "someone"}),
    "own stamp": _record(_PLAIN, _OWN_STAMP),
    "made a stub": _record(_STAMPED_HERE, _STUB),
    "replica inserted": _record(None, _REPLICA),
    "replica applied": _record(_STAMPED_HERE, _REPLICA),
    "marked for a delete from here": _record(_STAMPED_HERE, _MARKED_HERE),
    "marked for a delete from elsewhere": _record(_STAMPED_HERE, _MARKED),
    "delete of a marked item": _record(_MARKED, None),
    "expiry": _record(_PLAIN, None, _EXPIRY),
    "expiry of a stamped item": _record(_STAMPED_HERE, None, _EXPIRY),
}
_MARKS = {"marked for a delete from here", "marked for a delete from elsewhere", "delete of a marked item"}
_DROPPED: dict[Literal["any", "stamped"], set[str]] = {
    "any": _MARKS,
    "stamped": _MARKS | {"replica inserted", "replica applied"},
}


@pytest.mark.parametrize("writers", ["any", "stamped"])
@pytest.mark.parametrize("name", _RECORDS)
def test_a_record_passes_unless_the_replication_itself_made_it(name: str, writers: Literal["any", "stamped"]) -> None:
    patterns = stream_filters("_dom", writers, _HERE)
    passes = any(matches(json.dumps(pattern), _RECORDS[name]) for pattern in patterns)
    assert passes == (name not in _DROPPED[writers])


@pytest.mark.parametrize("writers", ["any", "stamped"])
def test_what_is_dropped_the_listener_would_have_skipped(writers: Literal["any", "stamped"]) -> None:
    kinds = {name: classify(Change.parse(_RECORDS[name]), _TABLE, _HERE).kind for name in _DROPPED[writers]}
    assert set(kinds.values()) == {Kind.SKIP}


@pytest.mark.parametrize(("table", "control_attribute", "count"), [("tides", "_dom", 2), ("visits", "_dom$${x}", 3)])
def test_a_mapping_has_its_tables_filters(virginia: Stack, table: str, control_attribute: str, count: int) -> None:
    mappings = [mapping for _, mapping in virginia.resources("aws_lambda_event_source_mapping")]
    (criteria,) = [
        mapping["filter_criteria"]["filter"]
        for mapping in mappings
        if virginia.resolve(mapping["event_source_arn"])["name"] == f"harbour-{table}"
    ]
    images = [json.loads(filter_["pattern"])["dynamodb"].values() for filter_ in criteria]
    assert len(images) == count
    assert {name for values in images for image in values for name in image} == {control_attribute}
