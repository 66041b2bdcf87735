"""The fixed accounts and the fake credentials of the local AWS.

MiniStack takes an access key of twelve digits as the account's id and checks no signature. The credentials are no
secret and open nothing: they are fixed so that no real ones are ever needed, or sent, to work with the local AWS. Each
partition has an account of its own, as on AWS.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
import botocore.session
from botocore.config import Config

from domicile.core.partitions import CHINA, WORLD, partition_of

ACCOUNTS = {WORLD: "111122223333", CHINA: "444455556666"}
ACCESS_KEY = ACCOUNTS[WORLD]
SECRET_KEY = "local"  # noqa: S105 - not a secret, see above


def client_environment(endpoint: str, partition: str = WORLD) -> dict[str, str]:
    """Return the ``AWS_*`` variables that bind an SDK, or Terraform, to one partition of the local AWS alone.

    The user's own configuration files are shut out: a profile may name an endpoint, a role or a credential process.
    """
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": ACCOUNTS[partition],
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def client(service: str, region: str, endpoint: str, **options: Any) -> Any:
    """Return a boto3 client of the local AWS that takes nothing from the user's own configuration or proxies.

    ``endpoint`` is that of the Region's partition, whose account the client acts in unless ``options`` have a key.
    """
    core = botocore.session.Session(
        {"profile": (None, None, None, None), "config_file": (None, None, os.devnull, None)}
    )
    make: Any = boto3.Session(botocore_session=core).client
    keys = {"aws_access_key_id": ACCOUNTS[partition_of(region)], "aws_secret_access_key": SECRET_KEY}
    return make(service, region_name=region, endpoint_url=endpoint, config=Config(proxies={}), **{**keys, **options})


def write_profiles(path: Path, planes: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    """Write an AWS configuration file with a profile for each partition, and return the variables that name them.

    ``planes``: partition -> its endpoint and its default Region. With the variables, operator commands reach each
    partition with the credentials of its account.
    """
    profiles = {partition: f"domicile-{partition}" for partition in planes}
    sections = (
        f"[profile {profiles[partition]}]\nendpoint_url = {endpoint}\nregion = {region}\n"
        f"aws_access_key_id = {ACCOUNTS[partition]}\naws_secret_access_key = {SECRET_KEY}\n"
        for partition, (endpoint, region) in planes.items()
    )
    path.write_text("\n".join(sections), encoding="utf-8")
    return {
        "AWS_CONFIG_FILE": str(path),
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "DOMICILE_PROFILES": " ".join(f"{partition}={profile}" for partition, profile in profiles.items()),
    }
