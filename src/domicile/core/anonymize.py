"""The anonymized image: what a Region other than the home may see of a localized item.

Everything fails closed. A strategy that cannot read a value redacts it, and a path that meets something else than the
map or list it expects redacts that whole.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Context, Decimal

from domicile.core.control import Image, Value
from domicile.core.policy import Strategy, TablePolicy

REDACTED: Value = {"S": "[redacted]"}
_MASK = "***"
_DATE = re.compile(r"(?P<year>[0-9]{4})-(?P<month>[0-9]{2})(?:-[0-9]{2}.*)?", re.DOTALL)
# DynamoDB's numbers: 38 significant digits, magnitude up to 9.9e125. The bucket of the largest needs 126 digits.
_DIGITS_MAX = 38
_NUMBERS = Context(prec=130)


@dataclass(frozen=True)
class Anonymized:
    """An image without sensitive values; ``hash_keys_missing`` counts values that were redacted for want of a key."""

    image: Image
    hash_keys_missing: int


def anonymize(image: Mapping[str, Value], table: TablePolicy, hash_key: bytes | None) -> Anonymized:
    """Return the image with each sensitive attribute of ``table`` replaced or removed.

    ``hash_key`` is the secret of the ``hash`` strategy; where it is None, what would be hashed is redacted.
    """
    run = _Run(hash_key)
    result: Image = dict(image)
    for path, strategy in table.sensitive.items():
        run.replace(result, path, strategy)
    return Anonymized(result, run.hash_keys_missing)


def difference(before: Mapping[str, Value], after: Mapping[str, Value]) -> tuple[Image, tuple[str, ...]]:
    """Return the top-level attributes to set and those to remove that turn ``before`` into ``after``."""
    assign = {name: value for name, value in after.items() if before.get(name) != value}
    return assign, tuple(sorted(set(before) - set(after)))


def values_at(image: Mapping[str, Value], path: tuple[str, ...]) -> list[Value]:
    """Return the values that a sensitive path reaches, in order; through a list it reaches one of each element.

    Two reads of one item compare equal: the members of sets, which DynamoDB returns in any order, are sorted.
    """
    value = image.get(path[0])
    return [] if value is None else _reach(value, path[1:])


def _reach(value: Value, path: tuple[str, ...]) -> list[Value]:
    if path and "M" in value:
        return values_at(value["M"], path)
    if path and "L" in value:
        return [reached for element in value["L"] for reached in _reach(element, path)]
    return [_canonical(value)]


class _Run:
    def __init__(self, hash_key: bytes | None) -> None:
        self._hash_key = hash_key
        self.hash_keys_missing = 0

    def replace(self, members: Image, path: tuple[str, ...], strategy: Strategy) -> None:
        name, rest = path[0], path[1:]
        value = members.get(name)
        if value is None:
            return
        new = self._descend(value, rest, strategy) if rest else self._value(value, strategy)
        if new is None:
            del members[name]
        else:
            members[name] = new

    def _descend(self, value: Value, rest: tuple[str, ...], strategy: Strategy) -> Value:
        if "M" in value:
            members: Image = dict(value["M"])
            self.replace(members, rest, strategy)
            return {"M": members}
        if "L" in value:
            # A path through a list means each of its elements: the index of an element says nothing of its meaning.
            return {"L": [self._descend(element, rest, strategy) for element in value["L"]]}
        return REDACTED

    def _value(self, value: Value, strategy: Strategy) -> Value | None:
        if strategy.name == "remove":
            return None
        if strategy.name == "mask":
            return _mask(value, strategy)
        if strategy.name == "generalize":
            return _generalize(value, strategy)
        if strategy.name == "hash":
            return self._hash(value)
        return REDACTED

    def _hash(self, value: Value) -> Value:
        if self._hash_key is None:
            self.hash_keys_missing += 1
            return REDACTED
        message = json.dumps(_canonical(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        return {"S": hmac.new(self._hash_key, message, hashlib.sha256).hexdigest()}


def _canonical(value: Value) -> Value:
    """Order the members of sets: DynamoDB returns them in any order, and equal values must hash alike."""
    (kind, content), *_ = value.items()
    if kind in ("SS", "NS", "BS"):
        return {kind: sorted(content)}
    if kind == "L":
        return {kind: [_canonical(element) for element in content]}
    if kind == "M":
        return {kind: {name: _canonical(member) for name, member in content.items()}}
    return value


def _mask(value: Value, strategy: Strategy) -> Value:
    text = value.get("S", value.get("N"))
    if not isinstance(text, str):
        return REDACTED
    if strategy.domain:
        local, at, domain = text.rpartition("@")
        return {"S": f"{_MASK}@{domain}"} if at and local and domain else REDACTED
    kept = strategy.first or strategy.last
    if len(text) <= kept:
        return REDACTED
    return {"S": text[:kept] + _MASK if strategy.first else _MASK + text[-kept:]}


def _generalize(value: Value, strategy: Strategy) -> Value:
    if strategy.bucket and "N" in value:
        bucket = Decimal(strategy.bucket)
        steps = _NUMBERS.divide(Decimal(value["N"]), bucket).to_integral_value(ROUND_FLOOR)
        lower = _NUMBERS.multiply(steps, bucket).normalize(_NUMBERS)
        return {"N": str(lower)} if len(lower.as_tuple().digits) <= _DIGITS_MAX else REDACTED
    date = _DATE.fullmatch(value["S"]) if strategy.to and "S" in value else None
    if date is None:
        return REDACTED
    return {"S": date["year"] if strategy.to == "year" else f"{date['year']}-{date['month']}"}
