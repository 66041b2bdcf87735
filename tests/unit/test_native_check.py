"""What `domicile native check` says of which state, how it reads that state, and the command's output and exit code."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from domicile.accounts import Accounts
from domicile.cli.main import main
from domicile.core.partitions import WORLD
from domicile.deployment import Deployment
from domicile.native_check import (
    REPLICATION_ROLE,
    SCALING_ROLE,
    Deployed,
    Finding,
    Found,
    Key,
    Replica,
    Unreadable,
    check,
)
from domicile.native_reading import look

MUMBAI, VIRGINIA, IRELAND, OHIO = "ap-south-1", "us-east-1", "eu-west-1", "us-east-2"
ACCOUNT = "111122223333"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
FILE = """
name: shopease
regions: [ap-south-1, us-east-1, eu-west-1]
authorities: {EU: eu-west-1}
tables:
  customers: {hash_key: {name: id, type: S}}
  catalogue:
    replication: native
    hash_key: {name: sku, type: S}
    primary: ap-south-1
    regions: [ap-south-1, us-east-1]
"""


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
    table = Deployed("ACTIVE", "standard", protected=True, key=key(region), replicas=replicas)
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


class Replicated(Accounts):
    """Clients over moto, which has no replicas: each table in a Region says that it has one in the others."""

    def client(self, service: str, region: str, **options: Any) -> Any:
        made = super().client(service, region, **options)

        def add(parsed: dict[str, Any], **_: Any) -> None:
            others = [MUMBAI, VIRGINIA]
            if "Table" in parsed:
                parsed["Table"]["Replicas"] = [{"RegionName": one, "ReplicaStatus": "ACTIVE"} for one in others]

        made.meta.events.register("after-call.dynamodb.DescribeTable", add)
        return made


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Run]:
    """Run the command line over moto, and return exit code and output."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setattr("domicile.accounts.Accounts", Replicated)
    (tmp_path / "domicile.yaml").write_text(FILE)
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["domicile", "native", "check", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        assert isinstance(ended.value.code, int)
        return ended.value.code, *capsys.readouterr()

    with mock_aws():
        yield call


def make(region: str) -> str:
    """Make the table and its Region's key, and return the key's ARN."""
    kms = boto3.client("kms", region_name=region)
    made = kms.create_key(Policy=policy({**allow(), "Principal": {"AWS": "*"}}))["KeyMetadata"]["Arn"]
    kms.create_alias(AliasName="alias/shopease", TargetKeyId=made)
    boto3.client("dynamodb", region_name=region).create_table(
        TableName="shopease-catalogue",
        KeySchema=[{"AttributeName": "sku", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "sku", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        SSESpecification={"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": made},
    )
    return str(made)


def test_the_state_is_read_from_dynamodb_kms_and_iam(run: Run) -> None:
    arns = {region: make(region) for region in (MUMBAI, VIRGINIA)}
    file = Deployment.load(Path("domicile.yaml"))
    missing = f"the account's service-linked role {REPLICATION_ROLE} can't be seen: NoSuchEntity"
    assert look(file, Replicated({})) == [Finding("catalogue", MUMBAI, True, missing)]
    boto3.client("iam").create_service_linked_role(AWSServiceName="replication.dynamodb.amazonaws.com")
    boto3.client("kms", region_name=VIRGINIA).schedule_key_deletion(KeyId=arns[VIRGINIA].rpartition("/")[2])
    found = [one for one in look(file, Replicated({})) if one.region == VIRGINIA]
    assert [one.text.startswith(f"its key {arns[VIRGINIA]} is PendingDeletion") for one in found] == [True]


def test_the_command_says_what_is_wrong_and_ends_with_1(run: Run) -> None:
    assert run() == (
        0,
        "catalogue  ap-south-1  note: is not there yet: the first apply makes it\nthe native tables may be changed\n",
        "",
    )
    for region in (MUMBAI, VIRGINIA):
        make(region)
    code, out, _ = run()
    assert code == 1
    assert out.startswith("catalogue  ap-south-1  wrong: the account's service-linked role")
    assert out.endswith("mend what is wrong before an apply\n")
    code, out, _ = run("--json")
    document = json.loads(out)
    assert (code, document["fine"]) == (1, False)
    assert set(document["findings"][0]) == {"table", "region", "wrong", "text"}


def test_a_file_without_native_tables_is_bad_input(run: Run) -> None:
    Path("domicile.yaml").write_text(FILE[: FILE.index("  catalogue:")])
    assert run() == (2, "", "domicile.yaml: tables: none is native; accepted: a deployment with a native table\n")
