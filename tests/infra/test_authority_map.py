"""The policy document in AppConfig: what its validator accepts, and how a new document reaches the functions."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from jsonschema import Draft4Validator

from domicile.core.errors import PolicyInvalidError
from domicile.core.policy import Policy
from domicile.deployment import Deployment
from infra.artifacts import ROOT
from modules.authority_map import SCHEMA
from tests.infra.synthesized import Stack

_VALIDATOR = Draft4Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))


def _change(document: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Return a document with another value at a path; None takes the key away."""
    changed = copy.deepcopy(document)
    *parents, last = path.split("/")
    inner = changed
    for parent in parents:
        inner = inner[parent]
    inner[last] = value
    if value is None:
        del inner[last]
    return changed


def test_the_schema_is_one_that_appconfig_can_read() -> None:
    Draft4Validator.check_schema(_VALIDATOR.schema)
    assert len(SCHEMA.read_bytes()) < 32 * 1024


@pytest.mark.parametrize(
    "file", ["domicile.yaml", "tests/infra/golden/deployment.yaml", "tests/infra/golden/native.yaml"]
)
def test_a_deployments_document_is_accepted_by_the_schema_and_by_the_functions(file: str) -> None:
    document = Deployment.load(ROOT / file).policy_document()
    _VALIDATOR.validate(document)
    Policy.parse(document)


_TABLE = "tables/harbour-visits"
_SENSITIVE = f"{_TABLE}/sensitive/name"
_WRONG = [
    ("format", 2),
    ("format", None),
    ("regions", []),
    ("regions", "us-east-1"),
    ("regions", [1]),
    ("authorities", None),
    ("authorities/EU", 5),
    ("authorities/EU", "mars"),
    ("tables", None),
    ("extra", 1),
    (f"{_TABLE}/ledger", None),
    (f"{_TABLE}/hash_key", ""),
    (f"{_TABLE}/range_key", 5),
    (f"{_TABLE}/authority_attribute", None),
    (f"{_TABLE}/control_attribute", None),
    (f"{_TABLE}/directory", "nowhere"),
    (f"{_TABLE}/writers", None),
    (f"{_TABLE}/sensitive", None),
    (f"{_TABLE}/extra", True),
    (_SENSITIVE, "redact"),
    (_SENSITIVE, {}),
    (_SENSITIVE, {"strategy": "encrypt"}),
    (_SENSITIVE, {"strategy": "redact", "keep": "domain"}),
    (_SENSITIVE, {"strategy": "mask"}),
    (_SENSITIVE, {"strategy": "mask", "keep": "all"}),
    (_SENSITIVE, {"strategy": "mask", "keep": {}}),
    (_SENSITIVE, {"strategy": "mask", "keep": {"first": 0}}),
    (_SENSITIVE, {"strategy": "mask", "keep": {"first": 1, "last": 1}}),
    (_SENSITIVE, {"strategy": "mask", "keep": {"middle": 1}}),
    (_SENSITIVE, {"strategy": "generalize"}),
    (_SENSITIVE, {"strategy": "generalize", "to": "week"}),
    (_SENSITIVE, {"strategy": "generalize", "bucket": 0}),
    (_SENSITIVE, {"strategy": "generalize", "bucket": 1.5}),
    (_SENSITIVE, {"strategy": "generalize", "bucket": True}),
    (_SENSITIVE, {"strategy": "generalize", "to": "year", "bucket": 10}),
    ("native", []),
    ("native", {"harbour-ships": {"consistency": "eventual"}}),
    ("native", {"harbour-ships": {"regions": [], "consistency": "eventual"}}),
    ("native", {"harbour-ships": {"regions": ["us-east-1"], "consistency": "weak"}}),
    ("native", {"harbour-ships": {"regions": ["us-east-1"], "consistency": "strong", "hash_key": "imo"}}),
]


@pytest.mark.parametrize(("path", "value"), _WRONG)
def test_a_document_that_the_functions_refuse_is_refused_before_it_is_deployed(
    deployment: Deployment, path: str, value: Any
) -> None:
    document = _change(deployment.policy_document(), path, value)
    with pytest.raises(PolicyInvalidError):
        Policy.parse(document)
    assert not _VALIDATOR.is_valid(document)


def test_the_profile_carries_the_schema_and_the_version_the_document(virginia: Stack, deployment: Deployment) -> None:
    profile = virginia.named("aws_appconfig_configuration_profile", "policy")
    assert (profile["type"], profile["location_uri"]) == ("AWS.Freeform", "hosted")
    (validator,) = profile["validator"]
    assert validator["type"] == "JSON_SCHEMA"
    assert json.loads(validator["content"].replace("$${", "${")) == _VALIDATOR.schema
    ((_, version),) = virginia.resources("aws_appconfig_hosted_configuration_version")
    assert json.loads(version["content"].replace("$${", "${")) == deployment.policy_document()
    assert "$${berth}" in version["content"]
    assert version["lifecycle"] == {"create_before_destroy": True}


def test_the_first_document_is_deployed_at_once_and_each_one_gradually(virginia: Stack) -> None:
    deployments = dict(virginia.resources("aws_appconfig_deployment"))
    (current,) = [of for of in deployments.values() if "depends_on" in of]
    (first,) = [deployments[address] for address in current["depends_on"]]
    assert first["lifecycle"] == {"ignore_changes": "all"}
    assert "lifecycle" not in current
    assert first["configuration_version"] == current["configuration_version"]
    at_once, gradual = (virginia.resolve(of["deployment_strategy_id"]) for of in (first, current))
    assert (at_once["deployment_duration_in_minutes"], at_once["final_bake_time_in_minutes"]) == (0, 0)
    assert gradual["deployment_duration_in_minutes"] > 0
    assert gradual["growth_factor"] < 100


def test_the_functions_ask_for_the_document_by_the_names_that_it_has(virginia: Stack) -> None:
    ((_, application),) = virginia.resources("aws_appconfig_application")
    ((_, environment),) = virginia.resources("aws_appconfig_environment")
    ((_, profile),) = virginia.resources("aws_appconfig_configuration_profile")
    path = "/".join(of["name"] for of in (application, environment, profile))
    function = virginia.named("aws_lambda_function", "harbour-listener", key="function_name")
    assert function["environment"]["variables"]["DOMICILE_POLICY"] == path
