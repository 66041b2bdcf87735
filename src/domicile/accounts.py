"""Clients for the Regions of every partition, each with credentials of its own, and what is said when a call fails."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import boto3
import botocore.session
from botocore.exceptions import BotoCoreError, ClientError, ProfileNotFound

from domicile.aws.failures import code_of
from domicile.core.partitions import CHINA, WORLD, partition_of
from domicile.errors import OperationError, UserError

PARTITIONS = (WORLD, CHINA)


def parse_profiles(given: Iterable[str]) -> dict[str, str]:
    """Return profiles by partition, given as ``PARTITION=NAME``. Raises :class:`UserError` for anything else."""
    profiles: dict[str, str] = {}
    for text in given:
        partition, _, name = text.partition("=")
        if partition not in PARTITIONS or not name:
            raise UserError(f"--profile {text}: accepted: PARTITION=NAME, where PARTITION is {' or '.join(PARTITIONS)}")
        if partition in profiles:
            raise UserError(f"--profile {text}: {partition} has a profile already; accepted: one for each partition")
        profiles[partition] = name
    return profiles


class Clients(Protocol):
    """What makes clients of every partition."""

    def client(self, service: str, region: str, **options: Any) -> Any:
        """Return a client of a Region, with the credentials of its partition; ``options`` are boto3's."""


class Accounts:
    """One boto3 session for each partition; ``profiles`` names the AWS profile of those that have one.

    A partition without a profile uses boto3's default chain: environment, default profile, role. Clients are made in
    one thread, since a session is not to be shared by several.
    """

    def __init__(self, profiles: Mapping[str, str]) -> None:
        """Raise :class:`UserError` if boto3 doesn't know a profile."""
        self._sessions = {partition: _session(partition, profiles.get(partition)) for partition in PARTITIONS}

    def client(self, service: str, region: str, **options: Any) -> Any:
        """Return a client of a Region, with the credentials of its partition; ``options`` are boto3's."""
        make: Any = self._sessions[partition_of(region)].client
        return make(service, region_name=region, **options)


@contextmanager
def reported(region: str, what: str) -> Iterator[None]:
    """Raise :class:`OperationError` for a service's error: the Region, ``what`` and the error's code alone."""
    try:
        yield
    except ClientError as error:
        raise OperationError(f"{region}: {what}: {code_of(error)}") from None
    except BotoCoreError as error:
        raise OperationError(f"{region}: {what}: {type(error).__name__}") from None


def _session(partition: str, profile: str | None) -> boto3.Session:
    try:
        return boto3.Session(profile_name=profile)
    except ProfileNotFound:
        given = f"--profile {partition}={profile}" if profile else "AWS_PROFILE"
        known = ", ".join(botocore.session.Session().available_profiles) or "none"
        raise UserError(f"{given}: there is no such AWS profile; accepted: {known}") from None
