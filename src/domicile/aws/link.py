"""Kinesis: the staging stream of the other partition, with an access key of that partition."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from domicile.aws.failures import code_of, translated
from domicile.core.errors import DomicileError
from domicile.core.parcels import Record, requests
from domicile.pipeline.courier import REFUSED

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_secretsmanager import SecretsManagerClient

ATTEMPTS_MAX = 4
BACKOFF_S = 0.2
SEND_S_MAX = 45
"""After so long no request is begun. The last one takes as long as its client's timeouts let it, and the courier must
still answer for what was taken: what it does not answer for is sent again, all of it, and a slow link would never get
ahead."""
KEY_AGE_S_MAX = 300
"""How long a key is used before the secret is looked at again: a rotation reaches a courier without a refusal."""
_LATE = "OutOfTime"
_REFUSALS = {
    *("UnrecognizedClientException", "InvalidClientTokenId", "InvalidSignatureException", "SignatureDoesNotMatch"),
    *("ExpiredTokenException", "MissingAuthenticationTokenException", "AccessDeniedException", "AccessDenied"),
    "KMSAccessDeniedException",
}


@dataclass(frozen=True)
class AccessKey:
    """An access key of the other partition's IAM user."""

    id: str
    secret: str = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> AccessKey | None:
        """Read a secret's text, ``{"access_key_id": ..., "secret_access_key": ...}``; None where it is none."""
        try:
            value = json.loads(text)
            return cls(str(value["access_key_id"]), str(value["secret_access_key"]))
        except (ValueError, KeyError, TypeError):
            return None

    def to_text(self) -> str:
        """Return the secret's text."""
        return json.dumps({"access_key_id": self.id, "secret_access_key": self.secret})


class CourierSecret:
    """The secret of this Region that holds the key."""

    def __init__(self, client: SecretsManagerClient, secret_id: str) -> None:
        self._client = client
        self._secret_id = secret_id

    def read(self) -> AccessKey | None:
        """Return the current key, None where there is none yet; :class:`TransientError` where it can't be read."""
        with translated("GetSecretValue"):
            try:
                answer = self._client.get_secret_value(SecretId=self._secret_id)
            except ClientError as error:
                if code_of(error) != "ResourceNotFoundException":
                    raise
                return None
        return AccessKey.parse(answer.get("SecretString", ""))


class KinesisLink:
    """The port ``Link``. A refused key is read anew at once, so that a rotation or a revocation needs no cold start.

    ``client_of`` makes a client of an access key. PutRecords may take some records of a request and not others, and
    only those that it did not take are sent again.
    """

    def __init__(
        self,
        read_key: Callable[[], AccessKey | None],
        client_of: Callable[[AccessKey], KinesisClient],
        stream: str,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read_key = read_key
        self._client_of = client_of
        self._stream = stream
        self._sleep = sleep
        self._clock = clock
        self._lock = Lock()
        self._key: AccessKey | None = None
        self._client: KinesisClient | None = None
        self._due_s = clock()

    def send(self, records: Sequence[Record]) -> Mapping[int, str]:
        """Send the records; return by position why some were not taken in ``ATTEMPTS_MAX`` attempts and the time."""
        refused = dict.fromkeys(range(len(records)), REFUSED)
        late_s = self._clock() + SEND_S_MAX
        for attempt in range(ATTEMPTS_MAX):
            if attempt:
                # Full jitter: a throttled stream is throttled for every concurrent courier.
                self._sleep(random.uniform(0, BACKOFF_S * 2**attempt))  # noqa: S311  # not for secrets
            renew = attempt > 0 and REFUSED in refused.values()
            try:
                client = self._current(renew=renew)
            except DomicileError as error:
                return dict.fromkeys(refused, type(error).__name__)
            if client is None:
                break
            pending = [(position, records[position]) for position in sorted(refused)]
            refused = {}
            for request in requests(pending):
                if self._clock() < late_s:
                    refused |= _put(client, self._stream, request)
                else:
                    refused |= dict.fromkeys((position for position, _ in request), _LATE)
            if not refused or self._clock() >= late_s:
                break
        return refused

    def _current(self, *, renew: bool) -> KinesisClient | None:
        """Return a client with the secret's key, read again where it is old or was refused; None without a key.

        A key that is old and was not refused is used further where the secret can't be read.
        """
        with self._lock:
            if renew or self._client is None or self._clock() >= self._due_s:
                try:
                    key = self._read_key()
                except DomicileError:
                    if renew or self._client is None:
                        raise
                    key = self._key
                self._due_s = self._clock() + KEY_AGE_S_MAX
                if key != self._key or self._client is None:
                    self._key, self._client = key, None if key is None else self._client_of(key)
            return self._client


def _put(client: KinesisClient, stream: str, request: Sequence[tuple[int, Record]]) -> dict[int, str]:
    """Send one request, and return by position why records were not taken."""
    try:
        answer = client.put_records(
            StreamName=stream,
            Records=[{"Data": record.data, "PartitionKey": record.partition_key} for _, record in request],
        )
    except ClientError as error:
        code = code_of(error)
        return {position: REFUSED if code in _REFUSALS else code for position, _ in request}
    except BotoCoreError as error:
        return {position: type(error).__name__ for position, _ in request}
    return {
        position: result["ErrorCode"]
        for (position, _), result in zip(request, answer["Records"], strict=True)
        if "ErrorCode" in result
    }
