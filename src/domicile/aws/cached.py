"""An answer of AWS that the threads of a function share for a while."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

from aws_lambda_powertools import Logger

from domicile.core.errors import TransientError

RETRY_S = 5
"""How long a failure stands before the service is asked again."""

Answer = TypeVar("Answer")

logger = Logger(child=True)


class Cached(Generic[Answer]):
    """What ``read`` gives, asked for again when it is older than ``max_age_s``.

    Where reading fails with a :class:`TransientError`, the last answer stays; without one the failure is raised. Either
    stands for a while: each record of a batch would otherwise wait for the service's timeouts on its own.
    """

    def __init__(
        self, read: Callable[[], Answer], max_age_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._read = read
        self._max_age_s = max_age_s
        self._clock = clock
        self._lock = Lock()
        self._answers: list[Answer] = []
        self._failure: TransientError | None = None
        self._due_s = clock()

    def get(self) -> Answer:
        """Return the answer, or raise why there never was one."""
        with self._lock:
            if self._clock() >= self._due_s:
                self._ask()
            if not self._answers and self._failure is not None:
                raise type(self._failure)(str(self._failure))
            return self._answers[-1]

    def _ask(self) -> None:
        try:
            self._answers, self._failure = [self._read()], None
            self._due_s = self._clock() + self._max_age_s
        except TransientError as error:
            self._failure = error
            self._due_s = self._clock() + RETRY_S
            if self._answers:
                logger.warning("last_answer_kept", reason=str(error))
