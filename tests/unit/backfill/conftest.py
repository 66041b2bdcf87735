"""The command line beside empty tables."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from moto import mock_aws

from domicile.backfill import session
from tests.unit.backfill.tables import DEPLOYMENT, REGIONS, dynamodb
from tests.unit.command_line import Run, command_line


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Run]:
    """Run the command line beside empty tables in each Region; no output may hold a key or a value."""
    monkeypatch.setattr(session, "_SEGMENTS_MIN", 4)
    monkeypatch.setattr(session, "_PAGE", 2)
    started = command_line(DEPLOYMENT, tmp_path, monkeypatch, capsys)

    def call(*arguments: str) -> tuple[int, str, str]:
        code, out, err = started(*arguments)
        assert "secret" not in out + err
        return code, out, err

    with mock_aws():
        for region in REGIONS:
            for table in ("goods", "people", "people-ledger"):
                dynamodb(region).create_table(
                    TableName=f"shop-{table}",
                    KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
                    AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
                    BillingMode="PAY_PER_REQUEST",
                )
        yield call
