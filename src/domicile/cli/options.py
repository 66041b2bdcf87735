"""What several commands take, and how they say it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from domicile.errors import UserError

if TYPE_CHECKING:
    from domicile.accounts import Accounts
    from domicile.deployment import Deployment

DeploymentFile = Annotated[Path, typer.Option("--file", envvar="DOMICILE_FILE", help="The deployment file.")]
DEFAULT_FILE = Path("domicile.yaml")

Profiles = Annotated[
    list[str] | None,
    typer.Option(
        "--profile",
        metavar="PARTITION=NAME",
        envvar="DOMICILE_PROFILES",
        help="The AWS profile for the Regions of a partition (aws, aws-cn); without it boto3's default. Repeatable.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of lines.")]
OneRegion = Annotated[str | None, typer.Option("--region", help="Only this Region; each one without it.")]
Yes = Annotated[bool, typer.Option("--yes", help="Carry the plan out; without it nothing changes.")]
NOTHING_DONE = "nothing was changed; --yes carries the plan out"

_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86_400


def regions_of(file: Path, region: str | None) -> tuple[Deployment, list[str]]:
    """Return the deployment, and the Regions that a command is about. Raises :class:`UserError` for another one."""
    from domicile.deployment import Deployment  # noqa: PLC0415  # each start pays only for what it uses

    deployment = Deployment.load(file)
    if region is None:
        return deployment, list(deployment.regions)
    if region not in deployment.regions:
        raise UserError(f"--region {region}: is not in {file}; accepted: {', '.join(deployment.regions)}")
    return deployment, [region]


def accounts_of(profiles: list[str] | None) -> Accounts:
    """Return what makes clients with these profiles. Raises :class:`UserError` for one that can't be used."""
    from domicile.accounts import Accounts, parse_profiles  # noqa: PLC0415  # as above

    return Accounts(parse_profiles(profiles or ()))


def age(seconds: int) -> str:
    """Return an age in the largest unit that it fills."""
    for unit_s, unit in ((_DAY_S, "d"), (_HOUR_S, "h"), (_MINUTE_S, "min")):
        if seconds >= unit_s:
            return f"{seconds // unit_s} {unit}"
    return f"{max(0, seconds)} s"
