"""How `domicile native check` reads the state of native tables, and the command's output and exit code."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import boto3
import pytest
from moto import mock_aws

from domicile.accounts import Accounts
from domicile.deployment import Deployment
from domicile.native_check import REPLICATION_ROLE, Finding
from domicile.native_reading import look
from tests.unit.command_line import Run, command_line

MUMBAI, VIRGINIA, OHIO = "ap-south-1", "us-east-1", "us-east-2"
POLICY = json.dumps({"Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "kms:*", "Resource": "*"}]})
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


class Replicated(Accounts):
    """Clients over moto, which has no replicas: each table in a Region says that it has one in the others."""

    strong: ClassVar[dict[str, Any]] = {}

    def client(self, service: str, region: str, **options: Any) -> Any:
        made = super().client(service, region, **options)

        def add(parsed: dict[str, Any], **_: Any) -> None:
            others = [MUMBAI, VIRGINIA]
            if "Table" in parsed:
                parsed["Table"]["Replicas"] = [{"RegionName": one, "ReplicaStatus": "ACTIVE"} for one in others]
                parsed["Table"].update(self.strong)

        made.meta.events.register("after-call.dynamodb.DescribeTable", add)
        return made


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Run]:
    """Run the command line over moto, and return exit code and output."""
    monkeypatch.setattr("domicile.accounts.Accounts", Replicated)
    call = partial(command_line(FILE, tmp_path, monkeypatch, capsys), "native", "check")
    with mock_aws():
        yield call


def make(region: str) -> str:
    """Make the table and its Region's key, and return the key's ARN."""
    kms = boto3.client("kms", region_name=region)
    made = kms.create_key(Policy=POLICY)["KeyMetadata"]["Arn"]
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


def test_key_consistency_and_witness_are_read_from_dynamodb(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for region in (MUMBAI, VIRGINIA):
        make(region)
    strong = {
        "MultiRegionConsistency": "STRONG",
        "GlobalTableWitnesses": [{"RegionName": OHIO, "WitnessStatus": "ACTIVE"}],
    }
    monkeypatch.setattr(Replicated, "strong", strong)
    Path("domicile.yaml").write_text(FILE.replace("name: sku, type: S", "name: sku, type: N"))
    _, out, _ = run()
    assert f"catalogue  {VIRGINIA}  wrong: has the key sku S, and the file wants sku N" in out
    assert f"catalogue  {VIRGINIA}  wrong: is of consistency strong, and the file wants eventual" in out
    assert f"catalogue  {VIRGINIA}  wrong: has the witness us-east-2, and the file wants none" in out


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
