"""What a step tells its handler: what failed, and the counts and durations that become metrics. Never a value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

from domicile.core.version import COPIES_END_MS


class Count(Enum):
    """What is counted, by the metric's name."""

    CHANGES = "Changes"
    SKIPPED = "Skipped"
    APPLIED = "Applied"
    DUPLICATE = "Duplicate"
    STALE = "Stale"
    MOVED = "Moved"
    ANONYMIZED = "Anonymized"
    STUB_WRITES = "StubWrites"
    QUARANTINED = "Quarantined"
    HASH_KEY_MISSING = "HashKeyMissing"
    RETRIED = "Retried"
    SENT = "Sent"
    SENT_BYTES = "SentBytes"
    RECEIVED = "Received"
    RECEIVED_BYTES = "ReceivedBytes"
    LINK_REFUSED = "LinkRefused"


class Duration(Enum):
    """What is measured, in milliseconds, by the metric's name."""

    REPLICATION_LATENCY = "ReplicationLatency"
    EXPOSURE_WINDOW = "ExposureWindow"
    BRIDGE_LAG = "BridgeLag"


@dataclass(frozen=True)
class Sample:
    """One duration of a change that was written in the Region ``origin``."""

    duration: Duration
    origin: str
    ms: int


@dataclass
class Report:
    """The outcome of one unit of work, or of many added together.

    ``failed`` names what must be delivered again; ``reasons`` counts quarantined records and retries by their cause.
    """

    failed: list[str] = field(default_factory=list)
    counts: Counter[Count] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    samples: list[Sample] = field(default_factory=list)

    def add(self, others: Iterable[Report]) -> Report:
        """Add other reports to this one and return it."""
        for other in others:
            self.failed += other.failed
            self.counts += other.counts
            self.reasons += other.reasons
            self.samples += other.samples
        return self

    def retry(self, name: str, cause: str) -> None:
        """Note that ``name`` must be delivered again."""
        self.failed.append(name)
        self.counts[Count.RETRIED] += 1
        self.reasons[cause] += 1

    def quarantined(self, reason: str) -> None:
        """Note that a record was quarantined."""
        self.counts[Count.QUARANTINED] += 1
        self.reasons[reason] += 1

    def sample(self, duration: Duration, origin: str, since_ms: int, now_ms: int) -> None:
        """Measure from a version's time to now; a version forced up may lie ahead of the clock.

        A copied item's version says nothing of when it was written.
        """
        if since_ms >= COPIES_END_MS:
            self.samples.append(Sample(duration, origin, max(0, now_ms - since_ms)))
