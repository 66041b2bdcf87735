"""boto3's exceptions as the core's: what may pass later, and what never will. Messages keep the error's code alone.

DynamoDB's own messages can quote attribute values, so the original exception is dropped, not chained.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from domicile.core.errors import ItemTooLargeError, PermanentError, TransientError


class RequestInvalidError(PermanentError):
    """The service, or already its client, calls the request itself invalid, so that a retry is refused again."""

    reason = "request_invalid"


class UnreachableError(TransientError):
    """The service did not answer: its Region may be down, or the way there."""


def code_of(error: ClientError) -> str:
    """Return the service's error code."""
    return str(error.response.get("Error", {}).get("Code", "Unknown"))


@contextmanager
def translated(operation: str) -> Iterator[None]:
    """Raise :class:`PermanentError` for a request that is invalid in itself and :class:`TransientError` for the rest.

    A refused permission or a missing table is transient too: an operator can mend it while the record waits.
    """
    try:
        yield
    except ClientError as error:
        code = code_of(error)
        text = str(error.response.get("Error", {}).get("Message", "")).lower()
        if code == "ValidationException" and "size" in text and "exceed" in text:
            raise ItemTooLargeError(f"{operation}: {code}") from None
        if code == "ValidationException":
            raise RequestInvalidError(f"{operation}: {code}") from None
        raise TransientError(f"{operation}: {code}") from None
    except ParamValidationError as error:
        raise RequestInvalidError(f"{operation}: {type(error).__name__}") from None
    except BotoCoreError as error:
        raise UnreachableError(f"{operation}: {type(error).__name__}") from None
