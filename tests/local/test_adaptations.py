"""A MiniStack that is not as an adaptation expects it stops the start."""

from __future__ import annotations

from importlib.metadata import version
from types import SimpleNamespace

import pytest

from domicile.local.adaptations import IncompatibleError, expect_function, expect_value

MODULE = SimpleNamespace(__name__="ministack.services.sqs", _send=lambda data, url: (data, url), _queues={})


def test_what_is_as_expected_is_returned() -> None:
    assert expect_function(MODULE, "_send", "data", "url") is MODULE._send
    assert expect_value(MODULE, "_queues") is MODULE._queues


@pytest.mark.parametrize(("name", "parameters"), [("_send", ("data",)), ("_queues", ()), ("_gone", ())])
def test_what_is_not_names_the_version_and_the_piece(name: str, parameters: tuple[str, ...]) -> None:
    expected = rf"ministack {version('ministack')}: ministack\.services\.sqs: {name} "
    with pytest.raises(IncompatibleError, match=expected):
        expect_function(MODULE, name, *parameters)
    with pytest.raises(IncompatibleError, match=r"_other is missing; install the pinned version"):
        expect_value(MODULE, "_other")
