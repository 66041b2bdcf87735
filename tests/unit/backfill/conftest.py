"""The command line beside empty tables."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from moto import mock_aws

from domicile.backfill import session
from domicile.cli.main import main
from tests.unit.backfill.tables import DEPLOYMENT, REGIONS, Run, dynamodb


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Run]:
    """Run the command line beside empty tables in each Region; no output may hold a key or a value."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setattr(session, "_SEGMENTS_MIN", 4)
    monkeypatch.setattr(session, "_PAGE", 2)
    (tmp_path / "domicile.yaml").write_text(DEPLOYMENT)
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["domicile", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        assert isinstance(ended.value.code, int)
        out, err = capsys.readouterr()
        assert "secret" not in out + err
        return ended.value.code, out, err

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
