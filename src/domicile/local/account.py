"""The fixed account and the fake credentials of the local AWS.

MiniStack takes an access key of twelve digits as the account's id and checks no signature. The credentials are no
secret and open nothing: they are fixed so that no real ones are ever needed, or sent, to work with the local AWS.
"""

from __future__ import annotations

import os
from typing import Any

import boto3
import botocore.session
from botocore.config import Config

ACCESS_KEY = "111122223333"
SECRET_KEY = "local"  # noqa: S105 - not a secret, see above


def client_environment(endpoint: str) -> dict[str, str]:
    """Return the ``AWS_*`` variables that bind an SDK, or Terraform, to the local AWS alone.

    The user's own configuration files are shut out: a profile may name an endpoint, a role or a credential process.
    """
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def client(service: str, region: str, endpoint: str) -> Any:
    """Return a boto3 client of the local AWS that takes nothing from the user's own configuration or proxies."""
    core = botocore.session.Session(
        {"profile": (None, None, None, None), "config_file": (None, None, os.devnull, None)}
    )
    make: Any = boto3.Session(botocore_session=core).client
    return make(
        service,
        region_name=region,
        endpoint_url=endpoint,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        config=Config(proxies={}),
    )
