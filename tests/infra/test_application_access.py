"""What an application's role may do that has the managed policy."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from botocore.loaders import Loader

from domicile.deployment import Deployment
from domicile.errors import UserError
from infra.artifacts import ROOT
from tests.infra.synthesized import Stack, synthesize_stand_ins
from tests.infra.test_permissions import USE_KEY

_VISITS, _TIDES = (f"arn:aws:dynamodb:*:1234:table/harbour-{table}" for table in ("visits", "tides"))
_REGIONS = ["us-east-1", "eu-west-1", "ap-south-1"]
_ITEMS = {"GetItem", "BatchGetItem", "Query", "Scan", "PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem"}
# A transaction is authorized as the writes and checks in it.
_AUTHORIZED_AS = {"TransactWriteItems": {"PutItem", "UpdateItem", "DeleteItem", "ConditionCheckItem"}}


@pytest.fixture(scope="module")
def statements(virginia: Stack) -> Mapping[str, Any]:
    """The policy's statements by Sid."""
    policy = virginia.named("aws_iam_policy", "harbour-application-us-east-1")
    return {statement["Sid"]: statement for statement in json.loads(policy["policy"])["Statement"]}


def test_the_tables_of_every_region_their_indexes_their_keys_and_the_policy_are_all_it_grants(
    statements: Mapping[str, Any],
) -> None:
    anywhere = {"StringEquals": {"aws:RequestedRegion": _REGIONS}}
    assert set(statements) == {"UseTables", "SearchIndexes", "UseKeys", "ReadPolicy"}
    assert _grants(statements["UseTables"]) == (
        {f"dynamodb:{action}" for action in {*_ITEMS, "ConditionCheckItem"}},
        [_VISITS, _TIDES],
        anywhere,
    )
    # Only visits has indexes, and an index takes no other action.
    assert _grants(statements["SearchIndexes"]) == (
        {"dynamodb:Query", "dynamodb:Scan"},
        [f"{_VISITS}/index/*"],
        anywhere,
    )
    assert _grants(statements["UseKeys"]) == (
        USE_KEY,
        [f"arn:aws:kms:{region}:1234:key/*" for region in _REGIONS],
        {
            "StringEquals": {"kms:ViaService": [f"dynamodb.{region}.amazonaws.com" for region in _REGIONS]},
            "ForAnyValue:StringEquals": {"kms:ResourceAliases": ["alias/harbour"]},
        },
    )
    actions, (configuration,), condition = _grants(statements["ReadPolicy"])
    assert actions == {"appconfig:StartConfigurationSession", "appconfig:GetLatestConfiguration"}
    assert configuration.startswith("arn:aws:appconfig:us-east-1:1234:application/${aws_appconfig_application.")
    assert condition is None


def test_native_tables_are_among_them_wherever_they_are(natively: Path) -> None:
    policy = Stack.read(natively, "harbour-us-east-2").named("aws_iam_policy", "harbour-application-us-east-2")
    granted = {statement["Sid"]: _grants(statement) for statement in json.loads(policy["policy"])["Statement"]}
    regions = {"us-east-1", "eu-west-1", "ap-south-1", "us-east-2", "us-west-2"}
    tables = [f"arn:aws:dynamodb:*:1234:table/harbour-{table}" for table in ("visits", "ships", "buoys", "berths")]
    actions, resources, condition = granted["UseTables"]
    assert (actions, resources) == ({f"dynamodb:{action}" for action in {*_ITEMS, "ConditionCheckItem"}}, tables)
    assert condition == granted["SearchIndexes"][2]
    assert set(condition["StringEquals"]["aws:RequestedRegion"]) == regions
    assert granted["SearchIndexes"][1] == [f"{tables[1]}/index/*", f"{tables[3]}/index/*"]
    assert {arn.split(":")[3] for arn in granted["UseKeys"][1]} == regions


def test_every_call_that_the_client_can_make_is_allowed_and_no_other(statements: Mapping[str, Any]) -> None:
    operations = {_snake(name): name for name in Loader().load_service_model("dynamodb", "service-2")["operations"]}
    source = "".join(path.read_text(encoding="utf-8") for path in ROOT.glob("src/domicile/client/*.py"))
    called = {operations[word] for word in re.findall(r'"([a-z_]+)"', source) if word in operations}
    assert called >= _ITEMS
    needed = set[str]().union(*(_AUTHORIZED_AS.get(name, {name}) for name in called))
    assert set(statements["UseTables"]["Action"]) == {f"dynamodb:{name}" for name in needed}


def test_terraform_tells_the_policys_arn(virginia: Stack) -> None:
    output = virginia.configuration["output"]["application_policy_arn"]["value"]
    assert output.endswith(".arn}")
    assert virginia.resolve(output)["name"] == "harbour-application-us-east-1"


def test_there_is_nothing_of_an_index_or_a_key_where_there_is_none(deployment: Deployment, tmp_path: Path) -> None:
    plain = deployment.model_copy(update={"tables": {"tides": deployment.tables["tides"]}, "encryption": "aws-owned"})
    stack = Stack.read(synthesize_stand_ins(plain, tmp_path), "harbour-us-east-1")
    policy = stack.named("aws_iam_policy", "harbour-application-us-east-1")["policy"]
    assert [statement["Sid"] for statement in json.loads(policy)["Statement"]] == ["UseTables", "ReadPolicy"]


def test_a_policy_that_iam_would_refuse_is_the_users_error(deployment: Deployment, tmp_path: Path) -> None:
    tables = {f"{number}{'t' * 100}": deployment.tables["tides"] for number in range(50)}
    with pytest.raises(UserError, match=r"IAM takes 6144 characters of a managed policy, and this one has \d{4,}"):
        synthesize_stand_ins(deployment.model_copy(update={"tables": tables}), tmp_path)


def _grants(statement: Mapping[str, Any]) -> tuple[set[str], list[str], Any]:
    assert statement["Effect"] == "Allow"
    assert set(statement) <= {"Sid", "Effect", "Action", "Resource", "Condition"}
    return set(statement["Action"]), statement["Resource"], statement.get("Condition")


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
