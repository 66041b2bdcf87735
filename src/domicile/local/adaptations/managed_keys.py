"""The key that AWS manages for a service is there when somebody asks for it.

AWS: naming a predefined alias such as ``alias/aws/dynamodb`` makes KMS create the key behind it if it is not there.
Terraform asks for that one whenever it reads a replica.

MiniStack 1.5.33: there is no key behind these aliases.
"""

from __future__ import annotations

import json
from typing import Any

from ministack.services import kms

from domicile.local.adaptations import expect_function, expect_value

_PREDEFINED = "alias/aws/"


def install() -> None:
    """Create the keys of predefined aliases as they are named."""
    resolve = expect_function(kms, "_resolve_key", "key_id_or_arn")
    create = expect_function(kms, "_create_key", "data")
    alias_arn = expect_function(kms, "_alias_arn", "alias_name")
    aliases = expect_value(kms, "_aliases")

    def resolve_predefined(key_id_or_arn: str) -> Any:
        found = resolve(key_id_or_arn)
        if found is None and str(key_id_or_arn).startswith(_PREDEFINED):
            _, _, body = create({"Description": f"AWS's own, for {key_id_or_arn.removeprefix(_PREDEFINED)}"})
            aliases[alias_arn(key_id_or_arn)] = json.loads(body)["KeyMetadata"]["KeyId"]
            return resolve(key_id_or_arn)
        return found

    kms._resolve_key = resolve_predefined
