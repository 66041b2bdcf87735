"""The settings that a function reads from its environment, written in one place for Terraform and for the function.

``modules`` calls :meth:`Settings.to_env` and a handler calls :meth:`Settings.from_env`, so that no environment
variable's name is spelled twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

_PREFIX = "DOMICILE_"


class MissingSettingError(Exception):
    """An environment variable that the function needs is not set."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a Region's functions must know of the stack that they belong to.

    ``name`` is the deployment's name, ``policy`` the AppConfig path ``application/environment/profile``, ``bus`` the
    name of this Region's event bus, ``quarantine_url`` the URL of its quarantine queue, and ``hash_secret`` the name
    of the Secrets Manager secret with the key of the ``hash`` strategy.
    """

    name: str
    region: str
    policy: str
    bus: str
    quarantine_url: str
    hash_secret: str

    def to_env(self) -> dict[str, str]:
        """Return the environment variables that carry these settings; Lambda itself sets ``AWS_REGION``."""
        return {_PREFIX + f.name.upper(): getattr(self, f.name) for f in fields(self) if f.name != "region"}

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Settings:
        """Read the settings, or raise :class:`MissingSettingError` that names every variable that is not set."""
        names = {f.name: "AWS_REGION" if f.name == "region" else _PREFIX + f.name.upper() for f in fields(cls)}
        missing = [variable for variable in names.values() if not env.get(variable)]
        if missing:
            raise MissingSettingError(f"environment variables not set: {', '.join(missing)}")
        return cls(**{field: env[variable] for field, variable in names.items()})
