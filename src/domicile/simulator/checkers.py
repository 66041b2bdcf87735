"""What must hold of every schedule, judged from its history alone.

| checker | what it demands |
|---|---|
| convergence | every Region ends with the image of each key's winner, among what it is told of, that it may hold |
| residency | a sensitive value is seen only where it was written and at its home; that of a global item everywhere |
| bridge_rules | of a write that a bridge does not let pass nothing is seen beyond, and nothing that it replaced stays |
| no_erasure_before_arrival | a full image becomes a stub only when the home has had that version or a later one |
| no_lost_write | each write has a version, or was overwritten before; what replaced it is above it; a stub's is kept |
| no_resurrection | no Region ends with a write below the key's last delete, one that was replaced, or that expired |
| idempotence | handling every record and message again changes nothing but nonces |
| bounded_traffic | a record causes one event, a message one answer and one stub; each has an application's version |
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from domicile.simulator.history import (
    CANARY,
    TRANSIT,
    History,
    Image,
    Write,
    control,
    is_stub,
    version,
    write_id,
)
from domicile.simulator.told import homes_of, on_its_way, told

UNEXPECTED = (
    *("record_invalid", "unexpected_", "permanent", "version_in_future", "item_too_large", "request_invalid"),
    "not_allowed_to_cross",
)


def check(history: History) -> list[str]:
    """Return what is wrong with a schedule; nothing, if all is well."""
    return [f"{checker.__name__}: {problem}" for checker in CHECKERS for problem in checker(history)]


def convergence(history: History) -> Iterator[str]:
    """Judge each key's final images by its winner."""
    for key, images in history.final.items():
        for region, found in images.items():
            untold = _untold(history, key, region)
            problems: list[str | None] = []
            for known, write in _told_writes(history, key, region):
                problems.append(_unlike_end(history, known, write, region, images, gone_on=known < untold))
                homes = homes_of(history, write.image) or [write.region]
                if known > untold or write.region in (region, *homes):
                    break  # what moved home may have met a greater version there, of which this Region is not told
            if found is not None and not problems:
                problems.append("is there")
            if problems and None not in problems:
                yield f"{key} in {region} {problems[0]}"


def _unlike_end(
    history: History, wanted: str, write: Write, region: str, images: Mapping[str, Image | None], *, gone_on: bool
) -> str | None:
    """Return in what a Region's end differs from what is due if a write is the last that it heard of.

    ``gone_on``: there is a greater version of which it is not told, or no more than that it has nothing to keep.
    """
    found, image = images[region], write.image
    if image is not None and not _keeps(history, image, region):
        return None
    if gone_on and not history.stubs_everywhere:
        return None
    if image is None or _expires_at_s(image) <= history.ended_at_s or (gone_on and found is None):
        return "is there" if found is not None else None
    return _unlike(history, wanted, image, region, images, gone_on=gone_on)


def _expires_at_s(image: Image) -> int:
    return int(image.get("expires_at", {"N": "99999999999"})["N"])


def _keeps(history: History, image: Image, region: str) -> bool:
    """Whether a Region has a copy of an image that it is told of; without stubs, a former home has none."""
    homes = homes_of(history, image)
    return history.stubs_everywhere or homes is None or list(homes) == [region]


def _untold(history: History, key: str, region: str) -> str:
    """Return the greatest version of a key of which a Region is not told; it may have come there as a delete."""
    versions = _versions(history)
    untold = (
        _version_of(write, versions) or ""
        for write in history.writes
        if write.key == key and write.void is None and region not in told(history, write)
    )
    return max(untold, default="")


def _unlike(
    history: History, wanted: str, image: Image, region: str, images: Mapping[str, Image | None], *, gone_on: bool
) -> str | None:
    """Return in what an item differs from what its Region should hold of the winner."""
    found, homes = images[region], homes_of(history, image)
    if found is None:
        return "is missing"
    if version(found) != wanted:
        return f"has version {version(found)}, not {wanted}"
    if (control(found) or {}).get("x"):
        return "is marked"
    content = {name: value for name, value in found.items() if name != "_dom"}
    if homes is None or (region in homes and not is_stub(found)):
        return None if content == image and not is_stub(found) else "is not the full image"
    if not gone_on and not _leads_home(homes, images, found, wanted):
        return "does not lead to the full image"
    members = control(found) or {}
    if _canaries(found):
        return "holds sensitive values"
    if any(
        write.void == "stub_write" and write.region == region and write.over_version == wanted
        for write in history.writes
    ):
        return None
    expected = _stub(history, image)
    if "p" in members:
        expected = {name: value for name, value in expected.items() if name in content or name != "body"}
    return None if content == expected else "is not the anonymized image"


def _leads_home(homes: Sequence[str], images: Mapping[str, Image | None], stub: Image, wanted: str) -> bool:
    """Whether a stub names its home, or a former one whose own stub does."""
    at: Image | None = stub
    for _ in homes:
        home = (control(at) or {}).get("l", {}).get("S")
        at = images[home] if home in homes else None
        if not is_stub(at):
            break
    return at is not None and not is_stub(at) and version(at) == wanted


def _stub(history: History, image: Image) -> dict[str, Any]:
    """Return what a Region other than the home may hold of an image."""
    stub = dict(image)
    if "email" in stub:
        if history.strategy == "remove":
            del stub["email"]
        elif history.strategy == "hash":
            text = json.dumps(stub["email"], separators=(",", ":"), ensure_ascii=False)
            stub["email"] = {"S": hmac.new(history.hash_key, text.encode(), hashlib.sha256).hexdigest()}
        else:
            stub["email"] = {"S": "[redacted]"}
    if "profile" in stub:
        stub["profile"] = {"M": {"phone": {"S": "[redacted]"}}}
    return stub


def residency(history: History) -> Iterator[str]:
    """Judge each place where a canary was seen."""
    allowed: dict[int, set[str]] = defaultdict(set)
    passing: dict[int, set[str]] = defaultdict(set)
    for write in history.writes:
        for canary in _canaries(write.image):
            homes = homes_of(history, write.image)
            allowed[canary] |= {write.region, *homes} if homes is not None else told(history, write)
            passing[canary] |= on_its_way(history, write)
    for (region, canary), place in history.seen.items():
        if region not in allowed[canary] and not (region in passing[canary] and place in TRANSIT):
            yield f"canary {canary} in {region}: {place}"


def bridge_rules(history: History) -> Iterator[str]:
    """Judge where writes were seen, and what stayed where a write is not told of that replaced it.

    Who has neither stub nor global item of a write has nothing of it. What a write replaced may not outlive it where
    nobody hears of the write.
    """
    by_id = {write.id: write for write in history.writes}
    for (region, number), place in history.shown.items():
        write = by_id[number]
        passes = place in TRANSIT and region in on_its_way(history, write)
        if region not in told(history, write) and not passes:
            yield f"write {number} in {region}: {place}"
    if history.bridge is None or not history.stubs_everywhere:
        return
    versions = _versions(history)
    for below, above in _replaced(history, versions):
        for region in told(history, below) - told(history, above):
            for items in (history.final, history.replayed):
                image = items.get(below.key, {}).get(region)
                if image is not None and (version(image) or "") < (_version_of(above, versions) or ""):
                    yield f"{below.key} in {region} was replaced by write {above.id}, which is not told there"


def no_erasure_before_arrival(history: History) -> Iterator[str]:
    """Judge each change of a table that turns a full image into a stub.

    What an application wrote at the home counts as arrived; a stub of that version does not. A stub that replaces a
    stub erases nothing.
    """
    greatest: dict[tuple[str, str], str] = {}
    stubs: dict[tuple[str, str], str] = {}
    for change in history.changes:
        new = version(change.after) or ""
        if is_stub(change.after) and change.before is not None and not is_stub(change.before):
            home = (control(change.after) or {})["l"]["S"]
            there = (home, change.key)
            if greatest.get(there, "") < new and stubs.get(there, "") <= new and not new.endswith(home):
                yield f"{change.key} in {change.region}: {new} has not reached {home}"
        at = (change.region, change.key)
        for image in (change.before, change.after):
            seen = stubs if is_stub(image) else greatest
            seen[at] = max(seen.get(at, ""), version(image) or "")


def no_lost_write(history: History) -> Iterator[str]:
    """Judge whether every write had its chance, and nothing was stuck or kept for an unknown reason."""
    yield from history.stuck
    kept_poison = {(record.region, record.staged) for record in history.quarantined}
    for region, staged in history.poisoned - kept_poison:
        yield f"{region} did not quarantine record {staged}, which is none"
    for record in history.quarantined:
        poisoned = record.reason == "record_invalid" and (record.region, record.staged) in history.poisoned
        if record.reason.startswith(UNEXPECTED) and not poisoned:
            yield f"{record.region} quarantined a record: {record.reason}"
    versions = _versions(history)
    kept = {(record.region, canary) for record in history.quarantined for canary in record.canaries}
    last: dict[tuple[str, str], int] = {}
    for write in history.writes:
        if write.void is None and _version_of(write, versions) is not None:
            last[write.region, write.key] = write.sequence
    for write in history.writes:
        mine = _version_of(write, versions)
        if write.void == "stub_write":
            if write.id in _canaries(write.image) and (write.region, write.id) not in kept:
                yield f"write {write.id} on a stub was not kept"
        elif write.void is None and mine is None and last.get((write.region, write.key), 0) < write.sequence:
            yield f"write {write.id} never got a version"
    for below, above in _replaced(history, versions):
        if (_version_of(below, versions) or "") >= (_version_of(above, versions) or "~"):
            yield f"write {above.id} replaced write {below.id} and is below it"


def no_resurrection(history: History) -> Iterator[str]:
    """Judge what is there at the end by the key's deletes, by what replaced what, and by what expired there."""
    versions = _versions(history)
    expired: dict[tuple[str, str], str] = {}
    for change in history.changes[: history.ended_at_change]:
        if change.expired:
            at = (change.region, change.key)
            expired[at] = max(expired.get(at, ""), version(change.before) or "")
    replaced = {below.id for below, _ in _replaced(history, versions)}
    for key, images in history.final.items():
        deletes = [
            _version_of(write, versions) or "" for write in history.writes if write.key == key and not write.image
        ]
        for region, image in images.items():
            if image is not None and (version(image) or "") < max(deletes, default=""):
                yield f"{key} in {region} is below its delete"
            if image is not None and (version(image) or "") <= expired.get((region, key), ""):
                yield f"{key} in {region} is not above what expired there"
            if history.stubs_everywhere and write_id(image) in replaced and not is_stub(image):
                yield f"{key} in {region} was replaced where it was written"


def idempotence(history: History) -> Iterator[str]:
    """Judge what changed when everything was handled again; nonces may, and what a Region is not told of the end of."""
    for key, images in history.replayed.items():
        for region, image in images.items():
            _, winner = next(_told_writes(history, key, region), (None, None))
            keeps = winner is None or winner.image is None or _keeps(history, winner.image, region)
            final = history.final[key][region]
            if (
                keeps
                and _visible(image) != _visible(final)
                and not (image is None and _overtaken(history, final, region))
            ):
                yield f"{key} in {region} changed when everything was handled again"


def _overtaken(history: History, image: Image | None, region: str) -> bool:
    """Whether a Region has what was overtaken at its origin or home, of which the Region is not told.

    It may keep that, having heard of it before; what brought it, handled again, finds the later version, and ends it.
    """
    versions, number = _versions(history), write_id(image)
    return any(
        write.void is None
        and region not in told(history, write)
        and (_version_of(write, versions) or "") > (version(image) or "")
        and told(history, write) & {shown.region, *(homes_of(history, shown.image) or ())}
        for shown in history.writes
        if shown.id == number
        for write in history.writes
        if write.key == shown.key
    )


def bounded_traffic(history: History) -> Iterator[str]:
    """Judge each version's events by how often what causes them was handled.

    A record causes at most one event with its version, and another one for those that a bridge does not tell of it; a
    message, for each of its changes, at most one answer and one stub. What causes an event is a change that an
    application made: nothing else has a version. A message of an outbox causes at most one crossing for each change.
    """
    per_record = 1 if history.bridge is None else 2
    sequences = {(write.region, write.version): write.sequence for write in history.writes if write.version is not None}
    records = {(write.region, write.sequence) for write in history.writes if write.version is None}
    for (region, kind, seen), count in history.sent.items():
        origin, sequence = _plain(seen) or (_origin(seen), sequences.get((_origin(seen), seen)))
        if sequence is None or ((origin, sequence) not in records and (origin, seen) not in sequences):
            yield f"an event carries {seen}, which no application made"
        elif count > (
            (per_record * history.handled[region, sequence] if (region, kind) == (origin, "changes") else 0)
            + history.handled[region, seen]
            + history.claims[region]
        ):
            yield f"{count} events of {kind} by {region} carry {seen}"
    for (region, seen), count in history.crossed.items():
        if count > history.offered[region, seen] + history.claims[region]:
            yield f"{count} records from {region} beyond carry {seen}"


CHECKERS: tuple[Callable[[History], Iterator[str]], ...] = (
    convergence,
    residency,
    bridge_rules,
    no_erasure_before_arrival,
    no_lost_write,
    no_resurrection,
    idempotence,
    bounded_traffic,
)


def _told_writes(history: History, key: str, region: str) -> Iterator[tuple[str, Write]]:
    """Yield the writes of a key that a Region is told of, with their versions: the greatest first."""
    versions = _versions(history)
    found = [
        (known, write.id, write)
        for write in history.writes
        if write.key == key and write.void is None and (known := _version_of(write, versions)) is not None
        if region in told(history, write)
    ]
    yield from ((known, write) for known, _, write in sorted(found, reverse=True))


def _versions(history: History) -> dict[tuple[str, int], str]:
    """Return the greatest version that was seen of each plain write, by Region and sequence number."""
    found: dict[tuple[str, int], str] = {}
    for seen in history.versions:
        plain = _plain(seen)
        if plain is not None:
            found[plain] = max(found.get(plain, ""), seen)
    return found


def _replaced(history: History, versions: dict[tuple[str, int], str]) -> Iterator[tuple[Write, Write]]:
    """Yield pairs of writes whose second replaced the first where it was written, and must be above it.

    What is above it: a plain write above all that its own Region's stream had, and any write above the version that it
    found. A plain write may be found before its version is there, by a stamped write or in what a claim check brought.
    One that was quarantined may get its version only after those that came after it.
    """
    quarantined = {(record.region, record.sequence) for record in history.quarantined}
    by_id = {write.id: write for write in history.writes if write.void is None}
    for write in by_id.values():
        below = by_id.get(write.over) if write.over is not None else None
        if below is None or (below.region, below.sequence) in quarantined:
            continue
        same_stream = write.version is None and write.region == below.region
        if same_stream or write.over_version == _version_of(below, versions):
            yield below, write


def _version_of(write: Write, versions: dict[tuple[str, int], str]) -> str | None:
    return write.version or versions.get((write.region, write.sequence))


def _plain(text: str) -> tuple[str, int] | None:
    """Return the Region and the sequence number of a plain version, None for a stamped one."""
    _, tie, region = text.split("-", 2)
    return (region, int(tie[1:])) if tie[0] == "1" else None


def _origin(text: str) -> str:
    """Return the Region of a version."""
    return text.split("-", 2)[2]


def _canaries(image: Image | None) -> set[int]:
    return {int(canary) for canary in CANARY.findall(json.dumps(image))} if image is not None else set()


def _visible(image: Image | None) -> Any:
    if image is None or "_dom" not in image:
        return image
    return {**image, "_dom": {name: value for name, value in image["_dom"]["M"].items() if name != "n"}}
