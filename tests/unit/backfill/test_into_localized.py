"""``domicile backfill`` into a localized table, over moto: what is read and written where, and told."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from domicile.aws.failures import RequestInvalidError
from domicile.aws.store import DynamoDbStore
from domicile.backfill import session
from domicile.core.control import Control
from domicile.core.copying import Share
from domicile.core.errors import ItemTooLargeError, TransientError
from domicile.core.version import Version
from domicile.core.writes import Write, Written
from tests.unit.backfill.tables import (
    DEPLOYMENT,
    EUROPE,
    FORTH,
    INDIA,
    PRIMARY,
    REGIONS,
    WRITTEN,
    controlled,
    counted,
    drop,
    fill,
    held,
    item,
    keys,
    outcomes,
    put,
)
from tests.unit.command_line import Run


def test_a_plan_counts_and_changes_nothing(run: Run, tmp_path: Path) -> None:
    fill(item("a"), item("b", "EU"), item("c", "IN"))
    code, out, err = run(*FORTH)
    assert (code, out.splitlines()) == (
        0,
        [
            "us-east-1  IN  new 1",
            "us-east-1  global  new 1",
            "eu-west-1  EU  new 1",
            "nothing was changed; --yes carries the plan out",
        ],
    ), err
    assert keys("people") == {PRIMARY: set(), EUROPE: set(), INDIA: set()}
    assert not (tmp_path / ".domicile").exists()


def test_each_item_is_written_in_its_home_alone_and_a_global_one_in_the_primary(run: Run) -> None:
    fill(item("a"), item("b", "EU"), item("c", "IN"), item("d", "US"))
    assert run(*FORTH, "--yes")[0] == 0
    assert keys("people") == {PRIMARY: {"a", "d"}, EUROPE: {"b"}, INDIA: {"c"}}
    copy = held("people", EUROPE)["b"]
    control = Control.of(copy, "_dom")
    assert control is not None
    assert (control.version.is_copy, control.origin, control.home) == (True, EUROPE, None)
    assert {name: value for name, value in copy.items() if name != "_dom"} == item("b", "EU")


def test_an_item_is_read_in_its_home_where_the_source_has_a_replica(run: Run) -> None:
    put("goods", item("there", "EU"), item("also", "US"), regions=(EUROPE,))
    put("goods", item("here", "EU"))
    assert counted(run, *FORTH, "--yes") == {"eu-west-1 EU new": 1}
    assert keys("people") == {PRIMARY: set(), EUROPE: {"there"}, INDIA: set()}


@pytest.mark.parametrize(
    ("guard", "instead", "read"),
    [("holds", lambda *_: True, {"secret-b"}), ("expression", lambda *_: None, {"secret-a", "secret-b", "secret-c"})],
)
def test_a_regions_share_is_what_it_reads_and_what_it_copies(
    run: Run, monkeypatch: pytest.MonkeyPatch, guard: str, instead: Callable[..., Any], read: set[str]
) -> None:
    """Each of two guards holds without the other: the scan's filter, and a look at each item that it found."""
    seen: set[str] = set()

    def noticed(image: dict[str, Any]) -> Any:
        seen.add(image["pk"]["S"])
        return image

    monkeypatch.setattr(Share, guard, instead)
    monkeypatch.setattr(session, "from_boto", noticed)
    fill(item("a"), item("b", "EU"), item("c", "US"))
    assert counted(run, *FORTH, "--region", EUROPE) == {"eu-west-1 EU new": 1}
    assert seen == read


def test_a_region_can_copy_its_part_alone(run: Run) -> None:
    fill(item("a"), item("b", "EU"))
    assert counted(run, *FORTH, "--yes", "--region", EUROPE) == {"eu-west-1 EU new": 1}
    assert keys("people") == {PRIMARY: set(), EUROPE: {"b"}, INDIA: set()}


def test_another_pass_copies_what_has_changed_and_nothing_that_an_application_wrote(run: Run) -> None:
    fill(item("same"), item("changed"), item("updated"), item("put", "EU"), item("deleted", "EU"), item("moved", "EU"))
    run(*FORTH, "--yes")
    fill(item("changed", size="L"), item("updated", size="L"), item("put", "EU", size="L"), item("moved"))
    put("people", controlled(item("updated", size="S")))
    put("people", item("put", "EU", size="S"), regions=(EUROPE,))
    drop("deleted", "people", (EUROPE,))
    tombstone = {"pk": item("deleted")["pk"], "dom_tombstone": {"S": str(WRITTEN)}}
    put("people-ledger", tombstone, regions=(EUROPE,))
    assert counted(run, *FORTH, "--yes") == {
        "us-east-1 global same": 1,
        "us-east-1 global changed": 1,
        "us-east-1 global new": 1,  # its stub has not come here
        "us-east-1 global written": 1,
        "eu-west-1 EU written": 1,
        "eu-west-1 EU deleted": 1,
    }
    assert held("people", PRIMARY)["changed"]["size"] == {"S": "L"}
    assert held("people", PRIMARY)["updated"]["size"] == {"S": "S"}
    assert held("people", EUROPE)["put"] == item("put", "EU", size="S")
    assert "deleted" not in held("people", EUROPE)
    later, earlier = (Control.of(held("people", region)["moved"], "_dom") for region in (PRIMARY, EUROPE))
    assert later is not None
    assert earlier is not None
    assert later.version > earlier.version


def test_a_write_that_comes_between_the_look_and_the_copy_wins(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(item("a"))

    def overtaken(self: DynamoDbStore, write: Write) -> Written:
        put("people", item("a", size="S"))
        return original(self, write)

    original = DynamoDbStore.write
    monkeypatch.setattr(DynamoDbStore, "write", overtaken)
    assert counted(run, *FORTH, "--yes") == {"us-east-1 global written": 1}
    assert held("people", PRIMARY)["a"] == item("a", size="S")


def test_a_copy_whose_answer_was_lost_counts_as_copied(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(item("a"))

    def sent_twice(self: DynamoDbStore, write: Write) -> Written:
        original(self, write)
        return original(self, write)

    original = DynamoDbStore.write
    monkeypatch.setattr(DynamoDbStore, "write", sent_twice)
    assert counted(run, *FORTH, "--yes") == {"us-east-1 global new": 1}


def test_what_is_gone_is_told_and_removed_everywhere_only_if_that_is_wanted(run: Run) -> None:
    fill(item("a"), item("b", "EU"), item("c", "IN"), item("kept", "EU"))
    run(*FORTH, "--yes")
    for key in "abc":
        drop(key)
    put("people", controlled(item("own")))
    gone = {"us-east-1 global gone": 1, "us-east-1 IN gone": 1, "eu-west-1 EU gone": 1, "eu-west-1 EU same": 1}
    assert counted(run, *FORTH, "--remove") == gone
    assert counted(run, *FORTH, "--yes") == gone
    assert keys("people") == {PRIMARY: {"a", "own"}, EUROPE: {"b", "kept"}, INDIA: {"c"}}
    assert counted(run, *FORTH, "--yes", "--remove") == gone
    assert keys("people") == {PRIMARY: {"own"}, EUROPE: {"kept"}, INDIA: set()}
    for region in REGIONS:
        ledger = held("people-ledger", region)
        assert set(ledger) == {"a", "b", "c"}
        assert all(Version.parse(entry["dom_tombstone"]["S"]).is_copy for entry in ledger.values())
    fill(item("b", "EU"))
    again = counted(run, *FORTH, "--yes")
    assert again == {"eu-west-1 EU new": 1, "eu-west-1 EU same": 1}, "what came back is copied again"


@contextmanager
def unreachable(region: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def write(self: DynamoDbStore, write: Write) -> Written:
        if self._client.meta.region_name == region:
            raise TransientError("Update: EndpointConnectionError")
        return original(self, write)

    original = DynamoDbStore.write
    with monkeypatch.context() as patch:
        patch.setattr(DynamoDbStore, "write", write)
        yield


def test_a_removal_that_was_cut_short_is_undone_where_the_item_is_back(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copy at home is as it should be, but other Regions have deleted theirs, and would keep its version away."""
    fill(item("b", "EU"))
    run(*FORTH, "--yes")
    drop("b")
    with unreachable(INDIA, monkeypatch):
        assert run(*FORTH, "--yes", "--remove")[0] == 1
    assert keys("people-ledger")[PRIMARY] == {"b"}
    fill(item("b", "EU"))
    assert counted(run, *FORTH, "--yes") == {"eu-west-1 EU changed": 1}
    assert _version(EUROPE, "b") > Version.parse(held("people-ledger", PRIMARY)["b"]["dom_tombstone"]["S"])
    assert counted(run, *FORTH) == {"eu-west-1 EU same": 1}


def test_a_removal_that_was_cut_short_is_ended_where_the_copy_is_in_other_regions_alone(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was on its way arrives after all, and the replication empties the copy's place by the tombstone."""
    fill(item("a"), item("b", "EU"))
    run(*FORTH, "--yes")
    late = held("people", PRIMARY)["a"], controlled(item("b", "EU"), _version(EUROPE, "b"), home=EUROPE)
    drop("a")
    drop("b")
    with unreachable(INDIA, monkeypatch):
        for region in (PRIMARY, EUROPE):
            assert run(*FORTH, "--yes", "--remove", "--region", region)[0] == 1
    drop("a", "people", (PRIMARY,))
    drop("b", "people", (EUROPE,))
    put("people", *late, controlled(item("own")), regions=(INDIA,))
    assert counted(run, *FORTH, "--yes") == {}
    assert keys("people")[INDIA] == {"a", "b", "own"}
    assert counted(run, *FORTH, "--yes", "--remove") == {}
    assert keys("people") == {PRIMARY: set(), EUROPE: set(), INDIA: {"own"}}


def test_a_removal_that_was_ended_is_not_made_again(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(item("a"), item("b", "EU"))
    run(*FORTH, "--yes")
    drop("a")
    drop("b")
    assert run(*FORTH, "--yes", "--remove")[0] == 0
    monkeypatch.setattr(DynamoDbStore, "write", lambda *_: pytest.fail("a write"))
    assert counted(run, *FORTH, "--yes", "--remove") == {}


def _version(region: str, key: str) -> Version:
    control = Control.of(held("people", region)[key], "_dom")
    assert control is not None
    return control.version


def test_stubs_and_global_items_of_another_regions_part_are_not_looked_for(run: Run) -> None:
    """They are in every Region, and those that wrote them answer for them."""
    copy = Version(100_000_000_000, plain=False, tie=1, region=PRIMARY)
    put(
        "people",
        controlled(item("global"), copy),
        controlled(item("stub", "US"), copy, home=PRIMARY),
        regions=(EUROPE,),
    )
    assert counted(run, *FORTH, "--region", EUROPE) == {}


@pytest.mark.parametrize("law", [{"S": "secret-law"}, {"N": "1"}])
def test_an_authority_that_nobody_knows_is_counted_and_never_copied_as_global(run: Run, law: dict[str, str]) -> None:
    fill({**item("a"), "law": law}, item("b"))
    code, out, err = run(*FORTH, "--yes", "--json")
    assert (code, outcomes(out)) == (1, {"us-east-1 unknown unknown_authority": 1, "us-east-1 global new": 1})
    assert err.splitlines()[-1].startswith("1 items can't be copied as they are: unknown_authority")
    assert keys("people")[PRIMARY] == {"b"}


@pytest.mark.parametrize("error", [ItemTooLargeError, RequestInvalidError])
def test_an_item_that_dynamodb_does_not_take_is_counted_and_holds_up_no_other(
    run: Run, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def refuse(self: DynamoDbStore, write: Write) -> Written:
        if write.key == {"pk": item("a")["pk"]}:
            raise error("Put: ValidationException")
        return original(self, write)

    original = DynamoDbStore.write
    monkeypatch.setattr(DynamoDbStore, "write", refuse)
    fill(item("a"), item("b"))
    assert counted(run, *FORTH, "--yes", code=1) == {"us-east-1 global refused": 1, "us-east-1 global new": 1}


def test_an_item_that_has_expired_is_not_copied_again_and_again(run: Run, tmp_path: Path) -> None:
    """TTL deletes within days: the old table has it still, and the new one would delete its copy."""
    text = DEPLOYMENT.replace("authority_attribute: law", "ttl_attribute: until, authority_attribute: law")
    (tmp_path / "domicile.yaml").write_text(text)
    now_s = time.time()
    for key, ago_s in (("past", 60), ("soon", -3600), ("ignored", 6 * 365 * 24 * 3600)):
        fill({**item(key), "until": {"N": str(int(now_s - ago_s))}})
    fill(item("odd", until="1"), {**item("lawless", "XX"), "until": {"N": str(int(now_s - 60))}})
    assert counted(run, *FORTH, "--yes") == {
        "us-east-1 global new": 3,
        "us-east-1 global expired": 1,
        "us-east-1 unknown expired": 1,
    }
    assert set(held("people", PRIMARY)) == {"soon", "ignored", "odd"}
