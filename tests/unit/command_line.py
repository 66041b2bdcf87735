"""The command line as a user's shell starts it, in this process."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from domicile.cli.main import main

Run = Callable[..., tuple[int, str, str]]
"""Takes the arguments, and returns the exit code, the output and the errors."""


def command_line(
    deployment: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Return what runs ``domicile`` in a folder with a deployment file, and with the credentials of nobody."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    for name in ("AWS_ENDPOINT_URL", "DOMICILE_FILE"):
        monkeypatch.delenv(name, raising=False)
    (folder / "domicile.yaml").write_text(deployment)
    monkeypatch.chdir(folder)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["domicile", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        assert isinstance(ended.value.code, int)
        return ended.value.code, *capsys.readouterr()

    return run
