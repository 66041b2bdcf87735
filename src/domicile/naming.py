"""Every resource name and ARN, in one place.

The names are the same in every Region, so that no Region's stack needs another's state: a sibling's ARN is built from
partition, Region, account and name. IAM is global; the names of its roles and policies end in the Region.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

FUNCTIONS = ("listener", "replicator", "anonymizer")
QUEUES = ("inbox", "inbox-dlq", "receipts", "receipts-dlq", "quarantine", "stream-dlq", "bus-dlq")
RULES = ("inbox", "receipts")
NOTICES = ("key-in-danger",)  # on AWS's own bus
# What a gateway Region of a bridge has besides.
BRIDGE_FUNCTIONS = ("courier", "gateway")
BRIDGE_QUEUES = ("outbox", "outbox-dlq")
BRIDGE_RULES = ("outbox",)
ROLES = (*FUNCTIONS, *BRIDGE_FUNCTIONS, "router")


@dataclass(frozen=True)
class Names:
    """The names of one Region's stack.

    ``account`` and ``partition`` may be Terraform tokens: they are put into ARNs and never looked into.
    """

    name: str
    region: str
    account: str
    partition: str = "aws"

    def in_region(self, region: str) -> Names:
        """Return the same names in another Region, for the ARNs of a sibling."""
        return replace(self, region=region)

    @property
    def stack(self) -> str:
        """The Terraform stack and workspace of this Region."""
        return f"{self.name}-{self.region}"

    @property
    def bus(self) -> str:
        """The event bus."""
        return self.name

    @property
    def hash_secret(self) -> str:
        """The Secrets Manager secret that holds the key of the ``hash`` strategy."""
        return f"{self.name}/hash-key"

    @property
    def courier_secret(self) -> str:
        """The secret of a gateway Region that holds its courier's access key of the other partition."""
        return f"{self.name}/courier"

    def courier_user(self, sender: str) -> str:
        """Return the IAM user of this partition by which the courier of the gateway Region ``sender`` writes here."""
        return f"{self.name}-courier-{sender}"

    def bridge_stream(self, sender: str) -> str:
        """Return the Kinesis stream of this gateway Region that the courier of ``sender`` writes to."""
        return f"{self.name}-from-{sender}"

    @property
    def policy_path(self) -> str:
        """The policy document in AppConfig, as ``application/environment/profile``."""
        return f"{self.name}/live/policy"

    @property
    def key_alias(self) -> str:
        """The alias of the Region's customer-managed KMS key."""
        return f"alias/{self.name}"

    def table(self, table: str) -> str:
        """Return the name of a table, given its name in the deployment file."""
        return f"{self.name}-{table}"

    def ledger(self, table: str) -> str:
        """Return the name of a table's ledger."""
        return f"{self.name}-{table}-ledger"

    def function(self, role: str) -> str:
        """Return the name of the function in one of the roles ``FUNCTIONS`` and ``BRIDGE_FUNCTIONS``."""
        return f"{self.name}-{role}"

    def log_group(self, role: str) -> str:
        """Return the log group of a function, by the name that Lambda itself would give it."""
        return f"/aws/lambda/{self.function(role)}"

    def queue(self, role: str) -> str:
        """Return the name of the queue in one of the roles ``QUEUES`` and ``BRIDGE_QUEUES``."""
        return f"{self.name}-{role}"

    def role(self, role: str) -> str:
        """Return the name of the IAM role of one of ``ROLES``."""
        return f"{self.name}-{role}-{self.region}"

    @property
    def application_policy(self) -> str:
        """The managed IAM policy of the applications' roles in this Region."""
        return f"{self.name}-application-{self.region}"

    def rule(self, purpose: str) -> str:
        """Return the name of a rule: of ``RULES``, ``BRIDGE_RULES`` and ``NOTICES``, or ``to-<region>``."""
        return f"{self.name}-{purpose}"

    @property
    def dashboard(self) -> str:
        """The CloudWatch dashboard of this Region; an account has one list of them for all Regions."""
        return f"{self.name}-{self.region}"

    def alarm(self, purpose: str) -> str:
        """Return the name of an alarm, given what it watches."""
        return f"{self.name}-{purpose}"

    def table_arn(self, table: str) -> str:
        """Return the ARN of a table, given its name in the deployment file."""
        return self._arn("dynamodb", f"table/{self.table(table)}")

    def ledger_arn(self, table: str) -> str:
        """Return the ARN of a table's ledger."""
        return self._arn("dynamodb", f"table/{self.ledger(table)}")

    @property
    def bus_arn(self) -> str:
        """The ARN of the event bus."""
        return self._arn("events", f"event-bus/{self.bus}")

    def rule_arn(self, purpose: str) -> str:
        """Return the ARN of a rule on the bus, given the same purpose as for :meth:`rule`."""
        return self._arn("events", f"rule/{self.bus}/{self.rule(purpose)}")

    def function_arn(self, role: str) -> str:
        """Return the ARN of a function, without a version or an alias."""
        return self._arn("lambda", f"function:{self.function(role)}")

    def queue_arn(self, role: str) -> str:
        """Return the ARN of a queue."""
        return self._arn("sqs", self.queue(role))

    def bridge_stream_arn(self, sender: str) -> str:
        """Return the ARN of the Kinesis stream that the courier of ``sender`` writes to."""
        return self._arn("kinesis", f"stream/{self.bridge_stream(sender)}")

    def topic_arn(self, topic: str) -> str:
        """Return the ARN of an SNS topic of this Region, which is somebody else's to name."""
        return self._arn("sns", topic)

    def role_arn(self, role: str) -> str:
        """Return the ARN of an IAM role of this Region's stack; IAM's ARNs name no Region."""
        return f"arn:{self.partition}:iam::{self.account}:role/{self.role(role)}"

    def secret_arn_pattern(self, secret: str) -> str:
        """Return the pattern for a secret's ARN: Secrets Manager adds six characters of its own to the name."""
        return self._arn("secretsmanager", f"secret:{secret}-??????")

    def _arn(self, service: str, resource: str) -> str:
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"


@dataclass(frozen=True)
class _Limit:
    length_min: int
    length_max: int
    characters: str

    def problem(self, value: str) -> tuple[str, str] | None:
        if not self.length_min <= len(value) <= self.length_max:
            return f"has {len(value)} characters", f"{self.length_min} to {self.length_max}"
        if not re.fullmatch(f"[{self.characters}]+", value):
            return "has characters that AWS refuses", self.characters
        return None


_LIMITS = {
    "DynamoDB table": _Limit(3, 255, "a-zA-Z0-9_.-"),
    "event bus": _Limit(1, 256, "a-zA-Z0-9_.-"),
    "EventBridge rule": _Limit(1, 64, "a-zA-Z0-9_.-"),
    "Lambda function": _Limit(1, 64, "a-zA-Z0-9_-"),
    "CloudWatch dashboard": _Limit(1, 255, "a-zA-Z0-9_-"),
    "CloudWatch log group": _Limit(1, 512, "a-zA-Z0-9_/.#-"),
    "SQS queue": _Limit(1, 80, "a-zA-Z0-9_-"),
    "IAM role": _Limit(1, 64, "a-zA-Z0-9_+=,.@-"),
    "IAM user": _Limit(1, 64, "a-zA-Z0-9_+=,.@-"),
    "Kinesis stream": _Limit(1, 128, "a-zA-Z0-9_.-"),
    "IAM policy": _Limit(1, 128, "a-zA-Z0-9_+=,.@-"),
    "KMS alias": _Limit(1, 256, "a-zA-Z0-9_/-"),
    "Secrets Manager secret": _Limit(1, 512, "a-zA-Z0-9_/+=.@-"),
    "AppConfig application": _Limit(1, 64, "a-zA-Z0-9_.-"),
    "Terraform Cloud workspace": _Limit(1, 90, "a-zA-Z0-9_-"),
}


def all_names(name: str, regions: Iterable[str], tables: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield each name that a deployment gives to something, as (kind of resource, name)."""
    for region in regions:
        names = Names(name, region, account="")
        yield "event bus", names.bus
        yield "KMS alias", names.key_alias
        yield "Secrets Manager secret", names.hash_secret
        yield "AppConfig application", names.policy_path.partition("/")[0]
        yield "Terraform Cloud workspace", names.stack
        yield "Secrets Manager secret", names.courier_secret
        yield "Kinesis stream", names.bridge_stream(region)
        for role in (*FUNCTIONS, *BRIDGE_FUNCTIONS):
            yield "Lambda function", names.function(role)
            yield "CloudWatch log group", names.log_group(role)
        for role in (*QUEUES, *BRIDGE_QUEUES):
            yield "SQS queue", names.queue(role)
        for role in ROLES:
            yield "IAM role", names.role(role)
        yield "IAM user", names.courier_user(region)
        yield "IAM policy", names.application_policy
        yield "CloudWatch dashboard", names.dashboard
        for purpose in (*RULES, *BRIDGE_RULES, *NOTICES, f"to-{region}"):
            yield "EventBridge rule", names.rule(purpose)
    names = Names(name, region="", account="")
    for table in tables:
        yield "DynamoDB table", names.table(table)
        yield "DynamoDB table", names.ledger(table)


def name_problems(name: str, regions: Iterable[str] = (), tables: Iterable[str] = ()) -> list[tuple[str, str]]:
    """Return (problem, what is accepted) for each derived name that AWS would refuse.

    It takes a part of the deployment as well as the whole, so that a file's check can say which key is to blame.
    """
    found = ((kind, derived, _LIMITS[kind].problem(derived)) for kind, derived in all_names(name, regions, tables))
    return [(f"the {kind} {derived} {problem[0]}", problem[1]) for kind, derived, problem in found if problem]
