"""What a run writes, where, and what must be there in the end: pure functions of its settings.

All operations on an item happen in the Region that wrote it first, one after the other, so that the last one is known.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from domicile.core.policy import Policy, TablePolicy
from domicile.errors import UserError

Kind = Literal["put", "update", "delete"]
KINDS: tuple[Kind, ...] = get_args(Kind)
GLOBAL = "global"
"""The name, among authorities, of having none."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One run. ``table`` is a name of the deployment file; ``mix`` and ``authorities`` map a name to its share."""

    run: str
    table: str
    regions: tuple[str, ...]
    items: int
    mix: Mapping[str, int]
    authorities: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Operation:
    """One write: the ``index``-th of its run, on the item number ``item``. ``authority`` None: a global item."""

    index: int
    kind: Kind
    item: int
    region: str
    authority: str | None


def parse_shares(option: str, text: str, accepted: Sequence[str]) -> dict[str, int]:
    """Read ``name=share,...``. Raises :class:`UserError` that names what is accepted."""
    shares: dict[str, int] = {}
    for part in text.split(","):
        name, _, share = part.strip().partition("=")
        if name not in accepted or name in shares or not re.fullmatch(r"[0-9]{1,6}", share):
            raise UserError(
                f"{option} {text}: can't read {part.strip()!r}; "
                f"accepted: NAME=SHARE,... with each of {', '.join(accepted)} at most once and a whole number as share"
            )
        shares[name] = int(share)
    if not any(shares.values()):
        raise UserError(f"{option} {text}: every share is 0; accepted: at least one above 0")
    return shares


def operations(settings: Settings) -> list[Operation]:
    """Return the run's writes in order, until its last item has been put; the same for the same settings.

    Where the mix asks for an update or a delete and no item is there, an item is put instead.
    """
    chance = random.Random(settings.run)  # noqa: S311  # nothing secret: a run must be repeatable
    kinds, kind_shares = tuple(settings.mix), tuple(settings.mix.values())
    authorities, authority_shares = tuple(settings.authorities), tuple(settings.authorities.values())
    living: list[tuple[int, str | None]] = []
    planned: list[Operation] = []
    items = 0
    while items < settings.items:
        (kind,) = chance.choices(kinds, kind_shares)
        if kind == "put" or not living:
            (authority,) = chance.choices(authorities, authority_shares)
            living.append((items, None if authority == GLOBAL else authority))
            kind, position = "put", len(living) - 1
            items += 1
        else:
            position = chance.randrange(len(living))
        item, of_authority = living[position]
        if kind == "delete":
            living[position] = living[-1]
            living.pop()
        region = settings.regions[item % len(settings.regions)]
        planned.append(Operation(len(planned), kind, item, region, of_authority))  # type: ignore[arg-type]
    return planned


def last_of_each_item(planned: Iterable[Operation]) -> dict[int, Operation]:
    """Return each item's last operation."""
    return {operation.item: operation for operation in planned}


def projections(policy: Policy, table: TablePolicy, operation: Operation) -> dict[str, str | None]:
    """Return which Regions hold the item in the end, and as what: None for whole, or as a stub of that home Region."""
    if operation.kind == "delete":
        return {}
    home = None if operation.authority is None else policy.authorities[operation.authority]
    told = policy.told(operation.authority, operation.region) if home is None or table.stubs_everywhere else (home,)
    return {region: None if region == home else home for region in (operation.region, *told)}
