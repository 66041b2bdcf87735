"""Which Regions answer: a circuit breaker for each, without I/O."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

from domicile.client.events import Event, Kind
from domicile.client.options import Options


@dataclass(slots=True)
class _Circuit:
    """Closed while ``open_until_s`` is None. Open, it lets one call through each time the pause is over.

    ``trying``: that call is on its way. Calls that began before the circuit opened may fail until then, and say nothing
    new.
    """

    failures: int = 0
    openings: int = 0
    open_until_s: float | None = None
    trying: bool = False


class Health:
    """Thread-safe; ``now_s`` is a monotonic clock."""

    def __init__(self, options: Options, now_s: Callable[[], float], tell: Callable[[Event], None]) -> None:
        self._options = options
        self._now_s = now_s
        self._tell = tell
        self._lock = Lock()
        self._circuits: dict[str, _Circuit] = {}

    def admits(self, region: str) -> bool:
        """Whether a call may try the Region now; of an open circuit, one call after each pause (half-open)."""
        circuit = self._circuits.get(region)
        if circuit is None or circuit.open_until_s is None:
            return True
        with self._lock:
            if circuit.open_until_s is None:
                return True
            if self._now_s() < circuit.open_until_s:
                return False
            # Whoever tries holds the others off: a Region that hangs must not hang them all.
            circuit.open_until_s = self._now_s() + self._pause_s(circuit)
            circuit.trying = True
            return True

    def succeeded(self, region: str) -> None:
        """Close the Region's circuit."""
        circuit = self._circuits.get(region)
        if circuit is None or (circuit.failures == 0 and circuit.open_until_s is None):
            return
        with self._lock:
            was_open = circuit.open_until_s is not None
            self._circuits[region] = _Circuit()
        if was_open:
            self._tell(Event(Kind.CIRCUIT_CLOSED, region))

    def failed(self, region: str) -> None:
        """Count a failure; too many in a row, or one of a call that was let through, open the circuit."""
        with self._lock:
            circuit = self._circuits.setdefault(region, _Circuit())
            circuit.failures += 1
            was_open = circuit.open_until_s is not None
            if (was_open and not circuit.trying) or (not was_open and circuit.failures < self._options.failures_max):
                return
            circuit.trying = False
            circuit.openings += 1
            circuit.open_until_s = self._now_s() + self._pause_s(circuit)
        if not was_open:
            self._tell(Event(Kind.CIRCUIT_OPENED, region))

    def _pause_s(self, circuit: _Circuit) -> float:
        doubled: float = self._options.retry_after_s * 2 ** max(circuit.openings - 1, 0)
        return min(doubled, self._options.retry_after_s_max)
