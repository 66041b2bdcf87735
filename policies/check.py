"""Runs the policy set over plans as HCP Terraform does: ``python -m policies.check PLAN...``.

A plan is the output of ``terraform show -json`` for a file of ``terraform plan -out``.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from regopy import Interpreter

from domicile.errors import UserError
from domicile.review.stacks import read_json

FOLDER = Path(__file__).parent
_POLICY = re.compile(r'policy "(\w+)" \{\s+query\s+= "([\w.]+)"\s+enforcement_level = "(mandatory|advisory)"')


@dataclass(frozen=True)
class Policy:
    """One policy of the set: the query whose messages say what is wrong, and whether they stop a run."""

    name: str
    query: str
    mandatory: bool

    @property
    def folder(self) -> str:
        """The folder of its rule, which its package is named after."""
        return self.query.split(".")[3]


def policies() -> list[Policy]:
    """Return the policies of ``policies.hcl``, in its order."""
    text = (FOLDER / "policies.hcl").read_text(encoding="utf-8")
    return [Policy(name, query, level == "mandatory") for name, query, level in _POLICY.findall(text)]


def evaluate(plan: Mapping[str, Any], asked: Sequence[Policy]) -> dict[str, list[str]]:
    """Return the messages of some policies about a plan, by the policies' names.

    Raises ``RuntimeError`` where a policy has no answer.
    """
    interpreter = Interpreter()
    for folder in sorted({"plan", *(policy.folder for policy in asked)}):
        load(interpreter, folder)
    # regopy gives quotes back without an escape, and only the key of an instance has any.
    changes = [{**change, "address": change["address"].replace('"', "'")} for change in plan["resource_changes"]]
    interpreter.set_input({"plan": {**plan, "resource_changes": changes}, "run": {}})
    # One query, because each one compiles all modules anew.
    queries = ", ".join(f'"{policy.name}": {policy.query}' for policy in asked)
    found: dict[str, list[str]] = ask(interpreter, f"{{{queries}}}")
    return found


def load(interpreter: Interpreter, folder: str) -> None:
    """Add the modules of a folder, without their tests."""
    for file in (FOLDER / folder).glob("*.rego"):
        if not file.stem.endswith("_test"):
            interpreter.add_module(str(file), file.read_text(encoding="utf-8"))


def ask(interpreter: Interpreter, query: str) -> Any:
    """Return the answer to a query.

    Raises ``RuntimeError`` if there is none: Rego calls undefined what can't be computed, and that must not pass.
    """
    try:
        output = interpreter.query(query)
    except ValueError as error:  # regopy reads its own answer as JSON, and a failure's text is none
        raise RuntimeError(f"{query} fails") from error
    expressions = [expression for result in output.results for expression in result.expressions]
    if not output.ok() or len(expressions) != 1:
        raise RuntimeError(f"{query} is undefined")
    return expressions[0]


def read(file: Path) -> dict[str, Any]:
    """Read a plan, or raise :class:`UserError`."""
    accepted = "the output of terraform show -json for a file of terraform plan -out"
    plan = read_json(file, accepted)
    if not {"configuration", "prior_state", "resource_changes"} <= set(plan):
        raise UserError(f"{file}: is no plan; accepted: {accepted}")
    return plan


def main() -> None:
    """Print what the policies say of some plans; exit with 1 if a mandatory one fails, with 2 if a file is no plan."""
    parser = argparse.ArgumentParser(prog="python -m policies.check", description="Run the policy set over plans.")
    parser.add_argument("plans", metavar="PLAN", type=Path, nargs="+", help="output of terraform show -json")
    asked, failures_of_all = policies(), 0
    try:
        plans = {file: read(file) for file in parser.parse_args().plans}
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)
    for file, plan in plans.items():
        failures = 0
        found = evaluate(plan, asked)
        for policy in asked:
            failures += len(found[policy.name]) if policy.mandatory else 0
            level = "FAILED" if policy.mandatory else "advice"
            lines = (f"{file.stem}: {level} {policy.name}: {message}\n" for message in found[policy.name])
            sys.stdout.writelines(lines)
        sys.stdout.write(f"{file.stem}: {len(asked)} policies, {failures} failures\n")
        failures_of_all += failures
    sys.exit(failures_of_all > 0)


if __name__ == "__main__":
    main()
