"""The control attribute: the one attribute that the replication adds to an item.

In DynamoDB JSON it is a map, by default named ``_dom``:

| member | meaning |
|---|---|
| ``v`` | the version |
| ``o`` | the Region where that version was written |
| ``l`` | the home Region; on a stub only |
| ``x`` | true; on an item that the replication is deleting |
| ``n`` | a nonce, new at each application of an image: tells two applications of one version apart |
| ``p`` | true; on a stub whose largest attributes did not travel |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from domicile.core.errors import RecordInvalidError
from domicile.core.version import Version

Value = dict[str, Any]
"""One attribute value in DynamoDB JSON; binary is base64 text, as in a Lambda event."""
Image = dict[str, Value]
"""An item in DynamoDB JSON: attribute name to value."""


@dataclass(frozen=True, kw_only=True)
class Control:
    """What the control attribute says; see the module's table."""

    version: Version
    origin: str
    home: str | None = None
    deleting: bool = False
    nonce: str | None = None
    partial: bool = False

    @property
    def is_stub(self) -> bool:
        """Whether the item is an anonymized copy of one that lives elsewhere."""
        return self.home is not None

    def to_value(self) -> Value:
        """Return the map in DynamoDB JSON."""
        members: Image = {"v": {"S": str(self.version)}, "o": {"S": self.origin}}
        if self.home is not None:
            members["l"] = {"S": self.home}
        if self.deleting:
            members["x"] = {"BOOL": True}
        if self.nonce is not None:
            members["n"] = {"S": self.nonce}
        if self.partial:
            members["p"] = {"BOOL": True}
        return {"M": members}

    @classmethod
    def of(cls, image: Mapping[str, Value] | None, attribute: str) -> Control | None:
        """Read an image's control attribute: None where there is none, an error where it is malformed."""
        value = image.get(attribute) if image is not None else None
        if value is None:
            return None
        try:
            members = value["M"]
            control = cls(
                version=Version.parse(members["v"]["S"]),
                origin=members["o"]["S"],
                home=members["l"]["S"] if "l" in members else None,
                deleting=members["x"]["BOOL"] if "x" in members else False,
                nonce=members["n"]["S"] if "n" in members else None,
                partial=members["p"]["BOOL"] if "p" in members else False,
            )
        except (KeyError, TypeError) as error:
            raise RecordInvalidError("the control attribute is malformed") from error
        return control


def without(image: Mapping[str, Value], attribute: str) -> Image:
    """Return the application's part of an image."""
    return {name: value for name, value in image.items() if name != attribute}
