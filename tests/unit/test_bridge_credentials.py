"""``domicile bridge credentials``, over moto: what a step leaves on failure, and that no secret is shown."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from domicile import bridge_credentials
from domicile.accounts import Accounts
from domicile.bridge_credentials import Direction, plan_init
from domicile.errors import OperationError
from tests.unit.command_line import Run, command_line

SINGAPORE, BEIJING = "ap-southeast-1", "cn-north-1"
USER = "shopease-courier-ap-southeast-1"
BACK = "shopease-courier-cn-north-1"
SECRET = "shopease/courier"
FILE = f"""
name: shopease
regions: [{SINGAPORE}, {BEIJING}]
authorities: {{CN: {BEIJING}}}
tables: {{orders: {{hash_key: {{name: pk, type: S}}}}}}
bridges: [{{between: [{SINGAPORE}, {BEIJING}]}}]
"""


class Aws:
    """Both partitions in moto; the users and empty secrets that Terraform would have made."""

    def __init__(self) -> None:
        self.secrets = {region: client("secretsmanager", region) for region in (SINGAPORE, BEIJING)}
        self.iam = {USER: client("iam", BEIJING), BACK: client("iam", SINGAPORE)}
        for user, iam in self.iam.items():
            iam.create_user(UserName=user)
        for secrets in self.secrets.values():
            secrets.create_secret(Name=SECRET)

    def keys(self, user: str = USER) -> dict[str, str]:
        """Return the status of each of a user's keys; none where there is no user."""
        try:
            listed = self.iam[user].list_access_keys(UserName=user)["AccessKeyMetadata"]
        except self.iam[user].exceptions.NoSuchEntityException:
            return {}
        return {key["AccessKeyId"]: key["Status"] for key in listed}

    def stored(self, region: str = SINGAPORE, stage: str = "AWSCURRENT") -> dict[str, str]:
        """Return the value of a secret."""
        text = self.secrets[region].get_secret_value(SecretId=SECRET, VersionStage=stage)["SecretString"]
        value: dict[str, str] = json.loads(text)
        return value


def client(service: Any, region: str) -> Any:
    return boto3.client(service, region_name=region)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setattr(bridge_credentials, "_TRY_EVERY_S", 0)
    with mock_aws():
        yield Aws()


@pytest.fixture
def direction(aws: Aws) -> Direction:
    return Direction("shopease", SINGAPORE, BEIJING, Accounts({}))


@pytest.fixture
def run(aws: Aws, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run ``domicile bridge credentials``, and return exit code and output."""
    started = command_line(FILE, tmp_path, monkeypatch, capsys)

    def call(*arguments: str) -> tuple[int, str, str]:
        code, out, err = started("bridge", "credentials", *arguments)
        for user in aws.iam:
            assert not any(key in out + err for key in aws.keys(user)), "an id is shown by its end alone"
        return code, out, err

    return call


def refuse(made: Any, operation: str, code: str = "InternalFailure", times: int = 1000) -> list[str]:
    """Let calls of a client fail before they are sent; the list grows with them."""
    calls: list[str] = []

    def fail(**_: Any) -> None:
        if len(calls) < times:
            calls.append(operation)
            raise ClientError({"Error": {"Code": code, "Message": "the secret of AKIA"}}, operation)

    made.meta.events.register(f"before-call.*.{operation}", fail)
    return calls


def test_without_a_yes_the_plan_is_shown_and_nothing_changes(run: Run, aws: Aws) -> None:
    code, out, err = run("init")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        f"{SINGAPORE} -> {BEIJING}  {USER}  create an access key and put it into the secret",
        f"{BEIJING} -> {SINGAPORE}  {BACK}  create an access key and put it into the secret",
        "nothing was changed; --yes carries the plan out",
    ]
    assert (aws.keys(USER), aws.keys(BACK)) == ({}, {})


def test_the_first_keys_are_made_where_they_are_taken_and_kept_where_they_are_used(run: Run, aws: Aws) -> None:
    assert run("init", "--yes")[0] == 0
    for user, region in ((USER, SINGAPORE), (BACK, BEIJING)):
        assert aws.keys(user) == {aws.stored(region)["access_key_id"]: "Active"}
        assert set(aws.stored(region)) == {"access_key_id", "secret_access_key"}
    before = aws.stored()
    code, out, _ = run("init", "--yes", "--json")
    assert (code, [one["action"] for one in json.loads(out)["plan"]]) == (0, ["nothing", "nothing"])
    assert aws.stored() == before


def test_a_rotation_is_three_calls_and_always_leaves_the_secret_s_key_active(run: Run, aws: Aws) -> None:
    run("init", "--yes")
    first = aws.stored()["access_key_id"]
    assert run("rotate", "--yes")[0] == 0
    second = aws.stored()["access_key_id"]
    assert first != second
    assert aws.keys() == {first: "Active", second: "Active"}
    assert aws.stored(stage="AWSPREVIOUS")["access_key_id"] == first
    assert "nothing to do" in run("rotate", "--delete", "--yes")[1]
    assert run("rotate", "--yes")[0] == 0
    assert aws.keys() == {first: "Inactive", second: "Active"}
    assert "--delete removes it" in run("rotate", "--yes")[1]
    assert aws.keys() == {first: "Inactive", second: "Active"}
    assert run("rotate", "--delete", "--yes")[0] == 0
    assert aws.keys() == {second: "Active"}
    assert aws.stored()["access_key_id"] == second


@pytest.mark.parametrize("former", ["Active", "Inactive"])
def test_a_key_that_leaks_in_the_middle_of_a_rotation_is_deleted_and_the_next_one_made(
    run: Run, aws: Aws, former: str
) -> None:
    run("init", "--yes")
    run("rotate", "--yes")
    if former == "Inactive":
        run("rotate", "--yes")
    leaked = aws.stored()["access_key_id"]
    (other,) = set(aws.keys()) - {leaked}
    aws.iam[USER].update_access_key(UserName=USER, AccessKeyId=leaked, Status="Inactive")
    for delete in ([], ["--delete"]):
        code, _, err = run("rotate", "--yes", *delete)
        assert (code, aws.keys()) == (1, {leaked: "Inactive", other: former})
        assert "if it leaked, delete it instead (aws iam delete-access-key), then rotate" in err
    aws.iam[USER].delete_access_key(UserName=USER, AccessKeyId=leaked)
    assert run("rotate", "--yes")[0] == 0
    made = aws.stored()["access_key_id"]
    assert aws.keys() == {other: former, made: "Active"}
    assert made not in (other, leaked)


def test_no_secret_is_printed(run: Run, aws: Aws) -> None:
    said = "".join(
        part
        for command in (["init", "--yes"], ["rotate", "--yes", "--json"], ["check"], ["check", "--json"])
        for part in run(*command)[1:]
    )
    for region in (SINGAPORE, BEIJING):
        for stage in ("AWSCURRENT", "AWSPREVIOUS"):
            assert aws.stored(region, stage)["secret_access_key"] not in said


def test_a_direction_that_is_not_there_yet_holds_up_no_other(run: Run, aws: Aws) -> None:
    aws.iam[USER].delete_user(UserName=USER)
    code, _, err = run("init", "--yes")
    assert (code, err) == (
        1,
        f"{SINGAPORE} -> {BEIJING}: the user is missing; apply the receiver's stack first\n",
    )
    assert len(aws.keys(BACK)) == 1
    aws.secrets[BEIJING].delete_secret(SecretId=SECRET, ForceDeleteWithoutRecovery=True)
    assert "the secret is missing; apply the sender's stack first" in run("rotate")[2]


def unreadable(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody read the user of the first direction."""
    original = Accounts.client

    def made(self: Accounts, service: str, region: str, **options: Any) -> Any:
        found = original(self, service, region, **options)
        if (service, region) == ("iam", BEIJING):
            refuse(found, "GetUser", "AccessDenied")
        return found

    monkeypatch.setattr(Accounts, "client", made)


UNREADABLE = f"{SINGAPORE} -> {BEIJING}: {BEIJING}: user {USER} can't be read: AccessDenied\n"


def test_a_direction_that_can_not_be_read_holds_up_no_other(
    run: Run, aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    unreadable(aws, monkeypatch)
    code, out, err = run("init", "--yes")
    assert (code, err) == (1, UNREADABLE)
    assert f"{BEIJING} -> {SINGAPORE}" in out
    assert (len(aws.keys(USER)), len(aws.keys(BACK))) == (0, 1)


def test_a_check_says_that_a_direction_can_not_be_read_and_looks_at_the_other(
    run: Run, aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("init", "--yes")
    allow(aws, BACK, {"StringEquals": {"aws:SourceVpce": "vpce-12345678"}})
    unreadable(aws, monkeypatch)
    code, out, err = run("check")
    assert (code, err) == (1, UNREADABLE)
    assert f"{BEIJING} -> {SINGAPORE}  {BACK}  may put from: vpce-12345678" in out


def test_a_deployment_without_a_bridge_is_refused(run: Run) -> None:
    text = Path("domicile.yaml").read_text().replace(f", {BEIJING}", ", eu-west-1").replace(BEIJING, "eu-west-1")
    Path("domicile.yaml").write_text(text[: text.index("bridges:")])
    code, _, err = run("check")
    assert (code, err) == (2, "domicile.yaml: bridges: there is none; accepted: a deployment with a bridge\n")


def create(direction: Direction) -> str:
    found = direction.read()
    return direction.perform(plan_init(found), found)


def test_a_new_key_is_tried_until_iam_knows_it(direction: Direction, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    original = Accounts.client

    def made(self: Accounts, service: str, region: str, **options: Any) -> Any:
        found = original(self, service, region, **options)
        if service == "sts":
            calls.append("sts")
            refuse(found, "GetCallerIdentity", "InvalidClientTokenId", times=3)
        return found

    monkeypatch.setattr(Accounts, "client", made)
    assert create(direction).endswith("works and is in the secret")
    assert calls == ["sts"]


def test_a_key_that_never_works_does_not_reach_the_secret(
    direction: Direction, aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Accounts.client

    def made(self: Accounts, service: str, region: str, **options: Any) -> Any:
        found = original(self, service, region, **options)
        if service == "sts":
            refuse(found, "GetCallerIdentity", "InvalidClientTokenId")
        return found

    monkeypatch.setattr(Accounts, "client", made)
    monkeypatch.setattr(bridge_credentials, "TRY_WITHIN_S", 0.05)
    with pytest.raises(OperationError, match=r"is refused: InvalidClientTokenId\n.* was deleted again") as raised:
        create(direction)
    assert "secret of AKIA" not in str(raised.value)
    assert aws.keys() == {}
    assert direction.read().stored is None


@pytest.mark.parametrize(
    "error", [ClientError({"Error": {"Code": "AccessDenied"}}, "PutSecretValue"), KeyboardInterrupt]
)
def test_a_key_that_could_not_be_put_is_deleted_again(
    direction: Direction, aws: Aws, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_: Any) -> None:
        raise error

    monkeypatch.setattr(direction._secrets, "put_secret_value", fail)
    with pytest.raises(OperationError, match=r"the key \.\.\.\w{4} was deleted again"):
        create(direction)
    assert aws.keys() == {}


def test_a_key_whose_put_failed_but_arrived_is_kept(
    direction: Direction, aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = direction._secrets.put_secret_value

    def put(**arguments: Any) -> None:
        original(**arguments)
        raise ClientError({"Error": {"Code": "InternalFailure"}}, "PutSecretValue")

    monkeypatch.setattr(direction._secrets, "put_secret_value", put)
    with pytest.raises(OperationError, match="is in the secret all the same; it was kept"):
        create(direction)
    assert aws.keys() == {aws.stored()["access_key_id"]: "Active"}


def test_a_key_that_can_not_be_deleted_again_is_named(direction: Direction, aws: Aws) -> None:
    refuse(direction._secrets, "PutSecretValue")
    refuse(direction._iam, "DeleteAccessKey", "AccessDenied")
    with pytest.raises(
        OperationError, match=r"was not put: InternalFailure\n.* was not deleted; delete it: AccessDenied"
    ):
        create(direction)
    assert len(aws.keys()) == 1


@pytest.mark.parametrize("delete", [False, True])
def test_no_key_is_retired_while_the_secret_s_own_is_refused(
    run: Run, aws: Aws, monkeypatch: pytest.MonkeyPatch, *, delete: bool
) -> None:
    run("init", "--yes")
    run("rotate", "--yes")
    if delete:
        run("rotate", "--yes")
    before = aws.keys()
    original = Accounts.client

    def made(self: Accounts, service: str, region: str, **options: Any) -> Any:
        found = original(self, service, region, **options)
        if service == "sts":
            refuse(found, "GetCallerIdentity", "SignatureDoesNotMatch")
        return found

    monkeypatch.setattr(Accounts, "client", made)
    code, _, err = run("rotate", "--yes", *(["--delete"] if delete else []))
    assert (code, err.count("is refused: SignatureDoesNotMatch")) == (1, 2)
    assert aws.keys() == before


def test_a_key_of_another_account_is_told(direction: Direction) -> None:
    create(direction)
    found = direction.read()
    assert found.stored
    with pytest.raises(OperationError, match="is of another account than the user"):
        direction.try_key(found.stored, replace(found, account="999999999999"))


def test_a_value_that_is_no_key_is_not_quoted(direction: Direction, aws: Aws) -> None:
    aws.secrets[SINGAPORE].put_secret_value(SecretId=SECRET, SecretString='{"password": "secret"}')
    found = direction.read()
    assert (found.stored, "accepted: JSON" in str(found.secret_problem)) == (None, True)
    assert "password" not in str(found)


def allow(aws: Aws, user: str, condition: dict[str, Any] | None) -> None:
    statement = {"Effect": "Allow", "Action": "kinesis:PutRecords", "Resource": "*"}
    document = {"Version": "2012-10-17", "Statement": [statement | ({"Condition": condition} if condition else {})]}
    aws.iam[user].put_user_policy(UserName=user, PolicyName="put", PolicyDocument=json.dumps(document))


def test_a_check_shows_each_key_and_fails_for_what_is_wrong(run: Run, aws: Aws) -> None:
    run("init", "--yes")
    allow(aws, USER, {"IpAddress": {"aws:SourceIp": ["203.0.113.7/32"]}})
    allow(aws, BACK, {"StringEquals": {"aws:SourceVpce": "vpce-12345678"}})
    code, out, err = run("check")
    assert (code, err) == (0, "")
    tail = aws.stored()["access_key_id"][-4:]
    head, key = out.splitlines()[:2]
    assert head == f"{SINGAPORE} -> {BEIJING}  {USER}  may put from: 203.0.113.7/32"
    assert key.startswith(f"  ...{tail}  active  in the secret  0 days old  last used 20"), "it was tried"
    allow(aws, USER, None)
    aws.iam[BACK].update_access_key(UserName=BACK, AccessKeyId=aws.stored(BEIJING)["access_key_id"], Status="Inactive")
    code, out, err = run("check", "--json")
    found = json.loads(out)
    assert code == 1
    assert found[0]["problems"] == [
        "the user may put from no address: list the courier's in the deployment file, and apply"
    ]
    (only,) = found[0]["keys"]
    assert datetime.fromisoformat(only.pop("last_used"))
    assert only == {"id_ends": f"...{tail}", "active": True, "in_secret": True, "age_days": 0}
    assert found[1]["addresses"] == ["vpce-12345678"]
    assert any(problem.endswith("is inactive") for problem in found[1]["problems"])
    assert err.count("\n") == sum(len(one["problems"]) for one in found)
