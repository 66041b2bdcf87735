"""YAML for configuration: what YAML leaves to chance is refused or read the obvious way.

A key that is given twice is an error, where YAML keeps the last one silently. Only ``true`` and ``false`` are booleans:
YAML 1.1 also reads ``NO``, ``on`` or ``yes`` as one, and Norway is an authority. What looks like a date is text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

_BOOL = "tag:yaml.org,2002:bool"
_TIMESTAMP = "tag:yaml.org,2002:timestamp"


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers = {  # noqa: RUF012  # PyYAML's own class attribute
        first: [(tag, pattern) for tag, pattern in resolvers if tag not in (_BOOL, _TIMESTAMP)]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


_Loader.add_implicit_resolver(_BOOL, re.compile(r"true|false"), list("tf"))


class YamlError(Exception):
    """The text is no YAML; the message begins with the line."""


def load(text: str) -> tuple[Any, list[str]]:
    """Return the document and a sentence for each key that is given twice, or raise :class:`YamlError`."""
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        if root is None:
            return None, []
        # Before construction, which merges ``<<`` into the nodes and so makes keys that nobody wrote.
        repeated = list(_repeated_keys(root, "", set()))
        return loader.construct_document(root), repeated
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise YamlError(where + ", ".join(filter(None, (error.context, error.problem)))) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise YamlError(f"line {line}: character {chr(error.character)!r} is not allowed") from error
    except (ValueError, RecursionError) as error:
        raise YamlError(str(error)) from error


def _repeated_keys(node: yaml.Node, path: str, seen: set[int]) -> Iterator[str]:
    # An alias leads to a node that was visited under its anchor, and may lead back to where it stands.
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _repeated_keys(item, f"{path}[{index}]", seen)
    elif isinstance(node, yaml.MappingNode):
        lines: dict[str, int] = {}
        for key, value in node.value:
            name = str(key.value)
            line = key.start_mark.line + 1
            key_path = f"{path}.{name}" if path else name
            if name in lines:
                yield f"{key_path}: is given on line {lines[name]} and again on line {line}; accepted: one of the two"
            lines.setdefault(name, line)
            yield from _repeated_keys(value, key_path, seen)
