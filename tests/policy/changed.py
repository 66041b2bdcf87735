"""Plans that are changed by hand."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any


class Changed:
    """A copy of a plan, to change; resources are found by their type and a part of their address."""

    def __init__(self, plan: Mapping[str, Any]) -> None:
        self.plan: dict[str, Any] = copy.deepcopy(dict(plan))

    def change(self, type_: str, part: str = "") -> dict[str, Any]:
        """Return the first such resource as the plan tells it."""
        found: dict[str, Any] = next(self._all(type_, part))
        return found

    def after(self, type_: str, part: str = "") -> dict[str, Any]:
        """Return what is known of the first such resource."""
        after: dict[str, Any] = self.change(type_, part)["change"]["after"]
        return after

    def set(self, type_: str, part: str, /, **arguments: Any) -> None:
        """Make arguments of the first such resource known."""
        resource = self.change(type_, part)
        resource["change"]["after"].update(arguments)
        self._forget(resource, *arguments)

    def hide(self, type_: str, part: str, argument: str, *references: str) -> None:
        """Make an argument of the first such resource a value that is known after the apply.

        One without references is a function's, as ``uuid()`` is.
        """
        resource = self.change(type_, part)
        resource["change"]["after"].pop(argument, None)
        resource["change"]["after_unknown"][argument] = True
        self._expressions(resource["address"])[argument] = {"references": [*references]} if references else {}

    def mark(self, type_: str, part: str, /, **marks: Any) -> None:
        """Replace what is known of arguments of the first such resource by marks of what is not."""
        change = self.change(type_, part)["change"]
        change["after_unknown"].update(marks)
        change["after"] = {name: value for name, value in change["after"].items() if name not in marks}

    def move(self, type_: str, part: str, address: str) -> None:
        """Make the first such resource an instance, or a module's: ``{}`` is its address in the configuration."""
        resource = self.change(type_, part)
        resource["address"] = address.format(resource["address"])

    def add(self, type_: str, /, **arguments: Any) -> None:
        """Add a resource ``added``."""
        change = {"actions": ["create"], "before": None, "after": arguments, "after_unknown": {}}
        resource = {"address": f"{type_}.added", "mode": "managed", "type": type_, "change": change}
        self.plan["resource_changes"].append(resource)

    def remove(self, type_: str, part: str) -> None:
        """Delete the first such resource."""
        self.change(type_, part)["change"]["after"] = None

    def statement(self, type_: str, part: str, sid: str, /, argument: str = "policy", **keys: Any) -> None:
        """Replace keys of a statement, or add one that allows, in the first such resource's policy; None removes."""
        after = self.after(type_, part)
        document = json.loads(after[argument])
        found = [statement for statement in document["Statement"] if statement.get("Sid") == sid]
        if not found:
            found = [{"Sid": sid, "Effect": "Allow"}]
            document["Statement"].extend(found)
        kept = {name: value for name, value in {**found[0], **keys}.items() if value is not None}
        document["Statement"][document["Statement"].index(found[0])] = kept
        after[argument] = json.dumps(document)

    def _all(self, type_: str, part: str) -> Iterator[dict[str, Any]]:
        for resource in self.plan["resource_changes"]:
            if resource["type"] == type_ and part in resource["address"]:
                yield resource

    def _forget(self, resource: Mapping[str, Any], *arguments: str) -> None:
        for argument in arguments:
            resource["change"]["after_unknown"].pop(argument, None)
            self._expressions(resource["address"]).pop(argument, None)

    def _expressions(self, address: str) -> dict[str, Any]:
        configured = self.plan["configuration"]["root_module"]["resources"]
        for resource in configured:
            if resource["address"] == address:
                expressions: dict[str, Any] = resource["expressions"]
                return expressions
        configured.append({"address": address, "expressions": {}})
        return self._expressions(address)


@dataclass(frozen=True)
class Mutation:
    """A change of a plan that the policy ``rule`` must answer with a message that has ``says`` in it.

    A rule in which a variable is unsafe is undefined for the interpreter, and passes: only a plan that must fail shows
    that it works.
    """

    rule: str
    what: str
    says: str
    apply: Callable[[Changed], object]
