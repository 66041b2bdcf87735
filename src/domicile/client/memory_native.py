"""The native tables in memory: in each Region that it has reached, an item is what its last writer left of it."""

from __future__ import annotations

import json
from collections.abc import Mapping

from domicile.client.memory import Network
from domicile.core.policy import NativePolicy


class Replicas:
    """What DynamoDB does between the Regions of its Global Tables: it copies items whole, and a delete as any write."""

    def __init__(self, tables: Mapping[str, NativePolicy], network: Network) -> None:
        self._tables = tables
        self._network = network
        self._writes = 0
        self._written: dict[tuple[str, str], dict[str, int]] = {}
        """For each table and key, as JSON: Region -> the number of the write that it has."""
        self._behind: set[tuple[str, str]] = set()

    def note(self) -> None:
        """Number the writes that were done since, above all before them."""
        for name, region in self._network.regions.items():
            for table in self._tables:
                for record in region.tables.changes.pop(table, ()):
                    of = table, json.dumps(record["dynamodb"]["Keys"])
                    self._writes += 1
                    self._written.setdefault(of, {})[name] = self._writes
                    self._behind.add(of)

    def work(self, *, strong_alone: bool = False) -> bool:
        """Let the last write of each item arrive in the Regions in reach; return whether any did.

        ``strong_alone``: of the strongly consistent tables alone, where a write has arrived before it returns.
        """
        done = False
        for table, key in list(self._behind):
            policy = self._tables[table]
            if policy.strong or not strong_alone:
                done |= self._copy(policy, key)
        return done

    def _copy(self, table: NativePolicy, key: str) -> bool:
        written, regions = self._written[table.name, key], self._network.regions
        reached = {name: written.get(name, 0) for name in table.regions if name not in self._network.cut_off}
        last = max(reached.values(), default=0)
        late = [name for name, number in reached.items() if number < last]
        if late:
            source = next(name for name, number in reached.items() if number == last)
            image = regions[source].store.get(table.name, json.loads(key))
            for name in late:
                regions[name].overwrite(table.name, json.loads(key), image)
                written[name] = last
        if len(reached) == len(table.regions):
            self._behind.discard((table.name, key))
        return bool(late)
