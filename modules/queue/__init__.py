"""An SQS queue."""

from __future__ import annotations

from collections.abc import Sequence

from cdktf_cdktf_provider_aws.sqs_queue import SqsQueue
from constructs import Construct

from domicile.naming import Names
from modules.policy import Statement, allow, document
from modules.text import to_json

_RETENTION_SECONDS = 14 * 24 * 3600  # SQS's longest: how long a table may throttle or a Region be down
RECEIVES_MAX = 100  # about a day, since failed messages come back ever more seldom: docs/adr/0004
_VISIBILITY_TIMEOUT_S = 30


class Queue(Construct):
    """The queue of one of the roles ``naming.QUEUES``.

    ``rules`` are the purposes of the bus rules that may send to it. ``dead_letters`` gets what was received
    ``receives_max`` times in vain; it is itself ``dead_letters_of`` this queue's role. All attributes are inline,
    because each resource that sets one makes the provider wait another 25 s.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        names: Names,
        role: str,
        key_arn: str | None,
        rules: Sequence[str] = (),
        visibility_timeout_s: int = _VISIBILITY_TIMEOUT_S,
        dead_letters: Queue | None = None,
        receives_max: int = RECEIVES_MAX,
        dead_letters_of: str | None = None,
    ) -> None:
        super().__init__(scope, id_)
        queue = SqsQueue(
            self,
            "queue",
            name=names.queue(role),
            message_retention_seconds=_RETENTION_SECONDS,
            visibility_timeout_seconds=visibility_timeout_s,
            kms_master_key_id=key_arn,
            sqs_managed_sse_enabled=None if key_arn else True,
            policy=document(_policy(names, role, rules)),
            redrive_policy=_redrive(dead_letters, receives_max) if dead_letters else None,
            redrive_allow_policy=_redrive_allow(names, dead_letters_of),
        )
        self.arn, self.url = queue.arn, queue.url


def _redrive(dead_letters: Queue, receives_max: int) -> str:
    return to_json({"deadLetterTargetArn": dead_letters.arn, "maxReceiveCount": receives_max})


def _redrive_allow(names: Names, source: str | None) -> str:
    if source is None:
        return to_json({"redrivePermission": "denyAll"})
    return to_json({"redrivePermission": "byQueue", "sourceQueueArns": [names.queue_arn(source)]})


def _policy(names: Names, role: str, rules: Sequence[str]) -> list[Statement]:
    arn = names.queue_arn(role)
    only_tls: Statement = {
        "Sid": "OnlyTls",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "sqs:*",
        "Resource": arn,
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    if not rules:
        return [only_tls]
    from_rules = {"ArnEquals": {"aws:SourceArn": [names.rule_arn(rule) for rule in rules]}}
    events = {"Service": "events.amazonaws.com"}
    return [only_tls, allow("FromRules", ["sqs:SendMessage"], [arn], principal=events, condition=from_rules)]
