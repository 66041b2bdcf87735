"""A synthesized deployment that was changed by hand, and its review."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from domicile.review.findings import Finding, Severity
from domicile.review.reading import read_stacks
from domicile.review.verdict import Review, review

ACCOUNT = "${data.aws_caller_identity.account.account_id}"
_FILE = "cdk.tf.json"


class Changed:
    """A copy of the stacks in a folder, to change and review; the originals stay as they are."""

    def __init__(self, stacks: Path) -> None:
        self._stacks = {
            folder.name: json.loads((folder / _FILE).read_text(encoding="utf-8")) for folder in stacks.iterdir()
        }

    def stack(self, region: str) -> dict[str, Any]:
        """Return the configuration of a Region's stack."""
        (found,) = [stack for name, stack in self._stacks.items() if name.endswith(region)]
        configuration: dict[str, Any] = found
        return configuration

    def all(self) -> Iterator[dict[str, Any]]:
        """Yield the configuration of every stack."""
        yield from self._stacks.values()

    def one(self, region: str, kind: str, part: str = "") -> dict[str, Any]:
        """Return the arguments of the only resource of a kind that has ``part`` in its id."""
        found = [value for id_, value in self.stack(region)["resource"][kind].items() if part in id_]
        assert len(found) == 1, f"{len(found)} of {kind} with {part}"
        arguments: dict[str, Any] = found[0]
        return arguments

    def reference(self, region: str, kind: str, part: str, attribute: str) -> str:
        """Return the expression of an attribute of that resource."""
        (id_,) = [id_ for id_ in self.stack(region)["resource"][kind] if part in id_]
        return f"${{{kind}.{id_}.{attribute}}}"

    def add(self, region: str, kind: str, /, **arguments: Any) -> None:
        """Add a resource of a kind, whose id is ``added``."""
        self.stack(region)["resource"].setdefault(kind, {})["added"] = arguments

    def review(self, folder: Path) -> Review:
        """Write the stacks to a folder and review them."""
        for name, stack in self._stacks.items():
            (folder / name).mkdir(exist_ok=True)
            (folder / name / _FILE).write_text(json.dumps(stack), encoding="utf-8")
        return review(read_stacks(folder))


def named(review: Review, severity: Severity = Severity.VIOLATION) -> set[str]:
    """Return the resources that a review names, without the hashes in their ids."""
    return {_plain(finding) for finding in review.of(severity)}


def _plain(finding: Finding) -> str:
    return re.sub("_[0-9A-F]{8} ", " ", finding.resource)
