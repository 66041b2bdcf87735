"""The last good policy between two readings of AppConfig."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from domicile.core.errors import PolicyInvalidError, PolicyUnavailableError
from domicile.pipeline.policy import LastGoodPolicy
from tests.policies import document

UNAVAILABLE = PolicyUnavailableError("AppConfig gave no policy")
GOOD = json.dumps(document())
NEWER = json.dumps(document() | {"authorities": {"IN": "ap-south-1"}})
BROKEN = json.dumps(document() | {"format": 2})


class AppConfig:
    """Gives one answer after the other; an error is raised."""

    def __init__(self, *answers: object) -> None:
        self.warnings: list[str] = []
        self._answers: Iterator[object] = iter(answers)
        self.policy = LastGoodPolicy(self._read, self.warnings.append)

    def _read(self) -> object:
        answer = next(self._answers)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.mark.parametrize("text", [GOOD, GOOD.encode()], ids=["text", "bytes"])
def test_the_newest_policy_is_given(text: object) -> None:
    app_config = AppConfig(text, NEWER)
    assert set(app_config.policy.get().authorities) == {"EU", "IN"}
    assert set(app_config.policy.get().authorities) == {"IN"}
    assert app_config.warnings == []


def test_a_document_is_parsed_once() -> None:
    app_config = AppConfig(GOOD, GOOD)
    assert app_config.policy.get() is app_config.policy.get()


@pytest.mark.parametrize(
    ("answer", "warning"),
    [
        (UNAVAILABLE, "AppConfig gave no policy"),
        (BROKEN, "policy.format: must be 1"),
        ("not json", "policy: is not JSON"),
        (b"\xff", "policy: is not JSON"),
        (None, "policy: must be a mapping"),
    ],
)
def test_the_last_good_one_is_kept_and_the_reason_told(answer: Any, warning: str) -> None:
    app_config = AppConfig(GOOD, answer, NEWER)
    good = app_config.policy.get()
    assert app_config.policy.get() is good
    assert app_config.warnings == [warning]
    assert set(app_config.policy.get().authorities) == {"IN"}


@pytest.mark.parametrize(
    ("answer", "error"),
    [(UNAVAILABLE, PolicyUnavailableError), (BROKEN, PolicyInvalidError), ("not json", PolicyInvalidError)],
)
def test_without_a_good_one_before_it_is_an_error(answer: Any, error: type[Exception]) -> None:
    app_config = AppConfig(answer, GOOD)
    with pytest.raises(error):
        app_config.policy.get()
    assert set(app_config.policy.get().authorities) == {"EU", "IN"}
