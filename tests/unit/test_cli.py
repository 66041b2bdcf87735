from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
import pytest
from moto import mock_aws

from domicile.cli.main import main
from domicile.errors import OperationError, UserError
from domicile.local.errors import LocalError

DEPLOYMENT = """
name: shopease
regions: [us-east-1, eu-west-1]
authorities: {EU: eu-west-1}
tables: {orders: {hash_key: {name: pk, type: S}}}
"""


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str


Run = Callable[..., Result]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run the command line in an empty folder; output of sub-processes counts too."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DOMICILE_FILE", raising=False)

    def call(*arguments: str) -> Result:
        monkeypatch.setattr(sys, "argv", ["domicile", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        code = ended.value.code
        assert isinstance(code, int)
        return Result(code, *capfd.readouterr())

    return call


@pytest.fixture
def deployment(run: Run, tmp_path: Path) -> Path:
    file = tmp_path / "domicile.yaml"
    file.write_text(DEPLOYMENT)
    return file


@pytest.fixture
def project(deployment: Path, tmp_path: Path) -> Path:
    """A project whose synthesis says how it was run, and whose build fails."""
    (tmp_path / "cdktf.json").write_text("{}")
    (tmp_path / "main.py").write_text("import os; print(os.getcwd(), os.environ['DOMICILE_FILE'])")
    (tmp_path / "infra").mkdir()
    (tmp_path / "infra" / "artifacts.py").write_text("import sys; sys.exit('no function')")
    return tmp_path


def test_validate(run: Run, deployment: Path) -> None:
    assert run("validate") == Result(0, "domicile.yaml: valid; 1 tables in 2 Regions\n", "")


def test_what_is_wrong_with_the_file_is_told_on_stderr_with_exit_code_2(run: Run, deployment: Path) -> None:
    deployment.write_text(DEPLOYMENT.replace("EU: eu-west-1", "EU: eu-north-1").replace("type: S", "type: T"))
    assert run("validate") == Result(
        2,
        "",
        "domicile.yaml: authorities.EU: eu-north-1 is not a Region of this deployment; accepted: us-east-1, eu-west-1\n"
        "domicile.yaml: tables.orders.hash_key.type: can't be 'T'; accepted: S (string), N (number) or B (binary)\n",
    )


def test_the_file_is_named_by_option_or_environment(
    run: Run, deployment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = deployment.rename(deployment.with_name("other.yaml"))
    assert run("validate") == Result(2, "", "domicile.yaml: No such file or directory; accepted: a deployment file\n")
    assert run("validate", "--file", "other.yaml").code == 0
    monkeypatch.setenv("DOMICILE_FILE", str(other))
    assert run("validate").code == 0
    assert run("validate", "--file", "none.yaml").code == 2, "the option wins"


def test_schema(run: Run) -> None:
    result = run("schema")
    assert result.code == 0
    assert "regions" in json.loads(result.out)["properties"]


def test_synth_runs_the_projects_main_in_its_root(run: Run, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    below = project / "docs" / "deep"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    result = run("synth", "--file", "../../domicile.yaml")
    assert (result.code, result.out) == (0, f"{project} {project / 'domicile.yaml'}\n")


def test_synth_checks_the_deployment_file_first(run: Run, project: Path) -> None:
    (project / "domicile.yaml").write_text("name: 7\n")
    result = run("synth")
    assert result.code == 2
    assert result.out == "", "main.py did not run"


def test_the_exit_code_of_a_program_that_fails_is_the_commands(run: Run, project: Path) -> None:
    result = run("build")
    assert (result.code, result.out) == (1, "")
    assert "no function\n" in result.err


@pytest.mark.parametrize("command", ["synth", "build"])
def test_outside_a_project(run: Run, deployment: Path, command: str) -> None:
    expected = f"{deployment.parent}: is in no project; accepted: a folder with main.py and cdktf.json, or one below\n"
    assert run(command) == Result(2, "", expected)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)


def key_in(region: str) -> str:
    return boto3.client("secretsmanager", region_name=region).get_secret_value(SecretId="shopease/hash-key")[
        "SecretString"
    ]


@pytest.mark.usefixtures("aws")
def test_secrets_init_says_what_it_does_and_not_the_value(run: Run, deployment: Path) -> None:
    with mock_aws():
        first, second = run("secrets", "init"), run("secrets", "init")
        key = key_in("us-east-1")
        assert key == key_in("eu-west-1")
    assert first.code == 0
    assert first.out == (
        "us-east-1: create shopease/hash-key with a new random value\n"
        "eu-west-1: create shopease/hash-key with a new random value\n"
    )
    assert second == Result(
        0,
        "us-east-1: shopease/hash-key is there, nothing to do\neu-west-1: shopease/hash-key is there, nothing to do\n",
        "",
    )
    assert key not in first.out + first.err + second.out


@pytest.mark.usefixtures("aws")
def test_secrets_init_refuses_different_values(run: Run, deployment: Path) -> None:
    with mock_aws():
        for region, letter in (("us-east-1", "a"), ("eu-west-1", "b")):
            client = boto3.client("secretsmanager", region_name=region)
            client.create_secret(Name="shopease/hash-key", SecretString=letter * 44)
        result = run("secrets", "init")
    assert (result.code, result.out) == (2, "")
    assert "the values in us-east-1, eu-west-1 differ" in result.err
    assert "aaaa" not in result.err


@dataclass(frozen=True)
class Plane:
    endpoint: str
    access_key: str
    secret_key: str
    regions: list[str]


@dataclass(frozen=True)
class LocalAws:
    regions: list[str]
    tables: dict[str, str]
    planes: dict[str, Plane]
    environment: dict[str, str]


RUNNING = LocalAws(
    ["us-east-1", "cn-north-1"],
    {"orders": "shopease-orders"},
    {
        "aws": Plane("http://127.0.0.1:4566", "key", "secret", ["us-east-1"]),
        "aws-cn": Plane("http://127.0.0.1:4567", "key2", "secret2", ["cn-north-1"]),
    },
    {"DOMICILE_PROFILES": "aws=a aws-cn=b"},
)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The local AWS's interface, which only records how it is called."""
    module = ModuleType("domicile.local.api")
    calls: list[tuple[Any, ...]] = []

    def record(name: str, result: Any) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            calls.append((name, *arguments))
            return result

        return call

    for name, result in {
        "up": RUNNING,
        "status": RUNNING,
        "down": None,
        "faults_add": [{"id": 1, "service": "dynamodb"}],
        "faults_list": [{"id": 1, "hits": 0}, {"id": 2, "hits": 3}],
        "faults_clear": 2,
    }.items():
        setattr(module, name, record(name, result))
    module.calls = calls  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "domicile.local.api", module)
    monkeypatch.setattr("domicile.local.api", module, raising=False)
    return module


def test_local_up_prints_one_json_object(run: Run, api: ModuleType) -> None:
    result = run("local", "up", "--json", "--port", "5000", "--file", "shop.yaml")
    assert json.loads(result.out) == {
        "regions": ["us-east-1", "cn-north-1"],
        "tables": {"orders": "shopease-orders"},
        "planes": {
            "aws": {
                "endpoint": "http://127.0.0.1:4566",
                "access_key": "key",
                "secret_key": "secret",
                "regions": ["us-east-1"],
            },
            "aws-cn": {
                "endpoint": "http://127.0.0.1:4567",
                "access_key": "key2",
                "secret_key": "secret2",
                "regions": ["cn-north-1"],
            },
        },
        "environment": {"DOMICILE_PROFILES": "aws=a aws-cn=b"},
    }
    assert api.calls[0][:3] == ("up", Path("shop.yaml"), 5000)


@pytest.mark.parametrize("command", ["up", "status"])
def test_local_says_how_to_reach_what_runs(run: Run, api: ModuleType, command: str) -> None:
    assert run("local", command) == Result(
        0,
        "partition   aws\n"
        "endpoint    http://127.0.0.1:4566\n"
        "access key  key\n"
        "secret key  secret\n"
        "Regions     us-east-1\n"
        "partition   aws-cn\n"
        "endpoint    http://127.0.0.1:4567\n"
        "access key  key2\n"
        "secret key  secret2\n"
        "Regions     cn-north-1\n"
        "table       orders: shopease-orders\n"
        "Operator commands, and the AWS CLI with --profile, reach it with:\n"
        "  export DOMICILE_PROFILES='aws=a aws-cn=b'\n",
        "",
    )


def test_local_down(run: Run, api: ModuleType) -> None:
    assert run("local", "down") == Result(0, "", "")
    assert api.calls[0][0] == "down"


def test_a_fault_has_only_the_fields_that_are_given(run: Run, api: ModuleType) -> None:
    assert run("local", "faults", "add", "--service", "dynamodb", "--latency-ms", "0").out == (
        '{"id": 1, "service": "dynamodb"}\n'
    )
    options = {
        "service": "events",
        "operation": "PutEvents",
        "region": "eu-west-1",
        "code": "ThrottlingException",
        "status": 400,
        "latency_ms": 20,
        "probability": 0.5,
        "times": 3,
    }
    arguments = [part for key, value in options.items() for part in (f"--{key.replace('_', '-')}", str(value))]
    assert run("local", "faults", "add", *arguments).code == 0
    assert api.calls == [("faults_add", {"service": "dynamodb", "latency_ms": 0}), ("faults_add", options)]


def test_faults_are_listed_and_cleared(run: Run, api: ModuleType) -> None:
    assert run("local", "faults", "list").out == '{"id": 1, "hits": 0}\n{"id": 2, "hits": 3}\n'
    assert run("local", "faults", "clear").out == "removed 2 rules\n"


@pytest.mark.parametrize(
    ("error", "code"),
    [(UserError("port: is busy"), 2), (LocalError("not running"), 1), (OperationError("no route"), 1)],
)
def test_errors_are_one_message_and_no_traceback(run: Run, api: ModuleType, error: Exception, code: int) -> None:
    def fail() -> None:
        raise error

    api.status = fail  # type: ignore[attr-defined]
    assert run("local", "status") == Result(code, "", f"{error}\n")


def test_a_start_imports_only_what_every_command_needs() -> None:
    heavy = ["boto3", "botocore", "ministack", "pydantic", "rich", "yaml", "cdktf"]
    program = f"import sys, domicile.cli.main; print(*[name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.split() == []
