"""EventBridge's pattern matching, for the operators that Domicile's patterns use; Lambda's filters share it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from domicile.core.patterns import Pattern

_ABSENT = object()


def matches(pattern: Pattern, event: Mapping[str, Any]) -> bool:
    """Whether an event, or a stream record, matches a pattern: every leaf must, by any of its alternatives."""
    return all(
        matches(expected, _mapping(event.get(name)))
        if isinstance(expected, dict)
        else _any_matches(expected, event.get(name, _ABSENT))
        for name, expected in pattern.items()
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _any_matches(alternatives: list[Any], value: Any) -> bool:
    """Whether a value matches; a list matches if one of its members does, and an empty one is absent."""
    values = (value or [_ABSENT]) if isinstance(value, list) else [value]
    return any(_matches(alternative, member) for member in values for alternative in alternatives)


def _matches(alternative: Any, value: Any) -> bool:
    if not isinstance(alternative, dict):
        return bool(alternative == value)
    if "exists" in alternative:
        return alternative["exists"] is (value is not _ABSENT and not isinstance(value, Mapping))
    return value is not _ABSENT and value not in alternative["anything-but"]
