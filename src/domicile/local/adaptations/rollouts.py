"""A minute of an AppConfig rollout lasts a second.

AWS and MiniStack 1.5.33: a gradual deployment of 20 minutes takes 20 minutes, and no other can start meanwhile. On a
local AWS nobody waits so long to see the map change.
"""

from __future__ import annotations

from ministack.services import appconfig

from domicile.local.adaptations import expect_value

_SECONDS_OF_A_MINUTE = 1.0


def install() -> None:
    """Shorten the minute that MiniStack counts rollouts in."""
    expect_value(appconfig, "_DEPLOYMENT_MINUTE_SECONDS")
    appconfig._DEPLOYMENT_MINUTE_SECONDS = _SECONDS_OF_A_MINUTE
