"""Each row of the table: a good file with one change, and the exact lines of the errors that it must give."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from domicile.deployment import Deployment, DeploymentError

GOOD = """
name: shopease
regions: [us-east-1, eu-west-1, ap-south-1]
authorities: {EU: eu-west-1, IN: ap-south-1}
tables:
  orders:
    hash_key: {name: pk, type: S}
    range_key: {name: sk, type: S}
    ttl_attribute: expires_at
    sensitive:
      name: redact
      email: {strategy: mask, keep: domain}
      phone: {strategy: mask, keep: {last: 4}}
      address.street: remove
      national_id: {strategy: hash}
      birth_date: {strategy: generalize, to: year}
      age: {strategy: generalize, bucket: 10}
    indexes:
      - {name: by-status, hash_key: {name: status, type: S}, projection: [total]}
"""

STRATEGIES = (
    "attribute or dotted path -> redact, remove, hash, {strategy: mask, keep: domain | {first: N} | {last: N}}, "
    "{strategy: generalize, to: year | month} or {strategy: generalize, bucket: N}"
)
REGIONS = "two or more different Regions of the partitions aws and aws-cn, such as eu-west-1 and cn-north-1"
NAME = (
    "the prefix of every resource, 2 to 24 characters: lower-case letters, digits and hyphens, a letter first and no "
    "hyphen last"
)
NOT_SENSITIVE = "an attribute that is neither a key nor the table's authority, control or TTL attribute"
READ = "which the replication reads in every Region"
PATH = "attribute names joined by dots; in a list, a path reaches each element: lines.recipient"
STRING_KEY = "type S, or the strategy remove, which leaves a stub out of the index"


AUTHORITIES = "authority (1 to 64 letters, digits, hyphens, underscores and dots) -> a Region of this deployment"
KEEP = "domain (of an e-mail address), {first: N} or {last: N} characters, N above 0"
TO_OR_BUCKET = "either to: year | month (a date), or bucket: a whole number above 0 (a number)"
TABLES = "one or more tables: name (letters, digits, hyphens, underscores and dots) -> mapping"
DEPLOYMENT_KEYS = (
    "name, regions, authorities, tables, bridges, alarm_topic, backend, encryption, log_retention_days, tags"
)
ORGANIZATION = "the organization's name: up to 40 letters, digits, hyphens and underscores"
RETENTION = (
    "1 | 3 | 5 | 7 | 14 | 30 | 60 | 90 | 120 | 150 | 180 | 365 | 400 | 545 | 731 | 1096 | 1827 | 2192 | 2557 | 2922 | "
    "3288 | 3653"
)


def problems(folder: Path, text: str) -> list[str]:
    """Return the problems of a file with this text, without the file's name."""
    file = folder / "domicile.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(DeploymentError) as raised:
        Deployment.load(file)
    assert str(raised.value) == "\n".join(raised.value.problems)
    assert all(problem.startswith(f"{file}: ") for problem in raised.value.problems)
    return [problem.removeprefix(f"{file}: ") for problem in raised.value.problems]


# Each row: where in the good file, what stands there instead, the problem, and what is accepted.
BAD_VALUES: list[tuple[str, Any, str, str]] = [
    ("name", "ShopEase", "can't be 'ShopEase'", NAME),
    ("name", "s", "can't be 's'", NAME),
    ("name", "s" * 25, f"can't be '{'s' * 25}'", NAME),
    ("name", "shop-", "can't be 'shop-'", NAME),
    ("name", 7, "can't be 7", NAME),
    ("name", None, "can't be empty", NAME),
    ("name", True, "can't be true", NAME),
    ("name", "default", "is the name of the event bus that AWS makes in each Region", "any other name"),
    ("regions", ["eu-west-1"], "can't have 1 entries", REGIONS),
    ("regions/0", "cn-esat-1", "can't be 'cn-esat-1'", REGIONS),
    ("regions/0", "us-gov-west-1", "can't be 'us-gov-west-1'", REGIONS),
    ("regions/0", "us-esat-1", "can't be 'us-esat-1'", REGIONS),
    ("regions/0", "us-east-1a", "can't be 'us-east-1a'", REGIONS),
    (
        "authorities/EU",
        "eu-central-1",
        "eu-central-1 is not a Region of this deployment",
        "us-east-1, eu-west-1, ap-south-1",
    ),
    ("authorities", {}, "can't have 0 entries", AUTHORITIES),
    ("authorities/E U", "eu-west-1", "can't be 'E U'", AUTHORITIES),
    ("tables/orders/hash_key", "pk", "can't be 'pk'", "a mapping with the keys name, type"),
    ("tables/orders/hash_key/type", "String", "can't be 'String'", "S (string), N (number) or B (binary)"),
    (
        "tables/orders/hash_key/name",
        "dom_tombstone",
        "dom_tombstone is an attribute of the ledger, which has the same keys",
        "any other name than dom_expires_at, dom_tombstone, dom_forced, dom_removing",
    ),
    ("tables/orders/range_key/name", "pk", "pk is already the table's hash_key", "another attribute"),
    ("tables/orders/control_attribute", "sk", "sk is already the table's range_key", "another attribute"),
    ("tables/orders/ttl_attribute", "_dom", "_dom is already the table's control_attribute", "another attribute"),
    (
        "tables/orders/sensitive/sk",
        "redact",
        "is the table's range_key, and an item can't be found again by an anonymized key",
        NOT_SENSITIVE,
    ),
    ("tables/orders/sensitive/expires_at", "remove", f"is the table's ttl_attribute, {READ}", NOT_SENSITIVE),
    ("tables/orders/sensitive/_dom.v", "hash", f"is the table's control_attribute, {READ}", NOT_SENSITIVE),
    (
        "tables/orders/sensitive/localization_authority",
        "hash",
        f"is the table's authority_attribute, {READ}",
        NOT_SENSITIVE,
    ),
    ("tables/orders/sensitive/lines[0].to", "redact", "is not a path", PATH),
    ("tables/orders/sensitive/a..b", "redact", "is not a path", PATH),
    ("tables/orders/sensitive/name", "scramble", "can't be 'scramble'", STRATEGIES),
    ("tables/orders/sensitive/name", {"strategy": "scramble"}, "can't be {'strategy': 'scramble'}", STRATEGIES),
    ("tables/orders/sensitive/name", None, "can't be empty", STRATEGIES),
    ("tables/orders/sensitive/email/keep", "host", "can't be 'host'", KEEP),
    ("tables/orders/sensitive/email/keep", {"first": 0}, "can't be {'first': 0}", KEEP),
    ("tables/orders/sensitive/email/keep", {"first": 1, "last": 1}, "can't be {'first': 1, 'last': 1}", KEEP),
    ("tables/orders/sensitive/email/keep", {}, "can't be {}", KEEP),
    ("tables/orders/sensitive/email/keep", {"last": "4"}, "can't be {'last': '4'}", KEEP),
    ("tables/orders/sensitive/email/keep", {"middle": 2}, "can't be {'middle': 2}", KEEP),
    ("tables/orders/sensitive/age/bucket", 2.5, "can't be 2.5", TO_OR_BUCKET),
    ("tables/orders/sensitive/birth_date/to", "day", "can't be 'day'", "year or month, for a date"),
    (
        "tables/orders/directory",
        "home",
        "can't be 'home'",
        "everywhere (each Region keeps a stub of each item) or origin",
    ),
    ("tables/orders/writers", "all", "can't be 'all'", "any, or stamped (every writer stamps its versions)"),
    ("tables/orders/deletion_protection", "yes", "can't be 'yes'", "true or false"),
    ("tables/orders/indexes/0/name", "no", "can't be 'no'", "3 to 255 letters, digits, hyphens, underscores and dots"),
    (
        "tables/orders/indexes/0/projection",
        "some",
        "can't be 'some'",
        "all, keys-only, or a list of 1 to 20 attributes to include",
    ),
    ("tables/orders/indexes/0/projection", ["total", "total"], "names an attribute twice", "each attribute once"),
    (
        "tables/orders/indexes/0/range_key",
        {"name": "status", "type": "S"},
        "is the index's hash_key",
        "another attribute",
    ),
    (
        "tables/orders/indexes/0/hash_key",
        {"name": "age", "type": "N"},
        "age is sensitive, and generalize can leave a string in place of type N",
        STRING_KEY,
    ),
    (
        "tables/orders/indexes/0/hash_key",
        {"name": "national_id", "type": "B"},
        "national_id is sensitive, and hash can leave a string in place of type B",
        STRING_KEY,
    ),
    ("tables/orders/range_key/typ", "S", "is not a known key", "a mapping with the keys name, type"),
    (
        "tables/orders-ledger",
        {"hash_key": {"name": "pk", "type": "S"}},
        "could be another table's ledger",
        "a name that doesn't end in -ledger",
    ),
    ("tables/order lines", {"hash_key": {"name": "pk", "type": "S"}}, "can't be 'order lines'", TABLES),
    ("tables", {}, "can't have 0 entries", TABLES),
    (
        "backend",
        "local",
        "can't be 'local'",
        "{kind: local}, {kind: s3, bucket, region, ...} or {kind: cloud, organization, ...}",
    ),
    ("encryption", "none", "can't be 'none'", "customer-managed (a KMS key per Region) or aws-owned"),
    ("log_retention_days", 10, "can't be 10", RETENTION),
]

# The same, where the error is at another key than the change.
BAD_ELSEWHERE: list[tuple[str, Any, str, str]] = [
    ("regions/0", "ap-south-1", "regions[2]: ap-south-1 is given twice", "each Region once"),
    (
        "tables/orders/hash_key/name",
        "localization_authority",
        "tables.orders.authority_attribute: localization_authority is already the table's hash_key",
        "another attribute",
    ),
    (
        "tables/orders/sensitive/address",
        "redact",
        "tables.orders.sensitive.address.street: lies within address, which is sensitive as a whole",
        "either the whole attribute or paths into it",
    ),
    (
        "tables/orders/sensitive/name",
        {"strategy": "redact", "keep": "domain"},
        "tables.orders.sensitive.name.keep: is not a known key",
        "a mapping with the keys strategy",
    ),
    ("tables/orders/sensitive/email", "mask", "tables.orders.sensitive.email.keep: is missing", KEEP),
    (
        "tables/orders/sensitive/age",
        "generalize",
        "tables.orders.sensitive.age.bucket: is missing, and so is to",
        TO_OR_BUCKET,
    ),
    (
        "tables/orders/sensitive/age/to",
        "year",
        "tables.orders.sensitive.age.bucket: can't stand beside to",
        TO_OR_BUCKET,
    ),
    (
        "tables/orders/indexes/0/hash_key/name",
        "_dom",
        "tables.orders.indexes[0].hash_key: is the table's control_attribute, a map",
        "an attribute of type S, N or B",
    ),
    (
        "tables/orders/indexes/0/range_key",
        {"name": "address", "type": "S"},
        "tables.orders.indexes[0].range_key: address has a sensitive path into it, and a key has no members",
        "an attribute that is not a map, or is sensitive as a whole",
    ),
    (
        "tables/orders/indexes/0/range_key",
        {"name": "sk", "type": "N"},
        "tables.orders.indexes[0].range_key.type: sk is of type S elsewhere in this table",
        "S",
    ),
    (
        "tables/orders/indexes/0/range_key",
        {"name": "expires_at", "type": "S"},
        "tables.orders.indexes[0].range_key.type: expires_at is of type N elsewhere in this table",
        "N",
    ),
    ("backend", {"kind": "s3", "region": "eu-west-1"}, "backend.bucket: is missing", "the name of an S3 bucket"),
    (
        "backend",
        {"kind": "s3", "bucket": "state", "region": "Ireland"},
        "backend.region: can't be 'Ireland'",
        "a Region of the partitions aws and aws-cn, such as eu-west-1",
    ),
    (
        "backend",
        {"kind": "s3", "bucket": "state", "region": "eu-west-1", "key_prefix": "/shop"},
        "backend.key_prefix: can't be '/shop'",
        "what the state objects' keys begin with: up to 512 letters, digits and !_.*'()-/, no slash first",
    ),
    ("backend", {"kind": "cloud"}, "backend.organization: is missing", ORGANIZATION),
    ("backend", {"kind": "cloud", "organization": "a b"}, "backend.organization: can't be 'a b'", ORGANIZATION),
    (
        "backend",
        {"kind": "cloud", "organization": "shop", "hostname": "https://tfe.shop.com"},
        "backend.hostname: can't be 'https://tfe.shop.com'",
        "the host of Terraform Cloud or Enterprise, such as app.terraform.io, without https://",
    ),
    (
        "backend",
        {"kind": "cloud", "organization": "shop", "project": "a/b"},
        "backend.project: can't be 'a/b'",
        "the name of a project in the organization: 3 to 40 letters, digits, spaces, hyphens, underscores",
    ),
    (
        "backend",
        {"kind": "cloud", "organization": "shop", "tags": ["Shop"]},
        "backend.tags[0]: can't be 'Shop'",
        "at most 20 tags of the workspaces: lower-case letters, digits and :_-",
    ),
    (
        "backend",
        {"kind": "cloud", "organization": "shop", "workspace": "one"},
        "backend.workspace: is not a known key",
        "a mapping with the keys kind, organization, hostname, project, tags",
    ),
    ("tags", {"team": 7}, "tags.team: can't be 7", "at most 40 AWS tags: key -> value, both strings"),
    ("tags", {"aws:team": "a"}, "tags.aws:team: belongs to AWS", "a key that doesn't begin with aws:"),
]


def changed(place: str, value: Any) -> Any:
    """Return the good document with another value at a place, such as ``regions/0``."""
    document = yaml.safe_load(GOOD)
    *parents, last = (int(part) if part.isdigit() else part for part in place.split("/"))
    target = document
    for part in parents:
        target = target[part]
    target[last] = value
    return document


def key_path(place: str) -> str:
    return "".join(f"[{part}]" if part.isdigit() else f".{part}" for part in place.split("/")).removeprefix(".")


@pytest.mark.parametrize(
    ("place", "value", "problem", "accepted"),
    [(place, value, f"{key_path(place)}: {problem}", accepted) for place, value, problem, accepted in BAD_VALUES]
    + BAD_ELSEWHERE,
)
def test_a_bad_value(tmp_path: Path, place: str, value: Any, problem: str, accepted: str) -> None:
    assert problems(tmp_path, yaml.safe_dump(changed(place, value))) == [f"{problem}; accepted: {accepted}"]


@pytest.mark.parametrize("key", ["name", "regions", "authorities", "tables"])
def test_a_missing_key(tmp_path: Path, key: str) -> None:
    document = yaml.safe_load(GOOD)
    del document[key]
    (problem,) = problems(tmp_path, yaml.safe_dump(document))
    assert problem.startswith(f"{key}: is missing; accepted: ")


def index(number: int, included: int) -> dict[str, Any]:
    projection = [f"attribute-{number}" for number in range(included)]
    return {"name": f"index-{number}", "hash_key": {"name": "status", "type": "S"}, "projection": projection}


@pytest.mark.parametrize(
    ("indexes", "expected"),
    [
        ([index(1, 1), index(1, 1)], "[1].name: index-1 is another index's name; accepted: a name of its own"),
        (
            [index(n, 1) for n in range(21)],
            ": can't have 21 entries; accepted: a list of at most 20 global secondary indexes",
        ),
        ([index(n, 20) for n in range(6)], ": include 120 attributes; accepted: at most 100 over a table's indexes"),
    ],
)
def test_quotas_of_indexes(tmp_path: Path, indexes: list[dict[str, Any]], expected: str) -> None:
    document = yaml.safe_load(GOOD)
    document["tables"]["orders"]["indexes"] = indexes
    assert problems(tmp_path, yaml.safe_dump(document)) == [f"tables.orders.indexes{expected}"]


def test_a_policy_beyond_appconfigs_limit(tmp_path: Path) -> None:
    document = yaml.safe_load(GOOD)
    document["tables"]["orders"]["sensitive"] = {f"attribute-{number:0200}": "redact" for number in range(9000)}
    (problem,) = problems(tmp_path, json.dumps(document))
    assert re.fullmatch(
        r"tables: make a policy of \d+ bytes; accepted: at most 2000000 bytes, AppConfig's limit", problem
    )


def test_all_problems_of_a_file_are_reported_at_once(tmp_path: Path) -> None:
    text = """
name: Shop
regions: [us-east-1, eu-west-1]
authorities: {EU: eu-central-1}
tables:
  orders:
    hash_key: {name: pk, type: S}
    sensitive: {pk: redact, email: mask, name: redact, name: remove}
    indices: []
  customers:
    range_key: {name: dom_forced, type: X}
backend: {kind: s3, bucket: state, region: moon}
"""
    assert [problem.partition("; accepted: ")[0] for problem in problems(tmp_path, text)] == [
        "tables.orders.sensitive.name: is given on line 8 and again on line 8",
        "name: can't be 'Shop'",
        "authorities.EU: eu-central-1 is not a Region of this deployment",
        "tables.orders.sensitive.pk: is the table's hash_key, and an item can't be found again by an anonymized key",
        "tables.orders.sensitive.email.keep: is missing",
        "tables.orders.indices: is not a known key",
        "tables.customers.hash_key: is missing",
        "tables.customers.range_key.type: can't be 'X'",
        "backend.region: can't be 'moon'",
    ]


def test_text_that_is_no_yaml(tmp_path: Path) -> None:
    text = "name: shop\nregions: [us-east-1\ntables: {}\n"
    expected = "line 3, column 7: while parsing a flow sequence, expected ',' or ']', but got ':'; accepted: YAML"
    assert problems(tmp_path, text) == [expected]


@pytest.mark.parametrize("text", ["", "# nothing\n", "[]\n", "shop\n"])
def test_a_file_that_is_no_mapping(tmp_path: Path, text: str) -> None:
    (problem,) = problems(tmp_path, text)
    assert problem.startswith("can't be ")
    assert problem.endswith(f"; accepted: a mapping with the keys {DEPLOYMENT_KEYS}")


def test_a_table_whose_names_are_too_long(tmp_path: Path) -> None:
    document = yaml.safe_load(GOOD)
    table = "t" * 245
    document["tables"] = {table: {"hash_key": {"name": "pk", "type": "S"}}}
    assert problems(tmp_path, yaml.safe_dump(document)) == [
        f"tables.{table}: the DynamoDB table shopease-{table}-ledger has 261 characters; accepted: 3 to 255"
    ]


def test_a_key_that_is_given_twice(tmp_path: Path) -> None:
    text = f"{GOOD}  orders:\n    hash_key: {{name: pk, type: S}}\n"
    expected = "tables.orders: is given on line 6 and again on line 20; accepted: one of the two"
    assert problems(tmp_path, text) == [expected]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text() | st.integers() | st.none(), children),
    max_leaves=6,
)


@given(place=st.sampled_from(sorted({place for place, *_ in BAD_VALUES})), value=json_values)
def test_whatever_stands_anywhere_is_accepted_or_told(
    tmp_path_factory: pytest.TempPathFactory, place: str, value: Any
) -> None:
    file = tmp_path_factory.mktemp("deployment") / "domicile.yaml"
    file.write_text(yaml.safe_dump(changed(place, value)), encoding="utf-8")
    try:
        Deployment.load(file)
    except DeploymentError as error:
        assert all("; accepted: " in problem for problem in error.problems)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DeploymentError, match="No such file or directory; accepted: a deployment file"):
        Deployment.load(tmp_path / "none.yaml")
    with pytest.raises(DeploymentError, match="Is a directory; accepted: a deployment file"):
        Deployment.load(tmp_path)
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(DeploymentError, match=r"binary\.yaml: is not text; accepted: YAML in UTF-8"):
        Deployment.load(tmp_path / "binary.yaml")
