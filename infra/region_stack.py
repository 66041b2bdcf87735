"""One Region's stack: wires the modules together, and decides nothing that they could decide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from cdktf import Aspects, TerraformOutput, TerraformStack
from cdktf_cdktf_provider_aws.data_aws_caller_identity import DataAwsCallerIdentity
from cdktf_cdktf_provider_aws.data_aws_partition import DataAwsPartition
from cdktf_cdktf_provider_aws.provider import AwsProvider, AwsProviderDefaultTags
from constructs import Construct

from domicile.aws.settings import Settings
from domicile.core.patterns import stream_filters
from domicile.deployment import Deployment
from domicile.naming import RULES, Names
from infra import backend
from infra.artifacts import Artifact
from infra.aspects import Checks
from modules.application_access import ApplicationAccess
from modules.authority_map import AuthorityMap
from modules.encryption import Encryption
from modules.event_routing import EventRouting
from modules.function import Function
from modules.function.permissions import InlinePolicies, Permissions
from modules.queue import Queue
from modules.replicated_table import ReplicatedTable

_TIMEOUT_S = {"listener": 120, "replicator": 60, "anonymizer": 60}
_CONCURRENCY_MAX = 10
# SQS must not hand a message out again while its function may still be at it: AWS asks for six times the timeout.
_VISIBILITY_FACTOR = 6


class RegionStack(TerraformStack):
    """Everything that a deployment has in one of its Regions.

    No resource of another Region is looked at: their ARNs are built from names, so that each Region is planned and
    applied alone, in any order. ``artifacts`` are the functions' zips by role, in the folder ``dist``.
    """

    def __init__(
        self, scope: Construct, deployment: Deployment, region: str, artifacts: Mapping[str, Artifact], dist: Path
    ) -> None:
        stack = Names(deployment.name, region, account="").stack
        super().__init__(scope, stack)
        backend.configure(self, stack, deployment.backend)
        tags = [AwsProviderDefaultTags(tags=deployment.tags)] if deployment.tags else None
        AwsProvider(self, "aws", region=region, default_tags=tags)
        account = DataAwsCallerIdentity(self, "account").account_id
        partition = DataAwsPartition(self, "partition").partition
        self._names = Names(deployment.name, region, account, partition)
        self._deployment, self._artifacts, self._dist = deployment, artifacts, dist
        customer_managed = deployment.encryption == "customer-managed"
        self._key_arn = Encryption(self, "encryption", names=self._names, customer_managed=customer_managed).key_arn
        self._connect()
        Aspects.of(self).add(Checks(customer_managed_keys=customer_managed))

    def _connect(self) -> None:
        names, deployment = self._names, self._deployment
        siblings = [names.in_region(region) for region in deployment.regions if region != names.region]
        rules = [*(f"to-{sibling.region}" for sibling in siblings), *RULES]
        inbox = self._consumed_queue("inbox", "replicator")
        receipts = self._consumed_queue("receipts", "anonymizer")
        quarantine = self._queue("quarantine")
        expired = self._queue("stream-dlq")
        undelivered = self._queue("bus-dlq", rules=rules)
        EventRouting(
            self,
            "routing",
            names=names,
            siblings=siblings,
            inbox=inbox,
            receipts=receipts,
            dead_letters=undelivered,
        )
        policy = AuthorityMap(self, "policy", names=names, document=deployment.policy_document())
        permissions = Permissions(
            names=names,
            siblings=siblings,
            tables=list(deployment.tables),
            configuration_arn=policy.configuration_arn,
            customer_managed_keys=self._key_arn is not None,
        )
        listener = self._function("listener", permissions.listener(), quarantine)
        replicator = self._function("replicator", permissions.replicator(), quarantine)
        anonymizer = self._function("anonymizer", permissions.anonymizer(), quarantine)
        for name, config in deployment.tables.items():
            table = ReplicatedTable(
                self, f"table-{name}", names=names, table=name, config=config, key_arn=self._key_arn
            )
            filters = stream_filters(config.control_attribute, config.writers, names.region)
            listener.follow_stream(f"stream-{name}", stream_arn=table.stream_arn, filters=filters, dead_letters=expired)
        replicator.consume("queue-inbox", queue=inbox, concurrency_max=_CONCURRENCY_MAX)
        anonymizer.consume("queue-receipts", queue=receipts, concurrency_max=_CONCURRENCY_MAX)

        access = ApplicationAccess(
            self,
            "application",
            names=names,
            siblings=siblings,
            tables=deployment.tables,
            configuration_arn=policy.configuration_arn,
            customer_managed_keys=self._key_arn is not None,
        )
        TerraformOutput(
            self,
            "application_policy_arn",
            value=access.policy_arn,
            description="The policy to attach to the role of an application in this Region",
        )

    def _queue(self, role: str, *, rules: Sequence[str] = (), dead_letters_of: str | None = None) -> Queue:
        return Queue(
            self,
            f"queue-{role}",
            names=self._names,
            role=role,
            key_arn=self._key_arn,
            rules=rules,
            dead_letters_of=dead_letters_of,
        )

    def _consumed_queue(self, role: str, consumer: str) -> Queue:
        """Return a queue that the bus rule of the same name fills and a function empties."""
        return Queue(
            self,
            f"queue-{role}",
            names=self._names,
            role=role,
            key_arn=self._key_arn,
            rules=[role],
            visibility_timeout_s=_VISIBILITY_FACTOR * _TIMEOUT_S[consumer],
            dead_letters=self._queue(f"{role}-dlq", dead_letters_of=role),
        )

    def _function(self, role: str, policies: InlinePolicies, quarantine: Queue) -> Function:
        names, artifact = self._names, self._artifacts[role]
        settings = Settings(
            name=names.name,
            region=names.region,
            policy=names.policy_path,
            bus=names.bus,
            quarantine_url=quarantine.url,
            hash_secret=names.hash_secret,
        )
        powertools = {
            "POWERTOOLS_SERVICE_NAME": role,
            "POWERTOOLS_METRICS_NAMESPACE": "Domicile",
            "POWERTOOLS_LOG_LEVEL": "INFO",
        }
        return Function(
            self,
            f"function-{role}",
            names=names,
            role=role,
            archive=self._dist / artifact.file,
            source_code_hash=artifact.source_code_hash,
            environment={**settings.to_env(), **powertools},
            policies=policies,
            timeout_s=_TIMEOUT_S[role],
            log_retention_days=self._deployment.log_retention_days,
            key_arn=self._key_arn,
        )
