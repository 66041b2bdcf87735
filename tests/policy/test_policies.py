"""The policy set: what it accepts, and that each way to break a rule is told."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from regopy import Interpreter

from domicile.deployment import Deployment
from infra.artifacts import ROOT
from policies.check import FOLDER, Policy, ask, evaluate, load, policies
from tests.infra.synthesized import NATIVE, synthesize_stand_ins
from tests.policy.changed import Changed, Mutation
from tests.policy.document_mutations import DOCUMENT_MUTATIONS
from tests.policy.resource_mutations import RESOURCE_MUTATIONS
from tests.policy.shape import first_plan
from tests.policy.untold_mutations import UNTOLD_MUTATIONS

POLICIES = {policy.name: policy for policy in policies()}
MUTATIONS = [*RESOURCE_MUTATIONS, *DOCUMENT_MUTATIONS, *UNTOLD_MUTATIONS]
_BRIDGE = ROOT / "examples" / "bridge" / "domicile.yaml"


def messages(plan: dict[str, Any], *asked: Policy) -> dict[str, list[str]]:
    """Return what policies, or all mandatory ones, say of a plan, without those that say nothing."""
    found = evaluate(plan, asked or [policy for policy in POLICIES.values() if policy.mandatory])
    return {name: said for name, said in found.items() if said}


@pytest.fixture(scope="module")
def bridge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stacks of the example with a bridge."""
    return synthesize_stand_ins(Deployment.load(_BRIDGE), tmp_path_factory.mktemp("bridge"))


@pytest.fixture(scope="module")
def gateway(bridge: Path) -> dict[str, Any]:
    """The first plan of the gateway Region of AWS."""
    return first_plan(bridge / "shopease-ap-southeast-1")


def test_every_rule_is_a_policy_of_the_set() -> None:
    folders = {file.parent.name for file in FOLDER.glob("*/*.rego")} - {"plan"}
    assert {policy.folder for policy in POLICIES.values()} == folders
    assert {policy.name for policy in POLICIES.values() if not policy.mandatory} == {"policies_to_read_again"}
    text = (FOLDER / "policies.hcl").read_text(encoding="utf-8")
    assert text.count('\npolicy "') == len(POLICIES)


def test_the_stacks_of_the_bridge_pass(bridge: Path) -> None:
    for stack in bridge.iterdir():
        assert messages(first_plan(stack)) == {}, stack.name


def test_the_stacks_of_the_deployment_file_pass(tmp_path: Path) -> None:
    for stack in synthesize_stand_ins(Deployment.load(ROOT / "domicile.yaml"), tmp_path).iterdir():
        assert messages(first_plan(stack)) == {}, stack.name


def test_the_stacks_of_native_tables_pass_whatever_the_file_chose_for_them(tmp_path: Path) -> None:
    for stack in synthesize_stand_ins(Deployment.load(NATIVE), tmp_path).iterdir():
        assert messages(first_plan(stack)) == {}, stack.name


def test_a_first_plan_has_policies_to_read_again(gateway: dict[str, Any]) -> None:
    said = messages(gateway, POLICIES["policies_to_read_again"])["policies_to_read_again"]
    assert {re.sub(r"_[0-9A-F]{8}:.*", "", one) for one in said} == {
        "aws_iam_policy.application_policy",
        *(
            f"aws_iam_role_policy.function-{role}_policy-configuration"
            for role in ("listener", "replicator", "anonymizer", "courier", "gateway")
        ),
    }


@pytest.fixture(scope="module")
def told(gateway: dict[str, Any]) -> dict[Mutation, list[str]]:
    """What the policy of each mutation says of the changed plan."""
    found = {}
    for mutation in MUTATIONS:
        plan = Changed(gateway)
        mutation.apply(plan)
        found[mutation] = evaluate(plan.plan, [POLICIES[mutation.rule]])[mutation.rule]
    return found


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: f"{mutation.rule}: {mutation.what}")
def test_a_changed_plan_is_told(told: dict[Mutation, list[str]], mutation: Mutation) -> None:
    assert any(mutation.says in message for message in told[mutation]), told[mutation]


def test_each_message_of_a_rule_was_given(told: dict[Mutation, list[str]]) -> None:
    given = [message for messages_ in told.values() for message in messages_]
    for file in FOLDER.glob("*/*.rego"):
        for message in re.findall(r'message := sprintf\("([^"]+)"', file.read_text(encoding="utf-8")):
            pattern = re.compile(re.escape(message).replace("%s", ".+"))
            assert any(pattern.fullmatch(one) for one in given), (file.name, message)


def _rego_tests() -> list[tuple[Path, str]]:
    return [
        (file, name)
        for file in sorted(FOLDER.glob("*/*_test.rego"))
        for name in re.findall(r"^(test_\w+) if", file.read_text(encoding="utf-8"), re.MULTILINE)
    ]


@pytest.mark.parametrize(("file", "name"), _rego_tests(), ids=lambda part: getattr(part, "stem", part))
def test_a_rules_own_test_passes(file: Path, name: str) -> None:
    interpreter = Interpreter()
    for folder in {"plan", file.parent.name}:
        load(interpreter, folder)
    for module in {FOLDER / "plan" / "plan_test.rego", file}:
        interpreter.add_module(str(module), module.read_text(encoding="utf-8"))
    interpreter.set_input({})
    package = "terraform.plan_test" if file.stem == "plan_test" else f"terraform.policies.{file.stem}"
    assert ask(interpreter, f"data.{package}.{name}") is True


def test_each_rule_has_its_test_beside_it() -> None:
    assert {file.parent.name for file, _ in _rego_tests()} == {file.parent.name for file in FOLDER.glob("*/*.rego")}
