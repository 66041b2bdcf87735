"""Pydantic models whose errors name the key, the problem and the accepted values.

A model answers for its own fields: each has a description that says what is accepted, and an error at or below a field
quotes it. Checks of meaning use :func:`refuse`, which may point below the value that they look at.
"""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    ModelWrapValidatorHandler,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

# The type of an error whose message is final, so that the models around it leave it as it is.
_FINAL = "final"


class Model(BaseModel):
    """An immutable part of a configuration file; unknown keys and values of another type are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, validate_default=True)

    @model_validator(mode="wrap")
    @classmethod
    def _say_what_is_accepted(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(value)
        except ValidationError as error:
            details = [_final(e["loc"], cls._worded(e)) for e in error.errors()]
            raise ValidationError.from_exception_data(cls.__name__, details) from None

    @classmethod
    def _worded(cls, error: ErrorDetails) -> str:
        if error["type"] == _FINAL:
            return error["msg"]
        field = cls.model_fields.get(str(error["loc"][0])) if error["loc"] else None
        accepted = field.description if field else "a mapping with the keys " + ", ".join(cls.model_fields)
        return f"{_problem(error)}; accepted: {accepted}"


@dataclass(frozen=True)
class Problem:
    """What is wrong, what is accepted instead, and where: ``loc`` leads from the value that is checked to the place."""

    text: str
    accepted: str
    loc: tuple[str | int, ...] = ()


def refuse(problems: Iterable[Problem]) -> None:
    """Report problems from within a validator; without one, do nothing."""
    details = [_final(problem.loc, f"{problem.text}; accepted: {problem.accepted}") for problem in problems]
    if details:
        raise ValidationError.from_exception_data("problems", details)


def described(error: ValidationError) -> list[str]:
    """Return each error as ``key.path: problem; accepted: values``."""
    return [": ".join(filter(None, (_key_path(e["loc"]), e["msg"]))) for e in error.errors()]


def _in_one_error(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    try:
        return handler(value)
    except ValidationError:
        raise _not_accepted() from None


ONE_ERROR = WrapValidator(_in_one_error)
"""Annotates a union whose alternatives are told in one error, not each in its own."""


def one_of(tag: str, models: Mapping[str, type[Model]], default: str | None = None) -> WrapValidator:
    """Annotate a union of models: the model that a mapping's key ``tag`` names reads it, and it alone reports.

    With a ``default``, that model reads, and refuses, what names none of them.
    """

    def read(value: Any, _: ValidatorFunctionWrapHandler) -> Any:
        if isinstance(value, tuple(models.values())):
            return value
        name = value.get(tag) if isinstance(value, dict) else None
        model = models.get(name if isinstance(name, str) and name in models else default or "")
        if model is None:
            raise _not_accepted()
        return model.model_validate(value)

    return WrapValidator(read)


def _not_accepted() -> PydanticCustomError:
    return PydanticCustomError("not_accepted", "not accepted")


def _final(loc: tuple[str | int, ...], text: str) -> InitErrorDetails:
    return InitErrorDetails(type=PydanticCustomError(_FINAL, "{text}", {"text": text}), loc=loc, input=None)


def _problem(error: ErrorDetails) -> str:
    match error["type"]:
        case "missing":
            return "is missing"
        case "extra_forbidden":
            return "is not a known key"
        case "too_short" | "too_long":
            return f"can't have {error['ctx']['actual_length']} entries"
        case _:
            return f"can't be {_shown(error['input'])}"


def _shown(value: Any) -> str:
    if value is None:
        return "empty"
    return str(value).lower() if isinstance(value, bool) else reprlib.repr(value)


def _key_path(loc: tuple[str | int, ...]) -> str:
    # Pydantic marks an error of a mapping's key, not of its value, with a last part of its own.
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc if part != "[key]")
    return path.removeprefix(".")
