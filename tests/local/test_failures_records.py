"""Records that cannot be handled and maps that cannot be read: kept, told apart from the good ones, and handed back."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from domicile.core.control import Image
from domicile.core.version import stamp
from domicile.local import api
from domicile.local.api import LocalAws
from tests.local.failures import (
    IRELAND,
    MUMBAI,
    VIRGINIA,
    Load,
    PolicyDocument,
    await_everywhere,
    await_hits,
    await_quiet,
    contents,
    crash_functions,
    fresh,
    logged,
    now_ms,
    operate,
    quarantined,
    soon_redelivered,
    warm_up,
)
from tests.local.regions import CONTROL, Regions, eventually

_ITEM_BYTES_MAX = 400 * 1024


@pytest.fixture
def documents(regions: Regions) -> Iterator[dict[str, PolicyDocument]]:
    """Each Region's policy document, which is Terraform's again afterwards, also for functions that knew another."""
    documents = {region: PolicyDocument(regions, region) for region in regions.all}
    yield documents
    for document in documents.values():
        document.restore()
    with soon_redelivered(regions):
        crash_functions()
        await_quiet(regions)


def is_quarantined(regions: Regions, what: dict[tuple[str, str, str], int]) -> None:
    """Wait until the quarantines hold exactly so many keys, by Region, reason and step."""
    eventually(lambda: quarantined(regions), lambda found: found == what, "the quarantined records")


def test_a_poison_record_is_quarantined_alone(local_aws: LocalAws, regions: Regions) -> None:
    skus, poison = [fresh(f"among-{n}") for n in range(24)], fresh("poison")
    items: list[Image] = [{"sku": {"S": sku}, "n": {"N": "1"}} for sku in skus]
    items.insert(12, {"sku": {"S": poison}, CONTROL: {"S": "not a control attribute"}})
    requests = [{"PutRequest": {"Item": item}} for item in items]
    client = regions.client("dynamodb", VIRGINIA)
    assert not client.batch_write_item(RequestItems={"shopease-inventory": requests})["UnprocessedItems"]
    await_everywhere(regions, dict.fromkeys(skus, "1"))
    is_quarantined(regions, {(VIRGINIA, "record_invalid", "listener"): 1})
    assert regions.get(IRELAND, "inventory", {"sku": {"S": poison}}) is None
    # The application mends its item, which is a change of its own.
    regions.put(VIRGINIA, "inventory", {"sku": {"S": poison}, "n": {"N": "2"}})
    await_everywhere(regions, {poison: "2"})
    operate(local_aws, "quarantine", "discard", "--yes", "--region", VIRGINIA)


def test_a_poison_message_and_a_poison_change_are_quarantined_alone(local_aws: LocalAws, regions: Regions) -> None:
    def change(sku: str, **more: Any) -> dict[str, Any]:
        key = {"sku": {"S": sku}}
        version = str(stamp(now_ms(), None, VIRGINIA))
        image = {**key, "n": {"N": "1"}}
        mutation = {"operation": "put", "table": "shopease-inventory", "key": key, "version": version}
        return {**mutation, "origin": VIRGINIA, "image": image, **more}

    beside, poisoned = (fresh("beside-1"), fresh("beside-2")), fresh("poisoned")
    changes = [change(beside[0]), change(poisoned, operation="explode"), change(beside[1])]
    detail = {"format": 1, "emitter": VIRGINIA, "destination": ["*"], "changes": changes}
    for body in ("not an event", json.dumps({"detail": detail})):
        for region in (IRELAND, MUMBAI):
            regions.client("sqs", region).send_message(QueueUrl=regions.queue_url(region, "inbox"), MessageBody=body)
    await_quiet(regions)
    for region in (IRELAND, MUMBAI):
        for sku in beside:
            assert (regions.get(region, "inventory", {"sku": {"S": sku}}) or {})["n"] == {"N": "1"}
        assert regions.get(region, "inventory", {"sku": {"S": poisoned}}) is None
    is_quarantined(regions, {(region, "record_invalid", "replicator"): 2 for region in (IRELAND, MUMBAI)})
    operate(local_aws, "quarantine", "redrive", "--yes")
    await_quiet(regions)
    is_quarantined(regions, {(region, "record_invalid", "replicator"): 2 for region in (IRELAND, MUMBAI)})
    operate(local_aws, "quarantine", "discard", "--yes")


@pytest.mark.slow
def test_an_item_of_exactly_400_kb_is_kept_whole_until_it_is_made_smaller(
    local_aws: LocalAws, regions: Regions
) -> None:
    key: Image = {"customer_id": {"S": fresh("exact")}}
    item: Image = {**key, "localization_authority": {"S": "EU"}, "name": {"S": "raw exact"}}
    used = sum(len(name) + len(value["S"]) for name, value in item.items()) + len("notes")
    item["notes"] = {"S": secrets.token_hex(_ITEM_BYTES_MAX)[: _ITEM_BYTES_MAX - used]}
    regions.put(VIRGINIA, "customers", item)
    is_quarantined(regions, {(VIRGINIA, "item_too_large", "listener"): 1})
    assert contents(regions, "customers", key) == {VIRGINIA: item, IRELAND: None, MUMBAI: None}
    operate(local_aws, "quarantine", "redrive", "--yes")
    is_quarantined(regions, {(VIRGINIA, "item_too_large", "listener"): 1})
    (record,) = regions.quarantined(VIRGINIA)
    assert record["dynamodb"]["NewImage"] == item
    regions.update(VIRGINIA, "customers", key, "notes", {"S": "short"})
    images = regions.await_version("customers", key, lambda image: image.get("notes") == {"S": "short"})
    assert images[IRELAND]["name"] == {"S": "raw exact"}
    assert images[MUMBAI]["name"] != {"S": "raw exact"}


@pytest.mark.slow
def test_an_unknown_authority_that_is_added_to_the_map_is_redriven_home(
    local_aws: LocalAws, regions: Regions, documents: dict[str, PolicyDocument]
) -> None:
    deleted, key = ({"customer_id": {"S": fresh(name)}} for name in ("brazil-deleted", "brazil"))
    for one in (key, deleted):
        regions.put(MUMBAI, "customers", {**one, "localization_authority": {"S": "BR"}, "name": {"S": "raw Bruno"}})
    is_quarantined(regions, {(MUMBAI, "unknown_authority", "listener"): 2})
    with soon_redelivered(regions):
        # One of them is deleted before the redrive: it must not come back.
        regions.delete(MUMBAI, "customers", deleted)
        for document in documents.values():
            content = document.read()
            content["authorities"]["BR"] = VIRGINIA
            document.deploy(json.dumps(content))
        crash_functions()
        await_quiet(regions)
    plan = operate(local_aws, "quarantine", "redrive")
    assert "hand back" in plan
    assert quarantined(regions) == {(MUMBAI, "unknown_authority", "listener"): 2}
    operate(local_aws, "quarantine", "redrive", "--yes")
    assert quarantined(regions) == {}
    images = regions.await_version("customers", key, lambda _: True)
    assert images[VIRGINIA]["name"] == {"S": "raw Bruno"}
    eventually(
        lambda: contents(regions, "customers", key),
        lambda found: [region for region in regions.all if "raw Bruno" in json.dumps(found[region])] == [VIRGINIA],
        "the item in its home alone",
    )
    await_quiet(regions)
    regions.await_absence("customers", deleted)


@pytest.mark.slow  # it waits for the functions' caches to grow old
def test_no_map_or_a_broken_one_leaves_the_last_good_one_in_force(
    local_aws: LocalAws, regions: Regions, documents: dict[str, PolicyDocument]
) -> None:
    warm = Load(regions, fresh("warm-map"), keys=3, pause_s=0.2)
    with warm.running():
        warm_up(regions)
        since_ms = now_ms()
        documents[MUMBAI].deploy('{"format": 1, "regions": "all of them"}')
        api.faults_add({"service": "appconfigdata", "region": VIRGINIA, "code": "InternalServerException"})
        for region, role, kept in (
            (MUMBAI, "listener", "policy_kept"),
            (MUMBAI, "replicator", "policy_kept"),
            (VIRGINIA, "listener", "last_answer_kept"),
        ):
            eventually(
                lambda region=region, role=role, kept=kept: logged(regions, region, role, since_ms, kept),  # type: ignore[misc]
                bool,
                f"the last good map in {region}'s {role}",
            )
    warm.await_convergence()
    await_quiet(regions)
    assert quarantined(regions) == {}

    # New sandboxes have no map to keep, so they try again.
    cold = {region: fresh(f"cold-map-{region}") for region in regions.all}
    api.faults_clear()
    api.faults_add({"service": "appconfigdata", "region": VIRGINIA, "code": "InternalServerException"})
    crash_functions()
    since_ms = now_ms()
    for region in regions.all:
        regions.put(region, "inventory", {"sku": {"S": cold[region]}, "n": {"N": "1"}})
    await_hits(3)
    for role in ("listener", "replicator"):
        eventually(
            lambda role=role: logged(regions, MUMBAI, role, since_ms, "PolicyInvalidError"),  # type: ignore[misc]
            bool,
            f"a record that met a broken map in Mumbai's {role}",
        )
    assert regions.get(VIRGINIA, "inventory", {"sku": {"S": cold[IRELAND]}}) is None
    assert regions.get(MUMBAI, "inventory", {"sku": {"S": cold[IRELAND]}}) is None
    api.faults_clear()
    eventually(lambda: regions.get(IRELAND, "inventory", {"sku": {"S": cold[VIRGINIA]}}), bool, "Virginia's recovery")
    documents[MUMBAI].deploy(json.dumps(documents[MUMBAI].read()))
    await_everywhere(regions, dict.fromkeys(cold.values(), "1"))
    assert quarantined(regions) == {}
