"""What each function's role may do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from domicile.naming import FUNCTIONS, Names
from modules.authority_map import read_policy
from modules.encryption import READ, SEND, USE, use_keys
from modules.partitions import has_tracing
from modules.policy import Statement, allow

InlinePolicies = dict[str, list[Statement]]
"""The statements of each inline policy, by the policy's name."""

_READ_WRITE = ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"]
_KEEP_LEDGER = ["dynamodb:GetItem", "dynamodb:UpdateItem"]
_FOLLOW = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams"]
_CONSUME = [
    *("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"),  # the event source mapping
    *("sqs:ChangeMessageVisibility", "sqs:GetQueueUrl"),  # the function, for messages that failed
]
_READ_STREAM = [
    *("kinesis:DescribeStream", "kinesis:DescribeStreamSummary", "kinesis:ListShards"),
    *("kinesis:GetRecords", "kinesis:GetShardIterator"),
]
# What AWSLambdaVPCAccessExecutionRole allows, without the logs.
INTERFACES = [
    *("ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface", "ec2:DescribeNetworkInterfaces"),
    *("ec2:DescribeSubnets", "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses"),
]


@dataclass(frozen=True, kw_only=True)
class Permissions:
    """The inline policies of the functions' roles in one Region, with its ``siblings`` of the same partition.

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
            allow("SettleWrites", _READ_WRITE, self._tables()),
            allow("KeepLedgers", _KEEP_LEDGER, self._ledgers()),
            allow("PutEvents", ["events:PutEvents"], [self.names.bus_arn]),
            allow("KeepExpiredRecords", ["sqs:SendMessage"], [self.names.queue_arn("stream-dlq")]),
        )

    def replicator(self) -> InlinePolicies:
        """Apply what arrives in the inbox, read sibling Regions' items that were too large to send, and answer."""
        return self._policies(
            "replicator",
            allow("ConsumeInbox", _CONSUME, [self.names.queue_arn("inbox")]),
            allow("ApplyChanges", _READ_WRITE, self._tables()),
            allow("KeepLedgers", _KEEP_LEDGER, self._ledgers()),
            *self._read_large_items(self.siblings),
            allow("PutEvents", ["events:PutEvents"], [self.names.bus_arn]),
        )

    def anonymizer(self) -> InlinePolicies:
        """Turn moved items of this Region's tables into stubs."""
        return self._policies(
            "anonymizer",
            allow("ConsumeReceipts", _CONSUME, [self.names.queue_arn("receipts")]),
            allow("MakeStubs", ["dynamodb:GetItem", "dynamodb:UpdateItem"], self._tables()),
        )

    def courier(self) -> InlinePolicies:
        """Take what leaves for the other partition, with items that were too large to send, and use the link's key."""
        names = self.names
        return self._policies(
            "courier",
            allow("ConsumeOutbox", _CONSUME, [names.queue_arn("outbox")]),
            *self._read_large_items([names, *self.siblings]),
            allow("PutEvents", ["events:PutEvents"], [names.bus_arn]),
            allow("ReadAccessKey", ["secretsmanager:GetSecretValue"], [names.secret_arn_pattern(names.courier_secret)]),
            *self._use_keys("DecryptAccessKey", [names], ["secretsmanager"], ["kms:Decrypt"]),
            # Lambda makes the function's network interfaces by its role, and where they will be nobody can name. The
            # function itself may not: AWS's guide (giving functions access to resources in a VPC) has both statements.
            allow("ManageInterfaces", INTERFACES, ["*"]),
            {
                "Sid": "LambdaAlone",
                "Effect": "Deny",
                "Action": INTERFACES,
                "Resource": "*",
                "Condition": {"ArnEquals": {"lambda:SourceFunctionArn": names.function_arn("courier")}},
            },
            *self._use_keys("UseKey", [names], ["dynamodb", "sqs"], sorted({*READ, *SEND})),
        )

    def gateway(self, sender: str) -> InlinePolicies:
        """Put what has come from the gateway Region ``sender`` on the bus, and hand on what is too large for it."""
        names = self.names
        replicators = [f"{region.function_arn('replicator')}:live" for region in (names, *self.siblings)]
        return self._policies(
            "gateway",
            allow("ReadStream", _READ_STREAM, [names.bridge_stream_arn(sender)]),
            *self._use_keys("DecryptStream", [names], ["kinesis"], ["kms:Decrypt"]),
            allow("PutEvents", ["events:PutEvents"], [names.bus_arn]),
            allow("HandOnLargeItems", ["lambda:InvokeFunction"], replicators),
            allow("KeepExpiredRecords", ["sqs:SendMessage"], [names.queue_arn("stream-dlq")]),
            *self._use_keys("UseKey", [names], ["sqs"], SEND),
        )

    def _read_large_items(self, regions: Sequence[Names]) -> list[Statement]:
        """Return what reads the tables of some Regions by one ARN; this Region's key may be used anyway."""
        if not regions:
            return []
        tables = [self.names.in_region("*").table_arn(table) for table in self.tables]
        condition = {"StringEquals": {"aws:RequestedRegion": [names.region for names in regions]}}
        return [
            allow("ReadLargeItems", ["dynamodb:GetItem"], tables, condition=condition),
            *self._use_keys("ReadLargeItemsKeys", self.siblings, ["dynamodb"], READ),
        ]

    def _policies(self, role: str, *own: Statement) -> InlinePolicies:
        names = self.names
        log_group = f"arn:{names.partition}:logs:{names.region}:{names.account}:log-group:{names.log_group(role)}"
        hash_key = names.secret_arn_pattern(names.hash_secret)
        of_writers = [
            allow("ReadHashKey", ["secretsmanager:GetSecretValue"], [hash_key]),
            *self._use_keys("UseKey", [names], ["dynamodb", "sqs"], USE),
        ]
        # X-Ray has no resources: its actions can only be allowed on all of them.
        trace = allow("WriteTraces", ["xray:PutTraceSegments", "xray:PutTelemetryRecords"], ["*"])
        shared = [
            allow("Quarantine", ["sqs:SendMessage"], [names.queue_arn("quarantine")]),
            *(of_writers if role in FUNCTIONS else []),
            allow("WriteLogs", ["logs:CreateLogStream", "logs:PutLogEvents"], [f"{log_group}:*"]),
            *([trace] if has_tracing(names.region) else []),
        ]
        return {"work": [*own, *shared], "configuration": [read_policy(self.configuration_arn)]}

    def _use_keys(
        self, sid: str, regions: Sequence[Names], services: Sequence[str], actions: Sequence[str]
    ) -> list[Statement]:
        return [use_keys(sid, regions, services, actions)] if self.customer_managed_keys and regions else []

    def _tables(self) -> list[str]:
        return [self.names.table_arn(table) for table in self.tables]

    def _ledgers(self) -> list[str]:
        return [self.names.ledger_arn(table) for table in self.tables]
