"""What a claim check becomes once its image was read where it was written."""

from __future__ import annotations

from dataclasses import replace

from domicile.core.control import Control, Image, without
from domicile.core.errors import TransientError
from domicile.core.events import Mutation, Operation
from domicile.core.policy import TablePolicy


def redeem(mutation: Mutation, table: TablePolicy, image: Image | None) -> Mutation | None:
    """Return the change with its image; None where it was overtaken.

    It has the version that was read. The image may be newer than that version: an ordinary update leaves the version as
    it was until its own record is handled. So it may go on only if its authority is the one for which the claim check
    was sent; whether the policy says the same by now does not matter. Another authority, a stub or an item that is
    being deleted: a later change is on its way.
    """
    if image is None:
        # A delete is on its way, or the version has expired, of which nobody tells: what is below it is outdated.
        return Mutation(
            operation=Operation.DELETE,
            table=mutation.table,
            key=mutation.key,
            version=mutation.version.tombstone(),
            origin=mutation.origin,
        )
    control = Control.of(image, table.control_attribute)
    if control is None or control.version < mutation.version:
        raise TransientError("the origin has not stamped the item yet")
    if control.is_stub or control.deleting:
        return None
    image = without(image, table.control_attribute)
    if image.get(table.authority_attribute) != mutation.authority:
        return None
    return replace(mutation, version=control.version, origin=control.origin, image=image, claim=False, authority=None)
