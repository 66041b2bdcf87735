"""Terraform is found, gets its provider, and can reach nothing but the local AWS."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from domicile.local import providers, terraform
from domicile.local.account import ACCESS_KEY, client_environment
from domicile.local.errors import LocalError
from domicile.local.providers import MIRROR_VARIABLE, cli_configuration, find_mirror
from domicile.local.terraform import Stacks, find_terraform
from domicile.progress import progress

BOUND = {"stack": client_environment("http://127.0.0.1:1")}
_PROVIDER = "registry.terraform.io/hashicorp/aws"


def _mirror(folder: Path) -> Path:
    (folder / _PROVIDER).mkdir(parents=True)
    return folder


def _program(folder: Path, output: str) -> None:
    program = folder / "terraform"
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{output}\nEND\n")
    program.chmod(0o755)


@pytest.mark.parametrize(
    ("output", "problem"),
    [
        (None, "terraform is not on the PATH; install Terraform 1.9 or later"),
        ('{"terraform_version": "1.8.5"}', "is version 1.8; install Terraform 1.9 or later"),
        ('{"terraform_version": "0.15.0"}', "is version 0.15; install Terraform 1.9 or later"),
        ("sorry", "does not say its version; install Terraform 1.9 or later"),
    ],
)
def test_a_terraform_that_cannot_be_used_is_one_line_that_says_what_to_install(
    output: str | None, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin" if output else str(tmp_path))
    if output:
        _program(tmp_path, output)
    with pytest.raises(LocalError, match=problem) as failed:
        find_terraform()
    assert "\n" not in str(failed.value)


@pytest.mark.parametrize("version", ["1.9.0", "1.11.4", "2.0.0"])
def test_a_terraform_of_version_1_9_or_later_is_found(
    version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    _program(tmp_path, json.dumps({"terraform_version": version}, indent=2))
    assert find_terraform() == tmp_path / "terraform"


def test_the_mirror_is_looked_for_in_order(tmp_path: Path) -> None:
    add_ons, root = tmp_path / "opt", tmp_path / "project"
    environment = {
        "HOME": str(tmp_path / "home"),
        "XDG_DATA_DIRS": f"{tmp_path / 'share'}:/nowhere",
        MIRROR_VARIABLE: str(tmp_path / "named"),
    }
    folders = [
        add_ons / "b" / "deep" / "plugins",
        add_ons / "a",
        tmp_path / "share" / "terraform" / "plugins",
        tmp_path / "home" / ".local" / "share" / "terraform" / "plugins",
        tmp_path / "home" / ".terraform.d" / "plugins",
        root / "terraform.d" / "plugins",
        tmp_path / "named",
    ]
    for folder in folders:
        _mirror(folder)
        assert find_mirror(root, environment, add_ons) == folder.resolve()


def test_without_registry_and_mirror_the_error_says_what_was_tried(tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path), "XDG_DATA_DIRS": "/nowhere", MIRROR_VARIABLE: "/no/mirror"}
    with pytest.raises(LocalError) as failed:
        find_mirror(tmp_path, environment, tmp_path / "opt")
    for tried in ("registry.terraform.io", "/no/mirror", "/nowhere/terraform/plugins", str(tmp_path / "opt")):
        assert tried in str(failed.value)
    assert "\n" not in str(failed.value)


def test_the_registry_is_used_where_it_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = {"HOME": str(tmp_path), MIRROR_VARIABLE: str(_mirror(tmp_path / "mirror"))}
    monkeypatch.setattr(providers, "registry_answers", lambda: True)
    assert "direct {}" in cli_configuration(tmp_path, environment)
    monkeypatch.setattr(providers, "registry_answers", lambda: False)
    assert f'path = "{tmp_path / "mirror"}"' in cli_configuration(tmp_path, environment)


def test_a_registry_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(providers, "_REGISTRY", "http://127.0.0.1:9/")
    assert not providers.registry_answers()


def test_nothing_of_the_users_shell_reaches_terraform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        *("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_DYNAMODB", "AWS_ROLE_ARN", "AWS_REGION"),
        *(
            "TF_VAR_name",
            "TF_WORKSPACE",
            "TF_PLUGIN_CACHE_DIR",
            "TF_CLI_ARGS_apply",
            "TF_DATA_DIR",
            "TF_CLI_CONFIG_FILE",
        ),
    ):
        monkeypatch.setenv(name, "from the shell")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA-REAL")
    monkeypatch.setattr(terraform, "cli_configuration", lambda *_: "")
    (tmp_path / "stack").mkdir()
    environment = Stacks.prepare(Path("terraform"), tmp_path, tmp_path, tmp_path, BOUND).environments["stack"]
    assert "from the shell" not in environment.values()
    assert {name for name in environment if name.startswith("AWS_")} == {
        *("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
        *("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_EC2_METADATA_DISABLED"),
    }
    assert environment["AWS_ACCESS_KEY_ID"] == ACCESS_KEY
    assert environment["TF_CLI_CONFIG_FILE"] == str(tmp_path / "terraform.rc")


@pytest.mark.parametrize(
    "backend",
    [
        {"backend": {"s3": {"bucket": "production", "key": "k", "region": "eu-west-1"}}},
        {"cloud": {"organization": "production", "workspaces": {"name": "w"}}},
        {"cloud": {"organization": "production", "workspaces": {"tags": ["w"], "project": "p"}}},
        {"backend": {"local": {"path": "/elsewhere/terraform.tfstate"}}},
    ],
)
def test_every_stacks_state_is_beside_it_whatever_the_backend(
    backend: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terraform, "cli_configuration", lambda *_: "")
    (tmp_path / "stack").mkdir()
    stack = {"terraform": backend, "resource": {"terraform_data": {"any": {}}}}
    (tmp_path / "stack" / "cdk.tf.json").write_text(json.dumps(stack))
    Stacks.prepare(find_terraform(), tmp_path, tmp_path, tmp_path, BOUND).apply(progress(io.StringIO()))
    assert json.loads((tmp_path / "stack" / "terraform.tfstate").read_text())["resources"]
    # Nothing else is replaced: the stack is as it was synthesized, and the file that overrides it has no other word.
    assert json.loads((tmp_path / "stack" / "cdk.tf.json").read_text()) == stack
    (override,) = (tmp_path / "stack").glob("*override.tf.json")
    assert json.loads(override.read_text()) == {"terraform": {"backend": {"local": {"path": "terraform.tfstate"}}}}


def test_a_failed_apply_shows_the_end_of_its_log_and_where_the_rest_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terraform, "cli_configuration", lambda *_: "")
    (tmp_path / "stack").mkdir()
    check = {
        "precondition": {"condition": '${terraform.workspace == "other"}', "error_message": "It is not the other."}
    }
    stack = {"resource": {"terraform_data": {"any": {"lifecycle": check}}}}
    (tmp_path / "stack" / "cdk.tf.json").write_text(json.dumps(stack))
    stacks = Stacks.prepare(find_terraform(), tmp_path, tmp_path, tmp_path, BOUND)
    with pytest.raises(LocalError, match="terraform apply of stack failed") as failed:
        stacks.apply(progress(io.StringIO()))
    assert "It is not the other." in str(failed.value)
    assert str(tmp_path / "terraform-stack.log") in str(failed.value)


@pytest.mark.parametrize("fails", [False, True])
def test_a_stack_is_applied_after_those_that_it_waits_for_and_not_without_them(
    fails: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terraform, "cli_configuration", lambda *_: "")
    conditions = {
        "last": '${fileexists("../first/terraform.tfstate") && terraform.workspace == "default"}',
        "first": f'${{terraform.workspace == "{"other" if fails else "default"}"}}',
    }
    for name, condition in conditions.items():
        (tmp_path / name).mkdir()
        check = {"precondition": {"condition": condition, "error_message": f"{name} can't be."}}
        stack = {"resource": {"terraform_data": {"any": {"lifecycle": check}}}}
        (tmp_path / name / "cdk.tf.json").write_text(json.dumps(stack))
    bound = dict.fromkeys(conditions, BOUND["stack"])
    stacks = Stacks.prepare(find_terraform(), tmp_path, tmp_path, tmp_path, bound)
    if fails:
        with pytest.raises(LocalError, match="first can't be") as failed:
            stacks.apply(progress(io.StringIO()), {"last": {"first"}})
        assert "of last failed" not in str(failed.value)
        assert not (tmp_path / "terraform-last.log").exists()
    else:
        stacks.apply(progress(io.StringIO()), {"last": {"first"}})
        assert (tmp_path / "last" / "terraform.tfstate").exists()
