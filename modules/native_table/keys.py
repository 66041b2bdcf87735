"""What tells of a native table's key before its replica is lost."""

from __future__ import annotations

from cdktf_cdktf_provider_aws.cloudwatch_event_rule import CloudwatchEventRule
from cdktf_cdktf_provider_aws.cloudwatch_event_target import CloudwatchEventTarget
from constructs import Construct

from domicile.core.patterns import Pattern
from domicile.naming import Names
from modules.text import to_json

_ENDING = ["DisableKey", "PutKeyPolicy", "RevokeGrant", "ScheduleKeyDeletion"]


class KeyNotices(Construct):
    """Tells the SNS topic ``topic`` when somebody does to the Region's key what can end a replica, or when it is gone.

    No metric of AWS says that a key can't be used. KMS's calls come by CloudTrail, which needs a trail in the account.
    The rule is on AWS's own bus, where no item ever is; a notice that SNS does not take in a day is lost.
    """

    def __init__(self, scope: Construct, id_: str, *, names: Names, key_arn: str, topic: str) -> None:
        super().__init__(scope, id_)
        rule = CloudwatchEventRule(
            self,
            "rule",
            name=names.rule("key-in-danger"),
            description="The key of native tables: docs/runbooks/native-tables.md",
            event_pattern=to_json(pattern(key_arn)),
        )
        CloudwatchEventTarget(self, "target", rule=rule.name, target_id="topic", arn=names.topic_arn(topic))


def pattern(key_arn: str) -> Pattern:
    """Return what matches an event of KMS about a key: a call that ends its use and was not refused, or its end."""
    called = {"eventName": _ENDING, "errorCode": [{"exists": False}], "resources": {"ARN": [key_arn]}}
    return {
        "source": ["aws.kms"],
        "$or": [
            {"detail-type": ["AWS API Call via CloudTrail"], "detail": called},
            {"detail-type": ["KMS CMK Deletion"], "resources": [key_arn]},
        ],
    }
