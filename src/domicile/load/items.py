"""Realistic items for any table of a deployment: a pure function of the table, the run and a number.

An attribute's name says what it holds (an e-mail address, a date of birth), and its strategy that this is something
which the strategy can work on.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Mapping
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any

from domicile.core.control import Image, Value
from domicile.load.plan import Operation
from domicile.table import AnyStrategy, Generalize, Mask, Table

if TYPE_CHECKING:
    from faker import Faker

MARKER = "domicile_load"
"""The attribute that says which run wrote an item, and which of its operations did so last."""

_LOCALES = {"CN": "zh_CN", "EU": "de_DE", "IN": "en_IN"}
_LOCALE = "en_US"
_BIRTHS = (date(1940, 1, 1).toordinal(), date(2005, 12, 31).toordinal())
_ELEMENTS_MAX = 3

_Tree = dict[str, Any]
"""The sensitive paths by their parts; a leaf is a strategy."""


def _date(fake: Faker) -> str:
    """Return a date that does not depend on today's, as faker's own do."""
    return date.fromordinal(fake.random_int(*_BIRTHS)).isoformat()


# The first pattern that an attribute's name contains says what it holds; the order matters.
_TEXTS: tuple[tuple[str, Callable[[Faker], str]], ...] = (
    (r"mail", lambda fake: fake.email()),
    (r"phone|mobile|fax", lambda fake: fake.phone_number()),
    (r"birth|dob|date|_at$|_on$", _date),
    (r"national_id|ssn|passport|tax|licen[cs]e", lambda fake: fake.ssn()),
    (r"card", lambda fake: fake.credit_card_number()),
    (r"iban|account", lambda fake: fake.iban()),
    (r"(^|_)ip(_|$)", lambda fake: fake.ipv4()),
    (r"street", lambda fake: fake.street_address()),
    (r"city|town", lambda fake: fake.city()),
    (r"zip|post_?code", lambda fake: fake.postcode()),
    (r"country", lambda fake: fake.country()),
    (r"address", lambda fake: fake.address().replace("\n", ", ")),
    (r"company|employer", lambda fake: fake.company()),
    (r"user|login", lambda fake: fake.user_name()),
    (r"name|recipient|contact", lambda fake: fake.name()),
    (r"", lambda fake: fake.sentence()),
)
_NUMBERS = re.compile(r"income|salary|amount|price|total|age$|count|quantity")


class Items:
    """The items of one run in one table. For one thread: it seeds its generators anew for each item."""

    def __init__(self, table: Table, run: str) -> None:
        from faker import Faker  # noqa: PLC0415  # an extra, and slow to import

        self._fake_of = cache(Faker)
        self._table = table
        self._run = run
        self._sensitive = _tree(table.sensitive)
        self._index_keys = {key.name: key.type for index in table.indexes for key in index.keys.values()}

    def key(self, item: int) -> Image:
        """Return an item's key, which no other run has."""
        keys = (self._table.hash_key, self._table.range_key)
        return {key.name: self._key_value(key.type, key.name, item) for key in keys if key}

    def whole(self, operation: Operation) -> Image:
        """Return the whole item as this operation puts it."""
        fake = self._fake(operation)
        image: Image = {"created_at": {"S": _date(fake)}, "notes": {"S": fake.paragraph(5)}}
        image |= {name: self._value(fake, name, node) for name, node in self._sensitive.items()}
        image |= {name: self._typed(fake, name, type_) for name, type_ in self._index_keys.items()}
        # DynamoDB would expire one copy after the other, and what has no version yet must have no control attribute.
        for name in (self._table.ttl_attribute, self._table.control_attribute):
            image.pop(str(name), None)
        image |= self.key(operation.item)
        if operation.authority is not None:
            image[self._table.authority_attribute] = {"S": operation.authority}
        return image | self._marker(operation)

    def change(self, operation: Operation) -> Image:
        """Return what an update sets: one attribute that is no key and not the authority, and the marker."""
        image = self.whole(operation)
        fixed = {*self.key(operation.item), self._table.authority_attribute, MARKER}
        name = self._fake(operation).random_element(sorted(image.keys() - fixed))
        return {name: image[name]} | self._marker(operation)

    def written_by(self, image: Mapping[str, Value]) -> int | None:
        """Return the index of the operation that wrote an image last, or None for an item that is not the run's."""
        run, _, index = image.get(MARKER, {}).get("S", "").partition("/")
        return int(index) if run == self._run else None

    def _marker(self, operation: Operation) -> Image:
        return {MARKER: {"S": f"{self._run}/{operation.index}"}}

    def _fake(self, operation: Operation) -> Faker:
        fake = self._fake_of(_LOCALES.get(operation.authority or "", _LOCALE))
        fake.seed_instance(f"{self._run}/{operation.index}")
        return fake

    def _key_value(self, type_: str, name: str, item: int) -> Value:
        digest = hashlib.sha256(f"{self._run}/{name}/{item}".encode()).digest()[:12]
        if type_ == "N":
            return {"N": str(int.from_bytes(digest))}
        return {"B": base64.b64encode(digest).decode()} if type_ == "B" else {"S": f"load-{self._run}-{digest.hex()}"}

    def _value(self, fake: Faker, name: str, node: _Tree | AnyStrategy) -> Value:
        if not isinstance(node, dict):
            return _sensitive_value(fake, name, node)
        if not _is_plural(name):
            return {"M": {member: self._value(fake, member, below) for member, below in node.items()}}
        elements = range(fake.random_int(1, _ELEMENTS_MAX))
        return {
            "L": [{"M": {member: self._value(fake, member, below) for member, below in node.items()}} for _ in elements]
        }

    def _typed(self, fake: Faker, name: str, type_: str) -> Value:
        """Return a value for an index's key, which must be of this type."""
        if type_ == "N":
            return _number(fake)
        strategy = self._sensitive.get(name)
        text = _sensitive_value(fake, name, strategy).get("S", _text(fake, name)) if strategy else _text(fake, name)
        return {"S": text} if type_ == "S" else {"B": base64.b64encode(text.encode()).decode()}


def _tree(sensitive: Mapping[str, AnyStrategy]) -> _Tree:
    tree: _Tree = {}
    for path, strategy in sensitive.items():
        *containers, last = path.split(".")
        node = tree
        for name in containers:
            node = node.setdefault(name, {})
        node[last] = strategy
    return tree


def _is_plural(name: str) -> bool:
    """Whether a name that has members is a list's: ``lines`` is, ``address`` is a map."""
    return name.endswith("s") and not name.endswith("ss")


def _sensitive_value(fake: Faker, name: str, strategy: AnyStrategy) -> Value:
    if isinstance(strategy, Generalize):
        return {"S": _date(fake)} if strategy.to else _number(fake)
    if isinstance(strategy, Mask):
        if strategy.keep == "domain":
            return {"S": fake.email()}
        text, kept = _text(fake, name), max(strategy.keep.values())
        return {"S": text if len(text) > kept else text + fake.numerify("#" * (kept + 1))}
    return _number(fake) if _NUMBERS.search(name) else {"S": _text(fake, name)}


def _text(fake: Faker, name: str) -> str:
    return next(make(fake) for pattern, make in _TEXTS if re.search(pattern, name))


def _number(fake: Faker) -> Value:
    return {"N": str(fake.random_int(1, 100_000))}
