"""Conditional writes as values: what is written, and what must hold of the item at that moment.

A condition is stated twice, side by side: as DynamoDB's expression, and as the predicate that the in-memory store
evaluates. The contract tests hold the two against each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from domicile.core.control import Control, Image, Value
from domicile.core.version import Version


@dataclass(frozen=True)
class Expression:
    """A condition expression with the names and values that it uses (DynamoDB JSON)."""

    text: str
    names: Mapping[str, str]
    values: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True)
class NotAbove:
    """No item, no control attribute, or a lower version: "greater version wins"."""

    control: str
    version: Version

    def holds(self, item: Image | None) -> bool:
        """Whether DynamoDB would admit the write onto ``item``."""
        found = Control.of(item, self.control)
        return found is None or found.version < self.version

    def expression(self) -> Expression:
        """Return the condition as DynamoDB evaluates it."""
        return Expression(
            "attribute_not_exists(#control) OR #control.#v < :version",
            {"#control": self.control, "#v": "v"},
            {":version": {"S": str(self.version)}},
        )


@dataclass(frozen=True)
class AbsentOrBelow:
    """No item, or a lower version; one without a control attribute is a newer local write, which holds a copy off."""

    control: str
    version: Version
    key_name: str

    def holds(self, item: Image | None) -> bool:
        """Whether DynamoDB would admit the write onto ``item``."""
        found = Control.of(item, self.control)
        return item is None or (found is not None and found.version < self.version)

    def expression(self) -> Expression:
        """Return the condition as DynamoDB evaluates it."""
        return Expression(
            "attribute_not_exists(#key) OR #control.#v < :version",
            {"#key": self.key_name, "#control": self.control, "#v": "v"},
            {":version": {"S": str(self.version)}},
        )


@dataclass(frozen=True)
class Below:
    """An item with a control attribute of a lower version; one without is a newer local write."""

    control: str
    version: Version

    def holds(self, item: Image | None) -> bool:
        """Whether DynamoDB would admit the write onto ``item``."""
        found = Control.of(item, self.control)
        return found is not None and found.version < self.version

    def expression(self) -> Expression:
        """Return the condition as DynamoDB evaluates it."""
        return Expression(
            "#control.#v < :version", {"#control": self.control, "#v": "v"}, {":version": {"S": str(self.version)}}
        )


@dataclass(frozen=True)
class Marked:
    """The item still bears the mark of the delete of this version."""

    control: str
    version: Version

    def holds(self, item: Image | None) -> bool:
        """Whether DynamoDB would admit the write onto ``item``."""
        found = Control.of(item, self.control)
        return found is not None and found.deleting and found.version == self.version

    def expression(self) -> Expression:
        """Return the condition as DynamoDB evaluates it."""
        return Expression(
            "#control.#v = :version AND #control.#x = :true",
            {"#control": self.control, "#v": "v", "#x": "x"},
            {":version": {"S": str(self.version)}, ":true": {"BOOL": True}},
        )


@dataclass(frozen=True)
class SameValue:
    """The item is there and the whole value of an attribute is this one; ``value`` None: it has no such attribute."""

    attribute: str
    value: Value | None
    key_name: str

    def holds(self, item: Image | None) -> bool:
        """Whether DynamoDB would admit the write onto ``item``."""
        return item is not None and item.get(self.attribute) == self.value

    def expression(self) -> Expression:
        """Return the condition as DynamoDB evaluates it."""
        if self.value is None:
            return Expression(
                "attribute_exists(#key) AND attribute_not_exists(#attribute)",
                {"#key": self.key_name, "#attribute": self.attribute},
            )
        return Expression("#attribute = :value", {"#attribute": self.attribute}, {":value": self.value})


@dataclass(frozen=True)
class AbsentOrLower:
    """A ledger entry's string attribute is absent or sorts below ``text``."""

    attribute: str
    text: str

    def holds(self, item: Image | None) -> bool:
        """Whether DynamoDB would admit the write onto ``item``."""
        return item is None or self.attribute not in item or item[self.attribute]["S"] < self.text

    def expression(self) -> Expression:
        """Return the condition as DynamoDB evaluates it."""
        return Expression(
            "attribute_not_exists(#attribute) OR #attribute < :text",
            {"#attribute": self.attribute},
            {":text": {"S": self.text}},
        )


Condition = NotAbove | AbsentOrBelow | Below | Marked | SameValue | AbsentOrLower


@dataclass(frozen=True, kw_only=True)
class Put:
    """Replace the whole item by ``image``."""

    table: str
    key: Image
    image: Image
    condition: Condition


@dataclass(frozen=True, kw_only=True)
class Update:
    """Set and remove top-level attributes; creates the item where the condition admits none."""

    table: str
    key: Image
    assign: Image
    remove: tuple[str, ...] = ()
    condition: Condition


@dataclass(frozen=True, kw_only=True)
class Delete:
    """Remove the item."""

    table: str
    key: Image
    condition: Condition


Write = Put | Update | Delete


@dataclass(frozen=True)
class Written:
    """What came of a conditional write: ``before`` is the item as the write found it, None where there was none."""

    applied: bool
    before: Image | None
