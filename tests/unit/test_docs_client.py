"""The client's guide is code that runs: every Python block of it, in order, and both sides of its diff."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import pytest

from domicile.client import aio
from domicile.client.testing import InMemory

_ROOT = Path(__file__).resolve().parents[2]
_GUIDE = _ROOT / "docs" / "client.md"


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> InMemory:
    """The deployment that the guide's clients and boto3 meet, in the place of AWS."""
    monkeypatch.chdir(_ROOT)
    shop = InMemory("domicile.yaml")
    asynchronous = aio.AsyncClient

    def async_client(region: str, **choices: Any) -> aio.AsyncClient:
        with monkeypatch.context() as of_itself:  # it imports the class from where the guide does
            of_itself.setattr(aio, "AsyncClient", asynchronous)
            return shop.async_client(region, **choices)

    monkeypatch.setattr("domicile.client.Client", partial(_connected, shop.client))
    monkeypatch.setattr(aio, "AsyncClient", partial(_connected, async_client))
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", shop.session)
    return shop


def _connected(connect: Any, name: str, *, region: str, **choices: Any) -> Any:
    assert name == "shopease"
    return connect(region, **choices)


def test_every_python_block_runs(shop: InMemory) -> None:
    namespace: dict[str, Any] = {}
    blocks = list(_blocks("python"))
    assert blocks
    for line, block in blocks:
        # Blank lines before it, so that a failure names the line of the guide.
        exec(compile("\n" * line + block, str(_GUIDE), "exec"), namespace)  # noqa: S102
    assert not any(shop.quarantined(region) for region in shop.deployment.regions)


@pytest.mark.parametrize("left_out", ["+", "-"])
def test_both_sides_of_the_migration_run(shop: InMemory, left_out: str) -> None:
    ((_, diff),) = _blocks("diff")
    side = "\n".join(line[1:] for line in diff.splitlines() if not line.startswith(left_out))
    namespace: dict[str, Any] = {}
    exec(compile(side, str(_GUIDE), "exec"), namespace)  # noqa: S102
    (placed,) = namespace["placed"]
    assert placed["status"] == "placed"


def _blocks(language: str) -> list[tuple[int, str]]:
    """Return the guide's blocks of a language, each with the number of lines before it."""
    text = _GUIDE.read_text(encoding="utf-8")
    found = re.finditer(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [(text.count("\n", 0, match.start(1)), match[1]) for match in found]
