"""Removing a copy from a localized table: everywhere, as the replication deletes, with a copy's version.

Until all Regions are done, the ledger of the copy's place keeps a mark beside the tombstone. By it the next run ends
what was cut short, also where the copy is in other Regions alone: it was on its way when its place was emptied by the
tombstone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from domicile.core.control import Image
from domicile.core.policy import TablePolicy
from domicile.core.version import Version
from domicile.core.writes import Expression, SameValue, Update
from domicile.pipeline.apply import LEDGER_REMOVING, Applier
from domicile.pipeline.ports import Place


@dataclass(frozen=True)
class Removals:
    """The removals of a table's copies; ``places`` has all Regions by name. Raises what their stores raise."""

    table: TablePolicy
    places: Mapping[str, Place]
    unfinished: ClassVar = Expression("attribute_exists(#mark)", {"#mark": LEDGER_REMOVING})
    """The filter of the ledger entries that are for :meth:`resume`."""

    def remove(self, key: Image, version: Version) -> None:
        """Remove a copy of a lower version than ``version``, which names the copy's place as its Region."""
        # The place is buried first: what is copied there from now on must have a version that other Regions take.
        Applier(self.places[version.region]).bury(self.table, key, version, {LEDGER_REMOVING: {"S": str(version)}})
        self._finish(key, version)

    def resume(self, entry: Image) -> None:
        """End a removal by its entry in the ledger of its place."""
        self._finish({name: entry[name] for name in self.table.key_names}, Version.parse(entry[LEDGER_REMOVING]["S"]))

    def _finish(self, key: Image, version: Version) -> None:
        # The place is emptied last: while the copy is there, it is counted again.
        for region in sorted(self.places, key=lambda region: region == version.region):
            Applier(self.places[region]).delete(self.table, key, version, version.region)
        same = SameValue(LEDGER_REMOVING, {"S": str(version)}, self.table.key_names[0])
        self.places[version.region].store.write(
            Update(table=self.table.ledger, key=key, assign={}, remove=(LEDGER_REMOVING,), condition=same)
        )
