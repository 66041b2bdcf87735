from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domicile.core.control import Control, without
from domicile.core.errors import RecordInvalidError
from domicile.core.version import Version
from tests.strategies import REGIONS, images, versions

VERSION = "001766361600000-0000000-us-east-1"
CANARY = "canary-value"
controls = st.builds(
    Control,
    version=versions,
    origin=st.sampled_from(REGIONS),
    home=st.none() | st.sampled_from(REGIONS),
    deleting=st.booleans(),
    nonce=st.none() | st.text("0123456789abcdef", min_size=1, max_size=16),
    partial=st.booleans(),
)


@given(controls, images)
def test_a_control_attribute_survives_its_dynamodb_form(control: Control, image: dict[str, Any]) -> None:
    assert Control.of({**image, "_dom": control.to_value()}, "_dom") == control


@pytest.mark.parametrize("image", [None, {}, {"dom": {"S": "x"}}])
def test_an_image_without_the_attribute_has_no_control(image: dict[str, Any] | None) -> None:
    assert Control.of(image, "_dom") is None


def test_only_an_item_with_a_home_is_a_stub() -> None:
    control = Control(version=Version.parse(VERSION), origin="us-east-1")
    assert not control.is_stub
    assert replace(control, home="eu-west-1").is_stub


@pytest.mark.parametrize(
    "value",
    [
        {"S": CANARY},
        {"NULL": True},
        {"L": [{"S": CANARY}]},
        {"M": {}},
        {"M": {"o": {"S": "us-east-1"}}},
        {"M": {"v": {"S": VERSION}}},
        {"M": {"v": {"S": CANARY}, "o": {"S": "us-east-1"}}},
        {"M": {"v": {"N": "5"}, "o": {"S": "us-east-1"}}},
        {"M": {"v": {"S": VERSION}, "o": {"S": "us-east-1"}, "x": {"S": CANARY}}},
        {"M": {"v": {"S": VERSION}, "o": {"S": "us-east-1"}, "l": {"N": "1"}}},
        {"M": [CANARY]},
        CANARY,
    ],
)
def test_a_malformed_attribute_is_an_error_that_does_not_quote_it(value: Any) -> None:
    with pytest.raises(RecordInvalidError) as raised:
        Control.of({"_dom": value}, "_dom")
    assert CANARY not in str(raised.value)


def test_the_application_s_part_is_all_but_the_control_attribute() -> None:
    assert without({"a": {"S": "1"}, "_dom": {"M": {}}}, "_dom") == {"a": {"S": "1"}}
