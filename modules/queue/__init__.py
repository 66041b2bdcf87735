"""An SQS queue, with its dead-letter queue where a function consumes it."""

from __future__ import annotations

from collections.abc import Sequence

from cdktf_cdktf_provider_aws.sqs_queue import SqsQueue
from constructs import Construct

from domicile.naming import Names
from modules.policy import Statement, allow, document
from modules.text import to_json

_RETENTION_SECONDS = 14 * 24 * 3600  # SQS's longest: how long a table may throttle or a Region be down
_RECEIVES_MAX = 20
_NO_SOURCES = to_json({"redrivePermission": "denyAll"})


class Queue(Construct):
    """The queue of one of the roles ``naming.QUEUES``.

    ``rules`` are the purposes of the bus rules that may send to it. ``redrive`` adds the queue ``<role>-dlq``, which
    gets what was received 20 times without success. Its attributes are inline: each separate policy resource
    costs the provider another 25 s of waiting.
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
        visibility_timeout_s: int = 30,
        redrive: bool = False,
    ) -> None:
        super().__init__(scope, id_)
        self._names, self._key_arn = names, key_arn
        self.static_arn = names.queue_arn(role)
        redrive_policy = None
        if redrive:
            dead_letters = self._queue(
                "dead-letters",
                f"{role}-dlq",
                redrive_allow_policy=to_json({"redrivePermission": "byQueue", "sourceQueueArns": [self.static_arn]}),
            )
            redrive_policy = to_json({"deadLetterTargetArn": dead_letters.arn, "maxReceiveCount": _RECEIVES_MAX})
        queue = self._queue(
            "queue",
            role,
            rules=rules,
            visibility_timeout_s=visibility_timeout_s,
            redrive_policy=redrive_policy,
        )
        self.arn, self.url = queue.arn, queue.url

    def _queue(
        self,
        id_: str,
        role: str,
        *,
        rules: Sequence[str] = (),
        visibility_timeout_s: int = 30,
        redrive_policy: str | None = None,
        redrive_allow_policy: str = _NO_SOURCES,
    ) -> SqsQueue:
        return SqsQueue(
            self,
            id_,
            name=self._names.queue(role),
            message_retention_seconds=_RETENTION_SECONDS,
            visibility_timeout_seconds=visibility_timeout_s,
            kms_master_key_id=self._key_arn,
            sqs_managed_sse_enabled=None if self._key_arn else True,
            policy=document(_policy(self._names, role, rules)),
            redrive_policy=redrive_policy,
            redrive_allow_policy=redrive_allow_policy,
        )


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
