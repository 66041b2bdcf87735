"""How a client behaves where there is a choice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Placement = Literal["home", "local"]
"""Where a new localized item is written: at home, or here, from where the replication moves it."""
Resolve = Literal["stub", "home"]
"""What a read returns of a moved item: its stub, or the full item from its home."""
HomeUnavailable = Literal["fail", "hold-local"]
"""What becomes of the write of a localized item whose home does not answer."""

_CHOICES = {"placement": ("home", "local"), "home_unavailable": ("fail", "hold-local")}


@dataclass(frozen=True, kw_only=True)
class Options:
    """The defaults suit most applications.

    ``placement``: ``home`` keeps sensitive values out of every other Region from the first moment, at the price of a
    cross-Region call, unless the client cannot call the home; ``local`` writes here. ``home_unavailable``: ``fail``
    raises :class:`HomeRegionUnavailable`; ``hold-local`` writes whole items, and deletes, here, from where they move
    when the home is back.

    A Region is left alone after ``failures_max`` failures in a row, for ``retry_after_s`` at first, twice as long each
    time, up to ``retry_after_s_max``; then one call tries it again. ``redirects_max`` bounds how many stubs are
    followed, ``attempts_max`` how often a write that lost a race is stamped anew, or sent again to a native table, and
    a read or a write that must wait is tried again after ``pause_s``, twice as long each time. ``session_entries_max``
    bounds a session's token.
    """

    placement: Placement = "home"
    home_unavailable: HomeUnavailable = "fail"
    connect_timeout_s: float = 1.0
    read_timeout_s: float = 3.0
    failures_max: int = 3
    retry_after_s: float = 1.0
    retry_after_s_max: float = 30.0
    redirects_max: int = 3
    attempts_max: int = 8
    pause_s: float = 0.05
    session_entries_max: int = 64

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(f"{name}: must be one of {', '.join(choices)}")
        for name, value in vars(self).items():
            if name not in _CHOICES and not value > 0:
                raise ValueError(f"{name}: must be above 0")
