"""Each statement of each role, each of its actions, resources and conditions' values, is there because it is needed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import Any, NamedTuple
from urllib.request import urlopen

import pytest

from domicile.core.control import Image
from domicile.core.partitions import partition_of
from domicile.local import api
from tests.bridge.sides import BEIJING, IRELAND, NAME, NINGXIA, SINGAPORE, Sides
from tests.iam import application, workload
from tests.iam.least import statements_of, unneeded
from tests.iam.workload import customer, large
from tests.local.failures import await_quiet
from tests.local.regions import eventually

_DYNAMODBS_MINIMUM = "DynamoDB's guide names it for whoever uses an encrypted table; no request of theirs shows why"
NOT_ASKED_HERE = {
    "WriteTraces": "Lambda sends the segments of active tracing; nothing here does",
    "ManageInterfaces": "Lambda makes a function's network interfaces by its role; there are no networks here",
    "LambdaAlone": "it denies; tests/infra/test_bridge_permissions.py says what",
    **{
        f"UseKey* kms:{action}": _DYNAMODBS_MINIMUM
        for action in ("DescribeKey", "Encrypt", "GenerateDataKeyWithoutPlaintext", "ReEncryptFrom", "ReEncryptTo")
    },
    "UseKeys kms:GenerateDataKey": _DYNAMODBS_MINIMUM,
    "ReadLargeItemsKeys kms:DescribeKey": "AWS's CDK grants it to whoever reads an encrypted table",
    "* kms:ViaService *.cn-*.amazonaws.com": "no page of AWS says which suffix the key has in China",
}
"""What nothing needs here, by patterns of statement and element, and why it is allowed all the same."""


pytestmark = pytest.mark.slow


def asked(region: str) -> list[dict[str, Any]]:
    """Return what IAM of a Region's partition has been asked."""
    endpoint = api.status().planes[partition_of(region)].endpoint
    with urlopen(f"{endpoint}/_domicile/permissions") as response:  # noqa: S310 - this machine
        found: list[dict[str, Any]] = json.load(response)["asked"]
    return found


def was(answer: str, region: str, role: str, action: str) -> bool:
    """Whether a role was ever ``allowed``, or ``denied``, an action on what is not the quarantine."""
    return any(
        question["principal"] == f"role/{role}" and question["action"] == action and question[answer]
        for question in asked(region)
        if not question["resource"].endswith("-quarantine")
    )


@pytest.fixture(scope="module")
def worked(everyone: Sides) -> Sides:
    """The Regions, after all the work."""
    workload.write_everywhere(everyone)
    workload.deliver_late(everyone)
    workload.come_to_nothing(everyone)
    workload.poison(everyone)
    workload.fail(everyone, lambda region, role, action: was("allowed", region, role, action))
    for region in everyone.all:
        application.run(everyone, region)
    await_quiet(everyone)
    return everyone


def principals(sides: Sides, region: str) -> list[str]:
    """Return the roles and the users of a Region's partition."""
    iam = sides.client("iam", region)
    roles = [f"role/{role['RoleName']}" for role in iam.list_roles()["Roles"]]
    return roles + [f"user/{user['UserName']}" for user in iam.list_users()["Users"]]


def test_nothing_is_allowed_in_vain_and_nothing_was_denied(worked: Sides) -> None:
    found: list[str] = []
    for region in (SINGAPORE, BEIJING):
        iam, questions = worked.client("iam", region), asked(region)
        assert [question for question in questions if question["denied"]] == []
        for principal in principals(worked, region):
            found += map(str, unneeded(principal, statements_of(iam, principal), questions))
    explained = {pattern: [part for part in found if fnmatchcase(part, f"* {pattern}")] for pattern in NOT_ASKED_HERE}
    assert sorted(set(found) - {part for parts in explained.values() for part in parts}) == []
    assert [pattern for pattern, parts in explained.items() if not parts] == []


def test_every_role_of_every_region_was_judged(worked: Sides) -> None:
    found = {principal for region in (SINGAPORE, BEIJING) for principal in principals(worked, region)}
    functions = ("listener", "replicator", "anonymizer", "router", "application")
    everywhere = {f"role/{NAME}-{role}-{region}" for role in functions for region in worked.all}
    gateways = {
        f"{kind}-{region}"
        for kind in (f"role/{NAME}-courier", f"role/{NAME}-gateway")
        for region in (SINGAPORE, BEIJING)
    }
    assert found == everywhere | gateways | {f"user/{NAME}-courier-{region}" for region in (SINGAPORE, BEIJING)}


@contextmanager
def taken_away(sides: Sides, region: str, role: str, sid: str) -> Iterator[None]:
    """Take a statement out of a role's policy while the block runs."""
    iam, policy = sides.client("iam", region), {"RoleName": role, "PolicyName": "work"}
    document = iam.get_role_policy(**policy)["PolicyDocument"]
    rest = [statement for statement in document["Statement"] if statement["Sid"] != sid]
    assert len(rest) == len(document["Statement"]) - 1
    if rest:
        iam.put_role_policy(**policy, PolicyDocument=json.dumps({**document, "Statement": rest}))
    else:
        iam.delete_role_policy(**policy)
    try:
        yield
    finally:
        iam.put_role_policy(**policy, PolicyDocument=json.dumps(document))


class Removal(NamedTuple):
    """A statement that is taken away, what is denied then, and where what item is written to show it."""

    role: str
    region: str
    statement: str
    denied: str
    writer: str
    item: Image


REMOVALS = [
    Removal("listener", IRELAND, "SettleWrites", "dynamodb:UpdateItem", IRELAND, customer()),
    Removal("replicator", IRELAND, "ConsumeInbox", "sqs:ReceiveMessage", SINGAPORE, customer()),
    Removal("replicator", NINGXIA, "UseKey", "kms:Decrypt", BEIJING, customer()),
    Removal("anonymizer", NINGXIA, "MakeStubs", "dynamodb:GetItem", NINGXIA, customer("BJ")),
    Removal("router", SINGAPORE, "PutOnSiblingBuses", "events:PutEvents", SINGAPORE, customer()),
    Removal("courier", SINGAPORE, "ReadLargeItems", "dynamodb:GetItem", IRELAND, customer(more=large())),
    Removal("gateway", BEIJING, "HandOnLargeItems", "lambda:InvokeFunction", IRELAND, customer(more=large())),
]


@pytest.mark.parametrize("removal", REMOVALS, ids=lambda removal: f"{removal.role}-{removal.statement}")
def test_without_a_statement_an_item_does_not_arrive_until_it_is_back(worked: Sides, removal: Removal) -> None:
    region, role = removal.region, f"{NAME}-{removal.role}-{removal.region}"
    with taken_away(worked, region, role, removal.statement):
        worked.put(removal.writer, workload.TABLE, removal.item)
        eventually(lambda: was("denied", region, role, removal.denied), bool, f"{role} was denied {removal.denied}")
        assert not workload.is_settled(worked, removal.item)
    if removal.role == "router":
        eventually(worked.dead_letters, lambda dead: f"{region} bus-dlq" in dead, "the event in the dead-letter queue")
        worked.operate("dlq", "redrive", "--yes")
    eventually(lambda: workload.is_settled(worked, removal.item), bool, "the item everywhere")
