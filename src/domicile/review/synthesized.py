"""The synthesized configuration of a stack, ``cdk.tf.json``: its references are resolved as Terraform would."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from domicile.core.partitions import partition_of
from domicile.errors import UserError
from domicile.review.arns import Site, attribute_of, naming_argument
from domicile.review.findings import Finding
from domicile.review.stacks import (
    SAME_ACCOUNT,
    UNKNOWN,
    Resource,
    Stack,
    blocks_of,
    provider_findings,
    read_json,
    strings_in,
)

_TEMPLATE = re.compile(r"\$\$\{|%%\{|\$\{([^{}]*)\}")
_ATTRIBUTE = re.compile(r"(data\.)?([a-z]\w*)\.([\w-]+)\.(\w+)")
_REFERENCE = re.compile(r"(?<![\w.])(aws_\w+\.[\w-]+)\.")
_META = {"//", "depends_on", "lifecycle", "provider", "provisioner", "connection"}
_REPEATS = {"count", "for_each", "dynamic"}


def read(file: Path, account: str = SAME_ACCOUNT) -> Stack:
    """Read a stack, or raise :class:`UserError`."""
    configuration = read_json(file)
    resources = configuration.get("resource")
    if not isinstance(resources, dict):
        raise UserError(f"{file}: resource: is missing; accepted: a synthesized cdk.tf.json, or a plan with --plan")
    reader = _Reader(file, resources, _sites(file, configuration, account))
    found = [
        reader.resource(kind, id_, arguments)
        for kind, members in resources.items()
        for id_, arguments in _members(file, kind, members)
    ]
    unclear = [f"module.{name}" for name in configuration.get("module", {})]
    unclear += [
        f"{kind}.{id_}"
        for kind, members in resources.items()
        for id_, arguments in members.items()
        if _REPEATS & set(arguments)
    ]
    site = reader.sites[""]
    return Stack(
        file=file,
        site=site,
        resources=found,
        unclear=unclear,
        findings=list(_provider_findings(configuration, site)),
    )


def _members(file: Path, kind: str, members: Any) -> list[tuple[str, Mapping[str, Any]]]:
    if not isinstance(members, dict) or not all(isinstance(one, dict) for one in members.values()):
        raise UserError(f"{file}: resource.{kind}: must be an object of objects, as cdktf writes it")
    return list(members.items())


def _provider_findings(configuration: Mapping[str, Any], site: Site) -> Iterator[Finding]:
    for name, providers in configuration["provider"].items():
        for provider in blocks_of(providers):
            full = f"{name}.{provider['alias']}" if "alias" in provider else name
            yield from provider_findings(full, provider, site)


def _sites(file: Path, configuration: Mapping[str, Any], account: str) -> dict[str, Site]:
    """Return where each provider works, by its alias; the default one has none."""
    providers = configuration.get("provider", {})
    sites = {}
    for provider in blocks_of(providers.get("aws") if isinstance(providers, dict) else None):
        region = provider.get("region")
        if not isinstance(region, str) or "${" in region:
            raise UserError(f"{file}: provider.aws.region: must be the name of a Region")
        sites[str(provider.get("alias", ""))] = Site(partition_of(region), account, region)
    if "" not in sites:
        raise UserError(f"{file}: provider.aws: is missing; accepted: a stack with an AWS provider and its region")
    return sites


@dataclass
class _Reader:
    file: Path
    resources: Mapping[str, Any]
    sites: Mapping[str, Site]
    _open: set[str] = field(default_factory=set)

    def resource(self, kind: str, id_: str, arguments: Mapping[str, Any]) -> Resource:
        own = {name: value for name, value in arguments.items() if name not in _META}
        references = {found for text in strings_in(own) if "${" in text for found in _REFERENCE.findall(text)}
        site = self._site(arguments)
        keeps = any(block.get("ignore_changes") for block in blocks_of(arguments.get("lifecycle")))
        return Resource(kind, f"{kind}.{id_}", site, self._value(own, site), frozenset(references), keeps)

    def _site(self, arguments: Mapping[str, Any]) -> Site:
        provider = str(arguments.get("provider", "aws"))
        name, _, alias = provider.partition(".")
        if name != "aws" or alias not in self.sites:
            raise UserError(f"{self.file}: provider: has no {provider}; accepted: aws, or aws.ALIAS with its alias")
        site = self.sites[alias]
        region = arguments.get("region", site.region)
        return Site(partition_of(str(region)), site.account, str(region))

    def _value(self, value: Any, site: Site) -> Any:
        if isinstance(value, dict):
            return {name: self._value(member, site) for name, member in value.items()}
        if isinstance(value, list):
            return [self._value(member, site) for member in value]
        return self._text(value, site) if isinstance(value, str) else value

    def _text(self, text: str, site: Site) -> str:
        parts, end = [], 0
        for found in _TEMPLATE.finditer(text):
            parts.append(text[end : found.start()])
            end = found.end()
            parts.append(found[0][1:] if found[1] is None else self._reference(found[1].strip(), site))
        parts.append(text[end:])
        literal = re.sub(_TEMPLATE, "", text)
        return UNKNOWN if UNKNOWN in parts or "${" in literal or "%{" in literal else "".join(parts)

    def _reference(self, expression: str, site: Site) -> str:
        found = _ATTRIBUTE.fullmatch(expression)
        if found is None:
            return UNKNOWN
        data, kind, id_, attribute = found.groups()
        if data:
            known = {
                ("aws_caller_identity", "account_id"): site.account,
                ("aws_partition", "partition"): site.partition,
                ("aws_region", "name"): site.region,
                ("aws_region", "id"): site.region,
            }
            return known.get((kind, attribute), UNKNOWN)
        arguments = self.resources.get(kind, {}).get(id_)
        if arguments is None or expression in self._open:
            return UNKNOWN
        self._open.add(expression)
        try:
            own = self._site(arguments)
            if isinstance(arguments.get(attribute), str):
                return self._text(arguments[attribute], own)
            name = naming_argument(kind)
            resolved = {name: self._value(arguments.get(name), own)}
        finally:
            self._open.remove(expression)
        # What AWS chooses, such as an id, stands for itself: no two resources have the same.
        return attribute_of(kind, attribute, resolved, own) or f"({expression})"
