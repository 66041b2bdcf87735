from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from domicile.core.policy import Policy
from domicile.deployment import Deployment

ROOT = Path(__file__).resolve().parents[2]

SHOPEASE = """
name: shopease
regions: [us-east-1, ap-south-1, eu-west-1]
authorities: {EU: eu-west-1, IN: ap-south-1}
tables:
  customers:
    hash_key: {name: pk, type: S}
    range_key: {name: sk, type: S}
    sensitive:
      email: {strategy: mask, keep: domain}
      phone: {strategy: mask, keep: {last: 4}}
      profile.birth: {strategy: generalize, to: year}
      age: {strategy: generalize, bucket: 10}
      name: redact
  inventory:
    hash_key: {name: sku, type: S}
    directory: origin
    writers: stamped
"""


def load(folder: Path, text: str) -> Deployment:
    file = folder / "domicile.yaml"
    file.write_text(text, encoding="utf-8")
    return Deployment.load(file)


def test_the_policy_document(tmp_path: Path) -> None:
    assert load(tmp_path, SHOPEASE).policy_document() == {
        "format": 1,
        "regions": ["ap-south-1", "eu-west-1", "us-east-1"],
        "authorities": {"EU": "eu-west-1", "IN": "ap-south-1"},
        "tables": {
            "shopease-customers": {
                "ledger": "shopease-customers-ledger",
                "hash_key": "pk",
                "range_key": "sk",
                "authority_attribute": "localization_authority",
                "control_attribute": "_dom",
                "sensitive": {
                    "email": {"strategy": "mask", "keep": "domain"},
                    "phone": {"strategy": "mask", "keep": {"last": 4}},
                    "profile.birth": {"strategy": "generalize", "to": "year"},
                    "age": {"strategy": "generalize", "bucket": 10},
                    "name": {"strategy": "redact"},
                },
                "directory": "everywhere",
                "writers": "any",
            },
            "shopease-inventory": {
                "ledger": "shopease-inventory-ledger",
                "hash_key": "sku",
                "authority_attribute": "localization_authority",
                "control_attribute": "_dom",
                "sensitive": {},
                "directory": "origin",
                "writers": "stamped",
            },
        },
    }


def test_what_is_not_given_has_a_safe_default(tmp_path: Path) -> None:
    deployment = load(tmp_path, SHOPEASE)
    assert deployment.backend.kind == "local"
    assert deployment.encryption == "customer-managed"
    assert deployment.log_retention_days == 365
    assert deployment.tags == {}
    table = deployment.localized["customers"]
    assert table.deletion_protection
    assert table.point_in_time_recovery
    assert table.ttl_attribute is None
    assert table.indexes == []


@pytest.mark.parametrize("code", ["NO", "no", "yes", "on", "off", "Y"])
def test_an_authority_that_yaml_takes_for_a_boolean(tmp_path: Path, code: str) -> None:
    deployment = load(tmp_path, SHOPEASE.replace("EU: ", f"{code}: "))
    assert deployment.authorities[code] == "eu-west-1"


def test_a_strategy_without_options_may_be_spelled_short(tmp_path: Path) -> None:
    short = load(tmp_path, SHOPEASE)
    assert load(tmp_path, SHOPEASE.replace("name: redact", "name: {strategy: redact}")) == short


def test_parts_may_be_repeated_by_anchor_and_merged(tmp_path: Path) -> None:
    text = SHOPEASE.replace("  inventory:\n", "  inventory:\n    <<: &base {deletion_protection: false}\n")
    text += "  returns:\n    <<: *base\n    hash_key: {name: pk, type: S}\n"
    deployment = load(tmp_path, text)
    assert not deployment.localized["inventory"].deletion_protection
    assert not deployment.localized["returns"].deletion_protection


@pytest.mark.parametrize(
    ("key", "strategy"),
    [("S", "redact"), ("S", {"strategy": "mask", "keep": "domain"}), ("N", "remove"), ("B", "remove")],
)
def test_a_sensitive_attribute_may_be_an_index_key_where_its_stub_keeps_the_type(
    tmp_path: Path, key: str, strategy: Any
) -> None:
    document = yaml.safe_load(SHOPEASE)
    document["tables"]["customers"] |= {
        "sensitive": {"tax_number": strategy},
        "indexes": [{"name": "by-tax-number", "hash_key": {"name": "tax_number", "type": key}}],
    }
    assert load(tmp_path, yaml.safe_dump(document)).tables["customers"].indexes


@pytest.mark.parametrize(
    ("backend", "expected"),
    [
        (
            {"kind": "s3", "bucket": "my-state", "region": "eu-west-1"},
            {"key_prefix": "", "kms_key_id": None, "lockfile": True},
        ),
        ({"kind": "cloud", "organization": "shopease"}, {"hostname": "app.terraform.io", "project": None, "tags": []}),
        (
            {
                "kind": "cloud",
                "organization": "s",
                "hostname": "tfe.shop.com:8443",
                "project": "The shop",
                "tags": ["eu:1"],
            },
            {},
        ),
    ],
)
def test_backends(tmp_path: Path, backend: dict[str, Any], expected: dict[str, Any]) -> None:
    deployment = load(tmp_path, yaml.safe_dump(yaml.safe_load(SHOPEASE) | {"backend": backend}))
    assert deployment.backend.model_dump() == backend | expected


names = st.from_regex(r"[A-Za-z][A-Za-z0-9_.-]{0,20}", fullmatch=True).filter(lambda name: not name.endswith("-ledger"))
strategies = st.one_of(
    st.sampled_from(["redact", "remove", "hash"]),
    st.builds(
        lambda keep: {"strategy": "mask", "keep": keep}, st.just("domain") | st.builds(dict, last=st.integers(1))
    ),
    st.builds(lambda to: {"strategy": "generalize", "to": to}, st.sampled_from(["year", "month"])),
    st.builds(lambda bucket: {"strategy": "generalize", "bucket": bucket}, st.integers(1, 10**9)),
)
# Attributes that are no path into one another and have no other role.
attributes = st.from_regex(r"x[A-Za-z0-9_ é-]{0,20}", fullmatch=True)
keys = st.fixed_dictionaries({"name": st.from_regex(r"k[a-z]{1,9}", fullmatch=True), "type": st.sampled_from("SNB")})
tables = st.fixed_dictionaries(
    {"hash_key": keys},
    optional={
        "sensitive": st.dictionaries(attributes, strategies, max_size=4),
        "directory": st.sampled_from(["everywhere", "origin"]),
        "writers": st.sampled_from(["any", "stamped"]),
        "ttl_attribute": st.just("expires_at"),
        "indexes": st.just([{"name": "idx", "hash_key": {"name": "status", "type": "S"}, "projection": ["total"]}]),
        "deletion_protection": st.booleans(),
    },
)
documents = st.fixed_dictionaries(
    {
        "name": st.from_regex(r"[a-z][a-z0-9-]{0,22}[a-z0-9]", fullmatch=True),
        "regions": st.permutations(["us-east-1", "eu-west-1", "ap-south-1"]),
        "authorities": st.dictionaries(
            st.from_regex(r"[A-Z]{2}", fullmatch=True), st.sampled_from(["us-east-1", "eu-west-1"]), min_size=1
        ),
        "tables": st.dictionaries(names, tables, min_size=1, max_size=3),
    },
    optional={
        "encryption": st.sampled_from(["customer-managed", "aws-owned"]),
        "log_retention_days": st.sampled_from([1, 365, 3653]),
        "tags": st.dictionaries(st.from_regex(r"t[A-Za-z]{1,9}", fullmatch=True), st.just("value")),
        "backend": st.sampled_from([{"kind": "local"}, {"kind": "cloud", "organization": "shopease"}]),
    },
)


@given(document=documents)
def test_a_good_document_survives_a_round_trip_and_means_something_to_the_functions(
    tmp_path_factory: pytest.TempPathFactory, document: dict[str, Any]
) -> None:
    folder = tmp_path_factory.mktemp("deployment")
    deployment = load(folder, yaml.safe_dump(document, allow_unicode=True))
    dumped = yaml.safe_dump(deployment.model_dump(mode="json", exclude_none=True), allow_unicode=True)
    assert load(folder, dumped) == deployment
    jsonschema.validate(document, Deployment.json_schema())
    policy = Policy.parse(json.loads(json.dumps(deployment.policy_document())))
    assert set(policy.tables) == {f"{deployment.name}-{table}" for table in deployment.tables}
    assert policy.authorities == deployment.authorities


def test_the_schema_is_a_schema_and_refuses_what_the_models_refuse(tmp_path: Path) -> None:
    schema = Deployment.json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    assert not list(validator.iter_errors(yaml.safe_load(SHOPEASE)))
    for wrong in ({"name": "Shop"}, {"regions": ["eu-west-1"]}, {"colour": "red"}, {"backend": {"kind": "ftp"}}):
        assert list(validator.iter_errors(yaml.safe_load(SHOPEASE) | wrong)), wrong


def test_each_key_has_a_description_for_editors() -> None:
    schema = Deployment.json_schema()
    for name, model in {"Deployment": schema, **schema["$defs"]}.items():
        for key, value in model["properties"].items():
            assert value.get("description"), f"{name}.{key}"


def test_the_projects_own_deployment_file() -> None:
    deployment = Deployment.load(ROOT / "domicile.yaml")
    assert deployment.name == "shopease"
    assert set(deployment.tables) == {"inventory", "customers", "orders"}
    assert deployment.localized["inventory"].sensitive == {}


def examples(document: Path) -> list[str]:
    return re.findall(r"^```yaml\n(.*?)^```$", document.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("text", examples(ROOT / "docs" / "deployment-file.md"))
def test_the_reference_shows_valid_files(tmp_path: Path, text: str) -> None:
    load(tmp_path, text)


def test_the_reference_names_every_key() -> None:
    text = (ROOT / "docs" / "deployment-file.md").read_text(encoding="utf-8")
    assert examples(ROOT / "docs" / "deployment-file.md")
    schema = Deployment.json_schema()
    keys = {key for model in (schema, *schema["$defs"].values()) for key in model["properties"]}
    assert {key for key in keys if f"`{key}`" not in text} == set()
