"""The applications of all Regions: ordinary code, and code that stamps its writes as the client does."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from domicile.core.control import Control, without
from domicile.core.version import stamp
from domicile.simulator.history import Write, write_id
from domicile.simulator.region import CONTROL, TABLE

if TYPE_CHECKING:
    from domicile.core.control import Image
    from domicile.simulator.region import Region
    from domicile.simulator.schedule import Schedule

_WHOLE = 0.4
"""How many plain writes onto an item replace the whole of it."""
_SENSITIVE = 0.7
"""How many updates bring sensitive values."""
_LARGE_BYTES = (700, 1500)
_EXPIRING = 0.6
"""How many writes of an expiring key have a TTL; the others have none."""
_GLOBAL = 0.2
"""How many updates take the authority away."""


class Applications:
    """Writes at random. Every write has an id, and its sensitive values name it."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self._chance = schedule.chance
        self._faults = schedule.faults
        self._keys: list[Image] = [{"pk": {"S": f"k{number}"}} for number in range(schedule.faults.keys)]
        skew_ms = schedule.faults.skew_ms_max
        self._skew_ms = {region: self._chance.randint(-skew_ms, skew_ms) for region in schedule.topology.regions}
        self._expiring = [key for key in self._keys if self._chance.random() < schedule.faults.expiring]
        self._ids = 0

    def act(self) -> None:
        """Do one thing somewhere: delete, put, update, or put a stamped item."""
        region, key = self._schedule.any_region(), self._chance.choice(self._keys)
        item = region.store.get(TABLE, key)
        control = Control.of(item, CONTROL)
        draw = self._chance.random
        if draw() < self._faults.deletes:
            if item is not None:
                marked = control is not None and control.deleting
                self._write(region, key, item, None, void="marked" if marked else None)
        elif draw() >= self._faults.plain_writers:
            self._stamped(region, key, item, control)
        elif item is None or draw() < _WHOLE:
            self._write(region, key, item, self._whole(key))
        else:
            self._update(region, key, item, control)

    def _update(self, region: Region, key: Image, item: Image, control: Control | None) -> None:
        """UpdateItem keeps what it does not name, so the control attribute too."""
        void = None
        if control is not None and control.is_stub:
            if self._chance.random() >= self._faults.stub_writes:
                return
            void = "stub_write"
        elif control is not None and control.deleting:
            void = "marked"
        self._ids += 1
        image = {**without(item, "expires_at"), **self._values(key), **self._authority()}
        if void == "stub_write":
            # A TTL that is taken from a stub, or given to it, is the application's to answer for.
            image = {**without(image, "expires_at"), **{name: item[name] for name in ("expires_at",) if name in item}}
        if self._chance.random() < _SENSITIVE:
            image |= self._sensitive()
        if self._chance.random() < _GLOBAL:
            image.pop("authority", None)
        self._write(region, key, item, image, void=void)

    def _stamped(self, region: Region, key: Image, item: Image | None, control: Control | None) -> None:
        """Write as the client does: a localized item at its home, above the version that was read."""
        authority: Image = self._authority()
        if control is not None and control.home is not None:
            region = self._schedule.by_name[control.home]
            item = region.store.get(TABLE, key)
            control = Control.of(item, CONTROL)
            if item is None or (control is not None and control.is_stub):
                return
            authority = {name: item[name] for name in ("authority",) if name in item}
        now_ms = self._schedule.now_ms + self._skew_ms[region.name]
        image = {**without(self._whole(key), "authority"), **authority}
        version = stamp(now_ms, control.version if control is not None else None, region.name, self._ids)
        stamped = {**image, CONTROL: Control(version=version, origin=region.name).to_value()}
        self._write(region, key, item, stamped, version=str(version))

    def _write(self, region: Region, key: Image, item: Image | None, image: Image | None, **more: Any) -> None:
        """Do the write, and tell the history of it."""
        if not region.store.replace(TABLE, key, image):
            return
        if image is None:
            self._ids += 1
        write = Write(
            id=self._ids,
            region=region.name,
            key=key["pk"]["S"],
            image=None if image is None else without({**image, **key}, CONTROL),
            over=write_id(item),
            sequence=region.stream.sequence,
            over_version=str(control.version) if (control := Control.of(item, CONTROL)) else None,
            **more,
        )
        self._schedule.history.writes.append(write)
        if self._schedule.tracing:
            self._schedule.trace(_describe(write, plain_put=image is not None and CONTROL not in image))

    def _whole(self, key: Image) -> Image:
        self._ids += 1
        return {**self._values(key), **self._sensitive(), **self._authority()}

    def _values(self, key: Image) -> Image:
        values: Image = {"value": {"N": str(self._ids)}}
        if self._chance.random() < self._faults.large:
            content = self._chance.randbytes(self._chance.choice(_LARGE_BYTES))
            if len(content) == _LARGE_BYTES[0] and content[0] % 2:
                # It compresses well, and so travels whole; the others travel as claim checks and partial stubs.
                content = content[:70] * 10
            values["body"] = {"S": base64.b64encode(content).decode()}
        if key in self._expiring and self._chance.random() < _EXPIRING:
            ahead_ms = self._chance.choice([0, 5_000, 60_000, 3 * 3_600_000])
            values["expires_at"] = {"N": str((self._schedule.now_ms + ahead_ms) // 1000)}
        return values

    def _sensitive(self) -> Image:
        return {
            "email": {"S": f"canary{self._ids}@shop.example"},
            "profile": {"M": {"phone": {"S": f"canary{self._ids}@+1555"}}},
        }

    def _authority(self) -> Image:
        if self._chance.random() >= self._faults.localized:
            return {}
        late = self._chance.random() < self._faults.late_authority
        topology = self._schedule.topology
        return {"authority": {"S": topology.late if late else self._chance.choice(topology.authorities)}}


def _describe(write: Write, *, plain_put: bool) -> str:
    kind = "delete" if write.image is None else "stamped put" if write.version else "put" if plain_put else "update"
    authority = (write.image or {}).get("authority", {}).get("S", "global")
    said = f"{write.region} application: {kind} {write.key} {authority} as {write.id}, record {write.sequence}"
    ttl = " with a TTL" if "expires_at" in (write.image or {}) else ""
    return f"{said}{ttl} {write.version or ''} {write.void or ''}"
