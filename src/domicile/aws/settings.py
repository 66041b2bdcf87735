"""The settings that a function reads from its environment, written in one place for Terraform and for the function.

``modules`` calls :meth:`Settings.to_env` and a handler calls :meth:`Settings.from_env`, so that no environment
variable's name is spelled twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Self

_PREFIX = "DOMICILE_"


class MissingSettingError(Exception):
    """An environment variable that the function needs is not set."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a Region's functions must know of the stack that they belong to.

    ``name`` is the deployment's name, ``policy`` the AppConfig path ``application/environment/profile``, ``bus`` the
    name of this Region's event bus, ``quarantine_url`` the URL of its quarantine queue, and ``hash_secret`` the name
    of the Secrets Manager secret with the key of the ``hash`` strategy. ``proxy`` is the URL of a proxy on the way out
    of the Region, none if it is empty.
    """

    name: str
    region: str
    policy: str
    bus: str
    quarantine_url: str
    hash_secret: str
    proxy: str = ""

    def to_env(self) -> dict[str, str]:
        """Return the environment variables that carry these settings; Lambda itself sets ``AWS_REGION``."""
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "region"}
        return {_PREFIX + name.upper(): value for name, value in values.items() if value}

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Read the settings, or raise :class:`MissingSettingError` that names every variable that is not set."""
        names = {f.name: "AWS_REGION" if f.name == "region" else _PREFIX + f.name.upper() for f in fields(cls)}
        optional = {f.name for f in fields(cls) if f.default is not MISSING}
        missing = [variable for name, variable in names.items() if name not in optional and not env.get(variable)]
        if missing:
            raise MissingSettingError(f"environment variables not set: {', '.join(missing)}")
        return cls(**{name: env[variable] for name, variable in names.items() if env.get(variable)})


@dataclass(frozen=True, kw_only=True)
class GatewaySettings(Settings):
    """What the gateway must know besides: ``replicator`` is the name of that function, in every Region the same."""

    replicator: str


@dataclass(frozen=True, kw_only=True)
class CourierSettings(Settings):
    """What the courier must know besides: ``receiver`` is the gateway Region beyond, ``stream`` its staging stream.

    ``secret`` is this Region's secret with the access key. ``endpoint`` is the URL of the stream's Kinesis, AWS's own
    if it is empty.
    """

    receiver: str
    stream: str
    secret: str
    endpoint: str = ""
