from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from domicile.core.control import Value
from domicile.core.errors import PolicyInvalidError, UnknownAuthorityError, UnknownTableError
from domicile.core.policy import Policy, Strategy
from tests.policies import document, policy

CANARY = "canary-value"
POLICY = policy()
TABLE = POLICY.table("shop-orders")
NATIVE = {"regions": ["eu-west-1"], "consistency": "eventual"}


def strategies(spec: Any, path: str = "email") -> Mapping[tuple[str, ...], Strategy]:
    return policy(sensitive={path: spec}).table("shop-orders").sensitive


def test_a_document_is_read_whole() -> None:
    assert POLICY.regions == ("ap-south-1", "eu-west-1", "us-east-1")
    assert POLICY.authorities == {"EU": "eu-west-1", "IN": "ap-south-1"}
    assert (TABLE.name, TABLE.ledger, TABLE.key_names) == ("shop-orders", "shop-orders-ledger", ("pk", "sk"))
    assert (TABLE.authority_attribute, TABLE.control_attribute) == ("localization_authority", "_dom")
    assert TABLE.sensitive == {("email",): Strategy(name="redact")}
    assert TABLE.stubs_everywhere


def test_a_table_without_range_key_has_one_key_attribute() -> None:
    without = document()
    del without["tables"]["shop-orders"]["range_key"]
    assert Policy.parse(without).table("shop-orders").key_names == ("pk",)


def test_directory_origin_keeps_stubs_where_the_item_was_written() -> None:
    assert not policy(directory="origin").table("shop-orders").stubs_everywhere


def test_a_dotted_path_leads_into_maps() -> None:
    assert strategies({"strategy": "hash"}, "profile.birth") == {("profile", "birth"): Strategy(name="hash")}


@pytest.mark.parametrize(
    ("spec", "strategy"),
    [
        ({"strategy": "redact"}, Strategy(name="redact")),
        ({"strategy": "remove"}, Strategy(name="remove")),
        ({"strategy": "hash"}, Strategy(name="hash")),
        ({"strategy": "mask", "keep": "domain"}, Strategy(name="mask", domain=True)),
        ({"strategy": "mask", "keep": {"first": 2}}, Strategy(name="mask", first=2)),
        ({"strategy": "mask", "keep": {"last": 4}}, Strategy(name="mask", last=4)),
        ({"strategy": "generalize", "to": "year"}, Strategy(name="generalize", to="year")),
        ({"strategy": "generalize", "to": "month"}, Strategy(name="generalize", to="month")),
        ({"strategy": "generalize", "bucket": 10}, Strategy(name="generalize", bucket=10)),
    ],
    ids=str,
)
def test_every_strategy_is_read(spec: dict[str, Any], strategy: Strategy) -> None:
    assert strategies(spec) == {("email",): strategy}


@pytest.mark.parametrize(
    ("spec", "at_fault"),
    [
        ("redact", "email"),
        ({}, "email.strategy"),
        ({"strategy": "encrypt"}, "email.strategy"),
        ({"strategy": "redact", "keep": "domain"}, "email: unknown keys"),
        ({"strategy": "mask"}, "email.keep"),
        ({"strategy": "mask", "keep": "local"}, "email.keep"),
        ({"strategy": "mask", "keep": {}}, "email.keep"),
        ({"strategy": "mask", "keep": {"first": 0}}, "email.keep"),
        ({"strategy": "mask", "keep": {"first": True}}, "email.keep"),
        ({"strategy": "mask", "keep": {"middle": 1}}, "email.keep"),
        ({"strategy": "mask", "keep": {"first": 1, "last": 1}}, "email.keep"),
        ({"strategy": "generalize"}, "email: must have either"),
        ({"strategy": "generalize", "to": "decade"}, "email: must have either"),
        ({"strategy": "generalize", "bucket": 0}, "email: must have either"),
        ({"strategy": "generalize", "bucket": 0.5}, "email: must have either"),
        ({"strategy": "generalize", "to": "year", "bucket": 10}, "email: must have either"),
    ],
    ids=str,
)
def test_a_strategy_that_is_not_understood_makes_the_document_invalid(spec: Any, at_fault: str) -> None:
    with pytest.raises(PolicyInvalidError) as raised:
        strategies(spec)
    assert str(raised.value).startswith(f"policy.tables.shop-orders.sensitive.{at_fault}")


def changed(*path: str, to: Any) -> Callable[[dict[str, Any]], None]:
    """Set what is at ``path`` of a document; None removes it."""

    def change(part: dict[str, Any]) -> None:
        for name in path[:-1]:
            part = part[name]
        if to is None:
            del part[path[-1]]
        else:
            part[path[-1]] = to

    return change


@pytest.mark.parametrize(
    ("change", "at_fault"),
    [
        (changed("format", to=2), "policy.format"),
        (changed("format", to=None), "policy.format"),
        (changed("surprise", to=1), "policy: unknown keys ['surprise']"),
        (changed("regions", to=None), "policy.regions"),
        (changed("regions", to=[]), "policy.regions"),
        (changed("regions", to="eu-west-1"), "policy.regions"),
        (changed("regions", to=[1]), "policy.regions"),
        (changed("authorities", to=None), "policy.authorities"),
        (changed("authorities", to={1: "eu-west-1"}), "policy.authorities"),
        (changed("authorities", "EU", to="eu-central-1"), "policy.authorities.EU"),
        (changed("tables", to=[]), "policy.tables"),
        (changed("tables", "shop-orders", to="x"), "policy.tables.shop-orders"),
        (changed("tables", "shop-orders", "surprise", to=1), "policy.tables.shop-orders: unknown keys"),
        (changed("tables", "shop-orders", "ledger", to=None), "policy.tables.shop-orders.ledger"),
        (changed("tables", "shop-orders", "hash_key", to=""), "policy.tables.shop-orders.hash_key"),
        (changed("tables", "shop-orders", "range_key", to=5), "policy.tables.shop-orders.range_key"),
        (changed("tables", "shop-orders", "control_attribute", to=None), "policy.tables.shop-orders.control_attribute"),
        (changed("tables", "shop-orders", "sensitive", to=None), "policy.tables.shop-orders.sensitive"),
        (changed("tables", "shop-orders", "directory", to="nowhere"), "policy.tables.shop-orders.directory"),
        (changed("tables", "shop-orders", "writers", to="some"), "policy.tables.shop-orders.writers"),
        (changed("native", to=[]), "policy.native"),
        (changed("native", to={"shop-news": {}}), "policy.native.shop-news.regions"),
        (changed("native", to={"shop-news": {"regions": ["mars"]}}), "policy.native.shop-news.regions"),
        (changed("native", to={"shop-news": {"regions": ["eu-west-1"]}}), "policy.native.shop-news.consistency"),
        (changed("native", to={"shop-news": {"hash_key": "pk"}}), "policy.native.shop-news: unknown keys"),
        (changed("native", to={"shop-orders": NATIVE}), "policy.native.shop-orders: is a localized table"),
        (changed("native", to={"shop-orders-ledger": NATIVE}), "policy.native.shop-orders-ledger: is a localized"),
    ],
)
def test_a_document_that_is_wrong_anywhere_is_refused_and_the_key_named(
    change: Callable[[dict[str, Any]], None], at_fault: str
) -> None:
    wrong = document()
    change(wrong)
    with pytest.raises(PolicyInvalidError) as raised:
        Policy.parse(wrong)
    assert str(raised.value).startswith(at_fault)


@pytest.mark.parametrize("value", [None, [], "policy", 1])
def test_a_document_that_is_no_mapping_is_refused(value: Any) -> None:
    with pytest.raises(PolicyInvalidError, match="policy: must be a mapping"):
        Policy.parse(value)


def test_an_item_without_the_authority_attribute_is_global() -> None:
    assert POLICY.home_of({"pk": {"S": "k"}}, TABLE) is None


def test_an_authority_of_the_map_gives_the_home_region() -> None:
    assert POLICY.home_of({"localization_authority": {"S": "EU"}}, TABLE) == "eu-west-1"


@pytest.mark.parametrize(
    "value",
    [
        {"S": CANARY},
        {"S": ""},
        {"S": "eu"},
        {"S": " EU"},
        {"NULL": True},
        {"N": "1"},
        {"BOOL": True},
        {"SS": ["EU"]},
        {"L": [{"S": "EU"}]},
        {"M": {"S": {"S": "EU"}}},
        {"B": "RVU="},
    ],
    ids=str,
)
def test_any_other_authority_is_unknown_and_never_global(value: Value) -> None:
    with pytest.raises(UnknownAuthorityError) as raised:
        POLICY.home_of({"localization_authority": value}, TABLE)
    assert CANARY not in str(raised.value)


def test_a_table_that_the_policy_does_not_name_yet_is_waited_for() -> None:
    with pytest.raises(UnknownTableError, match="does not name the table"):
        POLICY.table("shop-customers")
