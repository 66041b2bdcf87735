from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from domicile.core.control import Control, Image
from domicile.core.copying import GLOBAL, IntoLocalized, IntoNative, Outcome, Share
from domicile.core.errors import UnknownAuthorityError
from domicile.core.policy import Policy
from domicile.core.version import Version, of_copy

NOW_MS = 1_800_000_000_000
HERE, HOME, ABROAD = "ap-south-1", "eu-west-1", "us-east-1"
POLICY = Policy.parse(
    {
        "format": 1,
        "regions": [HERE, HOME, ABROAD],
        "authorities": {"EU": HOME, "IN": HERE, "US": ABROAD},
        "tables": {
            "shop-people": {
                "ledger": "shop-people-ledger",
                "hash_key": "pk",
                "authority_attribute": "law",
                "control_attribute": "_dom",
                "sensitive": {"email": {"strategy": "redact"}},
                "directory": "everywhere",
                "writers": "any",
            }
        },
    }
)
PEOPLE = POLICY.table("shop-people")
PRIMARY = IntoLocalized(policy=POLICY, table=PEOPLE, regions=(HERE, HOME), primary=HERE, region=HERE)
EUROPE = replace(PRIMARY, region=HOME)
BACK = IntoNative(source=PEOPLE, target="shop-goods", primary=HERE)
ITEM: Image = {"pk": {"S": "k"}, "law": {"S": "EU"}, "email": {"S": "a@b"}, "tags": {"SS": ["x", "y"]}}
WRITTEN = Version(NOW_MS - 1000, plain=True, tie=9, region=ABROAD)
EARLIER = of_copy(NOW_MS - 60_000, None, HOME, 1)
LATER = of_copy(NOW_MS - 30_000, None, HOME, 1)


def with_control(image: Image, version: Version, **more: Any) -> Image:
    return {**image, "_dom": Control(version=version, origin=version.region, **more).to_value()}


def law(value: str | None) -> Image:
    return {"pk": {"S": "k"}, **({"law": {"S": value}} if value else {})}


@pytest.mark.parametrize(
    ("authority", "primary", "europe"),
    [("EU", False, True), ("IN", True, False), ("US", True, False), (None, True, False), ("XX", True, False)],
)
def test_each_item_is_one_regions_to_copy(authority: str | None, primary: bool, europe: bool) -> None:
    """In its home if the source is there; the primary takes all others, also those that can't be copied."""
    assert PRIMARY.share.holds(law(authority)) is primary
    assert EUROPE.share.holds(law(authority)) is europe


def test_an_authority_that_is_no_string_is_the_primarys_to_refuse() -> None:
    odd: Image = {"pk": {"S": "k"}, "law": {"N": "1"}}
    assert PRIMARY.share.holds(odd)
    with pytest.raises(UnknownAuthorityError):
        PRIMARY.place(odd)


def test_a_copy_is_written_at_home_and_a_global_one_where_it_was_read() -> None:
    assert [PRIMARY.place(law(authority)) for authority in ("IN", "US", None)] == [HERE, ABROAD, HERE]
    assert [PRIMARY.group(law(authority)) for authority in ("US", None)] == ["US", GLOBAL]


def test_a_new_copy_is_the_whole_item_under_a_version_below_every_applications() -> None:
    verdict = EUROPE.judge(with_control(ITEM, WRITTEN), None, None, NOW_MS, 7)
    assert verdict.outcome is Outcome.NEW
    assert verdict.write is not None
    control = Control.of(verdict.write.image, "_dom")
    assert control == Control(version=of_copy(NOW_MS, None, HOME, 7), origin=HOME)
    assert control.version.is_copy
    assert control.version < Version(1_325_376_000_000, plain=False, tie=0, region=HERE) < WRITTEN
    assert {name: value for name, value in verdict.write.image.items() if name != "_dom"} == ITEM
    assert verdict.write.key == {"pk": {"S": "k"}}


@pytest.mark.parametrize(
    ("found", "outcome"),
    [
        (with_control(ITEM, EARLIER), Outcome.SAME),
        (with_control({**ITEM, "tags": {"SS": ["y", "x"]}}, EARLIER), Outcome.SAME),
        (with_control({**ITEM, "email": {"S": "old"}}, EARLIER), Outcome.CHANGED),
        (with_control({**ITEM, "more": {"S": "old"}}, EARLIER), Outcome.CHANGED),
        (with_control(ITEM, EARLIER, home=ABROAD), Outcome.CHANGED),  # the stub of another home, with nothing to hide
        (with_control(ITEM, WRITTEN), Outcome.WRITTEN),
        (with_control({**ITEM, "email": {"S": "new"}}, WRITTEN), Outcome.WRITTEN),
        (ITEM, Outcome.WRITTEN),  # by ordinary code, and without a version yet
        ({**ITEM, "_dom": {"S": "odd"}}, Outcome.WRITTEN),
    ],
)
def test_only_an_earlier_copy_is_copied_over(found: Image, outcome: Outcome) -> None:
    verdict = EUROPE.judge(ITEM, found, None, NOW_MS, 0)
    assert verdict.outcome is outcome
    assert (verdict.write is not None) is (outcome is Outcome.CHANGED)


def test_a_later_copy_lies_above_an_earlier_one_of_a_clock_that_is_ahead() -> None:
    ahead = of_copy(NOW_MS + 3_600_000, None, HERE, 1)
    verdict = EUROPE.judge(ITEM, with_control(law("IN"), ahead, home=HERE), None, NOW_MS, 0)
    assert verdict.write is not None
    control = Control.of(verdict.write.image, "_dom")
    assert control is not None
    assert control.version > ahead
    assert control.version.is_copy


def test_what_an_application_deleted_stays_away_and_what_a_copy_buried_does_not() -> None:
    assert EUROPE.judge(ITEM, None, WRITTEN, NOW_MS, 0).outcome is Outcome.DELETED
    buried = of_copy(NOW_MS, None, HOME, 5).tombstone()
    verdict = EUROPE.judge(ITEM, None, buried, NOW_MS, 0)
    assert verdict.outcome is Outcome.NEW
    assert verdict.write is not None
    control = Control.of(verdict.write.image, "_dom")
    assert control is not None
    assert control.version > buried


@pytest.mark.parametrize(
    ("found", "tombstone", "outcome"),
    [
        (with_control(ITEM, EARLIER), LATER, Outcome.CHANGED),  # its removal began, and other Regions may have ended it
        (with_control(ITEM, LATER, deleting=True), LATER, Outcome.CHANGED),
        (with_control(ITEM, EARLIER, deleting=True), None, Outcome.CHANGED),
        (with_control(ITEM, LATER), EARLIER, Outcome.SAME),
        (with_control(ITEM, EARLIER), WRITTEN, Outcome.DELETED),
        (with_control(ITEM, WRITTEN), LATER, Outcome.WRITTEN),
    ],
)
def test_a_copy_whose_removal_began_is_not_the_same(found: Image, tombstone: Version | None, outcome: Outcome) -> None:
    verdict = EUROPE.judge(ITEM, found, tombstone, NOW_MS - 3_600_000, 0)
    assert verdict.outcome is outcome
    assert (verdict.write is not None) is (outcome is Outcome.CHANGED)
    if verdict.write is not None:
        control, before = Control.of(verdict.write.image, "_dom"), Control.of(found, "_dom")
        assert control is not None
        assert before is not None
        assert control.version > max(before.version, tombstone or before.version)
        assert not control.deleting


@pytest.mark.parametrize(
    ("image", "outcome"),
    [
        (with_control(law("EU"), WRITTEN), Outcome.LOCALIZED),
        (law("EU"), Outcome.LOCALIZED),
        (with_control(law(None), WRITTEN, home=HOME), Outcome.LOCALIZED),
        (law(None), Outcome.UNVERSIONED),
        (with_control(law(None), WRITTEN, deleting=True), Outcome.UNVERSIONED),
        ({**law(None), "_dom": {"S": "odd"}}, Outcome.UNVERSIONED),
    ],
)
def test_a_native_table_takes_global_items_alone_and_those_that_have_a_version(image: Image, outcome: Outcome) -> None:
    verdict = BACK.judge(image, None, None, NOW_MS, 0)
    assert (verdict.outcome, verdict.write) == (outcome, None)


def test_a_native_copy_keeps_the_control_attribute_and_gives_way_to_a_later_one_only() -> None:
    image = with_control({**law(None), "email": {"S": "a"}}, WRITTEN)
    before = with_control(law(None), replace(WRITTEN, ms=WRITTEN.ms - 1))
    assert BACK.judge(image, None, None, NOW_MS, 0).outcome is Outcome.NEW
    changed = BACK.judge(image, before, None, NOW_MS, 0)
    assert changed.outcome is Outcome.CHANGED
    assert changed.write is not None
    assert changed.write.image == image
    assert BACK.judge(image, image, None, NOW_MS, 0).outcome is Outcome.SAME
    assert BACK.judge(before, image, None, NOW_MS, 0).outcome is Outcome.WRITTEN
    assert BACK.judge(image, law(None), None, NOW_MS, 0).outcome is Outcome.WRITTEN


def test_a_share_of_many_authorities_is_asked_for_in_parts() -> None:
    many = Share("law", tuple(f"A{n}" for n in range(150)), others=True)
    expression = many.expression()
    assert expression is not None
    assert expression.text.count(" IN ") == 2
    assert len(expression.values) == 150
    assert Share("law", (), others=True).expression() is None
