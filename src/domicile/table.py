"""The localized tables of a deployment file: keys, sensitive attributes with their strategies, indexes.

A check looks at its own value and at the valid fields above it (pydantic hands them over as ``info.data``), so the
order of a model's fields is the order in which they can know of each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PositiveInt,
    ValidationInfo,
    field_validator,
)

from domicile.model import ONE_ERROR, Model, Problem, one_of, refuse
from domicile.pipeline.apply import LEDGER_EXPIRES_AT, LEDGER_FORCED, LEDGER_REMOVING, LEDGER_TOMBSTONE

# What the ledger table adds to the key attributes that it shares with its table.
_LEDGER_ATTRIBUTES = (LEDGER_EXPIRES_AT, LEDGER_TOMBSTONE, LEDGER_FORCED, LEDGER_REMOVING)

INDEXES_MAX = 20  # DynamoDB, per table
_INCLUDED_MAX = 20  # DynamoDB, attributes that one index includes
_INCLUDED_TOTAL_MAX = 100  # DynamoDB, over a table's indexes

REPLICATION = "localized (personal data stays at home) or native (a DynamoDB Global Table)"

AttributeName = Annotated[str, Field(min_length=1, max_length=255)]
Keep = Annotated[
    Literal["domain"] | Annotated[dict[Literal["first", "last"], PositiveInt], Field(min_length=1, max_length=1)],
    ONE_ERROR,
]
Projection = Annotated[
    Literal["all", "keys-only"] | Annotated[list[AttributeName], Field(min_length=1, max_length=_INCLUDED_MAX)],
    ONE_ERROR,
]


class Key(Model):
    """A key attribute of a table or of an index."""

    name: AttributeName = Field(description="the attribute's name, 1 to 255 characters")
    type: Literal["S", "N", "B"] = Field(description="S (string), N (number) or B (binary)")


KEY = "{name: an attribute, type: S | N | B}"
INDEXES = f"a list of at most {INDEXES_MAX} global secondary indexes"


class Simple(Model):
    """A strategy without options: a fixed text, nothing at all, or a keyed hash in the attribute's place."""

    strategy: Literal["redact", "remove", "hash"] = Field(description="redact, remove or hash")


class Mask(Model):
    """Keeps a part of a string and masks the rest."""

    strategy: Literal["mask"] = Field(description="mask")
    keep: Keep = Field(description="domain (of an e-mail address), {first: N} or {last: N} characters, N above 0")


class Generalize(Model):
    """Makes a date or a number coarser."""

    strategy: Literal["generalize"] = Field(description="generalize")
    to: Literal["year", "month"] | None = Field(None, description="year or month, for a date")
    bucket: PositiveInt | None = Field(
        None, description="either to: year | month (a date), or bucket: a whole number above 0 (a number)"
    )

    @field_validator("bucket")
    @classmethod
    def _either_to_or_bucket(cls, bucket: int | None, info: ValidationInfo) -> int | None:
        if "to" in info.data and (bucket is None) == (info.data["to"] is None):
            text = "is missing, and so is to" if bucket is None else "can't stand beside to"
            refuse([Problem(text, str(cls.model_fields["bucket"].description))])
        return bucket


def _spelled_out(value: Any) -> Any:
    return {"strategy": value} if isinstance(value, str) and value in _STRATEGIES else value


AnyStrategy = Simple | Mask | Generalize
_STRATEGIES: Mapping[str, type[Model]] = {
    **dict.fromkeys(("redact", "remove", "hash"), Simple),
    "mask": Mask,
    "generalize": Generalize,
}
Strategy = Annotated[
    AnyStrategy,
    one_of("strategy", _STRATEGIES),
    BeforeValidator(_spelled_out, json_schema_input_type=Literal["redact", "remove", "hash"] | AnyStrategy),
]

_ROLES = ("hash_key", "range_key", "authority_attribute", "control_attribute", "ttl_attribute")


def _roles(data: Mapping[str, Any]) -> dict[str, str]:
    """Return the attributes that have a role in the replication, with that role, of the fields that are valid."""
    found = ((data[role], role) for role in _ROLES if data.get(role) is not None)
    return {value.name if isinstance(value, Key) else value: role for value, role in found}


def role_problems(value: Key | str | None, data: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield what is wrong with an attribute that is given a role, if one of the valid fields ``data`` gave it one."""
    name, loc = (value.name, ("name",)) if isinstance(value, Key) else (value, ())
    if role := _roles(data).get(str(name)):
        yield Problem(f"{name} is already the table's {role}", "another attribute", loc)


def _sensitive_path(path: str, info: ValidationInfo) -> str:
    accepted = "an attribute that is neither a key nor the table's authority, control or TTL attribute"
    first, *_ = names = path.split(".")
    role = _roles(info.data).get(first)
    if role in ("hash_key", "range_key"):
        refuse([Problem(f"is the table's {role}, and an item can't be found again by an anonymized key", accepted)])
    elif role:
        refuse([Problem(f"is the table's {role}, which the replication reads in every Region", accepted)])
    elif not all(names) or any(bracket in path for bracket in "[]"):
        accepted = "attribute names joined by dots; in a list, a path reaches each element: lines.recipient"
        refuse([Problem("is not a path", accepted)])
    return path


class Index(Model):
    """A global secondary index. ``projection`` is ``all``, ``keys-only`` or the list of attributes to include."""

    name: str = Field(
        pattern=r"^[a-zA-Z0-9_.-]{3,255}$", description="3 to 255 letters, digits, hyphens, underscores and dots"
    )
    hash_key: Key = Field(description=KEY)
    range_key: Key | None = Field(None, description=KEY)
    projection: Projection = Field(
        "all", description=f"all, keys-only, or a list of 1 to {_INCLUDED_MAX} attributes to include"
    )

    @property
    def keys(self) -> dict[str, Key]:
        """The index's keys by field name."""
        keys = {"hash_key": self.hash_key, "range_key": self.range_key}
        return {field: key for field, key in keys.items() if key}


def index_problems(indexes: list[Index], data: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield what is wrong with the indexes of a table whose other valid fields are ``data``."""
    types = {key.name: key.type for key in (data.get("hash_key"), data.get("range_key")) if key}
    types |= {
        data[role]: type_ for role, type_ in (("authority_attribute", "S"), ("ttl_attribute", "N")) if data.get(role)
    }
    names: set[str] = set()
    included = 0
    for position, index in enumerate(indexes):
        if index.name in names:
            yield Problem(f"{index.name} is another index's name", "a name of its own", (position, "name"))
        names.add(index.name)
        for field, key in index.keys.items():
            loc = (position, field)
            if key.name == data.get("control_attribute"):
                yield Problem("is the table's control_attribute, a map", "an attribute of type S, N or B", loc)
            type_ = types.setdefault(key.name, key.type)
            if type_ != key.type:
                yield Problem(f"{key.name} is of type {type_} elsewhere in this table", type_, (*loc, "type"))
            sensitive: Mapping[str, AnyStrategy] = data.get("sensitive", {})
            if any(path.startswith(f"{key.name}.") for path in sensitive):
                text = f"{key.name} has a sensitive path into it, and a key has no members"
                yield Problem(text, "an attribute that is not a map, or is sensitive as a whole", loc)
            strategy = sensitive.get(key.name)
            if strategy and strategy.strategy != "remove" and key.type != "S":
                text = (
                    f"{key.name} is sensitive, and {strategy.strategy} can leave a string in place of type {key.type}"
                )
                yield Problem(text, "type S, or the strategy remove, which leaves a stub out of the index", loc)
        if index.range_key and index.range_key.name == index.hash_key.name:
            yield Problem("is the index's hash_key", "another attribute", (position, "range_key"))
        if isinstance(index.projection, list):
            included += len(index.projection)
            if len(set(index.projection)) < len(index.projection):
                yield Problem("names an attribute twice", "each attribute once", (position, "projection"))
    if included > _INCLUDED_TOTAL_MAX:
        yield Problem(f"include {included} attributes", f"at most {_INCLUDED_TOTAL_MAX} over a table's indexes")


class Table(Model):
    """One table whose items Domicile replicates, personal data at home."""

    replication: Literal["localized"] = Field("localized", description=REPLICATION)
    hash_key: Key = Field(description=KEY)
    range_key: Key | None = Field(None, description=KEY)
    authority_attribute: AttributeName = Field(
        "localization_authority", description="the attribute (a string) that holds an item's authority"
    )
    control_attribute: AttributeName = Field(
        "_dom", description="the attribute (a map) that Domicile keeps in each item"
    )
    ttl_attribute: AttributeName | None = Field(None, description="the attribute that DynamoDB expires items by")
    sensitive: dict[Annotated[str, AfterValidator(_sensitive_path)], Strategy] = Field(
        {},
        description="attribute or dotted path -> redact, remove, hash, {strategy: mask, keep: domain | {first: N} | "
        "{last: N}}, {strategy: generalize, to: year | month} or {strategy: generalize, bucket: N}",
    )
    directory: Literal["everywhere", "origin"] = Field(
        "everywhere", description="everywhere (each Region keeps a stub of each item) or origin"
    )
    writers: Literal["any", "stamped"] = Field("any", description="any, or stamped (every writer stamps its versions)")
    indexes: list[Index] = Field([], max_length=INDEXES_MAX, description=INDEXES)
    deletion_protection: bool = Field(True, description="true or false")
    point_in_time_recovery: bool = Field(True, description="true or false")

    @field_validator(*_ROLES)
    @classmethod
    def _one_role_each(cls, value: Key | str | None, info: ValidationInfo) -> Key | str | None:
        refuse(role_problems(value, info.data))
        if isinstance(value, Key) and value.name in _LEDGER_ATTRIBUTES:
            text = f"{value.name} is an attribute of the ledger, which has the same keys"
            refuse([Problem(text, f"any other name than {', '.join(_LEDGER_ATTRIBUTES)}", ("name",))])
        return value

    @field_validator("sensitive")
    @classmethod
    def _no_overlap(cls, sensitive: dict[str, AnyStrategy]) -> dict[str, AnyStrategy]:
        accepted = "either the whole attribute or paths into it"
        problems = []
        for path in sensitive:
            names = path.split(".")
            outer = next((o for n in range(1, len(names)) if (o := ".".join(names[:n])) in sensitive), None)
            if outer:
                problems.append(Problem(f"lies within {outer}, which is sensitive as a whole", accepted, (path,)))
        refuse(problems)
        return sensitive

    @field_validator("indexes")
    @classmethod
    def _indexes_work(cls, indexes: list[Index], info: ValidationInfo) -> list[Index]:
        refuse(index_problems(indexes, info.data))
        return indexes
