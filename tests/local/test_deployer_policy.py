"""A role with the deployer's policies, and no other permission, applies a stack, upgrades it and destroys it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from domicile.core.partitions import WORLD
from domicile.deployer.policies import policies
from domicile.deployment import Deployment
from domicile.local.account import ACCOUNTS, client
from tests.infra.synthesized import DEPLOYMENT, synthesize_stand_ins
from tests.terraform import Terraform, empty_aws

pytestmark = pytest.mark.slow

_REGION = "us-east-1"
_USER = "deployer"
_QUICKLY = ("-auto-approve", "-parallelism=30")
# The local AWS asks for another resource than AWS does for these, or for none,
_ASKED_WITHOUT_RESOURCE = {
    *("appconfig:DeleteDeploymentStrategy", "appconfig:ListTagsForResource", "appconfig:TagResource"),
    *("cloudwatch:DeleteAlarms", "cloudwatch:DescribeAlarms", "cloudwatch:ListTagsForResource"),
    *("cloudwatch:TagResource", "cloudwatch:PutDashboard", "cloudwatch:GetDashboard", "cloudwatch:DeleteDashboards"),
    *("dynamodb:ListTagsOfResource", "dynamodb:TagResource", "iam:CreatePolicy", "lambda:CreateFunction"),
    *("events:CreateEventBus", "events:DeleteEventBus", "events:DescribeEventBus", "events:ListTagsForResource"),
    *("events:ListTargetsByRule", "events:PutTargets", "events:RemoveTargets", "events:TagResource"),
    *("kms:CreateAlias", "kms:DeleteAlias"),
}
# and for another action here.
_ASKED_INSTEAD = {
    "lambda:GetAlias": "lambda:ListAliases",
    "lambda:GetEventSourceMapping": "lambda:ListEventSourceMappings",
}


class _Deployer:
    """An IAM user that may do what the policies of a stack say, and Terraform with its access key."""

    def __init__(self, stack: Path, binding: dict[str, str]) -> None:
        self._file = stack / "cdk.tf.json"
        self._iam = client("iam", _REGION, binding["AWS_ENDPOINT_URL"])
        self._policies = policies(self._file, ACCOUNTS[WORLD])
        self._iam.create_user(UserName=_USER)
        key = self._iam.create_access_key(UserName=_USER)["AccessKey"]
        own = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
        self.may_do_all_but(None)
        # Its state is in S3, as the stack says; a bucket's own host name can't be resolved here.
        place = {"LocationConstraint": "eu-west-1"}
        s3 = client("s3", "eu-west-1", binding["AWS_ENDPOINT_URL"])
        s3.create_bucket(Bucket="harbour-state", CreateBucketConfiguration=place)
        self.terraform = Terraform(stack, {**binding, **own}, backend={"use_path_style": "true"})

    def change(self, texts: Mapping[str, str]) -> None:
        """Replace texts of the stack's configuration."""
        configuration = self._file.read_text(encoding="utf-8")
        for before, after in texts.items():
            assert before in configuration
            configuration = configuration.replace(before, after)
        self._file.write_text(configuration, encoding="utf-8")

    def first(self, kind: str) -> str:
        """Return the address of a resource of a kind."""
        resources = json.loads(self._file.read_text(encoding="utf-8"))["resource"]
        return f"{kind}.{next(iter(resources[kind]))}"

    def may_do_all_but(self, action: str | None) -> None:
        """Give the user the policies, without one action."""
        for number, policy in enumerate(self._policies):
            statements = [part for one in policy["Statement"] for part in _as_asked(one, action)]
            document = json.dumps({**policy, "Statement": statements})
            self._iam.put_user_policy(UserName=_USER, PolicyName=str(number), PolicyDocument=document)


def _as_asked(statement: dict[str, Any], without: str | None) -> Iterator[dict[str, Any]]:
    actions = set(statement["Action"]) - {without}
    anywhere = (actions & _ASKED_WITHOUT_RESOURCE) | {_ASKED_INSTEAD[one] for one in actions & set(_ASKED_INSTEAD)}
    for part, resource in ((actions - _ASKED_WITHOUT_RESOURCE, statement["Resource"]), (anywhere, ["*"])):
        if part:
            yield {**statement, "Action": sorted(part), "Resource": resource}


@pytest.fixture(scope="module")
def deployer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Deployer]:
    """The deployer of a stack that it has applied."""
    folder = tmp_path_factory.mktemp("deployer")
    with empty_aws(WORLD, folder / "aws") as binding:
        stacks = synthesize_stand_ins(Deployment.load(DEPLOYMENT), folder)
        deployer = _Deployer(stacks / f"harbour-{_REGION}", binding)
        deployer.terraform.run("apply", *_QUICKLY)
        yield deployer


@pytest.mark.parametrize(
    ("action", "refused"),
    [
        ("logs:ListTagsForResource", "not authorized to perform: logs:ListTagsForResource"),
        ("logs:DeleteLogGroup", "not authorized to perform: logs:DeleteLogGroup"),
        ("logs:CreateLogGroup", "not authorized to perform: logs:CreateLogGroup"),
        ("s3:PutObject", "operation error S3: PutObject"),
    ],
)
def test_an_action_left_out_is_missed(deployer: _Deployer, action: str, refused: str) -> None:
    address = deployer.first("aws_cloudwatch_log_group")
    deployer.may_do_all_but(action)
    replaced = deployer.terraform.attempt("apply", "-auto-approve", f"-replace={address}", f"-target={address}")
    deployer.may_do_all_but(None)
    assert replaced.returncode == 1
    assert refused in replaced.stderr


def test_the_policies_are_enough_to_upgrade_and_destroy_the_stack(deployer: _Deployer) -> None:
    deployer.change(
        {
            '"retention_in_days": 30': '"retention_in_days": 90',
            '"deletion_protection_enabled": true': '"deletion_protection_enabled": false',
            '"source_code_hash": "code-hash"': '"source_code_hash": "another"',
            '"owner": "harbour-master"': '"owner": "pilot"',
        }
    )
    deployer.terraform.run("apply", *_QUICKLY)
    deployer.terraform.run("destroy", *_QUICKLY)
