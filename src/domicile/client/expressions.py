"""The caller's expressions with the replication's part merged into them.

Everything is in a boto3 client's form (DynamoDB JSON with bytes). The library's placeholders begin with ``#dom_`` and
``:dom_``, which a caller's may not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from domicile.client.errors import UnsafeOperation
from domicile.core.control import Control, Value
from domicile.core.policy import TablePolicy
from domicile.core.version import Version

Parameters = dict[str, Any]

_CONTROL, _AUTHORITY = "#dom_control", "#dom_authority"
# Members of the control attribute, by their own names: no reserved word has one letter, and botocore takes time to
# check and to send each placeholder.
_VERSION, _HOME, _MARK = (f"{_CONTROL}.{member}" for member in ("v", "l", "x"))
_VERSION_VALUE, _CONTROL_VALUE, _AUTHORITY_VALUE = ":dom_version", ":dom_control", ":dom_authority"
_LEAST_VALUE = ":dom_least"
# A clause's keyword, not a placeholder's or an attribute's name: as a bare name, SET is reserved.
_SET = re.compile(r"(?<![#:.\w])SET(?!\w)", re.IGNORECASE)
_EXPRESSIONS = (
    "UpdateExpression",
    "ConditionExpression",
    "ProjectionExpression",
    "FilterExpression",
    "KeyConditionExpression",
)
# A path's first name, or the placeholder for it.
_WORD = re.compile(r"(?<![:.\w#])#?\w+")
_LEGACY = {
    "AttributesToGet": "ProjectionExpression",
    "AttributeUpdates": "UpdateExpression",
    "ConditionalOperator": "ConditionExpression",
    "Expected": "ConditionExpression",
    "KeyConditions": "KeyConditionExpression",
    "QueryFilter": "FilterExpression",
    "ScanFilter": "FilterExpression",
}


def refuse_legacy(parameters: Mapping[str, Any]) -> None:
    """Raise :class:`UnsafeOperation` for a parameter that expressions have replaced: it takes no version condition."""
    for name in parameters:
        if instead := _LEGACY.get(name):
            raise UnsafeOperation(f"{name} is a legacy parameter, which is not taken: use {instead}")


def refuse_unsafe(parameters: Mapping[str, Any], table: TablePolicy) -> None:
    """Raise :class:`UnsafeOperation` for what cannot be merged, or would touch the control attribute."""
    refuse_legacy(parameters)
    names = parameters.get("ExpressionAttributeNames") or {}
    placeholders = [*names, *(parameters.get("ExpressionAttributeValues") or {})]
    if any(placeholder.startswith(("#dom_", ":dom_")) for placeholder in placeholders):
        raise UnsafeOperation("placeholders that begin with #dom_ or :dom_ are the library's: rename them")
    texts = [str(parameters[name]) for name in _EXPRESSIONS if name in parameters]
    words = (word for text in texts if table.control_attribute in text for word in _WORD.findall(text))
    if table.control_attribute in (*names.values(), *parameters.get("Item", ()), *words):
        raise UnsafeOperation(f"{table.control_attribute} is the replication's own attribute: leave it out")


def guarded(
    parameters: Parameters,
    table: TablePolicy,
    version: Version | None,
    *,
    over_stub: bool = False,
    at_least: Version | None = None,
) -> Parameters:
    """Return a write's parameters with the condition that it meets no stub, no mark and, stamped, no later version.

    The item that was met comes back with a refusal, whatever the caller asked for: it says what was in the way.
    ``version`` is None for a delete, which the listener gives one. ``over_stub`` lets a stub be replaced. ``at_least``:
    a version that the item must have reached. All this takes some 200 bytes of the 4 KB that DynamoDB allows.
    """
    conditions = [f"attribute_not_exists({_MARK})"]
    values: dict[str, Value] = {}
    if not over_stub:
        conditions.append(f"attribute_not_exists({_HOME})")
    if version is not None:
        conditions.append(f"(attribute_not_exists({_VERSION}) OR {_VERSION} < {_VERSION_VALUE})")
        values[_VERSION_VALUE] = {"S": str(version)}
    if at_least is not None:
        conditions.append(f"{_VERSION} >= {_LEAST_VALUE}")
        values[_LEAST_VALUE] = {"S": str(at_least)}
    return _merged(parameters, conditions, {_CONTROL: table.control_attribute}, values)


def with_assigned(parameters: Parameters, table: TablePolicy, control: Control) -> Parameters:
    """Return an update's parameters that set the control attribute too."""
    return _assigning(parameters, _CONTROL, table.control_attribute, _CONTROL_VALUE, control.to_value())


def on_existing(parameters: Parameters, table: TablePolicy) -> Parameters:
    """Return a write's parameters with the condition that the item exists."""
    return _merged(parameters, ["attribute_exists(#dom_key)"], {"#dom_key": table.key_names[0]}, {})


def with_authority(parameters: Parameters, table: TablePolicy, authority: Value) -> Parameters:
    """Return an update's parameters that create the item under this authority, and find none there."""
    assigned = _assigning(parameters, _AUTHORITY, table.authority_attribute, _AUTHORITY_VALUE, authority)
    return _merged(assigned, ["attribute_not_exists(#dom_key)"], {"#dom_key": table.key_names[0]}, {})


def _assigning(parameters: Parameters, name: str, attribute: str, value: str, content: Value) -> Parameters:
    expression: str | None = parameters.get("UpdateExpression")
    assignment = f"SET {name} = {value}"
    if expression is None:
        merged = assignment
    elif not expression.strip():
        merged = expression  # DynamoDB refuses it, as it would without the library.
    elif _SET.search(expression):
        merged = _SET.sub(f"{assignment}, ", expression, count=1)
    else:
        merged = f"{assignment} {expression}"
    return {
        **parameters,
        "UpdateExpression": merged,
        "ExpressionAttributeNames": {**(parameters.get("ExpressionAttributeNames") or {}), name: attribute},
        "ExpressionAttributeValues": {**(parameters.get("ExpressionAttributeValues") or {}), value: content},
    }


def _merged(
    parameters: Parameters, conditions: Iterable[str], names: Mapping[str, str], values: Mapping[str, Value]
) -> Parameters:
    users = parameters.get("ConditionExpression")
    merged = {
        **parameters,
        "ConditionExpression": " AND ".join([*conditions, *([] if users is None else [_in_parentheses(users)])]),
        "ExpressionAttributeNames": {**(parameters.get("ExpressionAttributeNames") or {}), **names},
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
    if values:
        merged["ExpressionAttributeValues"] = {**(parameters.get("ExpressionAttributeValues") or {}), **values}
    return merged


def _in_parentheses(condition: str) -> str:
    """Return a condition in parentheses, unless they are there: DynamoDB refuses redundant ones."""
    text = condition.strip()
    depth = 0
    for position, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth == 0:
            return text if position and position == len(text) - 1 else f"({text})"
    return f"({text})"


def assigned_value(parameters: Mapping[str, Any], attribute: str) -> Value | None:
    """Return what an update sets an attribute to, where it does so by ``SET name = :value``; else None."""
    names = parameters.get("ExpressionAttributeNames") or {}
    spellings = [attribute, *(placeholder for placeholder, name in names.items() if name == attribute)]
    expression = parameters.get("UpdateExpression", "")
    if not any(spelling in expression for spelling in spellings):  # most updates, and soon told
        return None
    spelled = "|".join(re.escape(spelling) for spelling in spellings)
    found = re.search(rf"(?<![#:.\w])(?:{spelled})\s*=\s*(:\w+)", expression)
    return (parameters.get("ExpressionAttributeValues") or {}).get(found[1]) if found else None


def touches(parameters: Mapping[str, Any], attribute: str) -> bool:
    """Whether an update's expression names a top-level attribute at all."""
    names = parameters.get("ExpressionAttributeNames") or {}
    words = _WORD.findall(parameters.get("UpdateExpression", ""))
    return any(names.get(word, word) == attribute for word in words)


@dataclass(frozen=True)
class Projection:
    """A read's parameters with the attributes that the library needs, and those to take out of the answer again."""

    parameters: Parameters
    added: tuple[str, ...]
    names_sensitive: bool


def projected(parameters: Parameters, table: TablePolicy, needed: Iterable[str]) -> Projection:
    """Add ``needed`` top-level attributes to a read's projection, where it has one."""
    expression = parameters.get("ProjectionExpression")
    if expression is None:
        return Projection(parameters, (table.control_attribute,), names_sensitive=False)
    names = parameters.get("ExpressionAttributeNames") or {}
    paths = [_path(text, names) for text in expression.split(",")]
    if any(path[0] == table.control_attribute for path in paths):
        raise UnsafeOperation(f"{table.control_attribute} is the replication's own attribute: leave it out")
    wanted = {path[0] for path in paths}
    added = {f"#dom_{number}": name for number, name in enumerate(needed) if name not in wanted}
    return Projection(
        {
            **parameters,
            "ProjectionExpression": ", ".join([expression, *added]),
            "ExpressionAttributeNames": {**names, **added},
        },
        tuple(added.values()),
        any(_overlap(path, sensitive) for path in paths for sensitive in table.sensitive),
    )


def _path(text: str, names: Mapping[str, str]) -> tuple[str, ...]:
    """Return a document path's attribute names: list indexes lead to the same sensitive attribute."""
    words = (re.sub(r"\[.*", "", word).strip() for word in text.split("."))
    return tuple(names.get(word, word) for word in words)


def _overlap(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    return all(a == b for a, b in zip(one, other, strict=False))
