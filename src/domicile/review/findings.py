"""What a review has to say of one resource."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Severity(Enum):
    """``violation``: it leaks or opens a way. ``unknown``: nobody can tell. ``relied``: the code must keep it safe."""

    VIOLATION = "violation"
    UNKNOWN = "unknown"
    RELIED = "relied"


@dataclass(frozen=True)
class Finding:
    """One sentence about one resource, which is named as ``address (region)``."""

    resource: str
    text: str
    severity: Severity = Severity.VIOLATION

    def __lt__(self, other: Finding) -> bool:
        """Order by the resource and then the text."""
        return (self.resource, self.text) < (other.resource, other.text)
