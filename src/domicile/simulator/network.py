"""The way of events from one Region's bus to another's, which may be long, double, or cut for hours."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from domicile.core.events import SOURCE, Entry
from domicile.simulator.services import RETENTION_MS

if TYPE_CHECKING:
    from domicile.simulator.region import Region
    from domicile.simulator.schedule import Schedule

_RETRY_MS = 60_000


@dataclass
class Hop:
    """An event between two buses."""

    sender: str
    receiver: str
    event: Mapping[str, Any]
    text: str
    sent_at_ms: int
    due_at_ms: int


class Network:
    """All events between the Regions. What cannot be delivered for a day is a dead letter of the sender's bus."""

    def __init__(self, schedule: Schedule) -> None:
        self.hops: list[Hop] = []
        self.dead: list[Hop] = []
        self.cut_off: set[str] = set()
        self._schedule = schedule

    def put(self, region: Region, entry: Entry) -> None:
        """Put an entry on a Region's bus, where rules send it on."""
        schedule = self._schedule
        detail = json.loads(entry.detail)
        event = {"source": SOURCE, "detail-type": entry.detail_type, "region": region.name, "detail": detail}
        schedule.history.put_event(region.name, entry.detail_type, entry.detail)
        if schedule.tracing:
            schedule.trace(f"  {region.name} event {entry.detail_type} {_describe(detail)}")
        text = f'{{"source":"{SOURCE}","detail-type":"{entry.detail_type}","detail":{entry.detail}}}'
        for purpose in region.bus.purposes(event):
            if not purpose.startswith("to-"):
                self._deliver(region, purpose, text)
                continue
            due_at_ms = schedule.now_ms + schedule.chance.randint(1, schedule.faults.delay_ms_max)
            hop = Hop(region.name, purpose.removeprefix("to-"), event, text, schedule.now_ms, due_at_ms)
            self.hops.append(hop)

    def carry(self) -> bool:
        """Try to deliver one event that is due; return whether there was one."""
        schedule = self._schedule
        due = [position for position, hop in enumerate(self.hops) if hop.due_at_ms <= schedule.now_ms]
        if not due:
            return False
        position = schedule.chance.choice(due)
        hop = self.hops[position]
        if self.cut_off & {hop.sender, hop.receiver}:
            if schedule.now_ms - hop.sent_at_ms > RETENTION_MS:
                self.dead.append(self.hops.pop(position))
            else:
                hop.due_at_ms = schedule.now_ms + _RETRY_MS
            return True
        if not schedule.happens(schedule.faults.duplicate):
            self.hops.pop(position)
        receiver = schedule.by_name[hop.receiver]
        schedule.history.saw(hop.receiver, "event", hop.text)
        for purpose in receiver.bus.purposes(hop.event):
            if not purpose.startswith("to-"):  # EventBridge forwards an event once
                self._deliver(receiver, purpose, hop.text)
        return True

    def redrive(self) -> bool:
        """Send the dead letters again; return whether there were any."""
        found = bool(self.dead)
        for hop in self.dead:
            hop.sent_at_ms = hop.due_at_ms = self._schedule.now_ms
        self.hops += self.dead
        self.dead.clear()
        return found

    def _deliver(self, region: Region, purpose: str, text: str) -> None:
        self._schedule.history.saw(region.name, purpose, text)
        region.queues[purpose].send(text)


def _describe(detail: Mapping[str, Any]) -> str:
    members = detail.get("changes") or detail.get("receipts") or [{"operation": "compressed"}]
    said = " ".join(f"{m.get('operation', detail.get('operation'))}:{m.get('version', '')}" for m in members)
    return f"to {','.join(detail['destination'])} {said}"
