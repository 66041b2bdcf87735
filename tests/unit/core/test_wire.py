"""The wire format, pinned by ``vectors.json``: while one is deployed, Regions of two releases talk to each other."""

from __future__ import annotations

import base64
import gzip
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domicile.core.control import Control, Image
from domicile.core.errors import RecordInvalidError
from domicile.core.events import (
    EVERYWHERE,
    INFLATED_BYTES_MAX,
    Addressed,
    Mutation,
    Operation,
    Receipt,
    pack_mutations,
    pack_receipts,
    repack_mutation,
    unpack_mutations,
    unpack_receipts,
)
from domicile.core.version import Version
from tests.strategies import REGIONS, mutations, versions

VECTORS: dict[str, Any] = json.loads(Path(__file__).with_name("vectors.json").read_text(encoding="utf-8"))
CANARY = "canary-value"
VERSION = Version(1766361600123, plain=False, tie=0, region="us-east-1")
PLAIN = Version(1766361600000, plain=True, tie=4421584500000000017450439091, region="eu-west-1")
KEY: Image = {"pk": {"S": "order-1"}, "sk": {"N": "12345678901234567890123456789012345678"}}
IMAGE: Image = {
    **KEY,
    "localization_authority": {"S": "EU"},
    "name": {"S": "Zoë — \u0000 ज़ोए \U0001f600"},
    "photo": {"B": "AP+AfyA="},
    "tags": {"SS": ["a", "b"]},
    "lines": {"L": [{"M": {"n": {"N": "-1.5"}, "gift": {"BOOL": False}, "note": {"NULL": True}}}, {"BS": ["AA=="]}]},
}
MUTATIONS = {
    "put": Mutation(operation=Operation.PUT, table="t", key=KEY, version=VERSION, origin="us-east-1", image=IMAGE),
    "move": Mutation(
        operation=Operation.MOVE,
        table="t",
        key=KEY,
        version=PLAIN,
        origin="us-east-1",
        home="eu-west-1",
        image=IMAGE,
    ),
    "stub": Mutation(
        operation=Operation.STUB,
        table="t",
        key=KEY,
        version=VERSION,
        origin="us-east-1",
        home="eu-west-1",
        image=KEY,
        partial=True,
    ),
    "delete": Mutation(operation=Operation.DELETE, table="t", key=KEY, version=PLAIN, origin="us-east-1"),
    "claim": Mutation(
        operation=Operation.MOVE,
        table="t",
        key=KEY,
        version=VERSION,
        origin="us-east-1",
        home="eu-west-1",
        claim=True,
        authority={"S": "EU"},
    ),
}
RECEIPT = Receipt(operation=Operation.MOVE, table="t", key=KEY, version=VERSION, home="eu-west-1", outcome="applied")
CONTROLS = {
    "stamped": Control(version=VERSION, origin="us-east-1"),
    "stub": Control(version=PLAIN, origin="eu-west-1", home="eu-west-1", nonce="0123456789abcdef", partial=True),
    "marked": Control(version=PLAIN, origin="eu-west-1", deleting=True),
}


@pytest.mark.parametrize(("name", "version"), [("stamped", VERSION), ("plain", PLAIN)])
def test_versions_are_written_as_they_always_were(name: str, version: Version) -> None:
    assert str(version) == VECTORS["versions"][name]
    assert Version.parse(VECTORS["versions"][name]) == version


@pytest.mark.parametrize("name", CONTROLS)
def test_control_attributes_are_written_as_they_always_were(name: str) -> None:
    assert CONTROLS[name].to_value() == VECTORS["controls"][name]
    assert Control.of({"_dom": VECTORS["controls"][name]}, "_dom") == CONTROLS[name]


@pytest.mark.parametrize("name", MUTATIONS)
def test_changes_are_written_as_they_always_were(name: str) -> None:
    assert MUTATIONS[name].to_json() == VECTORS["changes"][name]
    assert Mutation.from_json(VECTORS["changes"][name]) == MUTATIONS[name]


def test_receipts_are_written_as_they_always_were() -> None:
    assert RECEIPT.to_json() == VECTORS["receipt"]
    assert Receipt.from_json(VECTORS["receipt"], Operation.MOVE) == RECEIPT


def test_entries_are_written_as_they_always_were() -> None:
    (changes,) = pack_mutations([Addressed(EVERYWHERE, change) for change in MUTATIONS.values()], "us-east-1", {})
    (finished,) = pack_receipts([("us-east-1", RECEIPT)], "eu-west-1")
    assert (changes.detail_type, changes.detail) == ("changes", VECTORS["entries"]["changes"])
    assert (finished.detail_type, finished.detail) == ("finished", VECTORS["entries"]["finished"])


def test_entries_that_were_written_once_can_still_be_read() -> None:
    details = {name: json.loads(detail) for name, detail in VECTORS["entries"].items()}
    assert [Mutation.from_json(fields) for fields in unpack_mutations(details["changes"])] == [*MUTATIONS.values()]
    assert [Mutation.from_json(fields) for fields in unpack_mutations(details["gzip"])] == [MUTATIONS["move"]]
    operation, forms = unpack_receipts(details["finished"])
    assert [Receipt.from_json(fields, operation) for fields in forms] == [RECEIPT]


@given(mutations())
def test_a_change_survives_its_wire_form(mutation: Mutation) -> None:
    assert Mutation.from_json(json.loads(json.dumps(mutation.to_json()))) == mutation


def test_a_change_is_brought_to_a_region_once_more_as_it_is() -> None:
    detail = repack_mutation(VECTORS["changes"]["move"] | {"later": "field"}, "eu-west-1")
    assert (detail["emitter"], detail["destination"]) == ("eu-west-1", ["eu-west-1"])
    assert unpack_mutations(detail) == [VECTORS["changes"]["move"] | {"later": "field"}]


@given(versions, st.none() | st.sampled_from(REGIONS))
def test_a_receipt_survives_its_wire_form_and_names_only_the_key(version: Version, home: str | None) -> None:
    receipt = Receipt(operation=Operation.PUT, table="t", key=KEY, version=version, home=home, outcome="applied")
    fields = receipt.to_json()
    assert Receipt.from_json(json.loads(json.dumps(fields)), Operation.PUT) == receipt
    assert set(fields) == {"table", "key", "version", "home", "outcome"}


# -- what is refused


def wire(name: str, **changed: Any) -> dict[str, Any]:
    """A pinned change with parts replaced, or left out where they are None."""
    return {field: value for field, value in (VECTORS["changes"][name] | changed).items() if value is not None}


@pytest.mark.parametrize(
    "fields",
    [
        None,
        [],
        CANARY,
        {},
        wire("put", operation=CANARY),
        wire("put", operation=None),
        wire("put", table=None),
        wire("put", key=None),
        wire("put", version=CANARY),
        wire("put", version=5),
        wire("put", version={"S": CANARY}),
        wire("put", origin=None),
        # the parts that an operation needs, and no others
        wire("put", image=None),
        wire("put", image=CANARY),
        wire("put", claim=True),
        wire("put", home="eu-west-1"),
        wire("move", home=None),
        wire("move", image=None),
        wire("claim", image={"pk": {"S": CANARY}}),
        wire("stub", image=None),
        wire("stub", home=None),
        wire("stub", claim=True),
        wire("delete", image={"pk": {"S": CANARY}}),
        wire("delete", claim=True),
    ],
    ids=lambda fields: str(fields)[:60],
)
def test_a_malformed_change_is_refused_without_being_quoted(fields: Any) -> None:
    with pytest.raises(RecordInvalidError) as raised:
        Mutation.from_json(fields)
    assert CANARY not in str(raised.value)
    assert raised.value.__cause__ is None


@pytest.mark.parametrize(
    "fields",
    [None, CANARY, [], {}, VECTORS["receipt"] | {"version": CANARY}, VECTORS["receipt"] | {"version": None}],
    ids=lambda fields: str(fields)[:60],
)
def test_a_malformed_receipt_is_refused_without_being_quoted(fields: Any) -> None:
    with pytest.raises(RecordInvalidError) as raised:
        Receipt.from_json(fields, Operation.MOVE)
    assert CANARY not in str(raised.value)


@pytest.mark.parametrize("operation", [None, CANARY, "MOVE", 5, ["move"]])
def test_a_finished_detail_must_say_of_which_operation(operation: Any) -> None:
    with pytest.raises(RecordInvalidError, match="without its operation"):
        unpack_receipts({"format": 1, "operation": operation, "receipts": []})


@pytest.mark.parametrize(
    "detail",
    [
        None,
        [],
        CANARY,
        {},
        {"format": 1},
        {"format": 1, "changes": CANARY, "receipts": CANARY, "operation": "move"},
        {"format": 2, "changes": [], "receipts": [], "operation": "move"},
        {"format": "1", "changes": [], "receipts": [], "operation": "move"},
    ],
    ids=str,
)
def test_a_detail_of_another_form_or_format_is_refused(detail: Any) -> None:
    for unpack in (unpack_mutations, unpack_receipts):
        with pytest.raises(RecordInvalidError, match="not a detail of format 1"):
            unpack(detail)


def compressed(data: bytes) -> str:
    return base64.b64encode(gzip.compress(data)).decode()


@pytest.mark.parametrize(
    "text",
    [
        None,
        5,
        "",
        "not base64!",
        "ü",
        base64.b64encode(b"not gzip").decode(),
        compressed(b"not json"),
        compressed(b"[1]"),
        compressed(b"[" * 100_000),
        compressed(b'{"cut": "off'),
        base64.b64encode(gzip.compress(b"{}")[:-12]).decode(),
        compressed(b'{"text": "' + b"\xff" + b'"}'),
    ],
    ids=lambda text: str(text)[:30],
)
def test_a_compressed_change_that_cannot_be_read_is_refused(text: Any) -> None:
    with pytest.raises(RecordInvalidError, match="compressed change"):
        unpack_mutations({"format": 1, "gzip": text})


@pytest.mark.parametrize("size", [INFLATED_BYTES_MAX + 1, 8 * INFLATED_BYTES_MAX])
def test_a_body_that_inflates_beyond_any_item_is_refused_and_not_held_in_memory(size: int) -> None:
    bomb = compressed(b"{}" + b" " * size)
    tracemalloc.start()
    with pytest.raises(RecordInvalidError, match="inflates beyond any item's size"):
        unpack_mutations({"format": 1, "gzip": bomb})
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3 * INFLATED_BYTES_MAX
