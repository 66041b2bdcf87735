"""What the status shows where DynamoDB alone does not answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from domicile.accounts import Accounts
from domicile.deployment import Deployment
from domicile.status import queues_of
from tests.unit.command_line import command_line

VIRGINIA, IRELAND = "us-east-1", "eu-west-1"
FILE = f"""
name: shopease
regions: [{VIRGINIA}, {IRELAND}]
authorities: {{EU: {IRELAND}}}
tables:
  orders: {{hash_key: {{name: pk, type: S}}}}
  prices: {{replication: native, hash_key: {{name: sku, type: S}}, primary: {IRELAND}}}
"""


class Refused(Accounts):
    """Clients over moto; the one of DynamoDB in Ireland may describe nothing."""

    def client(self, service: str, region: str, **options: Any) -> Any:
        made = super().client(service, region, **options)
        if (service, region) == ("dynamodb", IRELAND):
            stubber = Stubber(made)
            stubber.add_client_error("describe_table", "AccessDeniedException")
            stubber.activate()
        return made


@pytest.mark.parametrize("as_json", [False, True])
def test_the_native_rows_alone_are_unreachable(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, as_json: bool
) -> None:
    monkeypatch.setattr("domicile.accounts.Accounts", Refused)
    run = command_line(FILE, tmp_path, monkeypatch, capsys)
    deployment = Deployment.load(Path("domicile.yaml"))
    with mock_aws():
        for region in deployment.regions:
            for role in queues_of(deployment, region):
                boto3.client("sqs", region_name=region).create_queue(QueueName=f"shopease-{role}")
        code, out, _ = run("status", *(["--json"] if as_json else []))
    assert code == 1, "something could not be read"
    if as_json:
        found = json.loads(out)
        assert [(one["region"], one["error"], one["quarantined"]) for one in found["regions"]] == [
            (VIRGINIA, None, 0),
            (IRELAND, None, 0),
        ]
        errors = {one["origin"]: one["error"] for one in found["native"]}
        assert errors == {VIRGINIA: None, IRELAND: "AccessDeniedException"}
    else:
        assert f"{IRELAND}  0 waiting" in out
        assert out.splitlines()[-2:] == [
            "prices        us-east-1  eu-west-1  none                                no changes",
            "prices        eu-west-1  us-east-1  unreachable: AccessDeniedException  no changes",
        ]
