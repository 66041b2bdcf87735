"""``domicile backfill`` into a native table, over moto: of global items alone, and until it is finished."""

from __future__ import annotations

import json

import pytest

from domicile.aws.store import DynamoDbStore
from domicile.backfill import session
from domicile.core.errors import TransientError
from domicile.core.version import Version
from domicile.core.writes import Write, Written
from tests.unit.backfill.tables import (
    BACK,
    EUROPE,
    INDIA,
    PRIMARY,
    WRITTEN,
    controlled,
    counted,
    drop,
    held,
    item,
    keys,
    put,
)
from tests.unit.command_line import Run


def test_a_table_with_localized_items_is_not_copied_into_a_native_one(run: Run) -> None:
    put("people", controlled(item("a")))
    put("people", controlled(item("b", "EU")), regions=(EUROPE,))
    put("people", controlled(item("c"), home=INDIA), item("d", "XX"), regions=(INDIA,))
    for arguments in (BACK, (*BACK, "--yes")):
        code, out, err = run(*arguments)
        assert (code, out) == (2, "")
        assert err.startswith("eu-west-1: shop-people: 1 items have an authority or are stubs, and a Global Table")
    drop("b", "people", (EUROPE,))
    assert run(*BACK)[2].startswith("ap-south-1: shop-people: 2 items")
    assert keys("goods")[PRIMARY] == set()


def test_global_items_are_copied_into_a_native_table_until_it_is_finished(run: Run) -> None:
    put("people", controlled(item("a")), controlled(item("gone")), item("unversioned"))
    assert counted(run, *BACK, "--yes", code=1) == {"us-east-1 global new": 2, "us-east-1 global unversioned": 1}
    assert held("goods", PRIMARY) == {"a": controlled(item("a")), "gone": controlled(item("gone"))}
    later = Version(WRITTEN.ms + 1, plain=True, tie=2, region=PRIMARY)
    put("people", controlled(item("a", size="L"), later), controlled(item("unversioned")))
    drop("gone", "people", (PRIMARY,))
    gone = {"us-east-1 global changed": 1, "us-east-1 global new": 1, "us-east-1 global gone": 1}
    assert counted(run, *BACK, "--yes", "--remove") == gone
    assert counted(run, *BACK) == {"us-east-1 global same": 2}

    assert run(*BACK, "--finish")[1].splitlines() == [
        "copies with a mark: 2",
        "nothing was changed; --yes carries the plan out",
    ]
    assert json.loads(run(*BACK, "--finish", "--yes", "--json")[1]) == {"marked": 2, "done": True}
    assert held("goods", PRIMARY) == {"a": item("a", size="L"), "unversioned": item("unversioned")}
    assert json.loads(run(*BACK, "--finish", "--yes", "--json")[1]) == {"marked": 0, "done": True}


def test_copying_is_not_finished_before_both_tables_are_the_same(run: Run) -> None:
    put("people", controlled(item("a")), controlled(item("b")), controlled(item("gone")))
    run(*BACK, "--yes")
    later = Version(WRITTEN.ms + 1, plain=True, tie=2, region=PRIMARY)
    put("people", controlled(item("a", size="L"), later), controlled(item("new")))
    drop("gone", "people", (PRIMARY,))
    before = held("goods", PRIMARY)
    for arguments in (("--finish",), ("--finish", "--yes")):
        code, out, err = run(*BACK, *arguments)
        assert (code, out) == (2, "")
        assert err.splitlines()[-1].startswith("--finish: the tables differ: changed 1, gone 1, new 1; accepted: ")
    assert held("goods", PRIMARY) == before


def test_finishing_goes_on_where_it_ended_early(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    put("people", *(controlled(item(key)) for key in "abcdef"))
    run(*BACK, "--yes")
    writes: list[Write] = []

    def fail_in_the_end(self: DynamoDbStore, write: Write) -> Written:
        writes.append(write)
        if len(writes) > 3:
            raise TransientError("Update: ProvisionedThroughputExceededException")
        return original(self, write)

    original = DynamoDbStore.write
    monkeypatch.setattr(session, "WORKERS", 1)
    monkeypatch.setattr(DynamoDbStore, "write", fail_in_the_end)
    assert run(*BACK, "--finish", "--yes")[0] == 1
    monkeypatch.setattr(DynamoDbStore, "write", original)
    assert json.loads(run(*BACK, "--finish", "--yes", "--json")[1]) == {"marked": 3, "done": True}
    assert held("goods", PRIMARY) == {key: item(key) for key in "abcdef"}


def test_nothing_is_copied_into_a_native_table_that_applications_write(run: Run) -> None:
    put("people", controlled(item("a")))
    run(*BACK, "--yes")
    put("goods", item("b"))
    code, out, err = run(*BACK, "--yes")
    assert (code, out) == (2, "")
    assert err.startswith("us-east-1: shop-goods: 1 items are no copies")
