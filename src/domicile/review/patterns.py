"""Whether an event can match an EventBridge pattern, where parts of the event may be anything.

It never says no unless EventBridge would: what it can't decide, and every operator that it does not know, may match.
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from ipaddress import ip_address, ip_network
from typing import Any, Final

ANYTHING: Final = object()
"""Stands in an event for a value that nobody knows before the event is sent."""
_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
    ">": operator.gt,
    ">=": operator.ge,
}
_TEXTS = {"prefix", "suffix", "wildcard", "equals-ignore-case"}


def parse(text: Any) -> dict[str, Any] | None:
    """Return a pattern's JSON, or None where it is no JSON object."""
    try:
        pattern = json.loads(text)
    except (TypeError, ValueError):
        return None
    return pattern if isinstance(pattern, dict) else None


def problems(pattern: Any) -> Iterator[str]:
    """Yield each part of a pattern that :func:`may_match` does not understand, and so takes for a match."""
    if not isinstance(pattern, dict) or not pattern:
        yield "is no JSON object with a field"
        return
    for name, wanted in pattern.items():
        if name == "$or":
            if not isinstance(wanted, list) or len(wanted) < 2:  # noqa: PLR2004  # one alternative is none
                yield "$or is no list of alternatives"
            else:
                for alternative in wanted:
                    yield from problems(alternative)
        elif isinstance(wanted, dict):
            yield from problems(wanted)
        elif not isinstance(wanted, list) or not wanted:
            yield f"{name} is neither a list of values nor an object"
        else:
            yield from (f"{name} has the unknown operator {one}" for one in wanted if not _understood(one))


def may_match(pattern: Mapping[str, Any], event: Any) -> bool:
    """Whether an event may match: every field, of each alternative of ``$or`` one."""
    return all(
        _either(wanted, event) if name == "$or" else any(_field(wanted, found) for found in _values(event, name))
        for name, wanted in pattern.items()
    )


def _either(alternatives: Any, event: Any) -> bool:
    if not isinstance(alternatives, list):
        return True
    return any(not isinstance(one, dict) or may_match(one, event) for one in alternatives)


def _values(event: Any, name: str) -> list[Any]:
    """Return what a field holds; a list of objects counts as any of them."""
    if event is ANYTHING:
        return [ANYTHING]
    if isinstance(event, list):
        found = [value for member in event for value in _values(member, name)]
        return found or [None]
    return [event[name]] if isinstance(event, dict) and name in event else [None]


def _field(wanted: Any, found: Any) -> bool:
    if isinstance(wanted, dict):
        return may_match(wanted, found)
    if not isinstance(wanted, list) or found is ANYTHING:
        return True
    if isinstance(found, dict) or (isinstance(found, list) and any(isinstance(one, dict) for one in found)):
        return any(isinstance(one, dict) for one in wanted)  # an operator on what is no leaf: not defined
    values = found if isinstance(found, list) else [found]
    if not values:
        values = [None]
    return any(_leaf(one, value) for one in wanted for value in values)


def _leaf(wanted: Any, value: Any) -> bool:
    """Whether one value may match one literal or operator; None stands for a field that is absent."""
    if value is ANYTHING or not _understood(wanted):
        return True
    if not isinstance(wanted, dict):
        return wanted is not None and bool(value == wanted) and isinstance(value, bool) == isinstance(wanted, bool)
    ((name, argument),) = wanted.items()
    if name == "exists":
        return (value is not None) is bool(argument)
    if value is None:
        return False
    if name == "anything-but":
        return not _excluded(argument, value)
    if name == "numeric":
        return isinstance(value, int | float) and _compares(argument, value)
    return isinstance(value, str) and _text(name, argument, value)


def _excluded(argument: Any, value: Any) -> bool:
    if isinstance(argument, dict):
        ((name, texts),) = argument.items()
        listed = texts if isinstance(texts, list) else [texts]
        return isinstance(value, str) and any(_text(name, one, value) for one in listed)
    return value in argument if isinstance(argument, list) else bool(value == argument)


def _text(name: str, argument: Any, value: str) -> bool:
    if isinstance(argument, dict):  # {"prefix": {"equals-ignore-case": ...}}
        return _text(name, argument["equals-ignore-case"].lower(), value.lower())
    match name:
        case "prefix":
            return value.startswith(str(argument))
        case "suffix":
            return value.endswith(str(argument))
        case "equals-ignore-case":
            return value.lower() == str(argument).lower()
        case "wildcard":
            return re.fullmatch(".*".join(map(re.escape, argument.split("*"))), value, re.DOTALL) is not None
        case _:
            try:
                return ip_address(value) in ip_network(argument, strict=False)
            except ValueError:
                return False


def _compares(bounds: Sequence[Any], value: float) -> bool:
    return all(_COMPARISONS[sign](value, bound) for sign, bound in zip(bounds[::2], bounds[1::2], strict=True))


def _understood(wanted: Any) -> bool:
    """Whether a member of a pattern's list is a literal, or an operator in a form that EventBridge documents."""
    if not isinstance(wanted, dict):
        return not isinstance(wanted, list)
    if len(wanted) != 1:
        return False
    ((name, argument),) = wanted.items()
    match name:
        case "exists":
            return isinstance(argument, bool)
        case "numeric":
            return _is_numeric(argument)
        case "cidr":
            return isinstance(argument, str) and "/" in argument
        case "anything-but":
            return _understood_exclusion(argument)
        case _:
            return name in _TEXTS and _is_text(name, argument)


def _is_numeric(argument: Any) -> bool:
    if not isinstance(argument, list) or not argument or len(argument) % 2:
        return False
    return all(sign in _COMPARISONS for sign in argument[::2]) and all(
        isinstance(bound, int | float) for bound in argument[1::2]
    )


def _is_text(name: str, argument: Any) -> bool:
    if isinstance(argument, dict):
        ignoring = argument.get("equals-ignore-case")
        return name in ("prefix", "suffix") and len(argument) == 1 and isinstance(ignoring, str)
    return isinstance(argument, str) and not (name == "wildcard" and "\\" in argument)


def _understood_exclusion(argument: Any) -> bool:
    if isinstance(argument, dict):
        if len(argument) != 1:
            return False
        ((name, texts),) = argument.items()
        listed = texts if isinstance(texts, list) else [texts]
        return name in _TEXTS and bool(listed) and all(_is_text(name, one) for one in listed)
    listed = argument if isinstance(argument, list) else [argument]
    return bool(listed) and all(isinstance(one, str | int | float) for one in listed)
