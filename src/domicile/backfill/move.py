"""What is moved: two tables of a deployment, one native and one localized, and who copies which of their items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from domicile.core.copying import Copier, IntoLocalized, IntoNative
from domicile.core.policy import Policy, TablePolicy
from domicile.deployment import Deployment
from domicile.errors import UserError
from domicile.naming import Names
from domicile.native_table import NativeTable


@dataclass(frozen=True, kw_only=True)
class Move:
    """``source`` and ``target`` are the tables' names in AWS, ``localized`` is the policy of whichever is localized.

    ``ttl_attribute`` is the target's. ``regions`` are those that copy, each what is its own to copy; ``source_regions``
    are those that have the source.
    """

    source: str
    target: str
    native: NativeTable
    localized: TablePolicy
    into_native: bool
    ttl_attribute: str | None
    policy: Policy
    regions: tuple[str, ...]
    source_regions: tuple[str, ...]

    def copier(self, region: str) -> Copier:
        """Return the decisions of a Region that copies."""
        if self.into_native:
            return IntoNative(source=self.localized, target=self.target, primary=self.native.primary)
        return IntoLocalized(
            policy=self.policy,
            table=self.localized,
            regions=tuple(self.native.regions),
            primary=self.native.primary,
            region=region,
        )

    def fingerprint(self) -> dict[str, Any]:
        """Return, as JSON has it, what a Region's part follows from: progress is good for the same one only."""
        return {
            "source": self.source,
            "target": self.target,
            "homes": dict(self.policy.authorities),
            "regions": [self.native.primary, *self.native.regions],
        }


def resolve(deployment: Deployment, file: str, source: str, target: str) -> Move:
    """Return the move between two tables, named as in the deployment file. Raises :class:`UserError`."""
    for option, name in (("--from", source), ("--to", target)):
        if name not in deployment.tables:
            raise UserError(f"{option} {name}: is not in {file}; accepted: {', '.join(deployment.tables)}")
    from_, to = deployment.tables[source], deployment.tables[target]
    if from_.replication == to.replication:
        raise UserError(
            f"--from {source} --to {target}: both are {to.replication}; accepted: a native and a localized table"
        )
    if (from_.hash_key, from_.range_key) != (to.hash_key, to.range_key):
        raise UserError(f"--from {source} --to {target}: their keys differ; accepted: tables with the same keys")
    into_native = target in deployment.native
    native = deployment.native[target if into_native else source]
    names, policy = Names(deployment.name, region="", account=""), Policy.parse(deployment.policy_document())
    homes = {native.primary, *policy.authorities.values()}
    return Move(
        source=names.table(source),
        target=names.table(target),
        native=native,
        localized=policy.table(names.table(source if into_native else target)),
        into_native=into_native,
        ttl_attribute=to.ttl_attribute,
        policy=policy,
        # Of a native source, a Region that is nobody's home has nothing to copy.
        regions=(native.primary,) if into_native else tuple(r for r in native.regions if r in homes),
        source_regions=tuple(deployment.regions if into_native else native.regions),
    )
