"""A replica has the key and the table class that it was made with, and the account the role that replicates.

AWS: each replica of a Global Table is encrypted with a key of its own Region, and may override the table's class. The
table's description says both of each replica. With its first Global Table an account gets a service-linked role.

MiniStack 1.5.33: a replica is a copy of the table, with the table's key and class, and no description says more than
its Region. Terraform would then find another key than it gave, and replace the replica. The role is not made.
"""

from __future__ import annotations

from typing import Any

from ministack.core.responses import get_account_id
from ministack.services import dynamodb, iam

from domicile.local.adaptations import expect_function, expect_value

_ROLE = "AWSServiceRoleForDynamoDBReplication"
_SERVICE = "replication.dynamodb.amazonaws.com"
_MINISTACKS_NAME = "AWSServiceRoleForReplication"


def install() -> None:
    """Let replicas have, and descriptions say, what the request gave them."""
    apply = expect_function(dynamodb, "_apply_replica_updates", "name", "table", "updates")
    describe = expect_function(dynamodb, "_table_description", "name")
    make_role = expect_function(iam, "_create_service_linked_role", "p")
    roles = expect_value(iam, "_roles")
    expect_value(dynamodb, "_tables")

    def role() -> None:
        if _ROLE not in roles:
            make_role({"AWSServiceName": [_SERVICE]})
            made = roles.pop(_MINISTACKS_NAME)
            roles[_ROLE] = {**made, "RoleName": _ROLE, "Arn": made["Arn"].replace(_MINISTACKS_NAME, _ROLE)}

    def apply_with_settings(name: str, table: dict[str, Any], updates: list[dict[str, Any]]) -> Any:
        error = apply(name, table, updates)
        if error is None:
            for settings in (update["Create"] for update in updates if "Create" in update):
                _settle(_replica(name, settings["RegionName"]), settings)
                role()
        return error

    def describe_with_settings(name: str) -> dict[str, Any]:
        description: dict[str, Any] = describe(name)
        for replica in description.get("Replicas", []):
            replica.update(_replica(name, replica["RegionName"]).get("_replica_settings", {}))
        return description

    dynamodb._apply_replica_updates = apply_with_settings
    dynamodb._table_description = describe_with_settings


def _replica(name: str, region: str) -> dict[str, Any]:
    found: dict[str, Any] = dynamodb._tables.get_scoped(get_account_id(), region, name) or {}
    return found


def _settle(replica: dict[str, Any], settings: dict[str, Any]) -> None:
    said: dict[str, Any] = {}
    if key := settings.get("KMSMasterKeyId"):
        replica["SSEDescription"] = {"Status": "ENABLED", "SSEType": "KMS", "KMSMasterKeyArn": key}
        said["KMSMasterKeyId"] = key
    if table_class := settings.get("TableClassOverride"):
        replica["TableClassSummary"] = {"TableClass": table_class}
        said["ReplicaTableClassSummary"] = {"TableClass": table_class}
    replica["_replica_settings"] = said
