"""A causal session: what it wrote or read it will not read older than that, in whichever Region it reads next.

The token that carries it from one process to another holds no key and no value: a digest of each key, the version, and
the Region that has it. It is not signed: who can change it can make the session look for an item in the wrong Region.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from threading import Lock
from typing import Any

from domicile.core.control import Control
from domicile.core.errors import RecordInvalidError
from domicile.core.policy import TablePolicy
from domicile.core.version import Version

_FORMAT = 1
_DIGEST_BYTES = 9


@dataclass(frozen=True, slots=True)
class Seen:
    """A version of one key that ``region`` has; ``deleted``: there was no item after it."""

    version: Version
    region: str
    deleted: bool = False


class Session:
    """Thread-safe. It remembers the latest ``entries_max`` keys; older ones have long arrived everywhere."""

    def __init__(self, token: str | None, entries_max: int) -> None:
        self._entries_max = entries_max
        self._lock = Lock()
        self._seen: dict[str, Seen] = _read(token) if token else {}
        self._bound()

    @property
    def token(self) -> str:
        """The session so far, as URL-safe text for a cookie or a header."""
        with self._lock:
            entries = {key: [str(seen.version), seen.region, seen.deleted] for key, seen in self._seen.items()}
        text = json.dumps({"format": _FORMAT, "seen": entries}, separators=(",", ":"))
        return base64.urlsafe_b64encode(text.encode()).decode()

    def versions(self) -> list[Version]:
        """Return every version, for the clock of a client that continues the session."""
        with self._lock:
            return [seen.version for seen in self._seen.values()]

    def remember(self, table: TablePolicy, key: Mapping[str, Any], seen: Seen) -> None:
        """Keep the greatest version of a key."""
        digest = _digest(table, key)
        with self._lock:
            known = self._seen.pop(digest, None)
            self._seen[digest] = seen if known is None or seen.version >= known.version else known
            self._bound()

    def last(self, table: TablePolicy, key: Mapping[str, Any]) -> Seen | None:
        """Return what the session has seen of a key."""
        if not self._seen:
            return None
        digest = _digest(table, key)
        with self._lock:
            return self._seen.get(digest)

    def ahead_of(self, table: TablePolicy, key: Mapping[str, Any], found: Control | None) -> Seen | None:
        """Return what the session has seen of a key, where that is newer than what was found."""
        seen = self.last(table, key)
        if seen is None:
            return None
        if found is None:
            return None if seen.deleted else seen
        is_behind = found.version <= seen.version if seen.deleted else found.version < seen.version
        return seen if is_behind else None

    def _bound(self) -> None:
        while len(self._seen) > self._entries_max:
            del self._seen[next(iter(self._seen))]


def _digest(table: TablePolicy, key: Mapping[str, Any]) -> str:
    text = repr([table.name, *(_one_spelling(key[name]) for name in table.key_names if name in key)])
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()[:_DIGEST_BYTES]).decode()


def _one_spelling(value: Mapping[str, Any]) -> Any:
    """Return a key's value so that it is written in one way, as DynamoDB compares it."""
    ((kind, content),) = value.items()
    if kind == "N":
        return kind, str(Decimal(content).normalize())
    return kind, bytes(content) if kind == "B" else content


def _read(token: str) -> dict[str, Seen]:
    try:
        content = json.loads(base64.urlsafe_b64decode(token.encode()))
        entries: dict[str, Any] = {_FORMAT: content["seen"]}[content["format"]]
        return {
            key: Seen(Version.parse(version), str(region), bool(deleted))
            for key, (version, region, deleted) in entries.items()
        }
    except (ValueError, KeyError, TypeError, AttributeError, RecordInvalidError, RecursionError):
        raise ValueError("not a session's token") from None
