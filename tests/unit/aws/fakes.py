"""Clients of the two services that the tests answer for: AppConfig's data plane and EventBridge."""

from __future__ import annotations

import io
from typing import Any

from botocore.exceptions import ClientError

REFUSED = ClientError({"Error": {"Code": "BadRequestException", "Message": "token expired"}}, "GetLatestConfiguration")


class AppConfig:
    """AppConfig's data plane: ``text`` is what it holds, an exception is what it raises."""

    def __init__(self, text: str | Exception) -> None:
        self.text = text
        self.sessions: list[dict[str, str]] = []
        self.requests = 0
        self.tokens: set[str] = set()
        self._told: str | None = None

    def start_configuration_session(self, **names: str) -> dict[str, str]:
        self.sessions.append(names)
        self._told = None
        return {"InitialConfigurationToken": self._token()}

    def get_latest_configuration(self, *, ConfigurationToken: str) -> dict[str, Any]:  # noqa: N803  # as boto3
        self.requests += 1
        if ConfigurationToken not in self.tokens:
            raise REFUSED
        if isinstance(self.text, Exception):
            raise self.text
        self.tokens.remove(ConfigurationToken)
        # What has not changed since the last request is not told again.
        body = b"" if self.text == self._told else self.text.encode()
        self._told = self.text
        return {"Configuration": io.BytesIO(body), "NextPollConfigurationToken": self._token()}

    def _token(self) -> str:
        self.tokens.add(f"token{len(self.sessions)}-{self.requests}")
        return f"token{len(self.sessions)}-{self.requests}"


class EventBridge:
    """Keeps the requests; the n-th answer is made by the n-th of ``answers``, and afterwards it takes everything.

    An answer is an exception to raise, ``all``, or the positions of the entries to refuse.
    """

    def __init__(self, *answers: Any) -> None:
        self.requests: list[list[dict[str, str]]] = []
        self._answers = iter(answers)

    def put_events(self, *, Entries: list[dict[str, str]]) -> dict[str, Any]:  # noqa: N803  # as boto3 calls it
        self.requests.append(Entries)
        answer = next(self._answers, ())
        if isinstance(answer, Exception):
            raise answer
        refused = range(len(Entries)) if answer == "all" else answer
        return {
            "Entries": [
                {"ErrorCode": "ThrottlingException", "ErrorMessage": "slow down"} if n in refused else {"EventId": "1"}
                for n in range(len(Entries))
            ]
        }

    @property
    def details(self) -> list[list[str]]:
        """The details of each request's entries."""
        return [[entry["Detail"] for entry in request] for request in self.requests]
