"""What each function's role may do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from domicile.naming import Names
from modules.authority_map import read_policy
from modules.encryption import use_keys
from modules.policy import Statement, allow

InlinePolicies = dict[str, list[Statement]]
"""The statements of each inline policy, by the policy's name."""

_READ_WRITE = ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"]
_FOLLOW = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams"]
_CONSUME = [
    *("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"),  # the event source mapping
    *("sqs:ChangeMessageVisibility", "sqs:GetQueueUrl"),  # the function, for messages that failed
]


@dataclass(frozen=True, kw_only=True)
class Permissions:
    """The inline policies of the functions' roles in one Region.

    ARNs are built from ``names`` and ``tables``, so that a plan shows the policies before anything exists. Only
    AppConfig gives its resources identifiers of its own: ``configuration_arn`` is known after the apply, and reading it
    is a policy apart.
    """

    names: Names
    siblings: Sequence[Names]
    tables: Sequence[str]
    configuration_arn: str
    customer_managed_keys: bool

    def listener(self) -> InlinePolicies:
        """Follow the streams, settle plain writes in this Region's tables, and tell the other Regions."""
        return self._policies(
            "listener",
            allow("FollowStreams", _FOLLOW, [f"{self.names.table_arn(table)}/stream/*" for table in self.tables]),
            allow("SettleWrites", _READ_WRITE, self._tables_and_ledgers()),
            allow("PutEvents", ["events:PutEvents"], [self.names.bus_arn]),
            allow("KeepExpiredRecords", ["sqs:SendMessage"], [self.names.queue_arn("stream-dlq")]),
        )

    def replicator(self) -> InlinePolicies:
        """Apply what arrives in the inbox, read sibling Regions' items that were too large to send, and answer."""
        elsewhere = [sibling.region for sibling in self.siblings]
        originals = [self.names.in_region("*").table_arn(table) for table in self.tables]
        return self._policies(
            "replicator",
            allow("ConsumeInbox", _CONSUME, [self.names.queue_arn("inbox")]),
            allow("ApplyChanges", _READ_WRITE, self._tables_and_ledgers()),
            allow(
                "ReadLargeItems",
                ["dynamodb:GetItem"],
                originals,
                condition={"StringEquals": {"aws:RequestedRegion": elsewhere}},
            ),
            *self._use_keys("ReadLargeItemsKeys", self.siblings, ["dynamodb"]),
            allow("PutEvents", ["events:PutEvents"], [self.names.bus_arn]),
        )

    def anonymizer(self) -> InlinePolicies:
        """Turn moved items of this Region's tables into stubs."""
        tables = [self.names.table_arn(table) for table in self.tables]
        return self._policies(
            "anonymizer",
            allow("ConsumeReceipts", _CONSUME, [self.names.queue_arn("receipts")]),
            allow("MakeStubs", ["dynamodb:GetItem", "dynamodb:UpdateItem"], tables),
        )

    def _policies(self, role: str, *own: Statement) -> InlinePolicies:
        names = self.names
        log_group = f"arn:{names.partition}:logs:{names.region}:{names.account}:log-group:{names.log_group(role)}"
        shared = [
            allow("Quarantine", ["sqs:SendMessage"], [names.queue_arn("quarantine")]),
            allow("ReadHashKey", ["secretsmanager:GetSecretValue"], [names.secret_arn_pattern(names.hash_secret)]),
            *self._use_keys("UseKey", [names], ["dynamodb", "sqs"]),
            allow("WriteLogs", ["logs:CreateLogStream", "logs:PutLogEvents"], [f"{log_group}:*"]),
            # X-Ray has no resources: its actions can only be allowed on all of them.
            allow("WriteTraces", ["xray:PutTraceSegments", "xray:PutTelemetryRecords"], ["*"]),
        ]
        return {"work": [*own, *shared], "configuration": [read_policy(self.configuration_arn)]}

    def _use_keys(self, sid: str, regions: Sequence[Names], services: Sequence[str]) -> list[Statement]:
        return [use_keys(sid, regions, services)] if self.customer_managed_keys else []

    def _tables_and_ledgers(self) -> list[str]:
        names = self.names
        return [arn for table in self.tables for arn in (names.table_arn(table), names.ledger_arn(table))]
