"""Every write, as boto3 does it: what it returns, what it raises, and what lies in the table afterwards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

import pytest
from boto3.dynamodb.conditions import Attr, Key

from tests.contract.client.seeds import FULL, SEEDS, K
from tests.contract.client.sides import Call, Pair

NEW = {"pk": "new", "sk": "1"}
HERE_IN_LAW = {"pk": "c1", "sk": "o3"}


def update(expression: str | None, key: dict[str, Any] = K, /, table: str = "orders", **more: Any) -> Call:
    given = {} if expression is None else {"UpdateExpression": expression}
    return table, "update_item", {"Key": key, **given, **more}


def values(**of: Any) -> dict[str, Any]:
    return {"ExpressionAttributeValues": {f":{name}": value for name, value in of.items()}}


def names(**of: str) -> dict[str, Any]:
    return {"ExpressionAttributeNames": {f"#{name}": attribute for name, attribute in of.items()}}


@pytest.fixture
def pair(both: Pair) -> Iterator[Pair]:
    both.reset(SEEDS)
    yield both


CONDITIONS: dict[str, Any] = {
    "absent": Attr("pk").not_exists(),
    "present": Attr("pk").exists(),
    "equal": Attr("status").eq("open"),
    "unequal": Attr("status").ne("open"),
    "nested": Attr("address.city").eq("Pune"),
    "in_list": Attr("parcels[1].n").gte(2),
    "member": Attr("tags").contains("red"),
    "size": Attr("note").size().lt(3),
    "either": Attr("status").eq("none") | Attr("amount").gt(1),
    "both": Attr("status").eq("open") & Attr("amount").gt(100),
    "not": ~Attr("flag").eq(True),
    "type": Attr("amount").attribute_type("N"),
    "between": Attr("amount").between(1, 20),
    "in": Attr("status").is_in(["paid", "open"]),
    "begins": Attr("day").begins_with("2026"),
    "text": "attribute_exists(pk) AND attribute_not_exists(lacking)",
    "text_or": "attribute_not_exists(pk) OR attribute_exists(note)",
    "text_not": "NOT attribute_exists(pk)",
}


@pytest.mark.parametrize("key", [K, NEW, HERE_IN_LAW], ids=["there", "new", "localized_here"])
@pytest.mark.parametrize("condition", CONDITIONS.values(), ids=CONDITIONS)
def test_conditions(pair: Pair, condition: Any, key: dict[str, Any]) -> None:
    given = {"ConditionExpression": condition}
    shown = {**given, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    pair.agree(
        update("SET note = :n", key, **shown, **values(n="changed")),
        ("orders", "put_item", {"Item": {**key, "note": "put"}, **shown}),
        ("orders", "delete_item", {"Key": key, **given, "ReturnValuesOnConditionCheckFailure": "NONE"}),
        ("orders", "delete_item", {"Key": key, **given}),
    )


PLACEHOLDERS: dict[str, Call] = {
    "names_and_values": update(
        "SET #n = :n",
        ConditionExpression="#s = :s AND #set = :w",
        ExpressionAttributeNames={"#n": "note", "#s": "status", "#set": "set"},
        **values(n="x", s="open", w="a reserved word"),
    ),
    "objects_beside_the_callers": update(
        "SET #n = :n", ConditionExpression=Attr("status").eq("open"), **names(n="note"), **values(n="x")
    ),
    "called_set": update("REMOVE #set", **names(set="set")),
    "called_set_with_value": update("SET #set = :set", **names(set="set"), **values(set="x")),
    "called_SET": update("REMOVE #SET SET n = :SET", **names(SET="set"), **values(SET=1)),
    "shared": update("SET #a = :v", ConditionExpression="#a <> :v", **names(a="note"), **values(v="x")),
    "unused_name": update("SET note = :v", **names(a="unused"), **values(v="x")),
    "unused_value": update("SET note = :v", **values(v="x", unused="y")),
    "missing_value": update("SET note = :v"),
}


@pytest.mark.parametrize("call", PLACEHOLDERS.values(), ids=PLACEHOLDERS)
def test_placeholders(pair: Pair, call: Call) -> None:
    pair.agree(call, message=False)


UPDATES: dict[str, Call] = {
    "set": update("SET note = :n", **values(n="x")),
    "set_new_item": update("SET note = :n", NEW, **values(n="x")),
    "set_many": update("SET note = :n, kind = :k, extra = :e", **values(n="x", k="y", e={"deep": [1, {"er": b"1"}]})),
    "lower_case": update("set note = :n", **values(n="x")),
    "mixed_case": update("sEt note = :n ReMoVe flag", **values(n="x")),
    "lines": update("SET\n\tnote = :n,\n\tkind = :k\nREMOVE\n\tflag", **values(n="x", k="y")),
    "plus": update("SET amount = amount + :one", **values(one=1)),
    "minus": update("SET amount = amount - :one", **values(one=Decimal("0.5"))),
    "if_not_exists": update("SET note = if_not_exists(note, :n), fresh = if_not_exists(fresh, :n)", **values(n="x")),
    "counter": update("SET seen = if_not_exists(seen, :zero) + :one", **values(zero=0, one=1)),
    "append": update("SET parcels = list_append(parcels, :l)", **values(l=[{"sku": "s3"}])),
    "prepend": update("SET parcels = list_append(:l, parcels)", **values(l=["first"])),
    "append_new": update("SET fresh = list_append(if_not_exists(fresh, :none), :l)", **values(none=[], l=[1])),
    "copy": update("SET copied = note, note = kind"),
    "nested": update("SET address.city = :c, address.geo.lat = :l", **values(c="Goa", l=1)),
    "nested_new_member": update("SET address.zip = :z", **values(z="1")),
    "nested_in_nothing": update("SET lacking.member = :z", **values(z="1")),
    "list_element": update("SET parcels[0].n = :n, parcels[1] = :m", **values(n=9, m="replaced")),
    "list_beyond": update("SET parcels[7] = :n", **values(n="last")),
    "odd_names": update("SET #d = :v, #s = :v", **names(d="dot.ted", s="set"), **values(v="x")),
    "nested_names": update("SET #a.#c = :v", **names(a="address", c="city"), **values(v="x")),
    "types": update(
        "SET a = :a, b = :b, c = :c, d = :d, e = :e, f = :f, g = :g",
        **values(a="", b=b"", c={"x"}, d={1, Decimal("1.5")}, e={b"x"}, f=None, g=False),
    ),
    "remove": update("REMOVE note"),
    "remove_many": update("REMOVE note, kind, lacking"),
    "remove_nested": update("REMOVE address.street, address.geo.lat"),
    "remove_elements": update("REMOVE parcels[0], parcels[1]"),
    "add_number": update("ADD amount :n", **values(n=5)),
    "add_new_number": update("ADD fresh :n", **values(n=5)),
    "add_members": update("ADD tags :t", **values(t={"green"})),
    "add_numbers": update("ADD sizes :t", **values(t={7, 8})),
    "add_to_text": update("ADD note :n", **values(n=5)),
    "delete_members": update("DELETE tags :t", **values(t={"red", "none"})),
    "delete_all_members": update("DELETE tags :t", **values(t={"red", "blue"})),
    "delete_binary": update("DELETE blobs :t", **values(t={b"a"})),
    "set_remove": update("SET note = :n REMOVE kind", **values(n="x")),
    "remove_set": update("REMOVE kind SET note = :n", **values(n="x")),
    "remove_element_set": update("REMOVE parcels[0]SET note = :n", **values(n="x")),
    "add_set": update("ADD amount :t SET note = :n", **values(n="x", t=1)),
    "delete_set": update("DELETE tags :t SET note = :n", **values(n="x", t={"red"})),
    "all_four": update(
        "ADD amount :t REMOVE flag SET note = :n, kind = :n DELETE tags :g", **values(n="x", t=1, g={"red"})
    ),
    "all_four_in_other_order": update(
        "delete tags :g set note = :n add amount :t remove flag", **values(n="x", t=1, g={"red"})
    ),
    "value_named_set": update("REMOVE flag ADD amount :SET", **values(SET=1)),
    "member_named_set": update("REMOVE address.#set", **names(set="set")),
    "prefix_set": update("REMOVE settings, offsets SET onset = :o", **values(o=1)),
    "authority_here": update("SET localization_authority = :a", **values(a="US")),
    "authority_here_new": update("SET localization_authority = :a, recipient = :r", NEW, **values(a="US", r="Ada")),
    "of_localized": update("SET note = :n REMOVE recipient", HERE_IN_LAW, **values(n="x")),
    "authority_removed": update("REMOVE localization_authority", HERE_IN_LAW),
    "hash_only": update("SET n = n + :n", {"sku": "s1"}, table="stock", **values(n=1)),
    "binary_key": update("SET n = :n", {"device": b"\x00\xff", "at": 1}, table="readings", **values(n=1)),
    "twice_set": update("SET note = :n SET kind = :n", **values(n="x")),
    "twice_remove": update("REMOVE note REMOVE kind"),
    "overlapping": update("SET address = :n, address.city = :n", **values(n="x")),
    "empty": update(""),
    "blank": update("  "),
    "syntax": update("SET note :n", **values(n="x")),
    "unknown_clause": update("PUT note = :n", **values(n="x")),
    "key": update("SET sk = :n", **values(n="x")),
    "unknown_function": update("SET note = upper(:n)", **values(n="x")),
    "wrong_operand": update("SET amount = amount + :n", **values(n="x")),
    "index_key_of_wrong_type": update("SET amount = :n", **values(n="x")),
    "reserved_word": update("SET status = :n", **values(n="x")),
}


BEYOND_MOTO: dict[str, Call] = {
    "nothing": update(None),
    "nothing_new": update(None, NEW),
    "missing_name": update("SET #a = :v", **values(v="x")),
}


@pytest.mark.parametrize("call", BEYOND_MOTO.values(), ids=BEYOND_MOTO)
def test_updates_that_moto_fails_at(request: pytest.FixtureRequest, pair: Pair, call: Call) -> None:
    if request.node.callspec.params["backend"] != "local_aws":
        pytest.skip("moto fails by an exception of Python's")
    pair.agree(call, message=False)


@pytest.mark.parametrize("returned", ["NONE", "ALL_OLD", "ALL_NEW", "UPDATED_OLD", "UPDATED_NEW"])
@pytest.mark.parametrize("call", UPDATES.values(), ids=UPDATES)
def test_updates(pair: Pair, call: Call, returned: str) -> None:
    table, method, arguments = call
    pair.agree((table, method, {**arguments, "ReturnValues": returned}), message=False)


PUTS: dict[str, tuple[str, dict[str, Any]]] = {
    "new": ("orders", {**NEW, "note": "x"}),
    "over": ("orders", {**K, "note": "x"}),
    "all_types": ("orders", {**FULL, **NEW}),
    "keys_alone": ("orders", NEW),
    "localized_here": ("orders", {**NEW, "localization_authority": "US", "recipient": "Ada"}),
    "over_localized": ("orders", {**HERE_IN_LAW, "note": "global now"}),
    "hash_only": ("stock", {"sku": "s1", "n": Decimal("1E+20")}),
    "binary_key": ("readings", {"device": b"\x07", "at": Decimal("-1.25"), "n": 1}),
    "empty_values": ("orders", {**NEW, "a": "", "b": b"", "c": {}, "d": []}),
    "deep": ("orders", {**NEW, "deep": {"a": [{"b": [{"c": {"d": [1]}}]}]}}),
    "bytearray": ("orders", {**NEW, "blob": bytearray(b"xyz")}),
    "long_number": ("orders", {**NEW, "n": Decimal("12345678901234567890123456789012345678")}),
    "float": ("orders", {**NEW, "n": 1.5}),
    "not_a_number": ("orders", {**NEW, "n": Decimal("NaN")}),
    "too_long_number": ("orders", {**NEW, "n": Decimal("1.234567890123456789012345678901234567890")}),
    "unsupported_type": ("orders", {**NEW, "n": object}),
    "empty_set": ("orders", {**NEW, "n": set()}),
    "mixed_set": ("orders", {**NEW, "n": {1, "a"}}),
    "missing_range_key": ("orders", {"pk": "new"}),
    "missing_hash_key": ("stock", {"n": 1}),
    "wrong_key_type": ("orders", {"pk": "new", "sk": 5}),
    "empty_key": ("orders", {"pk": "", "sk": "1"}),
    "wrong_index_key_type": ("orders", {**NEW, "status": 5}),
    "no_item": ("orders", {}),
}


@pytest.mark.parametrize("returned", ["NONE", "ALL_OLD"])
@pytest.mark.parametrize(("table", "item"), PUTS.values(), ids=PUTS)
def test_puts(pair: Pair, table: str, item: dict[str, Any], returned: str) -> None:
    pair.agree((table, "put_item", {"Item": item, "ReturnValues": returned}))


DELETES: dict[str, tuple[str, dict[str, Any]]] = {
    "there": ("orders", K),
    "absent": ("orders", NEW),
    "localized_here": ("orders", HERE_IN_LAW),
    "hash_only": ("stock", {"sku": "s1"}),
    "binary_key": ("readings", {"device": b"\x01\xff", "at": Decimal("0.5")}),
    "half_a_key": ("orders", {"pk": "c1"}),
    "too_much_of_a_key": ("orders", {**K, "note": "x"}),
    "wrong_type": ("stock", {"sku": 1}),
}


@pytest.mark.parametrize("returned", ["NONE", "ALL_OLD"])
@pytest.mark.parametrize(("table", "key"), DELETES.values(), ids=DELETES)
def test_deletes(pair: Pair, table: str, key: dict[str, Any], returned: str) -> None:
    pair.agree((table, "delete_item", {"Key": key, "ReturnValues": returned}))


@pytest.mark.parametrize("reported", ["NONE", "TOTAL", "INDEXES"])
def test_reported_capacity(pair: Pair, reported: str) -> None:
    asked = {"ReturnConsumedCapacity": reported}
    pair.agree(
        ("orders", "put_item", {"Item": NEW, **asked}),
        update("SET note = :n", NEW, **asked, **values(n="x")),
        ("orders", "delete_item", {"Key": NEW, **asked}),
        ("orders", "put_item", {"Item": NEW, **asked, "ReturnItemCollectionMetrics": "SIZE"}),
    )


SEQUENCES: dict[str, Sequence[Call]] = {
    "optimistic_lock": [
        ("orders", "put_item", {"Item": {**NEW, "rev": 1}}),
        update("SET rev = rev + :one", NEW, ConditionExpression=Attr("rev").eq(1), **values(one=1)),
        update("SET rev = rev + :one", NEW, ConditionExpression=Attr("rev").eq(1), **values(one=1)),
        ("orders", "get_item", {"Key": NEW}),
    ],
    "put_once": [("orders", "put_item", {"Item": NEW, "ConditionExpression": Attr("pk").not_exists()})] * 2,
    "delete_then_put": [
        ("orders", "delete_item", {"Key": K}),
        ("orders", "put_item", {"Item": {**K, "note": "again"}}),
        ("orders", "query", {"KeyConditionExpression": Key("pk").eq("c1")}),
    ],
    "update_after_delete": [
        ("orders", "delete_item", {"Key": K}),
        update("SET note = :n", **values(n="x"), ReturnValues="ALL_NEW"),
    ],
    "counted_ten_times": [update("ADD n :one", **values(one=1), ReturnValues="UPDATED_NEW")] * 10,
    "global_then_localized_then_global": [
        update("SET localization_authority = :a", **values(a="US")),
        update("SET note = :n", **values(n="x")),
        update("REMOVE localization_authority", ReturnValues="ALL_NEW"),
    ],
}


@pytest.mark.parametrize("calls", SEQUENCES.values(), ids=SEQUENCES)
def test_sequences(pair: Pair, calls: Sequence[Call]) -> None:
    pair.agree(*calls)


WRITERS: dict[str, tuple[str, dict[str, Any]]] = {
    "puts": ("stock", {"requests": [("put_item", {"Item": {"sku": f"n{n}", "n": n}}) for n in range(60)]}),
    "mixed": (
        "orders",
        {
            "requests": [
                ("put_item", {"Item": {**NEW, "blob": b"x", "tags": {"a"}}}),
                ("delete_item", {"Key": K}),
                ("put_item", {"Item": {**HERE_IN_LAW, "localization_authority": "US"}}),
            ]
        },
    ),
    "overwrite": (
        "orders",
        {
            "overwrite_by_pkeys": ["pk", "sk"],
            "requests": [("put_item", {"Item": {**NEW, "n": n}}) for n in range(5)],
        },
    ),
    "duplicates": ("orders", {"requests": [("put_item", {"Item": {**NEW, "n": n}}) for n in range(2)]}),
    "bad_key": ("orders", {"requests": [("put_item", {"Item": {"pk": "x"}})]}),
    "nothing": ("orders", {"requests": []}),
}


@pytest.mark.parametrize(("table", "arguments"), WRITERS.values(), ids=WRITERS)
def test_batch_writer(pair: Pair, table: str, arguments: dict[str, Any]) -> None:
    pair.agree((table, "batch_writer", arguments))


BATCHES: dict[str, dict[str, Any]] = {
    "puts": {"orders": [{"PutRequest": {"Item": NEW}}, {"PutRequest": {"Item": {**K, "n": 1}}}]},
    "deletes": {"orders": [{"DeleteRequest": {"Key": K}}, {"DeleteRequest": {"Key": NEW}}]},
    "tables": {
        "orders": [{"PutRequest": {"Item": NEW}}, {"DeleteRequest": {"Key": K}}],
        "stock": [{"PutRequest": {"Item": {"sku": "new"}}}],
    },
    "localized_here": {"orders": [{"PutRequest": {"Item": {**NEW, "localization_authority": "US"}}}]},
    "twice": {"orders": [{"PutRequest": {"Item": NEW}}, {"DeleteRequest": {"Key": NEW}}]},
    "too_many": {"stock": [{"PutRequest": {"Item": {"sku": f"n{n}"}}} for n in range(26)]},
    "empty": {"orders": []},
    "nothing": {},
    "neither": {"orders": [{"OtherRequest": {"Item": NEW}}]},
    "bad_key": {"orders": [{"DeleteRequest": {"Key": {"pk": "x"}}}]},
}


@pytest.mark.parametrize("requests", BATCHES.values(), ids=BATCHES)
def test_batch_write_item(pair: Pair, requests: dict[str, Any]) -> None:
    pair.agree(("*", "batch_write_item", {"RequestItems": requests, "ReturnConsumedCapacity": "TOTAL"}), message=False)


def test_no_attribute_of_the_replication_is_returned_or_can_be_named(both: Pair) -> None:
    both.reset(SEEDS)
    table = both.ours.table("orders")
    answers = [
        table.get_item(Key=K),
        table.query(KeyConditionExpression=Key("pk").eq("c1")),
        table.scan(),
        table.update_item(Key=K, UpdateExpression="SET note = :n", ReturnValues="ALL_NEW", **values(n="x")),
        table.put_item(Item=K, ReturnValues="ALL_OLD"),
    ]
    assert "_dom" not in repr(answers)
