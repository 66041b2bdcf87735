"""Random update expressions and conditions do the same with the replication's part merged into them."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract.client.sides import Pair

KEY = {"sku": "random"}
ITEM: dict[str, Any] = {
    **KEY,
    "a": 1,
    "b": "text",
    "c": {"set": 1, "deep": {"n": 2}},
    "d": [1, {"n": 2}, "three"],
    "e": {"x", "y"},
    "f": {1, 2},
    "offset": 5,
    "settings": "s",
}
# Each action has a path of its own, so that no two overlap. {n}: a placeholder of a name; {v}: of a value.
ACTIONS: dict[str, list[tuple[str, str, Any]]] = {
    "SET": [
        ("{n} = {v}", "b", "new"),
        ("{n} = {n} + {v}", "a", 3),
        ("c.{n} = {v}", "set", {"m": 1}),
        ("d[1].{n} = {v}", "n", b"bytes"),
        ("fresh = if_not_exists(fresh, {v})", "", [1]),
        ("grown = list_append({v}, {v})", "", ["x"]),
    ],
    "REMOVE": [("{n}", "settings", None), ("c.deep.{n}", "n", None), ("d[0]", "", None), ("missing", "", None)],
    "ADD": [("{n} {v}", "offset", 7), ("f {v}", "", {9}), ("fresh_number {v}", "", 1)],
    "DELETE": [("{n} {v}", "e", {"x"})],
}
CONDITIONS = ["attribute_exists(sku)", "a = {v} OR b = {v}", "(a < {v})", "NOT a = {v}", "(a = {v}) OR (b = {v})"]
WORDS = ["set", "SET", "remove", "add", "DELETE", "x", "n0", "_1", "setter", "value_set"]


@st.composite
def updates(draw: st.DrawFn) -> dict[str, Any]:
    """The arguments of an update with one to four clauses, in any order and case, maybe with a condition."""
    words = iter(draw(st.permutations([word + suffix for word in WORDS for suffix in ("", "2", "3")])))
    names: dict[str, str] = {}
    values: dict[str, Any] = {}

    def spelled(template: str, name: str, value: Any) -> str:
        name_word, value_word = f"#{next(words)}", f":{next(words)}"
        if "{n}" in template:
            names[name_word] = name
        if "{v}" in template:
            values[value_word] = value
        return template.format(n=name_word, v=value_word)

    clauses = []
    for keyword in draw(st.permutations(sorted(ACTIONS)).flatmap(lambda p: st.integers(1, 4).map(lambda n: p[:n]))):
        actions = draw(st.lists(st.sampled_from(ACTIONS[keyword]), min_size=1, max_size=3, unique_by=lambda a: a[0]))
        comma = draw(st.sampled_from([",", ", ", " ,\n"]))
        cased = draw(st.sampled_from([keyword, keyword.lower(), keyword.capitalize()]))
        clauses.append(
            f"{cased}{draw(st.sampled_from([' ', '  ']))}{comma.join(spelled(*action) for action in actions)}"
        )
    arguments: dict[str, Any] = {"Key": KEY, "UpdateExpression": draw(st.sampled_from([" ", "\n"])).join(clauses)}
    if draw(st.booleans()):
        arguments["ConditionExpression"] = spelled(draw(st.sampled_from(CONDITIONS)), "", 1)
    arguments["ReturnValues"] = draw(st.sampled_from(["ALL_NEW", "UPDATED_OLD", "UPDATED_NEW"]))
    return (
        arguments
        | ({"ExpressionAttributeNames": names} if names else {})
        | ({"ExpressionAttributeValues": values} if values else {})
    )


@settings(deadline=None, derandomize=True, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(arguments=updates())
def test_random_updates(both: Pair, arguments: dict[str, Any]) -> None:
    both.reset({"stock": [ITEM]})
    both.agree(("stock", "update_item", arguments), message=False)
