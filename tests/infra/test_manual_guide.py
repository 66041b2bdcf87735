"""The manual guide of docs/bridge.md names every kind of resource, by commands that the AWS CLI has."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import botocore.session
import pytest
from botocore import xform_name

from domicile.deployment import Deployment
from tests.infra.synthesized import Stack, synthesize_stand_ins

_GUIDE = Path(__file__).resolve().parents[2] / "docs" / "bridge.md"
_ZIP, _FOR_ZIP = "zip-file", {"code", "content"}  # an option of the CLI's own, and what it stands for
_EGRESS = {
    "nat": "{addresses: [203.0.113.7/32]}",
    "proxy": '{proxy: "http://10.0.0.8:3128"}',
    "private": '{endpoint: "https://kinesis.example", vpc_endpoint: vpce-0123456789abcdef0}',
}
_DEPLOYMENT = """
name: harbour
regions: [ap-southeast-1, cn-north-1]
authorities: {{EU: ap-southeast-1}}
tables:
  ships:
    hash_key: {{name: ship, type: S}}
    ttl_attribute: expires_at
bridges:
  - between: [ap-southeast-1, cn-north-1]
    egress: {egress}
    gateways: {{ap-southeast-1: {gateway}, cn-north-1: {gateway}}}
"""


@pytest.mark.parametrize("egress", _EGRESS)
def test_every_kind_of_a_gateway_stack_is_in_the_guide(egress: str, tmp_path: Path) -> None:
    file = tmp_path / "domicile.yaml"
    file.write_text(_DEPLOYMENT.format(egress=egress, gateway=_EGRESS[egress]), encoding="utf-8")
    stacks = synthesize_stand_ins(Deployment.load(file), tmp_path)
    kinds = set(Stack.read(stacks, "harbour-cn-north-1").configuration["resource"])
    comments = "\n".join(line for line in _lines() if line.startswith("#"))
    assert kinds <= set(re.findall(r"\baws_\w+", comments))


def test_every_command_has_the_parameters_that_it_is_given() -> None:
    session = botocore.session.get_session()
    commands = [words for words in map(_words, _lines()) if words[:1] == ["aws"]]
    assert commands
    for _, service, command, *rest in commands:
        model = session.get_service_model(service)
        names = {xform_name(name, "-"): name for name in model.operation_names}
        shape = model.operation_model(names[command]).input_shape
        given = {word.removeprefix("--") for word in rest if word.startswith("--")} - {"region"}
        known = {xform_name(name, "-") for name in shape.members} if shape else set()
        required = {xform_name(name, "-") for name in shape.required_members} if shape else set()
        if _ZIP in given:
            given, required = given - {_ZIP}, required - _FOR_ZIP
        assert required <= given <= known, f"{service} {command}"


def test_every_argument_of_a_mapping_is_an_option_in_the_guide(beijing: Stack) -> None:
    """SQS refuses a batch above ten without a window, and AWS's defaults are not the stack's."""
    mappings = [mapping for _, mapping in beijing.resources("aws_lambda_event_source_mapping")]
    arguments = {name for mapping in mappings for name, value in mapping.items() if name != "//" and value != -1}
    words = [word for line in _lines() if "create-event-source-mapping" in line for word in _words(line)]
    assert {f"--{name.replace('_', '-')}" for name in arguments} <= set(words)


def _lines() -> Iterator[str]:
    """Yield the lines of the guide's shell blocks; a command that goes on over several is one line."""
    for block in re.findall(r"^ *```sh\n(.*?)^ *```$", _GUIDE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
        yield from block.replace("\\\n", "").splitlines()


def _words(line: str) -> list[str]:
    return shlex.split(line, comments=True)
