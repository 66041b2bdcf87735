"""The policy: where each authority lives and what of each table is sensitive, as AppConfig carries it.

``Deployment.policy_document`` writes the document, a JSON Schema validates it in AppConfig, and this module reads it in
the functions and in the applications' clients. It fails closed: a document that is wrong anywhere is refused whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from domicile.core.control import Value
from domicile.core.errors import PolicyInvalidError, UnknownAuthorityError, UnknownTableError
from domicile.core.partitions import partition_of

FORMAT = 1

StrategyName = Literal["redact", "remove", "mask", "hash", "generalize"]
_OPTIONS: dict[str, tuple[str, ...]] = {
    "redact": (),
    "remove": (),
    "mask": ("keep",),
    "hash": (),
    "generalize": ("to", "bucket"),
}


@dataclass(frozen=True, kw_only=True)
class Strategy:
    """How one sensitive attribute is anonymized.

    ``mask`` keeps the ``first`` or ``last`` N characters, or with ``domain`` what follows an @. ``generalize`` reduces
    an ISO 8601 date ``to`` its year or month, or a number to the lower bound of its ``bucket``.
    """

    name: StrategyName
    first: int = 0
    last: int = 0
    domain: bool = False
    to: Literal["year", "month"] | None = None
    bucket: int = 0


@dataclass(frozen=True, kw_only=True)
class TablePolicy:
    """What the replication knows of one table; ``sensitive`` maps an attribute's path to its strategy."""

    name: str
    ledger: str
    key_names: tuple[str, ...]
    authority_attribute: str
    control_attribute: str
    sensitive: Mapping[tuple[str, ...], Strategy]
    stubs_everywhere: bool


@dataclass(frozen=True, kw_only=True)
class NativePolicy:
    """What a client knows of a table that DynamoDB replicates: the Regions that have it, and whether as one.

    ``strong``: a consistent read sees the last write of any Region.
    """

    name: str
    regions: tuple[str, ...]
    strong: bool


@dataclass(frozen=True, kw_only=True)
class Bridge:
    """What crosses between two gateway Regions' partitions besides moves towards their home, deletes and receipts."""

    between: tuple[str, str]
    global_items: bool
    stubs: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Policy:
    """One version of the whole policy; ``native`` is for clients, and no concern of the replication's."""

    regions: tuple[str, ...]
    authorities: Mapping[str, str]
    tables: Mapping[str, TablePolicy]
    bridges: tuple[Bridge, ...] = ()
    native: Mapping[str, NativePolicy] = field(default_factory=dict)

    def table(self, name: str) -> TablePolicy:
        """Return a table's policy; :class:`UnknownTableError` where this policy is older than the table."""
        try:
            return self.tables[name]
        except KeyError:
            raise UnknownTableError("the policy does not name the table") from None

    def authority_of(self, image: Mapping[str, Value], table: TablePolicy) -> str | None:
        """Return the item's authority, or None for a global item.

        Only an item without the attribute is global: an authority that is not a string, is empty, or is not in the
        map raises :class:`UnknownAuthorityError`.
        """
        value = image.get(table.authority_attribute)
        if value is None:
            return None
        authority = value.get("S")
        if not isinstance(authority, str) or authority not in self.authorities:
            raise UnknownAuthorityError("the map has no Region for the item's authority")
        return authority

    def home_of(self, image: Mapping[str, Value], table: TablePolicy) -> str | None:
        """Return the item's home Region, or None for a global item, by the same rule."""
        authority = self.authority_of(image, table)
        return None if authority is None else self.authorities[authority]

    def tells(self, teller: str, region: str, authority: str | None) -> bool:
        """Whether one Region may tell another of an item: of a global one whole, of a localized one by its stub."""
        if partition_of(teller) == partition_of(region):
            return True
        ends = {partition_of(teller), partition_of(region)}
        for bridge in self.bridges:
            if set(map(partition_of, bridge.between)) == ends:
                return bridge.global_items if authority is None else authority in bridge.stubs
        return False

    def told(self, authority: str | None, origin: str) -> tuple[str, ...]:
        """Return the Regions, other than its origin, that are told of a version, by its home if it has one."""
        home = None if authority is None else self.authorities[authority]
        teller = home or origin
        told = (r for r in self.regions if r == home or self.tells(teller, r, authority))
        return tuple(sorted(set(told) - {origin}))

    @classmethod
    def parse(cls, document: Any) -> Policy:
        """Read the document, or raise :class:`PolicyInvalidError` that names the key at fault."""
        root = _mapping(document, "policy", {"format", "regions", "authorities", "tables", "bridges", "native"})
        if root.get("format") != FORMAT:
            raise PolicyInvalidError(f"policy.format: must be {FORMAT}")
        regions = root.get("regions")
        if not isinstance(regions, list) or not regions or not all(isinstance(r, str) for r in regions):
            raise PolicyInvalidError("policy.regions: must be a list of Region names")
        authorities = _mapping(root.get("authorities"), "policy.authorities")
        for authority, region in authorities.items():
            if region not in regions:
                raise PolicyInvalidError(f"policy.authorities.{authority}: must be one of policy.regions")
        tables = {name: _table(name, of) for name, of in _mapping(root.get("tables"), "policy.tables").items()}
        native = _mapping(root.get("native", {}), "policy.native")
        for name in native:
            # A client would write such a table without versions, and nothing would be replicated by its authority.
            if name in tables or any(name == table.ledger for table in tables.values()):
                raise PolicyInvalidError(f"policy.native.{name}: is a localized table or its ledger in policy.tables")
        return cls(
            regions=tuple(regions),
            authorities=dict(authorities),
            tables=tables,
            bridges=_bridges(root.get("bridges", []), regions),
            native={name: _native(name, value, regions) for name, value in native.items()},
        )


def _mapping(value: Any, path: str, keys: set[str] | None = None) -> dict[str, Any]:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise PolicyInvalidError(f"{path}: must be a mapping")
    unknown = set(value) - keys if keys is not None else set()
    if unknown:
        raise PolicyInvalidError(f"{path}: unknown keys {sorted(unknown)}")
    return value


def _text(parent: dict[str, Any], key: str, path: str) -> str:
    value = parent.get(key)
    if not isinstance(value, str) or not value:
        raise PolicyInvalidError(f"{path}.{key}: must be a string that is not empty")
    return value


def _bridges(value: Any, regions: Sequence[str]) -> tuple[Bridge, ...]:
    if not isinstance(value, list):
        raise PolicyInvalidError("policy.bridges: must be a list")
    return tuple(_bridge(bridge, f"policy.bridges.{n}", regions) for n, bridge in enumerate(value))


def _bridge(value: Any, path: str, regions: Sequence[str]) -> Bridge:
    bridge = _mapping(value, path, {"between", "global_items", "stubs"})
    between, stubs = bridge.get("between"), bridge.get("stubs")
    if not isinstance(between, list) or len(between) != 2 or not all(region in regions for region in between):  # noqa: PLR2004
        raise PolicyInvalidError(f"{path}.between: must be two of policy.regions")
    if not isinstance(bridge.get("global_items"), bool):
        raise PolicyInvalidError(f"{path}.global_items: must be true or false")
    if not isinstance(stubs, list) or not all(isinstance(authority, str) for authority in stubs):
        raise PolicyInvalidError(f"{path}.stubs: must be a list of authorities")
    return Bridge(between=(between[0], between[1]), global_items=bridge["global_items"], stubs=frozenset(stubs))


def _native(name: str, value: Any, regions: Sequence[str]) -> NativePolicy:
    path = f"policy.native.{name}"
    table = _mapping(value, path, {"regions", "consistency"})
    of = table.get("regions")
    if not isinstance(of, list) or not of or not all(region in regions for region in of):
        raise PolicyInvalidError(f"{path}.regions: must be some of policy.regions")
    if table.get("consistency") not in ("eventual", "strong"):
        raise PolicyInvalidError(f"{path}.consistency: must be eventual or strong")
    return NativePolicy(name=name, regions=tuple(of), strong=table["consistency"] == "strong")


_TABLE_KEYS = {
    "ledger",
    "hash_key",
    "range_key",
    "authority_attribute",
    "control_attribute",
    "sensitive",
    "directory",
    "writers",
}


def _table(name: str, value: Any) -> TablePolicy:
    path = f"policy.tables.{name}"
    table = _mapping(value, path, _TABLE_KEYS)
    keys = ("hash_key", "range_key") if "range_key" in table else ("hash_key",)
    if table.get("directory") not in ("everywhere", "origin"):
        raise PolicyInvalidError(f"{path}.directory: must be everywhere or origin")
    if table.get("writers") not in ("any", "stamped"):
        raise PolicyInvalidError(f"{path}.writers: must be any or stamped")
    sensitive = _mapping(table.get("sensitive"), f"{path}.sensitive")
    return TablePolicy(
        name=name,
        ledger=_text(table, "ledger", path),
        key_names=tuple(_text(table, key, path) for key in keys),
        authority_attribute=_text(table, "authority_attribute", path),
        control_attribute=_text(table, "control_attribute", path),
        sensitive={
            tuple(attribute.split(".")): _strategy(spec, f"{path}.sensitive.{attribute}")
            for attribute, spec in sensitive.items()
        },
        stubs_everywhere=table["directory"] == "everywhere",
    )


def _strategy(spec: Any, path: str) -> Strategy:
    name = _text(_mapping(spec, path), "strategy", path)
    if name not in _OPTIONS:
        raise PolicyInvalidError(f"{path}.strategy: must be one of {sorted(_OPTIONS)}")
    options = _mapping(spec, path, {"strategy", *_OPTIONS[name]})
    if name == "mask":
        return _mask(options.get("keep"), f"{path}.keep")
    if name == "generalize":
        return _generalize(options, path)
    return Strategy(name=name)  # type: ignore[arg-type]  # _OPTIONS holds exactly the literal's names


def _mask(keep: Any, path: str) -> Strategy:
    if keep == "domain":
        return Strategy(name="mask", domain=True)
    if isinstance(keep, dict) and len(keep) == 1:
        side, count = next(iter(keep.items()))
        if side in ("first", "last") and _is_positive(count):
            return Strategy(name="mask", first=count if side == "first" else 0, last=count if side == "last" else 0)
    raise PolicyInvalidError(f"{path}: must be domain, {{first: N}} or {{last: N}}")


def _generalize(options: dict[str, Any], path: str) -> Strategy:
    if set(options) == {"strategy", "to"} and options["to"] in ("year", "month"):
        return Strategy(name="generalize", to=options["to"])
    if set(options) == {"strategy", "bucket"} and _is_positive(options["bucket"]):
        return Strategy(name="generalize", bucket=options["bucket"])
    raise PolicyInvalidError(f"{path}: must have either to (year or month) or bucket (an integer above 0)")


def _is_positive(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
