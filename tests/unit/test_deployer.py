"""The deployer's policies: what is refused, what is divided, and the command that writes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from typer.testing import CliRunner

from domicile.cli.main import app
from domicile.deployer.permissions import GRANTS
from domicile.deployer.policies import CHARACTERS_MAX, policies
from domicile.errors import UserError

_ACCOUNT = "111122223333"
_ALIAS = "alias/state"
# Actions that no call of an API is named after: AWS asks for them within another.
_OF_IAM_ALONE = {
    *("dynamodb:CreateTableReplica", "dynamodb:DeleteTableReplica"),
    *("dynamodb:CreateGlobalTableWitness", "dynamodb:DeleteGlobalTableWitness"),
    *("iam:PassRole", "kms:ReEncryptFrom", "kms:ReEncryptTo"),
}


def stack(folder: Path, resources: dict[str, Any], region: str = "eu-west-1", **terraform: Any) -> Path:
    """Write a stack and return its file."""
    file = folder / "stacks" / f"shop-{region}" / "cdk.tf.json"
    file.parent.mkdir(parents=True)
    configuration = {"provider": {"aws": [{"region": region}]}, "resource": resources, "terraform": terraform}
    file.write_text(json.dumps(configuration), encoding="utf-8")
    return file


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["deployer-policy", *arguments])
    return (2, str(done.exception)) if isinstance(done.exception, UserError) else (done.exit_code, done.output)


def test_every_action_is_a_call_of_its_service_or_known_to_iam_alone() -> None:
    actions = {(one.service, action) for grants in GRANTS.values() for one in grants for action in one.actions.split()}
    session = botocore.session.get_session()
    calls = {service: session.get_service_model(service).operation_names for service, _ in actions}
    assert {f"{service}:{name}" for service, name in actions if name not in calls[service]} == _OF_IAM_ALONE


def test_an_unknown_resource_is_refused(tmp_path: Path) -> None:
    file = stack(tmp_path, {"aws_s3_bucket": {"more": {"bucket": "b"}}})
    with pytest.raises(
        UserError, match=r"cdk.tf.json: aws_s3_bucket.more: it is not known what it needs; accepted: .*aws_vpc"
    ):
        policies(file, _ACCOUNT)


@pytest.mark.parametrize(
    ("queue", "problem"),
    [({}, r"aws_sqs_queue.q.name: is missing"), ({"name": "${var.name}"}, r"aws_sqs_queue.q: its name is not known")],
)
def test_a_resource_without_a_name_is_refused(tmp_path: Path, queue: dict[str, str], problem: str) -> None:
    with pytest.raises(UserError, match=problem):
        policies(stack(tmp_path, {"aws_sqs_queue": {"q": queue}}), _ACCOUNT)


def test_many_resources_are_divided_among_policies_and_none_is_lost(tmp_path: Path) -> None:
    queues = {f"q{number}": {"name": f"{'q' * 60}{number}"} for number in range(150)}
    found = policies(stack(tmp_path, {"aws_sqs_queue": queues}), _ACCOUNT)
    assert max(len(json.dumps(policy, separators=(",", ":"))) for policy in found) <= CHARACTERS_MAX
    named = [arn for policy in found for statement in policy["Statement"] for arn in statement["Resource"]]
    assert sorted(named) == sorted(f"arn:aws:sqs:eu-west-1:{_ACCOUNT}:{queue['name']}" for queue in queues.values())


def test_a_key_of_the_state_is_used_through_s3_alone(tmp_path: Path) -> None:
    backend = {"bucket": "b", "region": "cn-north-1", "key": "k", "kms_key_id": _ALIAS}
    ((*_, key),) = [one["Statement"] for one in policies(stack(tmp_path, {}, backend={"s3": backend}), _ACCOUNT)]
    assert key["Action"] == ["kms:Decrypt", "kms:GenerateDataKey"]
    assert key["Resource"] == [f"arn:aws-cn:kms:cn-north-1:{_ACCOUNT}:key/*"]
    through = ["s3.cn-north-1.amazonaws.com.cn", "s3.cn-north-1.amazonaws.com"]
    assert key["Condition"] == {"StringEquals": {"kms:ViaService": through}}


def test_the_command_writes_a_file_for_each_policy_of_its_partition(tmp_path: Path) -> None:
    stack(tmp_path, {"aws_sqs_queue": {"q": {"name": "q"}}})
    stack(tmp_path, {"aws_sqs_queue": {"q": {"name": "q"}}}, region="cn-north-1")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "shop-cn-north-1-2.json").write_text("stale")
    options = ["--stacks", str(tmp_path / "stacks"), "--out", str(tmp_path / "out"), "--account", _ACCOUNT]
    assert run(*options, "--partition", "aws-cn") == (0, f"{tmp_path / 'out' / 'shop-cn-north-1-1.json'}\n")
    (file,) = (tmp_path / "out").iterdir()
    (statement,) = json.loads(file.read_text(encoding="utf-8"))["Statement"]
    assert statement["Resource"] == [f"arn:aws-cn:sqs:cn-north-1:{_ACCOUNT}:q"]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--account", "1234"], "--account 1234: accepted: the 12 digits of an AWS account's ID"),
        (["--account", _ACCOUNT, "--partition", "aws-us-gov"], "--partition aws-us-gov: accepted: aws or aws-cn"),
        (["--account", _ACCOUNT, "--partition", "aws-cn"], "stacks: has no stack of the partition aws-cn; accepted:"),
        (["--account", _ACCOUNT, "--stacks", "nowhere"], "nowhere: has no */cdk.tf.json; accepted:"),
    ],
)
def test_what_it_can_not_use_is_the_users_error(tmp_path: Path, options: list[str], problem: str) -> None:
    stack(tmp_path, {})
    code, said = run("--stacks", str(tmp_path / "stacks"), "--out", str(tmp_path / "out"), *options)
    assert code == 2
    assert problem in said
    assert not (tmp_path / "out").exists()
