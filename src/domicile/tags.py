"""AWS tags in a configuration file."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from domicile.model import Problem, refuse

_TAGS_MAX = 40  # AWS allows 50 on a resource; the rest is Domicile's
_TAG = r"^[\w .:/=+@-]*$"


def _tag_key(key: str) -> str:
    if key.lower().startswith("aws:"):
        refuse([Problem("belongs to AWS", "a key that doesn't begin with aws:")])
    return key


TAGS = f"at most {_TAGS_MAX} AWS tags: key -> value, both strings"
Tags = Annotated[
    dict[
        Annotated[str, Field(min_length=1, max_length=128, pattern=_TAG), AfterValidator(_tag_key)],
        Annotated[str, Field(max_length=256, pattern=_TAG)],
    ],
    Field(max_length=_TAGS_MAX),
]
