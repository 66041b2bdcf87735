"""Text in Terraform's configuration."""

from __future__ import annotations

import json
from typing import Any


def literal(text: str) -> str:
    """Return text so that Terraform takes it as it is, although ``${`` and ``%{`` begin its templates."""
    return text.replace("${", "$${").replace("%{", "%%{")


def to_json(value: Any) -> str:
    """Return a value as JSON with sorted keys and no spaces: the same value is the same text, here and read back."""
    return json.dumps(value, separators=(",", ":"), sort_keys=True)
