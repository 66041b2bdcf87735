"""What EventBridge and Lambda let through: the bus rules' patterns and the filters of the streams.

Terraform writes them, and the simulator evaluates them: an event that no rule matches reaches nobody in either.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from domicile.core.events import CHANGES, EVERYWHERE, FINISHED, SOURCE, Operation
from domicile.core.partitions import partition_of

Pattern = dict[str, Any]
"""An event pattern as JSON has it: each leaf is a list of literals and of ``anything-but`` and ``exists``."""

_ABSENT = [{"exists": False}]
_WRITE = ["INSERT", "MODIFY"]


def rule_patterns(region: str, siblings: Sequence[str], gateways: Sequence[str] = ()) -> dict[str, Pattern]:
    """Return the pattern of each rule on a Region's bus, by the rule's purpose.

    ``to-<sibling>`` passes what leaves for that sibling, ``inbox`` the siblings' changes, and ``receipts`` the answers
    to this Region's moves: a ``put`` is answered for whoever watches the bus, and no rule delivers that.

    Between the ``gateways`` lies the border of a partition, which no rule crosses. What leaves for beyond goes to this
    side's gateway, whose rule ``outbox`` passes it; there, what has come from beyond goes on to the siblings.
    """
    here, elsewhere = [region], [{"anything-but": [region]}]
    own = partition_of(region)
    beyond = [sibling for sibling in siblings if gateways and partition_of(sibling) != own]
    near = [sibling for sibling in siblings if sibling not in beyond]
    emitters = [*here, *beyond] if region in gateways else here
    outgoing: dict[str, Pattern] = {}
    for sibling in near:
        through = beyond if sibling in gateways else []
        outgoing[f"to-{sibling}"] = {"detail": {"emitter": emitters, "destination": [sibling, *EVERYWHERE, *through]}}
    if region in gateways:
        # A receipt that no rule beyond delivers need not cross: changes have no operation of their own.
        wanted = [{"exists": False}, Operation.MOVE.value]
        outgoing["outbox"] = {"detail": {"emitter": [*here, *near], "destination": beyond, "operation": wanted}}
    changes = {"emitter": elsewhere, "destination": [region, *EVERYWHERE]}
    moved = {"emitter": elsewhere, "destination": here, "operation": [Operation.MOVE.value]}
    incoming = {
        "inbox": {"detail-type": [CHANGES], "detail": changes},
        "receipts": {"detail-type": [FINISHED], "detail": moved},
    }
    return {purpose: {"source": [SOURCE], **pattern} for purpose, pattern in (outgoing | incoming).items()}


def stream_filters(control_attribute: str, writers: Literal["any", "stamped"], region: str) -> list[Pattern]:
    """Return the patterns of a table's stream records that are worth an invocation; a record passes if one matches.

    The listener would skip what these drop, so they only save cost. An image that bears the delete mark never passes.
    Where all writers stamp, a write passes only if it was stamped in this Region or not at all. Filters look at leaves:
    whether an image bears the mark is whether the mark's ``BOOL`` exists.
    """

    def image(name: str, **members: Any) -> Pattern:
        return {name: {control_attribute: {"M": members}}}

    unmarked: Pattern = {"x": {"BOOL": _ABSENT}}
    removal: Pattern = {"eventName": ["REMOVE"], "dynamodb": image("OldImage", **unmarked)}
    if writers == "any":
        return [removal, {"eventName": _WRITE, "dynamodb": image("NewImage", **unmarked)}]
    stamped_here = image("NewImage", o={"S": [region]}, **unmarked)
    unstamped = image("NewImage", v={"S": _ABSENT}, **unmarked)
    return [removal, {"eventName": _WRITE, "dynamodb": stamped_here}, {"eventName": _WRITE, "dynamodb": unstamped}]
