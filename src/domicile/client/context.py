"""What every operation of a client shares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from domicile.client.clock import Clock
from domicile.client.errors import HomeRegionUnavailable, RegionsUnavailable
from domicile.client.events import Event
from domicile.client.options import Options
from domicile.client.reach import Reach, Reply
from domicile.client.steps import Steps
from domicile.core.control import Control, Value
from domicile.core.policy import Policy, TablePolicy


@dataclass(frozen=True, kw_only=True)
class Context:
    """``regions`` are those that may serve a global item, the nearest first."""

    regions: tuple[str, ...]
    policy: Callable[[], Policy]
    physical_name: Callable[[str], str]
    clock: Clock
    reach: Reach
    tell: Callable[[Event], None]
    options: Options

    def table(self, name: str) -> TablePolicy:
        """Return the policy of a table by its name in the deployment file."""
        return self.policy().table(self.physical_name(name))

    def home_call(
        self, home: str, operation: str, parameters: Callable[[str], dict[str, Any]], table: str | None
    ) -> Steps[Reply]:
        """Send to the home Region alone, or raise :class:`HomeRegionUnavailable`."""
        try:
            return (yield from self.reach.call((home,), operation, parameters, table))
        except RegionsUnavailable as error:
            raise HomeRegionUnavailable(error.regions) from error

    def regions_to_hold(self, home: str) -> tuple[str, ...]:
        """Return the Regions where a write may wait for its home, none where the caller chose to fail."""
        if self.options.home_unavailable == "fail":
            return ()
        return tuple(region for region in self.regions if region != home)

    def home_of(self, authority: Value | None, table: TablePolicy) -> str | None:
        """Return the home Region of an authority's value; unknown ones raise :class:`UnknownAuthorityError`."""
        return self.policy().home_of({table.authority_attribute: authority} if authority else {}, table)

    def saw(self, table: TablePolicy, item: Mapping[str, Value] | None) -> Control | None:
        """Return an item's control attribute, and let the clock know of its version."""
        control = Control.of(item, table.control_attribute)
        if control is not None:
            self.clock.observe(control.version)
        return control
