"""The command: its forms, its exit codes, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from domicile.cli.main import app
from domicile.errors import UserError

_POLICY = {
    "format": 1,
    "regions": ["eu-west-1"],
    "authorities": {"EU": "eu-west-1"},
    "tables": {
        "visits": {
            "ledger": "visits-ledger",
            "hash_key": "pk",
            "authority_attribute": "flag",
            "control_attribute": "_dom",
            "sensitive": {},
            "directory": "everywhere",
            "writers": "any",
        }
    },
}


_VERSION = "${aws_appconfig_hosted_configuration_version.version.version_number}"


def _stack(policy: Any = None, **resources: Any) -> dict[str, Any]:
    """Return the stack of one Region with a table, and more resources."""
    content = json.dumps(policy or _POLICY)
    return {
        "provider": {"aws": [{"region": "eu-west-1"}]},
        "resource": {
            "aws_appconfig_hosted_configuration_version": {"version": {"content": content}},
            "aws_appconfig_deployment": {"current": {"configuration_version": _VERSION}},
            "aws_dynamodb_table": {"visits": {"name": "visits"}},
            **resources,
        },
    }


def _run(folder: Path, stack: Any, *arguments: str) -> Result:
    (folder / "stack").mkdir(exist_ok=True)
    text = stack if isinstance(stack, str) else json.dumps(stack)
    (folder / "stack" / "cdk.tf.json").write_text(text, encoding="utf-8")
    return CliRunner().invoke(app, ["review", "--stacks", str(folder), *arguments])


_EXPORT = {"all": {"table_arn": "${aws_dynamodb_table.visits.arn}", "s3_bucket": "all"}}


def test_what_is_proven_exits_with_0(tmp_path: Path) -> None:
    result = _run(tmp_path, _stack())
    assert result.exit_code == 0
    assert result.output.splitlines()[-2] == "clean: full images of EU items leave no Region"


def test_a_leak_exits_with_1_and_names_the_resource(tmp_path: Path) -> None:
    result = _run(tmp_path, _stack(aws_dynamodb_table_export=_EXPORT))
    assert result.exit_code == 1
    assert "aws_dynamodb_table_export.all (eu-west-1): takes full images of EU, global items" in result.output
    assert "leaks: full images of EU items leave no Region; where they must not: elsewhere" in result.output
    assert "FULL" in result.output


def test_json_has_the_findings_and_the_passages(tmp_path: Path) -> None:
    result = _run(tmp_path, _stack(aws_dynamodb_table_export=_EXPORT), "--json")
    shown = json.loads(result.output)
    assert result.exit_code == 1
    assert shown["clean"] is False
    assert [finding["severity"] for finding in shown["findings"]] == ["violation"]
    assert shown["passages"][0] == {
        "authority": "EU",
        "from": "eu-west-1",
        "to": "elsewhere",
        "what": ["full"],
        "allowed": False,
        "resources": ["aws_dynamodb_table_export.all (eu-west-1)"],
    }


def test_markdown_has_a_diagram_whose_leaks_are_red(tmp_path: Path) -> None:
    result = _run(tmp_path, _stack(aws_dynamodb_table_export=_EXPORT), "--markdown")
    assert result.exit_code == 1
    lines = result.output.splitlines()
    assert lines[0] == "## Residency: not proven"
    assert '  r0 -->|"full: EU, global"| r1' in lines
    assert "  linkStyle 0 stroke:#c00,stroke-width:3px" in lines


@pytest.mark.parametrize(
    ("stack", "problem"),
    [
        ("{", "is no JSON"),
        ("[]", "is no JSON object"),
        ("{}", "resource: is missing"),
        ({"resource": {}}, "provider.aws: is missing"),
        (_stack({**_POLICY, "format": 9}), "policy.format"),
        (_stack({**_POLICY, "regions": ["eu-west-1", "us-east-1"]}), "none is of us-east-1"),
        ({**_stack(), "provider": {"aws": [{"region": "${var.region}"}]}}, "provider.aws.region"),
    ],
)
def test_an_unusable_stack_is_named(stack: Any, problem: str, tmp_path: Path) -> None:
    result = _run(tmp_path, stack)
    assert isinstance(result.exception, UserError)
    assert str(tmp_path / "stack" / "cdk.tf.json") in str(result.exception)
    assert problem in str(result.exception)


def test_a_folder_without_stacks_is_named(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["review", "--stacks", str(tmp_path)])
    assert isinstance(result.exception, UserError)
    assert str(tmp_path) in str(result.exception)


def test_a_region_has_one_stack(tmp_path: Path) -> None:
    (tmp_path / "twin").mkdir()
    (tmp_path / "twin" / "cdk.tf.json").write_text(json.dumps(_stack()), encoding="utf-8")
    result = _run(tmp_path, _stack())
    assert isinstance(result.exception, UserError)
    assert "is a second one of eu-west-1" in str(result.exception)


def test_one_form_at_a_time(tmp_path: Path) -> None:
    result = _run(tmp_path, _stack(), "--json", "--markdown")
    assert isinstance(result.exception, UserError)
