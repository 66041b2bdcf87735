"""A synthesized stack in the shape of its first plan, without Terraform; a test holds it to a real one."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from domicile.core.partitions import partition_of
from domicile.local.account import ACCOUNTS

_META = {"//", "depends_on", "lifecycle", "provider"}
_MAPS = {"dimensions", "tags", "variables"}
"""What is a mapping in a plan too; every other object is a block, which is a list there."""
_REFERENCE = re.compile(r"(?<!\$)\$\{((?:data\.)?\w+\.[\w-]+\.\w+)\}")


def first_plan(stack: Path) -> dict[str, Any]:
    """Return the part of a stack's first plan that the rules read."""
    text = (stack / "cdk.tf.json").read_text(encoding="utf-8")
    configuration = json.loads(text)
    region = configuration["provider"]["aws"][0]["region"]
    partition = partition_of(region)
    known = {"aws_caller_identity": {"account_id": ACCOUNTS[partition]}, "aws_partition": {"partition": partition}}
    resources = [
        (type_, f"{type_}.{name}", {key: value for key, value in arguments.items() if key not in _META})
        for type_, members in configuration["resource"].items()
        for name, arguments in members.items()
    ]
    shape = _Shape({address: arguments for _, address, arguments in resources}, known)
    return {
        "resource_changes": [shape.change(type_, address, arguments) for type_, address, arguments in resources],
        "configuration": {
            "provider_config": {"aws": {"expressions": {"region": {"constant_value": region}}}},
            "root_module": {
                "resources": [
                    {"address": address, "expressions": _expressions(arguments)} for _, address, arguments in resources
                ]
            },
        },
        "prior_state": {
            "values": {
                "root_module": {
                    "resources": [{"mode": "data", "type": type_, "values": values} for type_, values in known.items()]
                }
            }
        },
    }


class _Shape:
    def __init__(self, resources: Mapping[str, Mapping[str, Any]], known: Mapping[str, Mapping[str, str]]) -> None:
        self._resources, self._known = resources, known

    def change(self, type_: str, address: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        after, unknown = self._block(arguments)
        change = {"actions": ["create"], "before": None, "after": after, "after_unknown": unknown}
        return {"address": address, "mode": "managed", "type": type_, "change": change}

    def _block(self, arguments: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return what a plan knows of a block's arguments, and what it does not."""
        after: dict[str, Any] = {}
        unknown: dict[str, Any] = {}
        for name, value in arguments.items():
            if value is None:  # as if it were not there
                continue
            blocks = [value] if isinstance(value, dict) and name not in _MAPS else value
            if isinstance(blocks, list) and blocks and isinstance(blocks[0], dict):
                told = [self._block(block) for block in blocks]
                after[name], unknown[name] = [block for block, _ in told], [marks for _, marks in told]
            elif (found := self._value(blocks)) is None:
                unknown[name] = True
            else:
                after[name] = found
        return after, unknown

    def _value(self, value: Any) -> Any:
        if isinstance(value, dict):
            members = {name: self._value(member) for name, member in value.items()}
            return None if None in members.values() else members
        if isinstance(value, list):
            listed = [self._value(member) for member in value]
            return None if None in listed else listed
        return self._text(value) if isinstance(value, str) else value

    def _text(self, text: str) -> str | None:
        told = {reference: self._attribute(reference) for reference in _REFERENCE.findall(text)}
        if None in told.values() or text.startswith("${element("):
            return None
        resolved = _REFERENCE.sub(lambda found: told[found[1]] or "", text)
        return resolved.replace("$${", "${").replace("%%{", "%{")

    def _attribute(self, reference: str) -> str | None:
        *address, attribute = reference.removeprefix("data.").split(".")
        if reference.startswith("data."):
            return self._known.get(address[0], {}).get(attribute)
        value = self._resources[".".join(address)].get(attribute)
        return self._text(value) if isinstance(value, str) else None


def _expressions(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _expressions(member) for name, member in value.items()}
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return [_expressions(member) for member in value]
    found = _REFERENCE.findall(json.dumps(value))
    return {"references": [part for reference in found for part in (reference, reference.rpartition(".")[0])]}
