"""What the steps need of the world: in Lambda ``domicile.aws`` provides it, in tests and the simulator memory does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from domicile.core.control import Image
from domicile.core.events import LIMITS, Entry, Limits
from domicile.core.parcels import Record
from domicile.core.policy import Policy
from domicile.core.writes import Write, Written


class Store(Protocol):
    """The tables of one Region. Reads are strongly consistent.

    Raises :class:`TransientError` where a retry may help and :class:`ItemTooLargeError` above 400 KB.
    """

    def get(self, table: str, key: Image) -> Image | None:
        """Return the item, or None."""

    def write(self, write: Write) -> Written:
        """Do a conditional write; a condition that does not hold is an answer, not an error."""


class Peers(Protocol):
    """The tables of the other Regions, for reading what a claim check names."""

    def get(self, region: str, table: str, key: Image) -> Image | None:
        """Return the item as the Region holds it now, by a strongly consistent read."""


class Publisher(Protocol):
    """This Region's event bus."""

    def publish(self, entries: Sequence[Entry]) -> list[Entry]:
        """Put the entries and return those that the bus did not take after its own retries."""


class Link(Protocol):
    """The staging stream of the other partition's gateway Region."""

    def send(self, records: Sequence[Record]) -> Mapping[int, str]:
        """Send the records; return by position why some were not taken after its own retries: an error's code."""


class Doorstep(Protocol):
    """The replicators of this partition's Regions, for what no event can carry."""

    def deliver(self, region: str, message: str) -> None:
        """Let a Region's replicator handle a message now; :class:`TransientError` where it could not."""


class Quarantine(Protocol):
    """Where a record that cannot be handled is kept, whole, in the Region that it came from."""

    def put(self, reason: str, source: str, record: Any) -> None:
        """Keep ``record`` (JSON); returns only when it is safe."""


class PolicySource(Protocol):
    """The current policy."""

    def get(self) -> Policy:
        """Return the policy, the last good one where the newest cannot be read.

        Raises :class:`PolicyUnavailableError` or :class:`PolicyInvalidError` where there was none before.
        """


class HashKey(Protocol):
    """The secret key of the ``hash`` strategy."""

    def get(self) -> bytes | None:
        """Return the key, None where the secret does not exist."""


class Place(Protocol):
    """What applying a version needs: the tables of one Region, a clock and nonces; a :class:`World` has them."""

    @property
    def region(self) -> str:
        """The Region."""

    @property
    def store(self) -> Store:
        """Its tables."""

    @property
    def now_ms(self) -> Callable[[], int]:
        """The wall clock."""

    @property
    def nonce(self) -> Callable[[], str]:
        """Gives a short text that never repeats."""


@dataclass(frozen=True, kw_only=True)
class World:
    """All that a step may touch.

    ``now_ms`` is the wall clock, ``nonce`` gives a short text that never repeats, and ``each`` applies a function to
    many items (``map``, or a thread pool's). ``limits`` are those of events.
    """

    region: str
    store: Store
    peers: Peers
    publisher: Publisher
    quarantine: Quarantine
    policy: PolicySource
    hash_key: HashKey
    now_ms: Callable[[], int]
    nonce: Callable[[], str]
    each: Callable[..., Iterable[Any]] = map
    limits: Limits = LIMITS
