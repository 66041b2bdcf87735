"""What a Region's data is encrypted with at rest: a customer-managed KMS key, or keys that AWS owns."""

from __future__ import annotations

from collections.abc import Sequence

from cdktf_cdktf_provider_aws.kms_alias import KmsAlias
from cdktf_cdktf_provider_aws.kms_key import KmsKey
from constructs import Construct

from domicile.naming import Names
from modules.partitions import logs_principal, via_service
from modules.policy import Statement, allow, document

# What DynamoDB's guide (encryption at rest, authorizing use of a customer managed key) names as the minimum, without
# kms:CreateGrant, which only who creates a table needs. What a consumer and a producer of SQS need is among them.
USE = [
    *("kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext"),
    *("kms:ReEncryptFrom", "kms:ReEncryptTo"),
]
# For who only reads tables: what AWS's own CDK grants there.
READ = ["kms:Decrypt", "kms:DescribeKey"]
# For who only sends to queues (SQS's guide, key management).
SEND = ["kms:Decrypt", "kms:GenerateDataKey"]
_DELETION_WINDOW_DAYS = 30  # KMS's longest: what the key encrypted is lost with it


class Encryption(Construct):
    """The Region's KMS key with its alias and policy, for the tables, the queues and the functions' logs.

    ``key_arn`` and ``alias`` are None, and nothing is created, when AWS-owned keys encrypt.
    """

    def __init__(
        self, scope: Construct, id_: str, *, names: Names, functions: Sequence[str], customer_managed: bool
    ) -> None:
        super().__init__(scope, id_)
        self.key_arn: str | None = None
        self.alias: KmsAlias | None = None
        if customer_managed:
            key = KmsKey(
                self,
                "key",
                description=f"Tables, queues and logs of {names.name}",
                enable_key_rotation=True,
                deletion_window_in_days=_DELETION_WINDOW_DAYS,
                policy=document(_key_policy(names, functions)),
            )
            self.alias = KmsAlias(self, "alias", name=names.key_alias, target_key_id=key.key_id)
            self.key_arn = key.arn


def use_keys(sid: str, regions: Sequence[Names], services: Sequence[str], actions: Sequence[str] = USE) -> Statement:
    """Return what lets a role read and write, through some services, what the keys of some Regions encrypt.

    A key is named by its alias, since its ARN is known in its own stack alone.
    """
    through = [via for names in regions for service in services for via in via_service(service, names.region)]
    return allow(
        sid,
        actions,
        [f"arn:{names.partition}:kms:{names.region}:{names.account}:key/*" for names in regions],
        condition={
            "StringEquals": {"kms:ViaService": through},
            "ForAnyValue:StringEquals": {"kms:ResourceAliases": sorted({names.key_alias for names in regions})},
        },
    )


def _key_policy(names: Names, functions: Sequence[str]) -> list[Statement]:
    log_groups = f"arn:{names.partition}:logs:{names.region}:{names.account}:log-group:"
    return [
        # In a key's policy "*" is the key itself. Without this statement IAM policies could not grant its use (which is
        # how the functions and the replicators of the sibling Regions get it), and nobody could manage it.
        allow(
            "AdministerThroughIam",
            ["kms:*"],
            ["*"],
            principal={"AWS": f"arn:{names.partition}:iam::{names.account}:root"},
        ),
        allow(
            "DeliverEventsToQueues",
            ["kms:Decrypt", "kms:GenerateDataKey"],
            ["*"],
            principal={"Service": "events.amazonaws.com"},
            condition={"StringEquals": {"aws:SourceAccount": names.account}},
        ),
        allow(
            "WriteLogs",
            [
                *("kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey"),
                *("kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:DescribeKey"),
            ],
            ["*"],
            principal={"Service": logs_principal(names.region)},
            condition={
                "ArnEquals": {
                    "kms:EncryptionContext:aws:logs:arn": [log_groups + names.log_group(role) for role in functions]
                }
            },
        ),
    ]
