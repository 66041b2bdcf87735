"""Versions: the total order of the changes of one key.

A version is (``ms``, tie, ``region``). It travels and rests as ONE string whose byte order is this order, so that a
DynamoDB condition is one comparison::

    001766361600000-1000000000000000000000000000000000004421-eu-west-1
    └ ms, 15 digits └ tie: 0 + counter (stamped) or 1 + stream sequence number, 40 digits (plain)

A stamped tie sorts below every plain one: a plain write of the same millisecond happened on top of it. With a ``+``
at its end it is the tombstone of that version, which TTL removed: nothing lies between the two.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from domicile.core.errors import RecordInvalidError, VersionInFutureError

_MS_DIGITS = 15
_COUNTER_DIGITS = 6
# The API reference of DynamoDB Streams gives a sequence number 21 to 40 digits.
_SEQUENCE_DIGITS = 40
_FORM = re.compile(
    rf"(?P<ms>[0-9]{{{_MS_DIGITS}}})"
    rf"-(?:0(?P<counter>[0-9]{{{_COUNTER_DIGITS}}})|1(?P<sequence>[0-9]{{{_SEQUENCE_DIGITS}}}))"
    r"-(?P<region>[a-z0-9-]{1,32})(?P<expired>\+?)"
)

COUNTER_MAX = 10**_COUNTER_DIGITS
"""Above the counter of every stamped version."""
AHEAD_MS_MAX = 5 * 60 * 1000
"""How far a version may lie ahead of its record's time before it is quarantined."""
COPIES_END_MS = 1_325_376_000_000
"""2012, the year of DynamoDB: what an application wrote has a later version, and a copy an earlier one."""
_COPIES_BACK_MS = 50 * 365 * 24 * 3600 * 1000


@dataclass(frozen=True, order=True)
class Version:
    """``ms`` since the epoch; ``plain`` tells a stream record's number from a stamp's counter in ``tie``.

    ``expired``: the tombstone that buries this version, and whatever is below it, after TTL removed it.
    """

    ms: int
    plain: bool
    tie: int
    region: str
    expired: bool = False

    def __str__(self) -> str:
        tie = f"1{self.tie:0{_SEQUENCE_DIGITS}d}" if self.plain else f"0{self.tie:0{_COUNTER_DIGITS}d}"
        return f"{self.ms:0{_MS_DIGITS}d}-{tie}-{self.region}{'+' if self.expired else ''}"

    def tombstone(self) -> Version:
        """Return what buries this version: above it, and below every other that is above it."""
        return replace(self, expired=True)

    @property
    def is_copy(self) -> bool:
        """Whether it is the version of a copied item, or of its removal, and no application's."""
        return self.ms < COPIES_END_MS

    @classmethod
    def parse(cls, text: str) -> Version:
        """Read the string form; anything else is a :class:`RecordInvalidError`."""
        match = _FORM.fullmatch(text)
        if match is None:
            raise RecordInvalidError("not a version")
        plain = match["sequence"] is not None
        tie = int(match["sequence"] if plain else match["counter"])
        return cls(int(match["ms"]), plain, tie, match["region"], bool(match["expired"]))


def stamp(now_ms: int, base: Version | None, region: str, counter: int = 0) -> Version:
    """Return the version of a stamped write: a hybrid logical clock above the item that was read.

    The write must be conditional on a lower version, and on failure be stamped anew above what it found. ``counter``,
    below :data:`COUNTER_MAX`, should be random: a clock that is behind can find one base twice, where a write on top of
    it was deleted or replaced, and two changes must never have one version.
    """
    return Version(max(now_ms, base.ms + 1) if base else now_ms, plain=False, tie=counter, region=region)


def of_copy(now_ms: int, base: Version | None, region: str, counter: int) -> Version:
    """Return the version of an item that is copied from another table, where ``base`` is an earlier copy's, if any.

    It is dated back by fifty years, so that it lies above every earlier copy and below all that applications write:
    whenever a write comes, and wherever, it wins.
    """
    return stamp(now_ms - _COPIES_BACK_MS, base, region, counter)


def of_plain_write(at_ms: int, sequence: int, region: str, bases: Iterable[Version]) -> Version:
    """Return the version of a write by ordinary code: a pure function of its stream record, so that a retry agrees.

    It lies above every base. ``at_ms`` is the record's creation time, which DynamoDB Streams rounds down to the second:
    a base may lie in the same second and above it, and the change that came later must win all the same. Of two records
    on the same bases the later one wins too, so the millisecond of another Region's plain write is left behind: the two
    streams' sequence numbers say nothing of each other, and that write's could lie between those of the two records.
    """

    def ms_min(base: Version) -> int:
        follows = not base.plain or (base.region == region and base.tie < sequence)
        return base.ms if follows else base.ms + 1

    return Version(max([at_ms, *map(ms_min, bases)]), plain=True, tie=sequence, region=region)


def refuse_far_future(version: Version, at_ms: int) -> None:
    """Raise :class:`VersionInFutureError` for a version further ahead of ``at_ms`` than :data:`AHEAD_MS_MAX`.

    A plain write on top of a far-future version inherits it, so this holds for both kinds.
    """
    if version.ms > at_ms + AHEAD_MS_MAX:
        raise VersionInFutureError(f"the version is {version.ms - at_ms} ms ahead of its record")
