"""A stack's state in S3 is one object of its own, and an object beside it locks it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from domicile.core.partitions import WORLD
from domicile.deployment import Deployment
from domicile.local.account import client
from tests.infra.synthesized import DEPLOYMENT, synthesize_stand_ins
from tests.terraform import Terraform, empty_aws

pytestmark = pytest.mark.slow

_BUCKET = "harbour-state"
_KEY = "domicile/harbour-us-east-1.tfstate"


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """An empty local AWS."""
    with empty_aws(WORLD, tmp_path_factory.mktemp("aws")) as binding:
        yield binding


@pytest.fixture(scope="module")
def s3(aws: dict[str, str]) -> Any:
    """Its S3, with the bucket of the states."""
    s3 = client("s3", "eu-west-1", aws["AWS_ENDPOINT_URL"])
    s3.create_bucket(Bucket=_BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    return s3


@pytest.fixture(scope="module")
def terraform(aws: dict[str, str], s3: Any, tmp_path_factory: pytest.TempPathFactory) -> Terraform:
    """The stack of one Region, with the backend that was synthesized; no other Region was ever applied."""
    stacks = synthesize_stand_ins(Deployment.load(DEPLOYMENT), tmp_path_factory.mktemp("s3"))
    # A bucket's own host name can't be resolved here.
    return Terraform(stacks / "harbour-us-east-1", aws, backend={"use_path_style": "true"})


def test_a_region_is_planned_and_applied_without_the_others(terraform: Terraform, s3: Any) -> None:
    changes = terraform.plan()["resource_changes"]
    assert {tuple(change["change"]["actions"]) for change in changes} == {("create",)}
    terraform.run("apply", "-auto-approve", "-target=aws_kms_alias.encryption_alias_F6F0D85B")
    assert [found["Key"] for found in s3.list_objects_v2(Bucket=_BUCKET)["Contents"]] == [_KEY]
    assert s3.head_object(Bucket=_BUCKET, Key=_KEY)["ServerSideEncryption"] == "AES256"


def test_a_lock_object_keeps_a_second_run_out(terraform: Terraform, s3: Any) -> None:
    s3.put_object(Bucket=_BUCKET, Key=f"{_KEY}.tflock", Body=b'{"ID": "another", "Who": "pilot"}')
    second = terraform.attempt("plan", "-refresh=false")
    s3.delete_object(Bucket=_BUCKET, Key=f"{_KEY}.tflock")
    assert second.returncode == 1
    assert "Error acquiring the state lock" in second.stderr
