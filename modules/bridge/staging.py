"""Where the other partition's courier writes to, and the IAM user by which it does."""

from __future__ import annotations

from cdktf_cdktf_provider_aws.iam_user import IamUser
from cdktf_cdktf_provider_aws.iam_user_policy import IamUserPolicy
from cdktf_cdktf_provider_aws.kinesis_stream import KinesisStream, KinesisStreamStreamModeDetails
from constructs import Construct

from domicile.bridge import Gateway, Shards
from domicile.naming import Names
from modules.encryption import use_keys
from modules.policy import Condition, Statement, allow, document

# A week: the sender counts a record as sent when the stream has it, so a gateway that can't run must not lose it.
_RETENTION_H = 7 * 24
_AWS_MANAGED_KEY = "alias/aws/kinesis"


class Staging(Construct):
    """The Kinesis stream from the gateway Region ``sender``, whose courier's ``settings`` say how it is known here.

    The user has no access key, and its policy allows nothing until the sender's addresses are known.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        names: Names,
        sender: str,
        settings: Gateway,
        capacity: Shards | None,
        key_arn: str | None,
    ) -> None:
        super().__init__(scope, id_)
        self.stream_arn: str = KinesisStream(
            self,
            "stream",
            name=names.bridge_stream(sender),
            shard_count=capacity.shards if capacity else None,
            stream_mode_details=KinesisStreamStreamModeDetails(stream_mode="PROVISIONED" if capacity else "ON_DEMAND"),
            retention_period=_RETENTION_H,
            encryption_type="KMS",
            kms_key_id=key_arn or _AWS_MANAGED_KEY,
        ).arn
        user = IamUser(
            self,
            "user",
            name=names.courier_user(sender),
            force_destroy=True,  # its access keys, which Terraform did not make, go with it
        )
        statements = _write(names, sender, settings, customer_managed_key=key_arn is not None)
        if statements:
            IamUserPolicy(self, "policy", name="write", user=user.name, policy=document(statements))


def _write(names: Names, sender: str, settings: Gateway, *, customer_managed_key: bool) -> list[Statement]:
    """Return what the courier may do from where it is known to be; nothing, if that is not known."""
    known: Condition
    if settings.vpc_endpoint:
        known = {"StringEquals": {"aws:SourceVpce": [settings.vpc_endpoint]}}
    elif settings.addresses:
        known = {"IpAddress": {"aws:SourceIp": settings.addresses}}
    else:
        return []
    write = allow("WriteToStream", ["kinesis:PutRecords"], [names.bridge_stream_arn(sender)], condition=known)
    if not customer_managed_key:
        return [write]
    # Kinesis asks for the data key, so that it is useless to whom the statement above does not admit.
    return [write, use_keys("EncryptStream", [names], ["kinesis"], ["kms:GenerateDataKey"])]
