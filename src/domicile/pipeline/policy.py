"""The policy between two readings of AppConfig: parsed once, and the last good one kept."""

from __future__ import annotations

import json
from collections.abc import Callable

from domicile.core.errors import PolicyInvalidError, PolicyUnavailableError
from domicile.core.policy import Policy


class LastGoodPolicy:
    """The port ``PolicySource`` over the document's text.

    ``read`` returns it or raises :class:`PolicyUnavailableError`; ``warn`` hears why an older policy is kept, and of a
    broken document once.
    """

    def __init__(self, read: Callable[[], object], warn: Callable[[str], None]) -> None:
        self._read = read
        self._warn = warn
        self._text: object = None
        self._policy: Policy | None = None

    def get(self) -> Policy:
        """Return the newest policy, or the last good one where the newest cannot be read or is broken."""
        try:
            text = self._read()
            if self._policy is None or text != self._text:
                self._text = text
                self._policy = Policy.parse(_json(text))
        except (PolicyUnavailableError, PolicyInvalidError) as error:
            if self._policy is None:
                raise
            self._warn(str(error))
        return self._policy


def _json(text: object) -> object:
    try:
        return json.loads(text) if isinstance(text, str | bytes) else None
    except ValueError:
        raise PolicyInvalidError("policy: is not JSON") from None
