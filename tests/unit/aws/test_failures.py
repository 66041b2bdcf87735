from __future__ import annotations

import traceback

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    ReadTimeoutError,
)

from domicile.aws.failures import RequestInvalidError, UnreachableError, code_of, translated
from domicile.core.errors import DomicileError, ItemTooLargeError, TransientError

CANARY = "canary-value"


def refused(code: str, message: str = f"the value {CANARY} is not valid") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "PutItem")


@pytest.mark.parametrize(
    ("error", "translation", "text"),
    [
        (refused("ProvisionedThroughputExceededException"), TransientError, "ProvisionedThroughputExceededException"),
        (refused("ThrottlingException"), TransientError, "ThrottlingException"),
        (refused("InternalServerError"), TransientError, "InternalServerError"),
        (refused("TransactionConflictException"), TransientError, "TransactionConflictException"),
        # An operator can mend these while the record waits.
        (refused("AccessDeniedException"), TransientError, "AccessDeniedException"),
        (refused("ResourceNotFoundException"), TransientError, "ResourceNotFoundException"),
        (refused("ExpiredTokenException"), TransientError, "ExpiredTokenException"),
        (
            refused("ValidationException", f"Item size has exceeded the maximum allowed size {CANARY}"),
            ItemTooLargeError,
            "ValidationException",
        ),
        (
            refused("ValidationException", "Item size to update has exceeded the maximum allowed size"),
            ItemTooLargeError,
            "ValidationException",
        ),
        (refused("ValidationException"), RequestInvalidError, "ValidationException"),
        (ClientError({}, "PutItem"), TransientError, "Unknown"),
        (EndpointConnectionError(endpoint_url=CANARY), UnreachableError, "EndpointConnectionError"),
        (ConnectTimeoutError(endpoint_url=CANARY), UnreachableError, "ConnectTimeoutError"),
        (ReadTimeoutError(endpoint_url=CANARY), UnreachableError, "ReadTimeoutError"),
        (NoCredentialsError(), UnreachableError, "NoCredentialsError"),
        # The client itself refuses the request, and would refuse it again.
        (ParamValidationError(report=f"invalid value {CANARY}"), RequestInvalidError, "ParamValidationError"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_an_error_keeps_its_code_alone(
    error: ClientError | BotoCoreError, translation: type[DomicileError], text: str
) -> None:
    with pytest.raises(translation) as raised, translated("PutItem"):
        raise error
    assert str(raised.value) == f"PutItem: {text}"
    assert type(raised.value) is translation
    assert CANARY not in "".join(traceback.format_exception(raised.value)), "the original exception is not chained"


def test_what_is_no_failure_of_aws_passes() -> None:
    with pytest.raises(KeyError), translated("PutItem"):
        raise KeyError
    with translated("PutItem"):
        pass


def test_the_code_of_an_answer_without_one_is_unknown() -> None:
    assert code_of(ClientError({"Error": {}}, "PutItem")) == "Unknown"
