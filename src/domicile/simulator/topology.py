"""Which Regions a schedule has, where its authorities live, and what its bridge lets pass, if it has one."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from domicile.core.partitions import CHINA, WORLD, partition_of
from domicile.simulator.history import Bridge

REGIONS = ("ap-south-1", "eu-west-1", "us-east-1", "sa-east-1", "ca-central-1")
_WORLD = ("ap-southeast-1", "eu-west-1", "us-east-1")
_CHINA = ("cn-north-1", "cn-northwest-1")
BRIDGED_REGIONS_MAX = len(_WORLD) + len(_CHINA)


@dataclass(frozen=True, kw_only=True)
class Topology:
    """``maps`` are the versions of the authority map, one after the other.

    Every version has the ``authorities``; the ``late`` one is in all but the first.
    """

    regions: tuple[str, ...]
    authorities: tuple[str, ...]
    late: str
    maps: Sequence[Mapping[str, str]]
    bridge: Bridge | None = None

    @property
    def homes(self) -> dict[str, list[str]]:
        """The home Regions of each authority, one after the other."""
        return {name: list(dict.fromkeys(m[name] for m in self.maps if name in m)) for name in self.maps[-1]}

    @classmethod
    def in_one_partition(cls, regions: int, *, re_pointed: bool) -> Topology:
        """Return the first Regions of the list; ``re_pointed``: EU gets another home."""
        names = REGIONS[:regions]
        before = {"EU": "eu-west-1", "IN": "ap-south-1"}
        maps = [before, {**before, "CN": names[-1]}]
        if re_pointed:
            maps.append({**maps[-1], "EU": [name for name in names if name != before["EU"]][-1]})
        return cls(regions=names, authorities=("EU", "IN"), late="CN", maps=maps)

    @classmethod
    def bridged(cls, seed: int, regions: int, *, re_pointed: bool) -> Topology:
        """Return Regions of two partitions, with what a seed draws; ``re_pointed``: another home on the same side."""
        chance = random.Random(f"bridge {seed}")  # noqa: S311  # a schedule, not a secret
        china = _CHINA[: regions // 2]
        world = _WORLD[: regions - len(china)]
        before = {"EU": chance.choice(world), "CN": chance.choice(china)}
        maps = [before, {**before, "IN": chance.choice(world + china)}]
        others = [name for name in world if name != before["EU"]]
        if re_pointed and others:
            maps.append({**maps[-1], "EU": chance.choice(others)})
        bridge = Bridge(
            gateways={WORLD: world[0], CHINA: china[0]},
            sides={name: partition_of(name) for name in world + china},
            global_items=chance.choice([True, True, False]),
            stubs=frozenset(name for name in ("EU", "CN", "IN") if chance.choice([True, False])),
        )
        return cls(regions=world + china, authorities=("EU", "CN"), late="IN", maps=maps, bridge=bridge)
