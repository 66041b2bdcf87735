"""Imports go one way: core <- pipeline <- aws <- the rest; and nothing that is deployed or installed needs cdktf."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CDKTF = {"cdktf", "cdktf_cdktf_provider_aws", "constructs", "jsii", "modules", "infra"}
LAYERS = {"core", "pipeline", "aws"}


def imported(path: Path) -> Iterator[str]:
    """Yield the full name of each module, or member of one, that a file imports, wherever in the file it does."""
    package = path.relative_to(ROOT / "src" if path.is_relative_to(ROOT / "src") else ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in (
            "import_module",
            "__import__",
        ):
            yield ast.literal_eval(node.args[0]) if isinstance(node.args[0], ast.Constant) else "?"


def files(folder: str) -> list[Path]:
    found = sorted((ROOT / folder).rglob("*.py"))
    assert found, f"{folder} has no files: a rule about nothing holds always"
    return found


def top(name: str) -> str:
    return name.partition(".")[0]


def part(name: str) -> str:
    """The part of the project that a name belongs to: core, pipeline, aws, deployment, ...; of others, nothing."""
    return name.split(".")[1] if top(name) == "domicile" and "." in name else ""


def strangers(path: Path, parts: set[str], *, third_party: bool) -> set[str]:
    """What a file imports beyond these parts of the project and the standard library."""
    return {
        name
        for name in imported(path)
        if (part(name) not in parts if top(name) == "domicile" else not third_party)
        and top(name) not in sys.stdlib_module_names
    }


@pytest.mark.parametrize("path", files("src/domicile/core"), ids=lambda path: path.name)
def test_the_core_imports_the_standard_library_only(path: Path) -> None:
    assert strangers(path, {"core"}, third_party=False) == set()


@pytest.mark.parametrize("path", files("src/domicile/pipeline"), ids=lambda path: path.name)
def test_the_steps_import_the_core_only(path: Path) -> None:
    assert strangers(path, {"core", "pipeline"}, third_party=False) == set()


@pytest.mark.parametrize("path", files("src/domicile/aws"), ids=lambda path: path.name)
def test_the_adapters_import_core_and_steps_and_nothing_above(path: Path) -> None:
    assert strangers(path, LAYERS, third_party=True) == set()


@pytest.mark.parametrize("path", files("functions"), ids=lambda path: path.parent.name)
def test_the_functions_import_what_their_zips_carry(path: Path) -> None:
    assert strangers(path, LAYERS, third_party=True) == set()


@pytest.mark.parametrize("folder", ["src", "functions"])
def test_nothing_outside_modules_and_infra_imports_cdktf(folder: str) -> None:
    found = {str(path.relative_to(ROOT)): CDKTF & {top(name) for name in imported(path)} for path in files(folder)}
    assert {path: names for path, names in found.items() if names} == {}


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import cdktf", {"cdktf"}),
        ("import cdktf as c, os.path", {"cdktf", "os.path"}),
        ("from cdktf import App", {"cdktf.App"}),
        ("def f():\n    from domicile.aws import store", {"domicile.aws.store"}),
        ("if TYPE_CHECKING:\n    import domicile.cli.main", {"domicile.cli.main"}),
        ("from . import errors", {"domicile.core.errors"}),
        ("from ..aws.store import DynamoDbStore", {"domicile.aws.store.DynamoDbStore"}),
        ("importlib.import_module('cdktf')", {"cdktf"}),
        ("__import__(name)", {"?"}),
        ("text = 'import cdktf'  # import cdktf", set()),
    ],
)
def test_every_way_to_import_is_seen(
    source: str, names: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    path = tmp_path / "src/domicile/core/module.py"
    path.parent.mkdir(parents=True)
    path.write_text(source)
    assert set(imported(path)) == names
