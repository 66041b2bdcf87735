"""Tables moved between native and localized replication by ``domicile backfill``, while applications write."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from domicile.aws.wire import from_boto
from domicile.core.control import Control, Image, without
from domicile.local.account import client_environment
from domicile.local.api import LocalAws
from domicile.project import find_root
from tests.local.failures import stream_records
from tests.local.regions import CONTROL, Regions, eventually

pytestmark = pytest.mark.slow

MUMBAI, VIRGINIA, IRELAND = "ap-south-1", "us-east-1", "eu-west-1"
HOMES = {"EU": IRELAND, "IN": MUMBAI}
NATIVE = """
  members: {replication: native, hash_key: {name: customer_id, type: S}, primary: ap-south-1}
  stock: {replication: native, hash_key: {name: sku, type: S}, primary: ap-south-1}
"""
EACH = 40
_DEADLINE_S = 120


class Backfill:
    """The command on a copy of the deployment file that has native tables, too."""

    def __init__(self, local: LocalAws, folder: Path) -> None:
        text = (find_root(Path(__file__).parent) / "domicile.yaml").read_text()
        (folder / "domicile.yaml").write_text(text.replace("tables:\n", f"tables:{NATIVE}", 1))
        self._folder = folder
        self._environment = {**os.environ, **client_environment(local.endpoint)}

    def start(self, source: str, target: str, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(  # noqa: S603
            [Path(sys.executable).with_name("domicile"), "backfill", "--from", source, "--to", target, *arguments],
            cwd=self._folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A shell lets what it runs in the background ignore an interruption, and its children inherit that.
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no thread holds a lock
        )

    def run(self, source: str, target: str, *arguments: str) -> dict[str, int]:
        """Return the counts; nothing that is said may hold a key or a value."""
        process = self.start(source, target, *arguments, "--rate", "2000", "--json")
        out, err = process.communicate(timeout=_DEADLINE_S)
        assert process.returncode == 0, err
        assert "secret" not in out + err
        return {
            f"{row['region']} {row['authority']} {row['outcome']}": row["items"] for row in json.loads(out)["counts"]
        }

    def segments_done(self) -> int:
        files = (self._folder / ".domicile" / "backfill").glob("*.jsonl")
        return sum(len(file.read_text().splitlines()) - 1 for file in files)


@pytest.fixture
def backfill(local_aws: LocalAws, tmp_path: Path) -> Backfill:
    return Backfill(local_aws, tmp_path)


@pytest.fixture
def moving(regions: Regions) -> Iterator[Regions]:
    """The Regions, with empty Global Tables ``members`` and ``stock``."""
    primary = regions.client("dynamodb", MUMBAI)
    for table, key in (("members", "customer_id"), ("stock", "sku")):
        primary.create_table(
            TableName=f"shopease-{table}",
            KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )
        for region in (VIRGINIA, IRELAND):
            updates = [{"Create": {"RegionName": region}}]
            primary.update_table(TableName=f"shopease-{table}", ReplicaUpdates=updates)
    yield regions
    for table in ("members", "stock"):
        for region in (VIRGINIA, IRELAND):
            updates = [{"Delete": {"RegionName": region}}]
            primary.update_table(TableName=f"shopease-{table}", ReplicaUpdates=updates)
        primary.delete_table(TableName=f"shopease-{table}")


def held(regions: Regions, region: str, table: str, attribute: str) -> dict[str, Image]:
    pages = regions.client("dynamodb", region).get_paginator("scan")
    found = pages.paginate(TableName=f"shopease-{table}", ConsistentRead=True)
    return {image[attribute]["S"]: from_boto(image) for page in found for image in page["Items"]}


def member(name: str, authority: str | None, city: str = "old") -> Image:
    values = {"customer_id": f"secret-{name}", "name": f"secret name of {name}", "city": city}
    law = {"localization_authority": authority} if authority else {}
    return {attribute: {"S": value} for attribute, value in {**values, **law}.items()}


def members(count: int, city: str = "old") -> dict[str, Image]:
    """Return so many members of each authority, and global ones, by their key."""
    found = (member(f"{law}-{n}", law, city) for law in (*HOMES, None) for n in range(count))
    return {image["customer_id"]["S"]: image for image in found}


def home_of(image: Image) -> str | None:
    return HOMES.get(image.get("localization_authority", {}).get("S", ""))


def is_leak(image: Image, region: str) -> bool:
    """Whether an image is whole in a Region that may not hold it."""
    return home_of(image) not in (None, region) and image["name"] != {"S": "[redacted]"}


def copies_seen(regions: Regions, region: str) -> list[Image]:
    """Return each image of a copy that the target ever had in a Region."""
    records = stream_records(regions, region, '"city": {"S": "old"}')
    found = [r["dynamodb"].get("NewImage", {}) for r in records if "/shopease-customers/" in r["eventSourceARN"]]
    copies = [image for image in found if image.get("city") == {"S": "old"}]
    assert len(copies) > EACH
    return copies


class Writing:
    """An application of Virginia's, which writes the same items into the target all the time."""

    def __init__(self, regions: Regions, items: dict[str, Image]) -> None:
        self._regions, self._items = regions, items
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            for image in self._items.values():
                self._regions.put(VIRGINIA, "customers", image)
                if self._stop.wait(0.02):
                    return


def await_members(regions: Regions, expected: dict[str, Image]) -> None:
    """Wait until each Region has exactly these members: whole where they may be, and stubs elsewhere."""

    def look(region: str) -> dict[str, Image]:
        return {key: i for key, i in held(regions, region, "customers", "customer_id").items() if "secret" in key}

    def settled(region: str, found: dict[str, Image]) -> bool:
        return found.keys() == expected.keys() and all(
            without(image, CONTROL) == projection(expected[key], region) and has_home(image, region)
            for key, image in found.items()
        )

    for region in regions.all:
        eventually(partial(look, region), partial(settled, region), f"the members in {region}")


def projection(image: Image, region: str) -> Image:
    return image if home_of(image) in (None, region) else {**image, "name": {"S": "[redacted]"}}


def has_home(image: Image, region: str) -> bool:
    control, home = Control.of(image, CONTROL), home_of(image)
    return control is not None and control.home == (None if home == region else home)


def test_a_native_table_becomes_a_localized_one_and_applications_win(moving: Regions, backfill: Backfill) -> None:
    source, own = members(EACH), members(EACH // 4, "new")
    for image in source.values():
        moving.client("dynamodb", VIRGINIA).put_item(TableName="shopease-members", Item=image)
    for region in moving.all:
        look = partial(held, moving, region, "members", "customer_id")
        eventually(look, source.__eq__, f"the members in {region}")
    plan = {f"{IRELAND} EU new": EACH, f"{MUMBAI} IN new": EACH, f"{MUMBAI} global new": EACH}
    assert backfill.run("members", "customers") == plan

    # An application writes in another Region than the copies are made in: before they come, meanwhile, and after them.
    for image in own.values():
        moving.put(VIRGINIA, "customers", image)
    first = backfill.start("members", "customers", "--yes", "--rate", "30")
    eventually(backfill.segments_done, bool, "the first segments")
    first.send_signal(signal.SIGINT)
    _, err = first.communicate(timeout=_DEADLINE_S)
    assert (first.returncode, err.splitlines()[-1]) == (1, "interrupted; --resume goes on")
    with Writing(moving, own):
        assert sum(backfill.run("members", "customers", "--yes", "--resume").values()) == len(source)
    await_members(moving, expected := source | own)
    leaks = [region for region in moving.all for image in copies_seen(moving, region) if is_leak(image, region)]
    assert leaks == [], "a copy was whole elsewhere than at home"

    # The source goes on changing, and applications delete from the target.
    changed, deleted, gone = "secret-EU-20", "secret-EU-21", "secret-None-22"
    primary = moving.client("dynamodb", MUMBAI)
    for name in ("EU-1", "EU-20"):  # the first one is an application's by now
        primary.put_item(TableName="shopease-members", Item=member(name, "EU", "newer"))
    primary.delete_item(TableName="shopease-members", Key={"customer_id": {"S": gone}})
    moving.delete(VIRGINIA, "customers", {"customer_id": {"S": deleted}})
    moving.await_absence("customers", {"customer_id": {"S": deleted}})
    look = partial(held, moving, IRELAND, "members", "customer_id")
    eventually(look, lambda found: gone not in found and found[changed]["city"] == {"S": "newer"}, "the changes there")
    counts = backfill.run("members", "customers", "--yes", "--remove")
    assert {name: items for name, items in counts.items() if not name.endswith((" same", " written"))} == {
        f"{IRELAND} EU changed": 1,
        f"{IRELAND} EU deleted": 1,
        f"{MUMBAI} global gone": 1,
    }
    expected[changed] = member("EU-20", "EU", "newer")
    await_members(moving, {key: image for key, image in expected.items() if key not in (deleted, gone)})


def test_a_localized_table_of_global_items_becomes_a_native_one(moving: Regions, backfill: Backfill) -> None:
    for region in moving.all:
        for sku in held(moving, region, "inventory", "sku"):
            moving.delete(region, "inventory", {"sku": {"S": sku}})
    for region in moving.all:
        eventually(lambda: held(moving, region, "inventory", "sku"), lambda found: not found, "an empty table")  # noqa: B023
    items: dict[str, Image] = {
        f"secret-{n}": {"sku": {"S": f"secret-{n}"}, "n": {"N": str(n)}, "sizes": {"NS": ["1", "2"]}} for n in range(30)
    }
    for n, image in enumerate(items.values()):
        moving.put(moving.all[n % 3], "inventory", image)
    for image in items.values():
        moving.await_version("inventory", {"sku": image["sku"]}, lambda _: True)
    assert backfill.run("inventory", "stock", "--yes") == {f"{MUMBAI} global new": 30}
    assert backfill.run("inventory", "stock") == {f"{MUMBAI} global same": 30}
    finish = backfill.start("inventory", "stock", "--finish", "--yes")
    out, err = finish.communicate(timeout=_DEADLINE_S)
    assert (finish.returncode, out) == (0, "copies with a mark: 30\ndone\n"), err

    def plain(region: str) -> dict[str, Image]:
        found = held(moving, region, "stock", "sku")
        return {sku: {**image, "sizes": {"NS": sorted(image["sizes"]["NS"])}} for sku, image in found.items()}

    for region in moving.all:
        eventually(partial(plain, region), items.__eq__, f"the stock in {region}")


def test_a_table_with_localized_items_stays_localized(moving: Regions, backfill: Backfill) -> None:
    moving.put(VIRGINIA, "customers", member("stays", "EU"))
    moving.await_version("customers", {"customer_id": {"S": "secret-stays"}}, lambda _: True)
    refused = backfill.start("customers", "members", "--yes")
    out, err = refused.communicate(timeout=_DEADLINE_S)
    assert (refused.returncode, out) == (2, "")
    assert "items have an authority or are stubs, and a Global Table would hold them whole in every Region" in err
    assert not any(held(moving, region, "members", "customer_id") for region in moving.all)
