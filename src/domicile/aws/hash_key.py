"""Secrets Manager: the key of the ``hash`` strategy, the same in every Region."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from domicile.aws.cached import Cached
from domicile.aws.failures import code_of, translated

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

KEY_BYTES_MIN = 32
MAX_AGE_S = 300


class SecretsManagerHashKey:
    """The port ``HashKey``; the secret is a string, the key in base64.

    A secret that does not exist is an answer, cached like a key. Any other failure is transient: two Regions that hash
    with and without the key would disagree.
    """

    def __init__(
        self, client: SecretsManagerClient, secret_id: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._secret_id = secret_id
        self._key = Cached(self._read, MAX_AGE_S, clock)

    def get(self) -> bytes | None:
        """Return the key, None where the secret does not exist or is no key of ``KEY_BYTES_MIN`` in base64."""
        return self._key.get()

    def _read(self) -> bytes | None:
        with translated("GetSecretValue"):
            try:
                text = self._client.get_secret_value(SecretId=self._secret_id).get("SecretString", "")
            except ClientError as error:
                if code_of(error) != "ResourceNotFoundException":
                    raise
                return None
        return parse_key(text)


def parse_key(text: str) -> bytes | None:
    """Return the key in a secret's text, None where it holds none of ``KEY_BYTES_MIN`` in base64."""
    try:
        key = base64.b64decode(text, validate=True)
    except ValueError:  # not base64, or not even ASCII
        return None
    return key if len(key) >= KEY_BYTES_MIN else None
