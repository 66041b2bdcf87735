"""The cost model: quantities that can be worked out by hand, and what must hold of all of them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domicile.advise.calls import Change, Kind, Layout, Placement, parts
from domicile.advise.cost import (
    CONTROL_BYTES,
    ENVELOPE_BYTES,
    MONTH_S,
    Bill,
    Workload,
    localized,
    native,
    packed,
    price_list,
)
from domicile.core.control import Control
from domicile.core.events import EVERYWHERE, Addressed, Mutation, Operation, Receipt, pack_mutations, pack_receipts
from domicile.core.version import of_plain_write
from tests.unit.advise.workloads import load

THREE = Layout(regions=3)
LONGEST = "ap-southeast-1"
VERSION = of_plain_write(1_790_000_000_000, 100_000_000_012_345_678_901, LONGEST, [])

shares = st.floats(0, 1)
workloads = st.builds(
    lambda inserts, **fields: Workload(insert_share=inserts * 0.6, **fields),
    inserts=shares,
    writes_per_second=st.floats(0.1, 1e5),
    item_bytes=st.integers(1, 400_000),
    delete_share=st.floats(0, 0.4),
    localized_share=shares,
    away_share=shares,
    stamped_share=shares,
    packing=st.integers(1, 100),
    call_ms=st.floats(0, 100),
)
layouts = st.builds(Layout, regions=st.integers(2, 6), stubs=st.booleans(), all_stamp=st.booleans())


def per_write(bill: Bill) -> dict[str, float]:
    return {line.quantity: line.per_write for line in bill.lines}


def only(kind: Kind, **changed: float) -> dict[str, float]:
    """The quantities of one write of one kind in three Regions."""
    kinds = {"insert_share": float(kind is Kind.INSERT), "delete_share": float(kind is Kind.DELETE)}
    return per_write(localized(load(**kinds, **changed), THREE))


@pytest.mark.parametrize(("item_bytes", "units"), [(1, 3), (1024, 3), (1025, 6), (5 * 1024, 15)])
def test_a_native_write_is_one_replicated_unit_for_each_kb_in_each_region(item_bytes: int, units: int) -> None:
    bill = native(load(item_bytes=item_bytes), regions=3)
    assert per_write(bill)["replicated_write_request_units"] == units
    assert per_write(bill)["transferred_gb"] == 2 * item_bytes / 1024**3
    assert bill.lines[0].usd_per_month == pytest.approx(units * 10 * MONTH_S * 0.625 / 1e6)


def test_a_plain_insert_of_a_global_item() -> None:
    # Write, stamp and two copies; two looks at the ledger here and one at each copy; a change and two receipts, of
    # which each crosses once to each that it is for; two messages; the records of all four writes and both messages.
    found = only(Kind.INSERT)
    assert found["write_request_units"] == 4
    assert found["read_request_units"] == 4
    assert found["eventbridge_events"] == (1 + 2) + (2 + 2)
    assert found["sqs_requests"] == 2 * 3
    assert found["lambda_requests"] == 4 + 2


def test_a_stamped_insert_saves_the_stamp_and_a_look_at_the_ledger() -> None:
    found = only(Kind.INSERT, stamped_share=1)
    assert (found["write_request_units"], found["read_request_units"]) == (3, 3)
    assert found["lambda_requests"] == 3 + 2


def test_where_all_writers_stamp_no_copy_wakes_its_listener() -> None:
    change = Change(Kind.INSERT, stamped=True)
    (_, other) = parts(change, Layout(regions=3, all_stamp=True))
    assert (other.regions, other.calls.records) == (2, 0)


def test_an_insert_away_from_home_is_anonymized_and_leaves_stubs() -> None:
    # Write, stamp, home, anonymized and one stub; a change, a receipt and a stub, each crossing once.
    found = only(Kind.INSERT, localized_share=1, away_share=1)
    assert found["write_request_units"] == 5
    assert found["eventbridge_events"] == 6
    assert found["sqs_requests"] == 3 * 3


def test_a_delete_is_buried_marked_and_removed() -> None:
    # The delete, two small ones here; in each other Region a tombstone, a mark and the removal.
    assert only(Kind.DELETE)["write_request_units"] == 1 + 2 + 2 * 3


def test_without_stubs_nothing_leaves_home() -> None:
    (origin,) = parts(Change(Kind.UPDATE, Placement.HOME), Layout(regions=3, stubs=False))
    assert origin.calls.changes_sent == 0


@pytest.mark.parametrize(
    ("image_bytes", "packing", "expected"),
    [
        (600, 1, (1, 1)),
        (600, 20, (20, 1)),
        (6000, 20, (10, 1)),
        (64_000, 20, (1, 1)),
        (64_500, 20, (1, 2)),
        (300_000, 1, (1, 4)),
    ],
)
def test_an_event_carries_what_fits_into_a_chunk(image_bytes: int, packing: int, expected: tuple[int, int]) -> None:
    assert packed(load(packing=packing), image_bytes) == expected


def test_the_control_attribute_and_the_envelope_are_not_larger_than_counted() -> None:
    control = Control(version=VERSION, origin=LONGEST, home=LONGEST, nonce="0" * 16).to_value()["M"]
    assert len("_dom") + 3 + sum(len(name) + 1 + len(value["S"]) for name, value in control.items()) <= CONTROL_BYTES
    key = {"customer_id": {"S": "0f8fad5b-d9cb-469f-a165-70867728950e"}}
    image = {**key, "name": {"S": "x" * 500}}
    moved = Mutation(
        operation=Operation.MOVE,
        table="shopease-customers",
        key=key,
        version=VERSION,
        origin=LONGEST,
        home=LONGEST,
        image=image,
    )
    receipt = Receipt(
        operation=Operation.MOVE, table="shopease-customers", key=key, version=VERSION, home=LONGEST, outcome="applied"
    )
    (change,) = pack_mutations([Addressed(EVERYWHERE, moved)], LONGEST, {})
    (answer,) = pack_receipts([(LONGEST, receipt)], LONGEST)
    image_bytes = sum(len(name) + len(value["S"]) for name, value in image.items())
    assert change.bytes <= image_bytes + ENVELOPE_BYTES
    assert answer.bytes <= ENVELOPE_BYTES


@given(workloads, layouts)
def test_the_shares_are_of_all_writes(given_load: Workload, layout: Layout) -> None:
    assert math.fsum(share for share, _ in given_load.changes()) == pytest.approx(1)
    assert all(share >= -1e-12 for share, _ in given_load.changes())


@given(workloads, layouts, st.floats(1, 10), st.integers(0, 50_000))
def test_more_writes_larger_items_and_more_regions_never_cost_less(
    given_load: Workload, layout: Layout, times: float, more_bytes: int
) -> None:
    def costs(one: Workload, regions: int) -> tuple[float, float]:
        wider = Layout(regions=regions, stubs=layout.stubs, all_stamp=layout.all_stamp)
        return native(one, regions).usd_per_month, localized(one, wider).usd_per_month

    base = costs(given_load, layout.regions)
    fields = vars(given_load)
    for grown in (
        costs(Workload(**{**fields, "writes_per_second": given_load.writes_per_second * times}), layout.regions),
        costs(Workload(**{**fields, "item_bytes": given_load.item_bytes + more_bytes}), layout.regions),
        costs(given_load, layout.regions + 1),
    ):
        assert all(after >= before * (1 - 1e-9) for before, after in zip(base, grown, strict=True))


@given(workloads, layouts, st.integers(1, 50))
def test_packing_never_costs_more(given_load: Workload, layout: Layout, more: int) -> None:
    denser = Workload(**{**vars(given_load), "packing": given_load.packing + more})
    assert localized(denser, layout).usd_per_month <= localized(given_load, layout).usd_per_month * (1 + 1e-9)


@given(workloads, st.integers(2, 6))
def test_native_is_never_dearer_where_every_item_goes_everywhere(given_load: Workload, regions: int) -> None:
    layout = Layout(regions=regions)
    assert native(given_load, regions).usd_per_month <= localized(given_load, layout).usd_per_month


def test_every_price_has_a_source() -> None:
    prices = price_list()
    assert all(price.source.startswith("https://") and price.usd > 0 for price in prices.prices.values())
    quantities = {*per_write(native(load(), 2)), *per_write(localized(load(), THREE))}
    assert set(prices.prices) == quantities
