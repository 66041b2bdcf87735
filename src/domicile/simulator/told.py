"""Who may hear of a write, by the documented rules alone: its bridge, its authority, and where it was written."""

from __future__ import annotations

from collections.abc import Sequence

from domicile.simulator.history import History, Image, Write, authority


def homes_of(history: History, image: Image | None) -> Sequence[str] | None:
    """Return the Regions that are or were an image's home; None if it is global."""
    return history.homes.get(authority(image) or "")


def told(history: History, write: Write) -> set[str]:
    """Return the Regions that may have any image of a write: of a delete all, and its own always."""
    bridge, homes = history.bridge, homes_of(history, write.image)
    if write.void is not None:
        return {write.region}
    if bridge is None or write.image is None:
        return set(history.regions)
    if bridge.global_items if homes is None else authority(write.image) in bridge.stubs:
        return set(history.regions)
    tellers = {bridge.sides[region] for region in homes or [write.region]}
    return {region for region in history.regions if bridge.sides[region] in tellers} | {write.region}


def on_its_way(history: History, write: Write) -> set[str]:
    """Return the gateway Regions through which a write's full image goes home."""
    homes, bridge = homes_of(history, write.image), history.bridge
    if bridge is None or all(bridge.sides[home] == bridge.sides[write.region] for home in homes or ()):
        return set()
    return set(bridge.gateways.values())
