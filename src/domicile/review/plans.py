"""A stack's plan, as ``terraform show -json`` prints it.

What a plan can't know ahead of the apply is followed where it is one resource's attribute, as the ARN of a target is.
Of a document such as a policy that is not enough: it comes from the synthesized configuration of the same resource,
if that is given, or stays unknown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from domicile.core.partitions import partition_of
from domicile.errors import UserError
from domicile.review import synthesized
from domicile.review.arns import Site, attribute_of
from domicile.review.findings import Finding
from domicile.review.stacks import SAME_ACCOUNT, UNKNOWN, Resource, Stack, is_unknown, provider_findings, read_json

_DOCUMENTS = {
    *("policy", "inline_policy", "assume_role_policy", "event_pattern", "filter_policy", "access_policy"),
    *("policy_document", "content", "environment"),
}
_INDEX = re.compile(r"\[[^\]]*\]")
_ACCOUNT = re.compile(r"arn:[\w-]+:[\w-]+:[\w-]*:(\d{12}):")


def read(file: Path, texts: Mapping[str, Path]) -> Stack:
    """Read a plan, or raise :class:`UserError`.

    ``texts`` has the same stacks as they were synthesized, by their Regions: they tell what the plan can't.
    """
    plan = read_json(file)
    if "planned_values" not in plan or "configuration" not in plan:
        raise UserError(f"{file}: is no plan; accepted: the output of terraform show -json for a file of plan -out")
    if plan.get("errored") or plan.get("complete") is False:
        raise UserError(f"{file}: the plan failed or is not complete; accepted: a plan of the whole stack")
    reader = _Reader(file, plan, _account(plan))
    site = reader.site("aws")
    text = synthesized.read(texts[site.region], site.account) if site.region in texts else None
    findings = list(reader.provider_findings(site))
    return Stack(file=file, site=site, resources=list(reader.resources(text)), findings=findings)


def _account(plan: Mapping[str, Any]) -> str:
    root = plan.get("prior_state", {}).get("values", {}).get("root_module", {})
    for resource in root.get("resources", []):
        if resource.get("type") == "aws_caller_identity":
            return str(resource["values"]["account_id"])
    found = _ACCOUNT.search(str(plan["planned_values"]))
    return found[1] if found else SAME_ACCOUNT


@dataclass
class _Reader:
    file: Path
    plan: Mapping[str, Any]
    account: str

    def __post_init__(self) -> None:
        configuration = self.plan.get("configuration", {})
        self._configured = dict(_configured(configuration.get("root_module", {})))
        changes = self.plan.get("resource_changes", [])
        self._unknown = {change["address"]: change["change"].get("after_unknown") or {} for change in changes}
        self._planned = {
            resource["address"]: resource
            for resource in _planned(self.plan.get("planned_values", {}).get("root_module", {}))
            if resource.get("mode") == "managed"
        }

    def resources(self, text: Stack | None) -> Iterator[Resource]:
        """Yield the resources; ``text`` is the same stack, synthesized."""
        texts = {resource.address: resource for resource in text.resources} if text else {}
        for address, resource in self._planned.items():
            configured = self._configured.get(_INDEX.sub("", address), {})
            expressions = configured.get("expressions", {})
            references = frozenset(_resources(expressions))
            arguments = dict(resource.get("values") or {})
            same = texts.get(address)
            for name, unknown in dict(self._unknown.get(address, {})).items():
                if name in expressions:
                    self._fill(arguments, name, unknown, expressions[name], address)
                    # Only what refers to a resource is unknown for the reason that the text can tell.
                    waits = is_unknown(arguments[name]) and any(_resources(expressions[name]))
                    if waits and same is not None and same.references == references:
                        arguments[name] = same.arguments.get(name, arguments[name])
            site = self.site(configured.get("provider_config_key", "aws"), arguments.get("region"))
            yield Resource(resource["type"], address, site, arguments, references)

    def provider_findings(self, site: Site) -> Iterator[Finding]:
        """Yield what is to be said of the providers of the stack and its modules."""
        for key, provider in self.plan["configuration"].get("provider_config", {}).items():
            yield from provider_findings(key, provider.get("expressions", {}), site)

    def site(self, key: str, region: Any = None) -> Site:
        """Return where a provider works, or a resource that names its own Region."""
        providers = self.plan.get("configuration", {}).get("provider_config", {})
        provider = providers.get(key, {}) or providers.get(key.rpartition(":")[2], {})
        expression = provider.get("expressions", {}).get("region", {})
        if not isinstance(region, str):
            region = expression.get("constant_value")
        for reference in expression.get("references", []) if region is None else ():
            variable = self.plan.get("variables", {}).get(reference.removeprefix("var."), {})
            region = variable.get("value", region)
        if not isinstance(region, str):
            raise UserError(f"{self.file}: provider {key}: has no region; accepted: a stack whose provider names one")
        return Site(partition_of(region), self.account, region)

    def _fill(self, held: dict[str, Any], name: str, unknown: Any, expression: Any, address: str) -> None:
        """Put what is followed, or ``UNKNOWN``, where an argument is set to what the plan does not know."""

        def told(expression: Any) -> str:
            return UNKNOWN if name in _DOCUMENTS else self._followed(expression, address)

        held[name] = _overlaid(held.get(name), unknown, expression, told)

    def _followed(self, expression: Any, address: str) -> str:
        """Return the only attribute that an expression refers to."""
        full = {reference for reference in _references(expression) if reference.count(".") > 1}
        if len(full) != 1 or not (reference := full.pop()).startswith("aws_"):
            return UNKNOWN
        kind, id_, attribute = _INDEX.sub("", reference).split(".")[:3]
        module = _INDEX.sub("", address).split(".")[:-2]
        target = self._planned.get(".".join([*module, kind, id_]))
        if target is None:
            return UNKNOWN
        values = target.get("values") or {}
        if isinstance(values.get(attribute), str):
            return str(values[attribute])
        configured = self._configured.get(_INDEX.sub("", target["address"]), {})
        site = self.site(configured.get("provider_config_key", "aws"), values.get("region"))
        return attribute_of(kind, attribute, values, site) or f"({reference})"


def _planned(module: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from module.get("resources", [])
    for child in module.get("child_modules", []):
        yield from _planned(child)


def _configured(module: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    for resource in module.get("resources", []):
        yield prefix + resource["address"], resource
    for name, call in module.get("module_calls", {}).items():
        yield from _configured(call.get("module", {}), f"{prefix}module.{name}.")


def _references(expression: Any) -> Iterator[str]:
    if isinstance(expression, Mapping):
        yield from expression.get("references", [])
        for name, member in expression.items():
            if name != "references":
                yield from _references(member)
    elif isinstance(expression, list):
        for member in expression:
            yield from _references(member)


def _resources(expression: Any) -> Iterator[str]:
    """Yield the address of each resource that an expression refers to."""
    for reference in _references(expression):
        if reference.startswith("aws_"):
            yield ".".join(reference.split(".")[:2])


def _overlaid(value: Any, unknown: Any, expression: Any, told: Callable[[Any], str]) -> Any:
    """Return a value with what is told in each place that the plan does not know and the configuration sets."""
    if unknown is True:
        return told(expression)
    if isinstance(unknown, Mapping):
        held = value if isinstance(value, Mapping) else {}
        inner = expression if isinstance(expression, Mapping) else {}
        whole = bool({"references", "constant_value"} & set(inner))  # a map, of which no part has an expression
        parts = {name: inner if whole else inner[name] for name in unknown if whole or name in inner}
        filled = {name: _overlaid(held.get(name), unknown[name], part, told) for name, part in parts.items()}
        return {**held, **{name: one for name, one in filled.items() if one is not None}}
    if isinstance(unknown, list):
        length = len(unknown)
        held_list = [*(value if isinstance(value, list) else []), *[None] * length][:length]
        parts_list = expression if isinstance(expression, list) else [expression] * length
        return [
            _overlaid(one, mark, part, told)
            for one, mark, part in zip(held_list, unknown, [*parts_list, *[{}] * length], strict=False)
        ]
    return value
