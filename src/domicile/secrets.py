"""The key of the ``hash`` strategy: one secret with the same value in each Region, so that equal values hash alike.

It is created here and never in Terraform, whose state would hold it in plain text. Nothing here prints or raises it.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from domicile.aws.hash_key import KEY_BYTES_MIN, parse_key
from domicile.errors import OperationError, UserError

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


@dataclass(frozen=True)
class Plan:
    """What is to be done so that each Region has the secret."""

    name: str
    present: tuple[str, ...]
    absent: tuple[str, ...]
    value: str = field(repr=False)

    @property
    def actions(self) -> list[str]:
        """A sentence for each Region, in which the value does not occur."""
        source = f"with the value of {self.present[0]}" if self.present else "with a new random value"
        return [f"{region}: {self.name} is there, nothing to do" for region in self.present] + [
            f"{region}: create {self.name} {source}" for region in self.absent
        ]


def plan(name: str, clients: Mapping[str, SecretsManagerClient]) -> Plan:
    """Look at every Region (``clients`` by Region) and say what to do; nothing is changed.

    Raises :class:`UserError` where the secret has different values, or one that is no key.
    """
    found = {region: _read(name, region, client) for region, client in clients.items()}
    values = {region: value for region, value in found.items() if value is not None}
    if len(set(values.values())) > 1:
        raise UserError(
            f"secret {name}: the values in {', '.join(values)} differ; accepted: the same value in all Regions "
            "(delete it where it is wrong, and run this again)"
        )
    return Plan(
        name=name,
        present=tuple(values),
        absent=tuple(region for region in found if region not in values),
        value=next(iter(values.values()), None) or base64.b64encode(secrets.token_bytes(KEY_BYTES_MIN)).decode(),
    )


def apply(plan: Plan, clients: Mapping[str, SecretsManagerClient]) -> None:
    """Create the secret where it is absent. It can be run again: what was created is then found and copied."""
    for region in plan.absent:
        try:
            clients[region].create_secret(
                Name=plan.name,
                SecretString=plan.value,
                Description="Key of Domicile's strategy hash; equal in each Region",
            )
        except (ClientError, BotoCoreError) as error:
            raise OperationError(f"{region}: secret {plan.name} was not created: {error}") from error


def _read(name: str, region: str, client: SecretsManagerClient) -> str | None:
    try:
        value = client.get_secret_value(SecretId=name).get("SecretString", "")
    except client.exceptions.ResourceNotFoundException:
        return None
    except client.exceptions.InvalidRequestException as error:
        # Its name stays taken until the deletion's end, so it could not be created either.
        raise UserError(f"{region}: secret {name} is being deleted; accepted: one that is there or absent") from error
    except (ClientError, BotoCoreError) as error:
        raise OperationError(f"{region}: secret {name} can't be read: {error}") from error
    if parse_key(value) is None:
        raise UserError(
            f"{region}: secret {name} holds no key; accepted: {KEY_BYTES_MIN} or more bytes in base64, as text"
        )
    return value
