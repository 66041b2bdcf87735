"""The pipeline end to end: real stacks by real Terraform, real zips in real workers, on the local AWS."""

from __future__ import annotations

import secrets
import time
from pathlib import Path

from rich.console import Console

from domicile.core.control import Control, Image, without
from domicile.core.version import stamp
from domicile.demo.play import play
from domicile.demo.stage import Stage
from domicile.deployment import Deployment
from domicile.local.api import LocalAws
from domicile.project import find_root
from tests.local.regions import CONTROL, Regions, eventually, text

MUMBAI, VIRGINIA, IRELAND = "ap-south-1", "us-east-1", "eu-west-1"


def customer(name: str, authority: str | None, **more: object) -> Image:
    item: Image = {"customer_id": {"S": name}, "email": {"S": f"{name}@example.eu"}, "name": {"S": f"raw {name}"}}
    if authority is not None:
        item["localization_authority"] = {"S": authority}
    return {**item, **more}  # type: ignore[dict-item]  # attribute values in DynamoDB JSON


def home_of(image: Image) -> str | None:
    control = Control.of(image, CONTROL)
    return control.home if control else None


def is_moved_to(home: str, images: dict[str, Image]) -> bool:
    return all(home_of(image) == (None if region == home else home) for region, image in images.items())


def test_the_demo_scenario_holds_step_by_step(local_aws: LocalAws, regions: Regions) -> None:
    deployment = Deployment.load(find_root(Path(__file__).parent) / "domicile.yaml")
    assert play(Stage(local_aws, deployment), Console(soft_wrap=True))
    assert len(regions.quarantined(MUMBAI)) == 1


def test_every_type_arrives_byte_for_byte(regions: Regions) -> None:
    item: Image = {
        "sku": {"S": "types"},
        "digits": {"N": "12345678901234567890123456789012345678"},
        "binary": {"B": "AP+AfyA="},
        "binaries": {"BS": ["AA==", "AQ=="]},
        "strings": {"SS": ["ä", "日本"]},
        "numbers": {"NS": ["1", "-2.5"]},
        "nested": {"M": {"list": {"L": [{"B": "/w=="}, {"NULL": True}, {"BOOL": False}, {"M": {}}, {"S": ""}]}}},
    }
    regions.put(VIRGINIA, "inventory", item)
    for image in regions.await_version("inventory", {"sku": {"S": "types"}}, lambda _: True).values():
        for name in ("binaries", "strings", "numbers"):
            ((kind, members),) = image[name].items()
            image[name] = {kind: sorted(members, key=item[name][kind].index)}
        assert without(image, CONTROL) == item


def test_an_item_of_almost_400_kb_moves_to_its_home_by_a_claim_check(regions: Regions) -> None:
    # Random text: what compresses well would travel in the event itself.
    big = {"S": secrets.token_hex(203_000)}
    regions.put(VIRGINIA, "customers", customer("large", "EU", notes=big))
    key: Image = {"customer_id": {"S": "large"}}
    images = regions.await_version("customers", key, lambda image: True)
    eventually(lambda: regions.get(VIRGINIA, "customers", key), lambda i: home_of(i or {}) == IRELAND, "the stub")
    assert images[IRELAND]["notes"] == big
    assert images[IRELAND]["name"] == {"S": "raw large"}
    # The stub for Mumbai is too large for an event even compressed: it goes without its largest attribute.
    assert set(images[MUMBAI]) == {"customer_id", "localization_authority", "name", "email", CONTROL}
    assert images[MUMBAI][CONTROL]["M"]["p"] == {"BOOL": True}


def test_a_hash_is_the_same_in_every_region(regions: Regions) -> None:
    item = customer("hashed", "IN", national_id={"S": "ABCDE1234F"})
    regions.put(MUMBAI, "customers", item)
    images = regions.await_version("customers", {"customer_id": {"S": "hashed"}}, lambda _: True)
    assert images[MUMBAI]["national_id"] == {"S": "ABCDE1234F"}
    assert images[VIRGINIA]["national_id"] == images[IRELAND]["national_id"]
    assert len(images[VIRGINIA]["national_id"]["S"]) == 64


def test_an_item_under_another_authority_moves_to_its_new_home(regions: Regions) -> None:
    key: Image = {"customer_id": {"S": "mover"}}
    regions.put(IRELAND, "customers", customer("mover", "EU"))
    eventually(
        lambda: regions.await_version("customers", key, lambda _: True), lambda i: is_moved_to(IRELAND, i), "home EU"
    )
    regions.update(IRELAND, "customers", key, "localization_authority", {"S": "IN"})
    images = eventually(
        lambda: regions.await_version("customers", key, lambda i: i["localization_authority"] == {"S": "IN"}),
        lambda found: is_moved_to(MUMBAI, found),
        "home IN",
    )
    assert images[MUMBAI]["name"] == {"S": "raw mover"}
    assert "raw mover" not in text([images[IRELAND], images[VIRGINIA]])


def test_a_global_item_that_gets_an_authority_leaves_only_stubs_elsewhere(regions: Regions) -> None:
    key: Image = {"customer_id": {"S": "localized"}}
    regions.put(VIRGINIA, "customers", customer("localized", None))
    regions.await_version("customers", key, lambda image: image["name"] == {"S": "raw localized"})
    regions.put(VIRGINIA, "customers", customer("localized", "EU"))
    images = eventually(
        lambda: regions.await_version("customers", key, lambda image: "localization_authority" in image),
        lambda found: is_moved_to(IRELAND, found),
        "home EU",
    )
    assert "raw localized" not in text([images[MUMBAI], images[VIRGINIA]])


def test_a_write_on_a_stub_is_anonymized_again_and_quarantined(regions: Regions) -> None:
    key: Image = {"customer_id": {"S": "stubbed"}}
    regions.put(IRELAND, "customers", customer("stubbed", "EU"))
    regions.await_version("customers", key, lambda _: True)
    regions.update(VIRGINIA, "customers", key, "name", {"S": "raw intruder"})
    kept = eventually(lambda: regions.quarantined(VIRGINIA), bool, "the record in the quarantine")
    assert "raw intruder" in text(kept)
    eventually(lambda: regions.get(VIRGINIA, "customers", key), lambda i: "raw" not in text(i), "anonymized again")
    assert (regions.get(IRELAND, "customers", key) or {})["name"] == {"S": "raw stubbed"}


def test_a_stamped_write_wins_over_what_it_was_based_on(regions: Regions) -> None:
    key: Image = {"sku": {"S": "stamped"}}
    regions.put(MUMBAI, "inventory", {**key, "quantity": {"N": "1"}})
    images = regions.await_version("inventory", key, lambda _: True)
    base = Control.of(images[VIRGINIA], CONTROL)
    assert base is not None
    version = stamp(int(time.time() * 1000), base.version, VIRGINIA)
    control = Control(version=version, origin=VIRGINIA).to_value()
    regions.put(VIRGINIA, "inventory", {**key, "quantity": {"N": "2"}, CONTROL: control})
    images = regions.await_version("inventory", key, lambda image: image["quantity"] == {"N": "2"})
    assert {str(Control.of(image, CONTROL).version) for image in images.values()} == {str(version)}  # type: ignore[union-attr]


def test_a_delete_at_home_and_a_recreation_elsewhere_end_with_the_new_item(regions: Regions) -> None:
    key: Image = {"sku": {"S": "phoenix"}}
    regions.put(IRELAND, "inventory", {**key, "quantity": {"N": "1"}})
    regions.await_version("inventory", key, lambda _: True)
    regions.delete(IRELAND, "inventory", key)
    regions.await_absence("inventory", key)
    regions.put(MUMBAI, "inventory", {**key, "quantity": {"N": "2"}})
    regions.await_version("inventory", key, lambda image: image["quantity"] == {"N": "2"})


def test_a_large_record_of_an_unknown_authority_is_quarantined_whole_and_nowhere_else(regions: Regions) -> None:
    key: Image = {"customer_id": {"S": "unknown"}}
    item = customer("unknown", "XX", notes={"S": secrets.token_hex(180_000)})
    regions.put(VIRGINIA, "customers", item)
    (record,) = eventually(lambda: regions.quarantined(VIRGINIA), bool, "the record in the quarantine")
    assert record["dynamodb"]["NewImage"] == item
    assert regions.images("customers", key) == {VIRGINIA: item, MUMBAI: None, IRELAND: None}
