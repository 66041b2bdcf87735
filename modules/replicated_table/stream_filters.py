"""Which records of a table's stream are worth an invocation of the listener.

The listener would skip what these filters drop, so they only save cost. A record passes if one of the filters matches.
Filters look at leaves: whether an image bears the delete mark is whether the mark's ``BOOL`` exists.
"""

from __future__ import annotations

from typing import Any, Literal

_ABSENT = [{"exists": False}]
_WRITE = ["INSERT", "MODIFY"]


def stream_filters(control_attribute: str, writers: Literal["any", "stamped"], region: str) -> list[dict[str, Any]]:
    """Return the filter patterns for a table of a Region, given its control attribute and its writers.

    What DynamoDB's TTL removes never passes, since every Region expires its own copy; nor does an image that bears
    the delete mark. Where all writers stamp, a write passes only if it was stamped in this Region or not at all.
    """

    def image(name: str, **members: Any) -> dict[str, Any]:
        return {name: {control_attribute: {"M": members}}}

    unmarked: dict[str, Any] = {"x": {"BOOL": _ABSENT}}
    removal = {
        "eventName": ["REMOVE"],
        "userIdentity": {"type": [*_ABSENT, {"anything-but": ["Service"]}]},
        "dynamodb": image("OldImage", **unmarked),
    }
    if writers == "any":
        return [removal, {"eventName": _WRITE, "dynamodb": image("NewImage", **unmarked)}]
    stamped_here = image("NewImage", o={"S": [region]}, **unmarked)
    unstamped = image("NewImage", v={"S": _ABSENT}, **unmarked)
    return [removal, {"eventName": _WRITE, "dynamodb": stamped_here}, {"eventName": _WRITE, "dynamodb": unstamped}]
