"""``domicile backfill`` over moto, whose tables are each for themselves: what is read and written where, and told."""

from __future__ import annotations

import fcntl
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from domicile.aws.failures import RequestInvalidError
from domicile.aws.store import DynamoDbStore
from domicile.backfill import session
from domicile.cli.main import main
from domicile.core.control import Control
from domicile.core.copying import Share
from domicile.core.errors import ItemTooLargeError, TransientError
from domicile.core.version import Version
from domicile.core.writes import Write, Written

PRIMARY, EUROPE, INDIA = REGIONS = ("us-east-1", "eu-west-1", "ap-south-1")
DEPLOYMENT = """
name: shop
regions: [us-east-1, eu-west-1, ap-south-1]
authorities: {EU: eu-west-1, IN: ap-south-1, US: us-east-1}
tables:
  goods: {replication: native, hash_key: {name: pk, type: S}, primary: us-east-1, regions: [us-east-1, eu-west-1]}
  people: {hash_key: {name: pk, type: S}, authority_attribute: law, sensitive: {name: redact}}
  orders: {hash_key: {name: pk, type: S}, range_key: {name: sk, type: N}}
"""
FORTH = ("backfill", "--from", "goods", "--to", "people")
BACK = ("backfill", "--from", "people", "--to", "goods")
SECRET = "secret-name"
WRITTEN = Version(1_700_000_000_000, plain=True, tie=1, region=PRIMARY)
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Run]:
    """Run the command line beside empty tables in each Region; no output may hold a key or a value."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setattr(session, "_SEGMENTS_MIN", 4)
    monkeypatch.setattr(session, "_PAGE", 2)
    (tmp_path / "domicile.yaml").write_text(DEPLOYMENT)
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["domicile", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        assert isinstance(ended.value.code, int)
        out, err = capsys.readouterr()
        assert "secret" not in out + err
        return ended.value.code, out, err

    with mock_aws():
        for region in REGIONS:
            for table in ("goods", "people", "people-ledger"):
                dynamodb(region).create_table(
                    TableName=f"shop-{table}",
                    KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
                    AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
                    BillingMode="PAY_PER_REQUEST",
                )
        yield call


def dynamodb(region: str) -> Any:
    return boto3.client("dynamodb", region_name=region)


def item(key: str, law: str | None = None, **attributes: str) -> dict[str, Any]:
    values = {"pk": f"secret-{key}", "name": SECRET, **({"law": law} if law else {}), **attributes}
    return {name: {"S": value} for name, value in values.items()}


def controlled(image: dict[str, Any], version: Version = WRITTEN, **more: Any) -> dict[str, Any]:
    return {**image, "_dom": Control(version=version, origin=version.region, **more).to_value()}


def put(table: str, *items: dict[str, Any], regions: tuple[str, ...] = (PRIMARY,)) -> None:
    for region in regions:
        for image in items:
            dynamodb(region).put_item(TableName=f"shop-{table}", Item=image)


def fill(*items: dict[str, Any]) -> None:
    """Write into the native table as if it were replicated."""
    put("goods", *items, regions=(PRIMARY, EUROPE))


def drop(key: str, table: str = "goods", regions: tuple[str, ...] = (PRIMARY, EUROPE)) -> None:
    for region in regions:
        dynamodb(region).delete_item(TableName=f"shop-{table}", Key={"pk": {"S": f"secret-{key}"}})


def held(table: str, region: str) -> dict[str, dict[str, Any]]:
    found = dynamodb(region).scan(TableName=f"shop-{table}")["Items"]
    return {image["pk"]["S"].removeprefix("secret-"): image for image in found}


def keys(table: str) -> dict[str, set[str]]:
    return {region: set(held(table, region)) for region in REGIONS}


def outcomes(out: str) -> dict[str, int]:
    return {f"{row['region']} {row['authority']} {row['outcome']}": row["items"] for row in json.loads(out)["counts"]}


def counted(run: Run, *arguments: str, code: int = 0) -> dict[str, int]:
    found, out, err = run(*arguments, "--json")
    assert found == code, err
    return outcomes(out)


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


def test_a_removal_that_was_cut_short_is_undone_where_the_item_is_back(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copy at home is as it should be, but other Regions have deleted theirs, and would keep its version away."""
    fill(item("b", "EU"))
    run(*FORTH, "--yes")
    drop("b")

    def unreachable(self: DynamoDbStore, write: Write) -> Written:
        if self._client.meta.region_name == INDIA:
            raise TransientError("Update: EndpointConnectionError")
        return original(self, write)

    original = DynamoDbStore.write
    monkeypatch.setattr(DynamoDbStore, "write", unreachable)
    assert run(*FORTH, "--yes", "--remove")[0] == 1
    assert keys("people-ledger")[PRIMARY] == {"b"}
    monkeypatch.setattr(DynamoDbStore, "write", original)
    fill(item("b", "EU"))
    assert counted(run, *FORTH, "--yes") == {"eu-west-1 EU changed": 1}
    control = Control.of(held("people", EUROPE)["b"], "_dom")
    assert control is not None
    assert control.version > Version.parse(held("people-ledger", PRIMARY)["b"]["dom_tombstone"]["S"])
    assert counted(run, *FORTH) == {"eu-west-1 EU same": 1}


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


def test_what_failed_goes_on_where_it_was_and_its_file_holds_no_key(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fill(*(item(f"k{n}") for n in range(12)))
    writes: list[Write] = []

    def fail_in_the_end(self: DynamoDbStore, write: Write) -> Written:
        writes.append(write)
        if len(writes) > 6:
            raise TransientError("Put: ProvisionedThroughputExceededException")
        return original(self, write)

    original = DynamoDbStore.write
    monkeypatch.setattr(session, "WORKERS", 1)
    monkeypatch.setattr(DynamoDbStore, "write", fail_in_the_end)
    code, out, err = run(*FORTH, "--yes")
    said = f"{PRIMARY}: Put: ProvisionedThroughputExceededException; --resume goes on"
    assert (code, out, err.splitlines()[-1]) == (1, "", said)
    (kept,) = (tmp_path / ".domicile" / "backfill").iterdir()
    assert kept.name == f"goods-people-{PRIMARY}.jsonl"
    text = kept.read_text()
    assert "secret" not in text
    done = sum(items for line in text.splitlines()[1:] for _, _, items in json.loads(line)["counts"])
    assert 0 < done <= 6
    kept.write_text(text + '{"segm')  # a crash cut the last line off

    monkeypatch.setattr(DynamoDbStore, "write", original)
    found = counted(run, *FORTH, "--yes", "--resume")
    assert sum(found.values()) == 12
    assert found["us-east-1 global new"] >= 12 - (6 - done), "segments that were done keep their counts"
    assert len(held("people", PRIMARY)) == 12
    assert not kept.exists()


def test_progress_of_another_map_is_not_gone_on_with(run: Run, tmp_path: Path) -> None:
    fill(item("a"))
    folder = tmp_path / ".domicile" / "backfill"
    folder.mkdir(parents=True)
    head = {"move": {"source": "shop-goods", "homes": {"EU": PRIMARY}}, "segments": 1}
    lines = [json.dumps(head), json.dumps({"segment": 0, "counts": []})]
    (folder / f"goods-people-{PRIMARY}.jsonl").write_text("\n".join(lines) + "\n")
    assert counted(run, *FORTH, "--yes", "--resume") == {"us-east-1 global new": 1}


def test_what_was_done_is_only_left_out_if_that_is_wanted(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It may have changed since, and the last pass must not miss that."""
    fill(item("a"))
    kept = tmp_path / ".domicile" / "backfill" / f"goods-people-{PRIMARY}.jsonl"
    monkeypatch.setattr(Path, "unlink", lambda self: None)
    run(*FORTH, "--yes")
    assert len(kept.read_text().splitlines()) == 1 + 4
    fill(item("a", size="L"), item("b"))
    assert counted(run, *FORTH, "--yes", "--resume", "--region", PRIMARY) == {"us-east-1 global new": 1}
    assert set(held("people", PRIMARY)) == {"a"}
    assert counted(run, *FORTH, "--yes") == {"us-east-1 global changed": 1, "us-east-1 global new": 1}


def test_two_processes_do_not_copy_one_regions_part(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / ".domicile" / "backfill"
    folder.mkdir(parents=True)
    with (folder / f"goods-people-{PRIMARY}.jsonl").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        code, out, err = run(*FORTH, "--yes")
    assert (code, out) == (2, "")
    assert err.splitlines()[-1].endswith("another process works on it; accepted: one process for a Region")


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


def test_nothing_is_copied_into_a_native_table_that_applications_write(run: Run) -> None:
    put("people", controlled(item("a")))
    run(*BACK, "--yes")
    put("goods", item("b"))
    code, out, err = run(*BACK, "--yes")
    assert (code, out) == (2, "")
    assert err.startswith("us-east-1: shop-goods: 1 items are no copies")


def test_a_plan_has_nothing_to_go_on_with(run: Run) -> None:
    assert run(*FORTH, "--resume") == (
        2,
        "",
        "--resume: accepted: with --yes; a plan has nothing to go on with\n",
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--from", "x", "--to", "people"), "--from x: is not in domicile.yaml; accepted: goods, people, orders"),
        (("--from", "goods", "--to", "x"), "--to x: is not in domicile.yaml; accepted: goods, people, orders"),
        (("--from", "people", "--to", "orders"), "both are localized; accepted: a native and a localized table"),
        (("--from", "goods", "--to", "orders"), "their keys differ; accepted: tables with the same keys"),
        ((*FORTH[1:], "--region", INDIA), "has nothing to copy; accepted: us-east-1, eu-west-1"),
        ((*BACK[1:], "--region", EUROPE), "has nothing to copy; accepted: us-east-1"),
        ((*FORTH[1:], "--finish"), "--finish: accepted: into a native table, and without --remove"),
        ((*BACK[1:], "--finish", "--remove"), "--finish: accepted: into a native table, and without --remove"),
        ((*BACK[1:], "--finish", "--resume"), "--finish: accepted: into a native table, and without --remove"),
    ],
)
def test_what_cannot_be_copied_is_refused(run: Run, arguments: tuple[str, ...], said: str) -> None:
    code, out, err = run("backfill", *arguments, "--yes")
    assert (code, out) == (2, "")
    assert said in err


def test_a_table_that_is_not_there_is_told_by_its_region(run: Run) -> None:
    dynamodb(EUROPE).delete_table(TableName="shop-goods")
    put("goods", item("a"))
    code, _, err = run(*FORTH, "--yes")
    assert code == 1
    assert err.splitlines()[-1] == "eu-west-1: shop-goods: DescribeTable: ResourceNotFoundException"
