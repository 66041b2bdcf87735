"""Copying the items of one table into another: whose they are to copy, with which version, and over what.

What an application writes into the target wins over every copy. Into a localized table a copy has a version that is
dated back (:func:`~domicile.core.version.of_copy`), and by "greater version wins" all Regions agree, whenever the
write comes. A native table has no versions: there a copy keeps the source's control attribute, by which it is known as
one until the copying is finished, and nothing is copied any more once an application has written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Protocol

from domicile.core.anonymize import values_at
from domicile.core.control import Control, Image, Value, without
from domicile.core.errors import RecordInvalidError
from domicile.core.policy import Policy, TablePolicy
from domicile.core.version import COPIES_END_MS, Version, of_copy
from domicile.core.writes import AbsentOrBelow, Expression, Put

GLOBAL = "global"
_IGNORED_AGE_S = 5 * 365 * 24 * 3600  # DynamoDB keeps what would have expired that long ago
_IN_MAX = 100  # operands that DynamoDB takes after IN


class Outcome(Enum):
    """What becomes of an item."""

    NEW = "new"
    CHANGED = "changed"
    SAME = "same"
    WRITTEN = "written"  # in the target, by an application: it stays
    DELETED = "deleted"  # from the target, by an application: it stays away
    GONE = "gone"  # from the source, and its copy is still there
    EXPIRED = "expired"  # DynamoDB would delete its copy
    UNKNOWN_AUTHORITY = "unknown_authority"
    LOCALIZED = "localized"
    UNVERSIONED = "unversioned"
    REFUSED = "refused"  # by DynamoDB


NOT_COPIED = (Outcome.UNKNOWN_AUTHORITY, Outcome.LOCALIZED, Outcome.UNVERSIONED, Outcome.REFUSED)
"""What must be mended before the move can be finished."""
SETTLED = (Outcome.SAME, Outcome.EXPIRED)
"""What a native target counts alone when it is to be finished."""


@dataclass(frozen=True)
class Verdict:
    """What becomes of an item, and the write that does it."""

    outcome: Outcome
    write: Put | None = None


@dataclass(frozen=True)
class Share:
    """The items of some authorities, or with ``others`` all but those: global ones, and those of unknown authority."""

    attribute: str
    authorities: tuple[str, ...]
    others: bool

    def holds(self, image: Mapping[str, Value]) -> bool:
        """Whether an item belongs to it."""
        return (image.get(self.attribute, {}).get("S") in self.authorities) is not self.others

    def expression(self) -> Expression | None:
        """Return the filter as DynamoDB evaluates it, so that other Regions' items are not read; None for all items."""
        if not self.authorities:
            return None
        values = {f":a{n}": {"S": authority} for n, authority in enumerate(self.authorities)}
        names = list(values)
        chunks = [names[n : n + _IN_MAX] for n in range(0, len(names), _IN_MAX)]
        text = " OR ".join(f"#authority IN ({', '.join(chunk)})" for chunk in chunks)
        if self.others:
            text = f"attribute_not_exists(#authority) OR NOT ({text})"
        return Expression(text, {"#authority": self.attribute}, values)


class Copier(Protocol):
    """The decisions of copying in one Region, which reads the source there."""

    @property
    def share(self) -> Share | None:
        """The items of the source that are the Region's to copy; None for all."""

    def group(self, image: Image) -> str:
        """Return what an item is counted under: its authority, or :data:`GLOBAL`. Never another value."""

    def place(self, image: Image) -> str:
        """Return the Region to write an item in; :class:`UnknownAuthorityError` where the map has none."""

    def judge(self, image: Image, found: Image | None, tombstone: Version | None, now_ms: int, counter: int) -> Verdict:
        """Decide what becomes of an item, of which the target has ``found``; ``tombstone`` is that of its ledger."""

    def copies(self) -> Iterator[tuple[str, Expression]]:
        """Yield each Region whose target may have copies of this share, with the filter that finds them."""


@dataclass(frozen=True, kw_only=True)
class IntoLocalized:
    """Copies of a native table's items into a localized one, each into its home.

    An item is read in its home too, if the source has a replica there, so that its personal data stays in that Region.
    The ``primary`` takes all others: global items, and those whose home has no replica. ``regions`` are the source's.
    """

    policy: Policy
    table: TablePolicy
    regions: tuple[str, ...]
    primary: str
    region: str

    @property
    def share(self) -> Share:
        """The items whose home is here; in the primary all that are no other Region's."""
        homes = self.policy.authorities
        others = self.region == self.primary
        wanted = [home for home in self.regions if home != self.primary] if others else [self.region]
        authorities = tuple(sorted(authority for authority, home in homes.items() if home in wanted))
        return Share(self.table.authority_attribute, authorities, others)

    def group(self, image: Image) -> str:
        """Return the item's authority."""
        return self.policy.authority_of(image, self.table) or GLOBAL

    def place(self, image: Image) -> str:
        """Return the item's home, and this Region for a global one."""
        return self.policy.home_of(image, self.table) or self.region

    def judge(self, image: Image, found: Image | None, tombstone: Version | None, now_ms: int, counter: int) -> Verdict:
        """Copy what is not there, and over an earlier copy what has changed since."""
        name, key_names = self.table.control_attribute, self.table.key_names
        content = without(image, name)
        control = _control(found, name)
        if found is not None and (control is None or not control.version.is_copy):
            return Verdict(Outcome.WRITTEN)
        base, is_buried = control.version if control else None, control is not None and control.deleting
        if tombstone is not None and (base is None or tombstone > base):
            if not tombstone.is_copy:
                return Verdict(Outcome.DELETED)
            base, is_buried = tombstone, True  # a removal that was cut short: other Regions may have it no more
        if control and not control.is_stub and not is_buried and _is_same(content, without(found or {}, name)):
            return Verdict(Outcome.SAME)
        place = self.place(image)
        version = of_copy(now_ms, base, place, counter)
        put = Put(
            table=self.table.name,
            key={key: image[key] for key in key_names},
            image={**content, name: Control(version=version, origin=place).to_value()},
            condition=AbsentOrBelow(name, version, key_names[0]),
        )
        return Verdict(Outcome.NEW if found is None else Outcome.CHANGED, put)

    def copies(self) -> Iterator[tuple[str, Expression]]:
        """Yield the filters of whole items with the version of a copy: in the primary also the global ones."""
        names = {"#control": self.table.control_attribute, "#v": "v", "#l": "l"}
        values = {":end": {"S": f"{COPIES_END_MS:015d}"}}
        text = "#control.#v < :end AND attribute_not_exists(#control.#l)"
        localized = Expression(
            f"{text} AND attribute_exists(#authority)", {**names, "#authority": self.table.authority_attribute}, values
        )
        if self.region != self.primary:
            yield self.region, localized
            return
        yield self.region, Expression(text, names, values)
        for home in sorted(set(self.policy.authorities.values()) - set(self.regions)):
            yield home, localized


@dataclass(frozen=True, kw_only=True)
class IntoNative:
    """Copies of a localized table's items, which must all be global, into a native one's primary."""

    source: TablePolicy
    target: str
    primary: str
    share: None = None

    def group(self, image: Image) -> str:
        """Return that it is global, as all items are."""
        return GLOBAL

    def place(self, image: Image) -> str:
        """Return the primary, from which DynamoDB replicates."""
        return self.primary

    def judge(
        self,
        image: Image,
        found: Image | None,
        tombstone: Version | None,
        now_ms: int,
        counter: int,
    ) -> Verdict:
        """Copy an item with its control attribute, whose version is the source's, over one of a lower version."""
        name, key_names = self.source.control_attribute, self.source.key_names
        control = _control(image, name)
        if self.source.authority_attribute in image or (control is not None and control.is_stub):
            return Verdict(Outcome.LOCALIZED)
        if control is None or control.deleting:
            return Verdict(Outcome.UNVERSIONED)
        earlier = _control(found, name)
        if found is not None and (earlier is None or earlier.version >= control.version):
            # Without their control attributes, which --finish takes off: one that was interrupted goes on.
            is_same = _is_same(without(image, name), without(found, name))
            return Verdict(Outcome.SAME if is_same else Outcome.WRITTEN)
        put = Put(
            table=self.target,
            key={key: image[key] for key in key_names},
            image=image,
            condition=AbsentOrBelow(name, control.version, key_names[0]),
        )
        return Verdict(Outcome.NEW if found is None else Outcome.CHANGED, put)

    def copies(self) -> Iterator[tuple[str, Expression]]:
        """Yield the filter of what has a control attribute."""
        yield self.primary, copied_items(self.source)


def localized_items(table: TablePolicy) -> Expression:
    """Return the filter of what a Global Table must not hold: items with an authority, and stubs."""
    names = {"#authority": table.authority_attribute, "#control": table.control_attribute, "#l": "l"}
    return Expression("attribute_exists(#authority) OR attribute_exists(#control.#l)", names)


def copied_items(table: TablePolicy) -> Expression:
    """Return the filter of a native target's copies, ``table`` being their source."""
    return Expression("attribute_exists(#control)", {"#control": table.control_attribute})


def written_items(table: TablePolicy) -> Expression:
    """Return the filter of items of a native target that are no copies, or not any more."""
    return Expression("attribute_not_exists(#control)", {"#control": table.control_attribute})


def is_expired(image: Image, attribute: str | None, now_ms: int) -> bool:
    """Whether DynamoDB would delete an item by its TTL ``attribute``, some time or other."""
    value = image.get(attribute, {}).get("N") if attribute else None
    return value is not None and 0 <= Decimal(now_ms) / 1000 - Decimal(value) < _IGNORED_AGE_S


def _control(image: Image | None, name: str) -> Control | None:
    """Return an item's control attribute; a malformed one is an application's work, and as good as none."""
    try:
        return Control.of(image, name)
    except RecordInvalidError:
        return None


def _is_same(one: Image, other: Image) -> bool:
    return one.keys() == other.keys() and all(values_at(one, (name,)) == values_at(other, (name,)) for name in one)
