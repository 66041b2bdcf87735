from __future__ import annotations

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domicile.aws.settings import MissingSettingError, Settings

SETTINGS = Settings(
    name="shop",
    region="eu-west-1",
    policy="shop/live/policy",
    bus="shop",
    quarantine_url="https://sqs.eu-west-1.amazonaws.com/123456789012/shop-quarantine",
    hash_secret="shop/hash-key",
)
ENV = {**SETTINGS.to_env(), "AWS_REGION": "eu-west-1"}


def test_settings_survive_the_environment() -> None:
    assert Settings.from_env(ENV) == SETTINGS


def test_the_region_is_lambda_s_own() -> None:
    names = {f.name for f in fields(Settings)} - {"region", "proxy"}  # which is not set
    assert set(SETTINGS.to_env()) == {f"DOMICILE_{name.upper()}" for name in names}


@given(st.sets(st.sampled_from(sorted(ENV)), min_size=1), st.booleans())
def test_every_variable_that_is_missing_or_empty_is_named_and_no_other(missing: set[str], empty: bool) -> None:
    env = {name: value for name, value in ENV.items() if name not in missing} | (
        dict.fromkeys(missing, "") if empty else {}
    )
    with pytest.raises(MissingSettingError) as raised:
        Settings.from_env(env)
    assert set(str(raised.value).removeprefix("environment variables not set: ").split(", ")) == missing
