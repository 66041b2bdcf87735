from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ConnectTimeoutError

from domicile.aws.cached import RETRY_S
from domicile.aws.policy_source import MAX_AGE_S, AppConfigPolicySource
from domicile.core.errors import PolicyInvalidError, PolicyUnavailableError
from tests.policies import document
from tests.unit.aws.fakes import REFUSED, AppConfig

GOOD = json.dumps(document())
NEWER = json.dumps(document() | {"authorities": {"IN": "ap-south-1"}})
BROKEN = json.dumps(document() | {"format": 2})


class Source:
    """The source under test, and its time."""

    def __init__(self, text: str | Exception = GOOD) -> None:
        self.now_s = 1000.0
        self.client = AppConfig(text)
        clock: Callable[[], float] = lambda: self.now_s  # noqa: E731
        self.source = AppConfigPolicySource(self.client, "shop/live/policy", clock)  # type: ignore[arg-type]

    def authorities(self) -> set[str]:
        """Those of the current policy."""
        return set(self.source.get().authorities)

    def later(self, text: str | Exception | None = None, seconds: float = MAX_AGE_S + 1) -> Source:
        """Let time pass, and AppConfig hold something else."""
        self.now_s += seconds
        if text is not None:
            self.client.text = text
        return self


def test_the_path_names_application_environment_and_profile() -> None:
    source = Source()
    assert source.authorities() == {"EU", "IN"}
    assert source.client.sessions == [
        {
            "ApplicationIdentifier": "shop",
            "EnvironmentIdentifier": "live",
            "ConfigurationProfileIdentifier": "policy",
        }
    ]


def test_a_new_policy_is_seen_when_the_old_one_is_old_enough() -> None:
    source = Source()
    source.authorities()
    assert source.later(NEWER, seconds=MAX_AGE_S - 1).authorities() == {"EU", "IN"}
    assert source.client.requests == 1
    assert source.later(seconds=2).authorities() == {"IN"}


def test_a_policy_that_has_not_changed_is_not_parsed_again() -> None:
    source = Source()
    policy = source.source.get()
    assert source.later().source.get() is policy
    assert source.client.requests == 2


@pytest.mark.parametrize(
    "trouble",
    [REFUSED, ConnectTimeoutError(endpoint_url="https://appconfig"), BROKEN, "not json"],
    ids=lambda trouble: str(trouble)[:30],
)
def test_the_last_good_policy_outlives_any_trouble(trouble: str | Exception, caplog: pytest.LogCaptureFixture) -> None:
    source = Source()
    source.authorities()
    assert source.later(trouble).authorities() == {"EU", "IN"}
    assert source.authorities() == {"EU", "IN"}
    assert [record.levelname for record in caplog.records] == ["WARNING"], "it is told once, and not for each record"
    assert source.later(NEWER).authorities() == {"IN"}


def test_in_an_outage_the_records_of_a_batch_do_not_each_wait_for_a_timeout() -> None:
    source = Source()
    source.authorities()
    source.later(ConnectTimeoutError(endpoint_url="https://appconfig"))
    for _ in range(100):
        source.authorities()
    assert source.client.requests == 2


def test_without_a_policy_each_batch_asks_anew_but_not_each_record() -> None:
    source = Source(ConnectTimeoutError(endpoint_url="https://appconfig"))
    for _ in range(100):
        with pytest.raises(PolicyUnavailableError, match="AppConfig gave no policy"):
            source.authorities()
    assert source.client.requests == 1
    assert source.later(GOOD, seconds=RETRY_S + 1).authorities() == {"EU", "IN"}


def test_a_broken_policy_without_a_good_one_before_it_is_an_error_until_it_is_mended() -> None:
    source = Source(BROKEN)
    for _ in range(2):
        with pytest.raises(PolicyInvalidError, match=r"policy\.format"):
            source.authorities()
    assert source.later(GOOD).authorities() == {"EU", "IN"}


def test_a_token_that_expired_while_the_function_was_frozen_is_replaced() -> None:
    source = Source()
    source.authorities()
    source.client.tokens.clear()
    assert source.later(NEWER).authorities() == {"EU", "IN"}
    assert source.later().authorities() == {"IN"}
    assert len(source.client.sessions) == 2


def test_threads_share_one_request_and_one_policy() -> None:
    """A token may be used once: two threads with the same one would have one of them refused."""
    source = Source()
    with ThreadPoolExecutor(16) as pool:
        policies = set(map(id, pool.map(lambda _: source.source.get(), range(64))))
    assert (len(policies), source.client.requests) == (1, 1)
