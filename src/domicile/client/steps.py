"""Operations without I/O: generators that yield what is to be done, and are sent what came of it.

One logic serves the synchronous and the asynchronous client: each has a driver that does a step in its own way. An
error of a step is thrown into the generator.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Request:
    """A call of DynamoDB in a Region; answered by its response. ``operation`` is a boto3 client's method."""

    region: str
    operation: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Together:
    """Operations that need not wait for each other; answered by the list of their results."""

    operations: tuple[Generator[Any, Any, Any], ...]


Step = Request | Pause | Together
Steps = Generator[Step, Any, Result]
