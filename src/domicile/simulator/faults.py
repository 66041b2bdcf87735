"""What may go wrong in a schedule."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from domicile.errors import UserError

KEYS_MAX = 9
_CHOICES = {
    "directory": ("everywhere", "origin"),
    "writers": ("any", "stamped"),
    "strategy": ("redact", "remove", "hash"),
}
_OF_A_LINK = ("link_down", "link_throttle", "link_lost_answer", "key_refused", "poison")
_DRAWN_APART = ("plain_writers", "deletes", "localized", "re_pointed", "received_twice", *_OF_A_LINK)


@dataclass(frozen=True, kw_only=True)
class Faults:
    """The faults of a schedule, and how its applications write.

    A number without a unit in its name is a probability: of each write, of each call of a function, of each delivery,
    or of each step of the schedule, as its line says.
    """

    plain_writers: float = 0.5  # a write is by ordinary code, and knows no versions
    deletes: float = 0.2  # a write is a delete
    localized: float = 0.5  # a write has an authority
    late_authority: float = 0.1  # a localized write has an authority that the map does not know yet
    expiring: float = 0.1  # some of a key's writes have a TTL, which may pass before anybody has heard of the write
    stub_writes: float = 0.2  # an update that meets a stub is done all the same
    large: float = 0.1  # a write is too large to travel in company, and perhaps at all
    keys: int = 2

    skew_ms_max: int = 500  # how far an application's clock may be off, either way
    service_skew_ms_max: int = 100  # the same for a Region's own clock, which times the stream's records

    crash: float = 0.02  # a function dies, before or after a call
    pause: float = 0.1  # a function waits at a call while others go on
    timeout_ms: int = 5000  # how long it may wait; its messages come back a second later, so that nobody has them twice
    throttle: float = 0.02  # a call fails, and may succeed later
    lost_answer: float = 0.02  # a write is done, but its answer is lost, and it is sent again
    lost_response: float = 0.05  # a batch was handled, but its answer is lost, and it is delivered again
    refuse_entry: float = 0.05  # an entry of PutEvents is refused
    duplicate: float = 0.1  # an event is delivered twice
    received_twice: float = 0.0  # a message is received twice, in one batch or by two functions; neither then fails
    delay_ms_max: int = 1000  # how long an event takes from one bus to another

    cut_off: float = 0.01  # in a step, a Region is cut off from the others, or comes back
    table_outage: float = 0.005  # in a step, a Region's tables begin to refuse every call, or stop it
    policy_outage: float = 0.01  # in a step, AppConfig fails or comes back in a Region
    policy_garbage: float = 0.01  # in a step, AppConfig begins to give a Region a broken policy, or stops it
    hours_pass: float = 0.005  # in a step, up to eight hours pass, with few deliveries
    re_pointed: float = 0.0  # of a schedule: the map gives the authority EU another home meanwhile
    link_down: float = 0.01  # in a step, a bridge's link goes down or comes back in one direction
    link_throttle: float = 0.2  # a request over a link is throttled, in part or as a whole
    link_lost_answer: float = 0.1  # the stream beyond took the records, but the answer is lost
    link_delay_ms_max: int = 1000  # how long a record takes over a link
    key_refused: float = 0.005  # in a step, a courier's key begins to be refused, or is good again
    poison: float = 0.01  # in a step, a record that no courier sent is in a gateway's stream

    redrive: float = 0.02  # in a step, a Region's quarantine and dead letters are redriven
    receives_max: int = 4  # how often a message is received before it is a dead letter

    directory: Literal["everywhere", "origin"] = "everywhere"
    writers: Literal["any", "stamped"] = "any"  # "stamped" only without plain writers: see the streams' filters
    strategy: Literal["redact", "remove", "hash"] = "redact"

    @classmethod
    def drawn(cls, seed: int) -> Faults:
        """Return the faults of a seed: some are missing and others frequent, for each hides bugs behind it."""
        chance = random.Random(f"faults {seed}")  # noqa: S311  # a schedule, not a secret
        usual = cls()
        values: dict[str, Any] = {}
        for field in fields(cls):
            value = getattr(usual, field.name)
            if isinstance(value, float) and field.name not in _DRAWN_APART:
                values[field.name] = value * chance.choice([0, 0, 1, 1, 3])
        values["plain_writers"] = chance.choice([0.0, 0.3, 0.5, 0.8, 1.0])
        values["deletes"] = chance.choice([0.1, 0.2, 0.4])
        values["localized"] = chance.choice([0.2, 0.5, 0.8])
        values["keys"] = chance.choice([1, 1, 2, 3])
        values["skew_ms_max"] = chance.choice([0, 500, 3000, 60_000])
        values["service_skew_ms_max"] = chance.choice([0, 100, 1000])
        values["delay_ms_max"] = chance.choice([50, 1000, 10_000])
        values["directory"] = chance.choice(["everywhere"] * 7 + ["origin"])
        values["strategy"] = chance.choice(["redact", "remove", "hash"])
        if not values["plain_writers"]:
            values["writers"] = chance.choice(["any", "stamped"])
        values["received_twice"] = chance.choice([0.0, 0.1])
        values["re_pointed"] = chance.choice([0.0, 0.0, 1.0])
        for name in _OF_A_LINK:
            values[name] = getattr(usual, name) * chance.choice([0, 0, 1, 1, 3])
        values["link_delay_ms_max"] = chance.choice([50, 1000, 30_000])
        return cls(**values)

    @classmethod
    def load(cls, path: Path) -> Faults:
        """Read a JSON object of some of the fields; the others keep their defaults."""
        known = {field.name for field in fields(cls)}
        try:
            values = json.loads(path.read_text())
        except (OSError, ValueError) as error:
            raise UserError(f"{path}: cannot be read as JSON ({type(error).__name__})") from None
        if not isinstance(values, dict):
            raise UserError(f"{path}: must be an object; accepted keys: {_listed(known)}")
        for name, value in values.items():
            if name not in known:
                raise UserError(f"{path}: {name}: unknown key; accepted: {_listed(known)}")
            accepted = _refused(name, value)
            if accepted is not None:
                raise UserError(f"{path}: {name}: accepted: {accepted}")
        return cls(**values)


def _listed(names: Iterable[str]) -> str:
    order = [field.name for field in fields(Faults)]
    return ", ".join(sorted(names, key=order.index))


def _refused(name: str, value: Any) -> str | None:
    """Return what a field accepts if it does not accept the value."""
    if name in _CHOICES:
        return None if value in _CHOICES[name] else ", ".join(_CHOICES[name])
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(getattr(Faults, name), float):
        return None if number and 0 <= value <= 1 else "a probability, 0 to 1"
    if name == "keys":
        return None if isinstance(value, int) and number and 1 <= value <= KEYS_MAX else f"1 to {KEYS_MAX}"
    least = 0 if name in ("skew_ms_max", "service_skew_ms_max") else 1
    return None if isinstance(value, int) and number and value >= least else f"an integer above {least - 1}"
