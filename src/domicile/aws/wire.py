"""DynamoDB JSON as the core knows it, where binary is base64 text, and as a boto3 client does, where it is bytes.

Nothing else differs: numbers stay the strings that DynamoDB gives, so that 38 digits survive.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from domicile.core.control import Image, Value


def to_boto(image: Mapping[str, Value]) -> dict[str, Any]:
    """Return the image for a boto3 client."""
    return {name: _value_to_boto(value) for name, value in image.items()}


def from_boto(item: Mapping[str, Any]) -> Image:
    """Return the core's image of what a boto3 client returned."""
    return {name: _value_from_boto(value) for name, value in item.items()}


def _value_to_boto(value: Value) -> dict[str, Any]:
    ((kind, content),) = value.items()
    if kind == "B":
        return {kind: base64.b64decode(content)}
    if kind == "BS":
        return {kind: [base64.b64decode(member) for member in content]}
    if kind == "L":
        return {kind: [_value_to_boto(element) for element in content]}
    if kind == "M":
        return {kind: to_boto(content)}
    return value


def _value_from_boto(value: Mapping[str, Any]) -> Value:
    ((kind, content),) = value.items()
    if kind == "B":
        return {kind: base64.b64encode(content).decode()}
    if kind == "BS":
        return {kind: [base64.b64encode(member).decode() for member in content]}
    if kind == "L":
        return {kind: [_value_from_boto(element) for element in content]}
    if kind == "M":
        return {kind: from_boto(content)}
    return {kind: content}
