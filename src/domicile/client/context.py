"""What every operation of a client shares."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from domicile.client.clock import Clock
from domicile.client.errors import HomeRegionUnavailable, RegionsUnavailable, UnsafeOperation
from domicile.client.events import Event
from domicile.client.options import Options
from domicile.client.reach import Reach, Reply
from domicile.client.session import Seen, Session
from domicile.client.steps import Steps
from domicile.core.control import Control, Value
from domicile.core.errors import RecordInvalidError
from domicile.core.policy import NativePolicy, Policy, TablePolicy

_ELSEWHERE_MAX = 1024
_WITHOUT_HOME = '; without, read stubs (resolve="stub"), and put and delete without a condition or values to return'


@dataclass(frozen=True, kw_only=True)
class Context:
    """``regions`` are those that may serve a global item, the nearest first.

    ``elsewhere``: what this client lately wrote in other Regions than the nearest. An update there before the item has
    arrived would be taken for a new item's, and win with nothing but what it set.
    """

    regions: tuple[str, ...]
    policy: Callable[[], Policy]
    physical_name: Callable[[str], str]
    clock: Clock
    reach: Reach
    tell: Callable[[Event], None]
    options: Options
    elsewhere: Session = field(default_factory=lambda: Session(None, _ELSEWHERE_MAX))

    def table(self, name: str) -> TablePolicy | NativePolicy:
        """Return the policy of a table by its name in the deployment file."""
        policy, physical_name = self.policy(), self.physical_name(name)
        return policy.native.get(physical_name) or policy.table(physical_name)

    def regions_of(self, tables: Sequence[NativePolicy]) -> tuple[str, ...]:
        """Return which Regions serve all of these native tables, the nearest first.

        Where none of the client's own Regions has them, any that has them does.
        """
        shared = [region for region in tables[0].regions if all(region in table.regions for table in tables)]
        return tuple(region for region in self.regions if region in shared) or tuple(shared)

    def home_call(
        self, home: str, operation: str, parameters: Callable[[str], dict[str, Any]], table: str | None
    ) -> Steps[Reply]:
        """Send to the home Region alone, or raise :class:`HomeRegionUnavailable`, also if it is not covered."""
        try:
            return (yield from self.reach.call((home,), operation, parameters, table))
        except RegionsUnavailable as error:
            instead = "" if self.reach.covers(home) else _WITHOUT_HOME
            raise HomeRegionUnavailable(error.regions, f"{error}{instead}") from error

    def regions_to_hold(self, home: str) -> tuple[str, ...]:
        """Return the Regions where a whole write may wait for its home, none where the caller chose to fail.

        A home that is not covered never answers, and a bridge takes there what is written here.
        """
        if self.options.home_unavailable == "fail" and self.reach.covers(home):
            return ()
        return tuple(region for region in self.regions if region != home)

    def home_of(self, authority: Value | None, table: TablePolicy) -> str | None:
        """Return the home Region of an authority's value; unknown ones raise :class:`UnknownAuthorityError`."""
        return self.policy().home_of({table.authority_attribute: authority}, table) if authority else None

    def saw(self, table: TablePolicy, item: Mapping[str, Value] | None) -> Control | None:
        """Return an item's control attribute, and let the clock know of its version."""
        control = Control.of(item, table.control_attribute)
        if control is not None:
            self.clock.observe(control.version)
        return control

    def session(self, token: str | None) -> Session:
        """Return a new session, or the one of a token, whose versions the clock then knows."""
        session = Session(token, self.options.session_entries_max)
        for version in session.versions():
            self.clock.observe(version)
        return session

    def met(self, table: TablePolicy, item: Mapping[str, Value] | None) -> Control | None:
        """Return the control attribute of the item that a write met, or refuse to write on one that is malformed."""
        try:
            return self.saw(table, item)
        except RecordInvalidError:
            raise UnsafeOperation(
                f"the item's {table.control_attribute} cannot be read: put the whole item by boto3, which mends it"
            ) from None

    def last_seen(self, table: TablePolicy, key: Mapping[str, Value], session: Session | None) -> Seen | None:
        """Return the latest version of a key that is known to be in some Region, by the session or by this client."""
        found = [memory.last(table, key) for memory in (session, self.elsewhere) if memory is not None]
        return max((seen for seen in found if seen is not None), key=lambda seen: seen.version, default=None)

    def wrote(self, table: TablePolicy, key: Mapping[str, Value], seen: Seen, session: Session | None = None) -> None:
        """Remember a write."""
        if session is not None:
            session.remember(table, key, seen)
        if seen.region != self.regions[0] or self.elsewhere.last(table, key) is not None:
            self.elsewhere.remember(table, key, seen)
