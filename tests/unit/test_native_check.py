"""What `domicile native check` says of which state."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from domicile.core.partitions import WORLD
from domicile.deployment import Deployment
from domicile.native_check import (
    REPLICATION_ROLE,
    SCALING_ROLE,
    Deployed,
    Found,
    Key,
    Replica,
    Unreadable,
    check,
)

MUMBAI, VIRGINIA, IRELAND, OHIO, OREGON = "ap-south-1", "us-east-1", "eu-west-1", "us-east-2", "us-west-2"
ACCOUNT = "111122223333"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
SKU = (("sku", "S"),)


def deployment(**table: Any) -> Deployment:
    native = {
        "replication": "native",
        "hash_key": {"name": "sku", "type": "S"},
        "primary": MUMBAI,
        "regions": [MUMBAI, VIRGINIA],
    }
    return Deployment.model_validate(
        {
            "name": "shopease",
            "regions": [MUMBAI, VIRGINIA, IRELAND],
            "authorities": {"EU": IRELAND},
            "tables": {"customers": {"hash_key": {"name": "id", "type": "S"}}, "catalogue": {**native, **table}},
        }
    )


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Statement": list(statements)})


def allow(**keys: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "kms:*", "Resource": "*", **keys}


def key(region: str, policy_: str = policy(allow()), **fields: Any) -> Key:
    return Key(
        f"arn:aws:kms:{region}:{ACCOUNT}:key/of-{region}",
        **{"of_aws": False, "state": "Enabled", **fields},
        policy=policy_,
    )


def deployed(region: str, *others: str, **fields: Any) -> Deployed:
    replicas = {other: Replica("ACTIVE") for other in others}
    table = Deployed("ACTIVE", SKU, "eventual", {}, "standard", protected=True, key=key(region), replicas=replicas)
    return replace(table, **fields)


def regions(**tables: Deployed | None) -> dict[str, Found | Unreadable]:
    """Return what is found in Mumbai, Virginia and Ireland: two replicas, but for what is given."""
    found = {
        "mumbai": deployed(MUMBAI, VIRGINIA),
        "virginia": deployed(VIRGINIA, MUMBAI),
        "ireland": None,
        **tables,
    }
    named = {MUMBAI: found["mumbai"], VIRGINIA: found["virginia"], IRELAND: found["ireland"]}
    return {region: Found({"catalogue": table} if table else {}, key(region)) for region, table in named.items()}


def said(file: Deployment, found: dict[str, Found | Unreadable], **roles: str) -> list[tuple[str, bool, str]]:
    return [(one.region, one.wrong, one.text) for one in check(file, found, {WORLD: roles})]


def wrong(file: Deployment, found: dict[str, Found | Unreadable], **roles: str) -> dict[str, str]:
    """Return what is wrong in each Region; at most one thing is."""
    texts = [(region, text) for region, is_wrong, text in said(file, found, **roles) if is_wrong]
    assert len(dict(texts)) == len(texts)
    return dict(texts)


def test_nothing_is_said_of_a_table_that_is_as_the_file_has_it() -> None:
    assert said(deployment(), regions()) == []


def test_before_the_first_apply_there_is_nothing_to_mend() -> None:
    found = regions(mumbai=None, virginia=None)
    role = {REPLICATION_ROLE: "NoSuchEntity"}
    assert said(deployment(), found, **role) == [(MUMBAI, False, "is not there yet: the first apply makes it")]
    found[VIRGINIA] = Unreadable("AccessDeniedException")
    assert said(deployment(), found) == [(VIRGINIA, True, "can't be read: AccessDeniedException")]


@pytest.mark.parametrize(
    ("status", "todo"),
    [
        ("UPDATING", "wait until it is ACTIVE"),
        ("CREATION_FAILED", "delete the replica"),
        ("INACCESSIBLE_ENCRYPTION_CREDENTIALS", "enable its key again or restore the key's policy within 20 hours"),
        ("REPLICATION_NOT_AUTHORIZED", f"give {REPLICATION_ROLE} its permissions back within 20 hours"),
        ("REGION_DISABLED", "enable the Region for the account again within 20 hours"),
        ("ARCHIVED", "its key was out of reach for too long: restore the table"),
        ("SOMETHING_NEW", "docs/runbooks/native-tables.md"),
    ],
)
def test_a_replica_that_is_not_active_is_told_with_what_to_do(status: str, todo: str) -> None:
    seen = {VIRGINIA: Replica(status, datetime(2026, 5, 4, 12, 0, tzinfo=UTC))}
    text = wrong(deployment(), regions(mumbai=deployed(MUMBAI, replicas=seen)))[VIRGINIA]
    assert text.startswith(f"is {status} since 2026-05-04 12:00 UTC: {todo}")
    assert text.endswith("until all are ACTIVE, change no key, role or policy")
    assert wrong(deployment(), regions(virginia=deployed(VIRGINIA, MUMBAI, status=status)))[VIRGINIA].startswith(
        f"is {status}: "
    )


def test_a_table_that_was_cut_off_for_good_is_told() -> None:
    found = wrong(deployment(), regions(mumbai=deployed(MUMBAI), virginia=deployed(VIRGINIA)))
    assert list(found) == [VIRGINIA], "the primary's is the one to keep"
    assert "a table of its own, which no other Region replicates with" in found[VIRGINIA]
    three = deployment(regions=[MUMBAI, VIRGINIA, IRELAND])
    cut_off = regions(
        mumbai=deployed(MUMBAI), virginia=deployed(VIRGINIA, IRELAND), ireland=deployed(IRELAND, VIRGINIA)
    )
    assert list(wrong(three, cut_off)) == [MUMBAI]


def test_a_region_more_is_made_and_a_region_less_is_deleted() -> None:
    more = deployment(regions=[MUMBAI, VIRGINIA, IRELAND])
    assert said(more, regions()) == [(IRELAND, False, "has no replica yet: the apply of its stack makes it")]
    all_ = {
        "mumbai": deployed(MUMBAI, VIRGINIA, IRELAND),
        "virginia": deployed(VIRGINIA, MUMBAI, IRELAND),
    }
    protected = regions(**all_, ireland=deployed(IRELAND, MUMBAI, VIRGINIA))
    assert "Deletion protection goes first" in wrong(deployment(), protected)[IRELAND]
    ready = regions(**all_, ireland=deployed(IRELAND, MUMBAI, VIRGINIA, protected=False))
    ((region, is_wrong, text),) = said(deployment(), ready)
    assert (region, is_wrong) == (IRELAND, False)
    assert text.startswith("has a replica that the file does not name")


def test_a_replica_beyond_the_deployment_and_a_table_without_its_primary_are_told() -> None:
    beyond = regions(mumbai=deployed(MUMBAI, VIRGINIA, OHIO), virginia=deployed(VIRGINIA, MUMBAI, OHIO))
    assert "no stack owns it" in wrong(deployment(), beyond)[OHIO]
    moved = deployment(primary=IRELAND, regions=[MUMBAI, VIRGINIA, IRELAND])
    assert wrong(moved, regions()) == {
        IRELAND: f"has no table, and {MUMBAI}, {VIRGINIA} has: another primary would make the table anew"
    }


def test_what_terraform_would_replace_a_replica_for_is_refused() -> None:
    infrequent = {"replicas": {VIRGINIA: {"table_class": "standard-infrequent-access"}}}
    assert (
        "is of the class standard, and the file wants standard-infrequent-access"
        in (wrong(deployment(**infrequent), regions())[VIRGINIA])
    )
    changed = regions(virginia=deployed(VIRGINIA, MUMBAI, table_class="standard-infrequent-access"))
    assert said(deployment(**infrequent), changed) == [], "it was changed by UpdateTable first"
    found = wrong(deployment(encryption="aws-owned"), regions())
    assert set(found) == {MUMBAI, VIRGINIA}
    assert (
        "is encrypted customer-managed, and the file wants aws-owned: Terraform would replace replicas" in found[MUMBAI]
    )
    owned = regions(mumbai=deployed(MUMBAI, VIRGINIA, key=None), virginia=deployed(VIRGINIA, MUMBAI, key=None))
    assert set(wrong(deployment(), owned)) == {MUMBAI, VIRGINIA}
    managed = replace(key(VIRGINIA), of_aws=True)
    assert list(wrong(deployment(), regions(virginia=deployed(VIRGINIA, MUMBAI, key=managed)))) == [VIRGINIA]


def test_a_table_that_terraform_would_delete_is_told_everywhere() -> None:
    other = deployment(hash_key={"name": "id", "type": "S"}, range_key={"name": "year", "type": "N"})
    assert wrong(other, regions()) == dict.fromkeys(
        (MUMBAI, VIRGINIA),
        "has the key sku S, and the file wants id S, year N: a table keeps that for good, and Terraform would delete "
        "it or fail. Make another table, and copy the items",
    )
    typed = deployment(hash_key={"name": "sku", "type": "N"})
    assert set(wrong(typed, regions())) == {MUMBAI, VIRGINIA}
    strong = {"consistency": "strong"}
    found = wrong(deployment(), regions(mumbai=deployed(MUMBAI, VIRGINIA, **strong)))
    assert set(found) == {MUMBAI}
    assert found[MUMBAI].startswith(
        "is of consistency strong, and the file wants eventual: a table keeps that for good"
    )


def americas(witness: str | None = OHIO) -> tuple[Deployment, dict[str, Found | Unreadable]]:
    """Return the file and the state of a strong table in Virginia and Oregon, with its witness in Ohio."""
    both = [VIRGINIA, OREGON]
    keys = {"hash_key": {"name": "sku", "type": "S"}, "primary": VIRGINIA, "regions": both}
    table = {"replication": "native", "consistency": "strong", "witness": OHIO, **keys}
    localized = {"customers": {"hash_key": {"name": "id", "type": "S"}}}
    file = Deployment.model_validate(
        {
            "name": "shopease",
            "regions": both,
            "authorities": {"US": OREGON},
            "tables": {**localized, "catalogue": table},
        }
    )
    witnesses = {witness: "ACTIVE"} if witness else {}
    fields: dict[str, Any] = {"consistency": "strong", "witnesses": witnesses}
    tables = {one: deployed(one, *(set(both) - {one}), **fields) for one in both}
    return file, {one: Found({"catalogue": table}, key(one)) for one, table in tables.items()}


def test_a_strong_table_is_held_to_its_witness() -> None:
    assert said(*americas()) == []
    found = wrong(*americas("us-west-1"))
    assert set(found) == {VIRGINIA, OREGON}
    assert found[VIRGINIA].startswith(
        "has the witness us-west-1, and the file wants us-east-2: a table keeps that for good"
    )
    assert "has the witness none, and the file wants us-east-2" in wrong(*americas(None))[OREGON]
    file, state = americas()
    making = deployed(VIRGINIA, OREGON, consistency="strong", witnesses={OHIO: "CREATING"})
    state[VIRGINIA] = Found({"catalogue": making}, key(VIRGINIA))
    assert wrong(file, state)[OHIO].startswith("is a witness, and CREATING: wait until it is ACTIVE")
    alone = deployed(VIRGINIA, consistency="strong", witnesses={OHIO: "ACTIVE"})
    state = {VIRGINIA: Found({"catalogue": alone}, key(VIRGINIA)), OREGON: Found({}, key(OREGON))}
    assert wrong(file, state)[OREGON].startswith("has no replica, and none joins a strong table")


def test_a_region_that_left_the_file_has_to_be_readable() -> None:
    all_ = {"mumbai": deployed(MUMBAI, VIRGINIA, IRELAND), "virginia": deployed(VIRGINIA, MUMBAI, IRELAND)}
    found = regions(**all_)
    found[IRELAND] = Unreadable("AccessDeniedException")
    assert wrong(deployment(), found) == {IRELAND: "can't be read: AccessDeniedException"}
    elsewhere = regions()
    elsewhere[IRELAND] = Unreadable("AccessDeniedException")
    assert said(deployment(), elsewhere) == [], "no Region says that it has a replica"


def test_a_key_that_the_file_would_delete_while_a_replica_needs_it_is_told() -> None:
    document = deployment().model_dump(exclude_none=True) | {"encryption": "aws-owned"}
    found = wrong(Deployment.model_validate(document), regions())
    assert all("and delete the key that they need" in text for text in found.values())


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"state": "Disabled"}, "is Disabled: enable it within 20 hours"),
        (
            {"state": "PendingDeletion", "deleted_at": datetime(2026, 6, 1, 8, 0, tzinfo=UTC)},
            "is PendingDeletion, and is deleted at 2026-06-01 08:00 UTC: cancel its deletion and enable it within 20",
        ),
        (
            {"policy_": policy(allow(Action=["kms:Decrypt"]))},
            "does not let the account use it for DynamoDB: kms:CreateGrant",
        ),
    ],
)
def test_a_key_that_does_not_serve_is_told(fields: dict[str, Any], text: str) -> None:
    found = regions(virginia=deployed(VIRGINIA, MUMBAI, key=key(VIRGINIA, **fields)))
    assert text in wrong(deployment(), found)[VIRGINIA]


def test_a_key_that_can_not_be_read_or_is_not_the_stacks_is_told() -> None:
    gone = regions(virginia=deployed(VIRGINIA, MUMBAI, key=Unreadable("NotFoundException")))
    assert wrong(deployment(), gone) == {VIRGINIA: "its key can't be read: NotFoundException"}
    found = regions()
    found[VIRGINIA] = Found({"catalogue": deployed(VIRGINIA, MUMBAI)}, key(IRELAND))
    assert "Terraform would replace the replica" in wrong(deployment(), found)[VIRGINIA]
    found[VIRGINIA] = Found({"catalogue": deployed(VIRGINIA, MUMBAI)}, Unreadable("AccessDeniedException"))
    assert wrong(deployment(), found) == {VIRGINIA: "the key alias/shopease can't be read: AccessDeniedException"}


def test_replication_needs_its_roles() -> None:
    missing = {REPLICATION_ROLE: "NoSuchEntity", SCALING_ROLE: "NoSuchEntity"}
    (text,) = wrong(deployment(), regions(), **missing).values()
    assert text == f"the account's service-linked role {REPLICATION_ROLE} can't be seen: NoSuchEntity"
    limits = {"min": 1, "max": 2}
    provisioned = deployment(billing={"read": limits, "write": limits})
    assert SCALING_ROLE in wrong(provisioned, regions(), **{SCALING_ROLE: "NoSuchEntity"})[MUMBAI]
