"""What the listener decides: the kind of a change, its version, and which Regions get what of it.

1. A record of a marked item and the REMOVE of a marked item are the replication's own: skipped. A TTL expiry is each
   Region's own: its version is buried here, and nothing is sent.
2. Any other REMOVE is an application's delete, also of a stub: erasing anywhere erases everywhere.
3. A write is plain if the image has no control attribute, or a version not above the old image's. Otherwise it is
   stamped if it was written in this Region, and an applied replica if not. A stamped write with a plain tie is the
   listener's own stamp.
4. A record of a stub is the replication's own, unless the whole control attribute is the same before and after: then an
   application wrote on a stub.
5. A global item goes to all Regions whole; a localized item to its home whole, and from its home to all as a stub.
6. Beyond a partition's border "all" are those that the bridge lets be told. One that is not told of a version, and has
   the one that it replaced, gets a delete with its version instead: what it holds must not outlive it there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from enum import Enum

from domicile.core.change import Change
from domicile.core.control import Control, Image, without
from domicile.core.errors import RecordInvalidError, UnknownAuthorityError
from domicile.core.events import EVERYWHERE, Addressed, Mutation, Operation
from domicile.core.policy import Policy, TablePolicy
from domicile.core.version import Version, of_plain_write


class Kind(Enum):
    """What a stream record is to the listener."""

    SKIP = "skip"
    EXPIRY = "expiry"
    DELETE = "delete"
    PLAIN = "plain"
    STAMPED = "stamped"
    STUB_WRITE = "stub_write"


@dataclass(frozen=True)
class Verdict:
    """The kind of a change, why it is of that kind, and the control attributes of its images."""

    kind: Kind
    reason: str
    old: Control | None
    new: Control | None


@dataclass(frozen=True)
class Ledger:
    """A key's ledger entry: the version of its last delete, and the last version that a base forced up."""

    tombstone: Version | None = None
    forced: Version | None = None


def classify(change: Change, table: TablePolicy, region: str) -> Verdict:
    """Decide the kind of a change by rules 1 to 4.

    Raises :class:`RecordInvalidError` for a malformed control attribute in the new image. In the old one it counts as
    none: the change that mends or deletes such an item must get through.
    """
    new = Control.of(change.new, table.control_attribute)
    try:
        old = Control.of(change.old, table.control_attribute)
    except RecordInvalidError:
        old = None

    def verdict(kind: Kind, reason: str) -> Verdict:
        return Verdict(kind, reason, old, new)

    if change.new is None:
        if old is not None and old.deleting:
            return verdict(Kind.SKIP, "deleted_by_replication")
        if change.expired:
            return verdict(Kind.SKIP, "expired_without_version") if old is None else verdict(Kind.EXPIRY, "expired")
        return verdict(Kind.DELETE, "application_delete")
    if new is None:
        return verdict(Kind.PLAIN, "no_control_attribute")
    if new.deleting:
        return verdict(Kind.SKIP, "marked")
    if new.is_stub:
        return verdict(Kind.STUB_WRITE, "control_unchanged") if old == new else verdict(Kind.SKIP, "stub_applied")
    if old is not None and new.version <= old.version:
        return verdict(Kind.PLAIN, "version_not_raised")
    if new.origin != region:
        return verdict(Kind.SKIP, "replica_applied")
    if new.version.plain:
        return verdict(Kind.SKIP, "own_stamp")
    return verdict(Kind.STAMPED, "stamped_here")


def needs_ledger(verdict: Verdict, region: str) -> bool:
    """Whether the version of a plain write or delete depends on the key's ledger entry.

    It does where an image has no version, and where it has a plain one of this Region: of two plain puts the stamp of
    the first can land on the image of the second, since neither has a control attribute, and then an update of the
    second shows the version of the first.
    """
    if verdict.old is None or verdict.new is None:
        return True
    return verdict.new.version.plain and verdict.new.version.region == region


def plain_version(change: Change, verdict: Verdict, region: str, ledger: Ledger) -> Version:
    """Return the version of a plain write or of a removal.

    Only what this Region wrote into the ledger before this record counts: a retry must see the same base. What this
    very record wrote there is its version: the entry that was its base may be gone by the time of a retry. That the
    version has expired since, makes no difference.
    """
    bases = [control.version for control in (verdict.old, verdict.new) if control is not None]
    if needs_ledger(verdict, region):
        for version in (ledger.tombstone, ledger.forced):
            if version is None or version.region != region or not version.plain:
                continue
            if version.tie == change.sequence:
                return replace(version, expired=False)
            if version.tie < change.sequence:
                bases.append(version)
    return of_plain_write(change.at_ms, change.sequence, region, bases)


def is_forced(change: Change, version: Version) -> bool:
    """Whether the ledger must remember the version, because a later record's own time would not lie above it.

    Also where the new image shows the base that forced it: a remote delete may take that image before the next write.
    """
    return version.ms > change.at_ms


def route_delete(change: Change, version: Version, region: str, policy: Policy) -> Addressed:
    """Return the delete that goes to every Region, whatever a bridge lets pass."""
    return _delete(change, version, region, _others(policy, policy.regions, region))


def route_write(
    change: Change, version: Version, region: str, policy: Policy, stub_of: Callable[[Image], Image]
) -> list[Addressed]:
    """Return what of a write goes where, by rules 5 and 6; ``stub_of`` anonymizes an image before it leaves its home.

    Nothing leaves where the home keeps the only copy (``directory: origin``).
    """
    table = policy.table(change.table)
    image = without(change.new or {}, table.control_attribute)
    authority = policy.authority_of(image, table)
    home = None if authority is None else policy.authorities[authority]
    told = policy.told(authority, region)

    def addressed(destination: tuple[str, ...], operation: Operation, image: Image) -> Addressed:
        mutation = Mutation(
            operation=operation,
            table=change.table,
            key=change.key,
            version=version,
            origin=region,
            home=home,
            image=image,
        )
        return Addressed(destination, mutation)

    outgoing: list[Addressed] = []
    if home is None:
        outgoing.append(addressed(_others(policy, told, region), Operation.PUT, image))
    elif home != region:
        outgoing.append(addressed((home,), Operation.MOVE, image))
    elif table.stubs_everywhere:
        outgoing.append(addressed(_others(policy, told, region), Operation.STUB, stub_of(image)))
    if table.stubs_everywhere and (untold := _untold(change, policy, table, region, told)):
        outgoing.append(_delete(change, version, region, untold))
    return [item for item in outgoing if item.destination]


def relying(mutation: Mutation, policy: Policy) -> tuple[str, ...]:
    """Return the Regions, other than its origin, that hear of a change by it or by its home."""
    table = policy.table(mutation.table)
    name = table.authority_attribute
    image = mutation.image or ({name: mutation.authority} if mutation.authority else {})
    return policy.told(policy.authority_of(image, table), mutation.origin)


def route_overtaken(mutation: Mutation, found: Image | None, policy: Policy) -> Addressed | None:
    """Return a delete of a version for those who relied on it, and are not told of the later one that was found.

    They would keep what the version replaced, and its origin the full image. Without bridges everybody is told.
    """
    table = policy.table(mutation.table)
    control = Control.of(found, table.control_attribute)
    nobody = not policy.bridges or not table.stubs_everywhere
    if nobody or found is None or control is None or control.version <= mutation.version:
        return None
    relied = {mutation.origin, *relying(mutation, policy)}
    told = {control.origin, *policy.told(policy.authority_of(found, table), control.origin)}
    delete = Mutation(
        operation=Operation.DELETE,
        table=mutation.table,
        key=mutation.key,
        version=mutation.version.tombstone(),
        origin=mutation.origin,
    )
    return Addressed(tuple(sorted(relied - told)), delete)


def _others(policy: Policy, regions: Iterable[str], region: str) -> tuple[str, ...]:
    """Return a destination: by name where a bridge must see who is meant."""
    return tuple(sorted(set(regions) - {region})) if policy.bridges else EVERYWHERE


def _delete(change: Change, version: Version, region: str, destination: tuple[str, ...]) -> Addressed:
    mutation = Mutation(operation=Operation.DELETE, table=change.table, key=change.key, version=version, origin=region)
    return Addressed(destination, mutation)


def _untold(change: Change, policy: Policy, table: TablePolicy, region: str, told: Collection[str]) -> tuple[str, ...]:
    """Return the Regions that have something of what a write replaced, and are not told of the write.

    The origin has something of it too, and may lie beyond. Who else was told of it does not depend on the origin that
    the old image names: an ordinary update leaves that of the version before, and whatever a bridge brought here, it
    lets pass for all.
    """
    if change.old is None or not policy.bridges:
        return ()
    try:
        old = Control.of(change.old, table.control_attribute)
    except RecordInvalidError:
        return ()  # it never left
    try:
        before = {*policy.told(policy.authority_of(change.old, table), region), *({old.origin} if old else ())}
    except UnknownAuthorityError:
        # Nor did this, unless another Region sent it here, whose policy is newer.
        before = set(policy.regions) if old and old.origin != region else set()
    return tuple(sorted(before - set(told) - {region}))
