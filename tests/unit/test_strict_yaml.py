from __future__ import annotations

import pytest

from domicile import strict_yaml
from domicile.strict_yaml import YamlError


def test_only_true_and_false_are_booleans_and_dates_are_text() -> None:
    document, _ = strict_yaml.load("[true, false, NO, no, yes, on, Off, True, 2020-01-31]")
    assert document == [True, False, "NO", "no", "yes", "on", "Off", "True", "2020-01-31"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name: shop\n\tregions: []\n", "line 2, column 1: while scanning for the next token"),
        ("name: !!python/object:os.system x\n", "line 1, column 7: could not determine a constructor for the tag"),
        ("name: *nobody\n", "line 1, column 7: found undefined alias"),
        ("a: 1\n---\nb: 2\n", "line 2, column 1: expected a single document"),
        ("name: !!int shop\n", "invalid literal for int()"),
        ("[" * 10_000, "maximum recursion depth exceeded"),
        ("name: shop\n# \x00\n", "line 2: character '\\x00' is not allowed"),
    ],
)
def test_text_that_is_no_yaml(text: str, expected: str) -> None:
    with pytest.raises(YamlError) as raised:
        strict_yaml.load(text)
    assert str(raised.value).startswith(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: 2\na: 3\n", ["a: is given on line 1 and again on line 3; accepted: one of the two"]),
        (
            "a:\n  - {b: 1}\n  - b: 1\n    b: 2\n",
            ["a[1].b: is given on line 3 and again on line 4; accepted: one of the two"],
        ),
        ("a: &base {x: 1}\nb:\n  <<: *base\n  x: 2\n", []),
    ],
)
def test_keys_that_are_given_twice(text: str, expected: list[str]) -> None:
    assert strict_yaml.load(text)[1] == expected


def test_aliases_that_repeat_one_another_end() -> None:
    laughs = "a0: &a0 [ha]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 60))
    document, repeated = strict_yaml.load(f"name: &itself [*itself]\n{laughs}")
    assert repeated == []
    assert document["name"][0] is document["name"]
    assert document["a2"] == [[["ha"], ["ha"]], [["ha"], ["ha"]]]
