"""What a stack will have, whether a plan says so or the synthesized configuration."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from domicile.errors import UserError
from domicile.review.arns import Site, arn_of
from domicile.review.findings import Finding, Severity

UNKNOWN = "(known after apply)"
"""Stands for a value that the input does not tell, as Terraform prints it."""
SAME_ACCOUNT = "ACCOUNT"
"""Stands for the account that a stack is applied to, where the input does not tell it."""
_OF_A_PROVIDER = {"alias", "default_tags", "region"}


@dataclass(frozen=True, eq=False)
class Resource:
    """One managed resource: ``arguments`` with references resolved, ``references`` the addresses that it refers to.

    ``keeps``: it ignores changes, so that it may be what it once was instead of what the text says.
    """

    kind: str
    address: str
    site: Site
    arguments: Mapping[str, Any]
    references: frozenset[str] = frozenset()
    keeps: bool = False

    @property
    def arn(self) -> str | None:
        """The ARN, where it follows from the name."""
        return arn_of(self.kind, self.arguments, self.site)

    @property
    def label(self) -> str:
        """The address with the Region: the same address is in every stack."""
        return f"{self.address} ({self.site.region})"

    def attribute(self, name: str) -> str:
        """Return what a reference to an attribute is resolved to that AWS chooses: what is known, or its address."""
        return str(self.arguments.get(name, f"({self.address}.{name})"))

    def text(self, *path: str) -> str:
        """Return a text at a path of blocks, empty where there is none."""
        *blocks, name = path
        value: Any = self.arguments
        for block in blocks:
            value = next(iter(blocks_of(value.get(block))), {})
        found = value.get(name)
        return found if isinstance(found, str) else ""

    def blocks(self, name: str) -> list[Mapping[str, Any]]:
        """Return the blocks of a name, of which cdktf writes a single one without a list."""
        return blocks_of(self.arguments.get(name))


@dataclass(frozen=True, kw_only=True)
class Stack:
    """One Region's stack. ``unclear`` are resources of which the input does not say what they will be.

    ``findings`` are of its providers.
    """

    file: Path
    site: Site
    resources: Sequence[Resource]
    unclear: Sequence[str] = ()
    findings: Sequence[Finding] = ()

    def of_kind(self, *kinds: str) -> Iterator[Resource]:
        """Yield the resources of some kinds."""
        return (resource for resource in self.resources if resource.kind in kinds)


def provider_findings(name: str, arguments: Iterable[str], site: Site) -> Iterator[Finding]:
    """Yield each argument by which a provider of a stack may work in another account, or with no AWS at all."""
    for argument in sorted(set(arguments) - _OF_A_PROVIDER):
        text = f"its {argument} may lead to another account or another endpoint"
        yield Finding(f"provider.{name} ({site.region})", text, Severity.UNKNOWN)


def blocks_of(value: Any) -> list[Mapping[str, Any]]:
    """Return nested blocks as a list of mappings."""
    listed = value if isinstance(value, list) else [value]
    return [block for block in listed if isinstance(block, Mapping)]


def is_unknown(value: Any) -> bool:
    """Whether a value, or anything in it, is not told by the input."""
    if isinstance(value, Mapping):
        return any(map(is_unknown, value.values()))
    if isinstance(value, list):
        return any(map(is_unknown, value))
    return isinstance(value, str) and UNKNOWN in value


def strings_in(value: Any) -> Iterator[str]:
    """Yield each text in a value."""
    if isinstance(value, Mapping):
        for member in value.values():
            yield from strings_in(member)
    elif isinstance(value, list):
        for member in value:
            yield from strings_in(member)
    elif isinstance(value, str):
        yield value


def read_json(
    file: Path, accepted: str = "the output of terraform show -json for a plan, or a synthesized cdk.tf.json"
) -> dict[str, Any]:
    """Read a file's JSON object, or raise :class:`UserError`, which says what is ``accepted``."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{file}: can't be read ({error.strerror}); accepted: {accepted}") from None
    except ValueError:
        raise UserError(f"{file}: is no JSON; accepted: {accepted}") from None
    if not isinstance(found, dict):
        raise UserError(f"{file}: is no JSON object; accepted: {accepted}")
    return found
