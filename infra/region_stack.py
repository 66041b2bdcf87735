"""One Region's stack: wires the modules together, and decides nothing that they could decide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from cdktf import Aspects, TerraformOutput, TerraformStack
from cdktf_cdktf_provider_aws.data_aws_caller_identity import DataAwsCallerIdentity
from cdktf_cdktf_provider_aws.data_aws_partition import DataAwsPartition
from cdktf_cdktf_provider_aws.lambda_function import LambdaFunctionVpcConfig
from cdktf_cdktf_provider_aws.provider import AwsProvider, AwsProviderDefaultTags
from cdktf_cdktf_provider_aws.secretsmanager_secret import SecretsmanagerSecret
from constructs import Construct

from domicile import dashboard
from domicile.aws.settings import CourierSettings, GatewaySettings, Settings
from domicile.bridge import Bridge, Shards
from domicile.core.partitions import partition_of
from domicile.core.patterns import rule_patterns, stream_filters
from domicile.deployment import AnyTable, Deployment
from domicile.naming import BRIDGE_FUNCTIONS, FUNCTIONS, Names
from domicile.native_table import NativeTable
from infra import backend
from infra.artifacts import Artifact
from infra.aspects import Checks
from modules.application_access import ApplicationAccess
from modules.authority_map import AuthorityMap
from modules.bridge.alarms import BridgeAlarms
from modules.bridge.network import Network
from modules.bridge.staging import Staging
from modules.dashboard import Dashboard
from modules.encryption import Encryption
from modules.event_routing import EventRouting
from modules.function import Function
from modules.function.permissions import InlinePolicies, Permissions
from modules.native_table import EventualTable
from modules.native_table.keys import KeyNotices
from modules.native_table.strong import StrongTable
from modules.queue import RECEIVES_MAX, Queue
from modules.replicated_table import ReplicatedTable

_TIMEOUT_S = {"listener": 120, "replicator": 60, "anonymizer": 60, "courier": 300, "gateway": 300}
_CONCURRENCY_MAX = 10
# SQS must not hand a message out again while its function may still be at it: AWS asks for six times the timeout.
_VISIBILITY_FACTOR = 6
# SQS's most. At 15 minutes between two tries a link may be down for ten days before messages are given up; the
# dead-letter queue then has them for the rest of their 14 days.
_OUTBOX_RECEIVES_MAX = 1000
# A call over the border takes long, so it should carry much: SQS alone gives ten messages at a time.
_BRIDGE_BATCH = 100
_BRIDGE_WINDOW_S = 1
# A shard takes 1,000 records a second, which is more than one batch after the other brings to the bus.
_BATCHES_PER_SHARD = 4
_SECRET_RECOVERY_DAYS = 0  # a stack that is made again would be refused the name; a key is made, not recovered


class RegionStack(TerraformStack):
    """Everything that a deployment has in one of its Regions.

    No resource of another Region is looked at: their ARNs are built from names, so that each Region is planned and
    applied alone, and in any order but for native tables. ``artifacts`` are the functions' zips by role, in the folder
    ``dist``.
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
        self._bridge = deployment.bridge_of(region)
        customer_managed = deployment.encryption == "customer-managed"
        self._encryption = Encryption(
            self,
            "encryption",
            names=self._names,
            functions=[*FUNCTIONS, *BRIDGE_FUNCTIONS] if self._bridge else FUNCTIONS,
            customer_managed=customer_managed,
        )
        self._key_arn = self._encryption.key_arn
        self._connect()
        native = deployment.native.items()
        exempt = {self._names.table(name) for name, table in native if table.encryption != "customer-managed"}
        Aspects.of(self).add(Checks(customer_managed_keys=customer_managed, exempt=exempt))

    def _connect(self) -> None:
        names, deployment = self._names, self._deployment
        others = [region for region in deployment.regions if region != names.region]
        # No ARN reaches beyond the partition; the bridge does.
        siblings = [names.in_region(other) for other in others if partition_of(other) == partition_of(names.region)]
        gateways = [region for bridge in deployment.bridges for region in bridge.between]
        patterns = rule_patterns(names.region, others, gateways)
        inbox = self._consumed_queue("inbox", "replicator")
        receipts = self._consumed_queue("receipts", "anonymizer")
        queues = {"inbox": inbox, "receipts": receipts}
        if self._bridge:
            queues["outbox"] = self._consumed_queue("outbox", "courier", receives_max=_OUTBOX_RECEIVES_MAX)
        quarantine = self._queue("quarantine")
        expired = self._queue("stream-dlq")
        undelivered = self._queue("bus-dlq", rules=list(patterns))
        EventRouting(
            self,
            "routing",
            names=names,
            siblings=siblings,
            patterns=patterns,
            queues=queues,
            dead_letters=undelivered,
        )
        policy = AuthorityMap(self, "policy", names=names, document=deployment.policy_document())
        permissions = Permissions(
            names=names,
            siblings=siblings,
            tables=list(deployment.localized),
            configuration_arn=policy.configuration_arn,
            customer_managed_keys=self._key_arn is not None,
        )
        settings = Settings(
            name=names.name,
            region=names.region,
            policy=names.policy_path,
            bus=names.bus,
            quarantine_url=quarantine.url,
            hash_secret=names.hash_secret,
        )
        listener = self._function("listener", permissions.listener(), settings)
        replicator = self._function("replicator", permissions.replicator(), settings)
        anonymizer = self._function("anonymizer", permissions.anonymizer(), settings)
        for name, config in deployment.localized.items():
            table = ReplicatedTable(
                self, f"table-{name}", names=names, table=name, config=config, key_arn=self._key_arn
            )
            filters = stream_filters(config.control_attribute, config.writers, names.region)
            listener.follow_stream(f"stream-{name}", stream_arn=table.stream_arn, filters=filters, dead_letters=expired)
        for name, native in deployment.native.items():
            self._native_table(name, native)
        self._tell_of_the_key()
        replicator.consume("queue-inbox", queue=inbox, concurrency_max=_CONCURRENCY_MAX)
        anonymizer.consume("queue-receipts", queue=receipts, concurrency_max=_CONCURRENCY_MAX)
        if self._bridge:
            self._send(self._bridge, permissions, settings, queues["outbox"])
            self._receive(self._bridge, permissions, settings, expired)

        Dashboard(self, "dashboard", names=names, body=dashboard.body(deployment, names.region))
        access = ApplicationAccess(
            self,
            "application",
            names=names,
            siblings=siblings,
            tables=self._in_reach(),
            configuration_arn=policy.configuration_arn,
            customer_managed_keys=self._key_arn is not None,
        )
        TerraformOutput(
            self,
            "application_policy_arn",
            value=access.policy_arn,
            description="The policy to attach to the role of an application in this Region",
        )

    def _in_reach(self) -> dict[str, AnyTable]:
        """Return the tables but for the native ones of another partition."""
        here, native = partition_of(self._names.region), self._deployment.native
        beyond = {name for name, table in native.items() if partition_of(table.primary) != here}
        return {name: table for name, table in self._deployment.tables.items() if name not in beyond}

    def _native_table(self, name: str, config: NativeTable) -> None:
        names = self._names
        if config.consistency == "strong" and names.region == config.primary:
            alias = self._encryption.alias
            StrongTable(self, f"table-{name}", names=names, table=name, config=config, key_alias=alias)
        elif config.consistency == "eventual" and names.region in config.regions:
            EventualTable(
                self,
                f"table-{name}",
                names=names,
                table=name,
                config=config,
                key_arn=self._key_arn,
                alarm_topic=self._deployment.alarm_topic,
            )

    def _tell_of_the_key(self) -> None:
        names, topic = self._names, self._deployment.alarm_topic
        needed = any(
            table.encryption == "customer-managed" and names.region in table.regions
            for table in self._deployment.native.values()
        )
        if needed and topic and self._key_arn:
            KeyNotices(self, "key-notices", names=names, key_arn=self._key_arn, topic=topic)

    def _send(self, bridge: Bridge, permissions: Permissions, settings: Settings, outbox: Queue) -> None:
        """Carry what the outbox holds to the other end."""
        names, here, receiver = self._names, self._names.region, bridge.other_end(self._names.region)
        link = bridge.gateway(here)
        network = Network(self, "network", region=here, egress=bridge.egress, settings=link)
        SecretsmanagerSecret(
            self,
            "access-key",
            name=names.courier_secret,
            description=f"The access key of the courier to {receiver}",
            kms_key_id=self._key_arn,
            recovery_window_in_days=_SECRET_RECOVERY_DAYS,
        )
        courier_settings = CourierSettings(
            **asdict(replace(settings, proxy=link.proxy or "")),
            receiver=receiver,
            stream=names.bridge_stream(here),
            secret=names.courier_secret,
            endpoint=link.endpoint or "",
        )
        courier = self._function("courier", permissions.courier(), courier_settings, network.vpc_config)
        courier.consume(
            "queue-outbox",
            queue=outbox,
            concurrency_max=_CONCURRENCY_MAX,
            batch=_BRIDGE_BATCH,
            window_s=_BRIDGE_WINDOW_S,
        )
        BridgeAlarms(self, "alarms", names=names, other_end=receiver, topic=self._deployment.alarm_topic)
        outputs: dict[str, tuple[str | list[str], str]] = {
            "bridge_vpc_id": (network.vpc_id, "The courier's VPC"),
            "bridge_route_table_id": (network.route_table_id, "Its routes, which you may add to"),
        }
        if network.address:
            purpose = f"The addresses of {here} for the bridge's gateways in the deployment file"
            outputs["bridge_addresses"] = ([f"{network.address}/32"], purpose)
        for name, (value, description) in outputs.items():
            TerraformOutput(self, name, value=value, description=description)

    def _receive(self, bridge: Bridge, permissions: Permissions, settings: Settings, expired: Queue) -> None:
        """Put what comes from the other end on the bus."""
        names, sender = self._names, bridge.other_end(self._names.region)
        staging = Staging(
            self,
            "staging",
            names=names,
            sender=sender,
            settings=bridge.gateway(sender),
            capacity=bridge.stream if isinstance(bridge.stream, Shards) else None,
            key_arn=self._key_arn,
        )
        gateway_settings = GatewaySettings(**asdict(settings), replicator=names.function("replicator"))
        gateway = self._function("gateway", permissions.gateway(sender), gateway_settings)
        gateway.follow_stream(
            "stream-bridge",
            stream_arn=staging.stream_arn,
            dead_letters=expired,
            window_s=_BRIDGE_WINDOW_S,
            batches_per_shard=_BATCHES_PER_SHARD,
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

    def _consumed_queue(self, role: str, consumer: str, receives_max: int = RECEIVES_MAX) -> Queue:
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
            receives_max=receives_max,
        )

    def _function(
        self, role: str, policies: InlinePolicies, settings: Settings, vpc: LambdaFunctionVpcConfig | None = None
    ) -> Function:
        names, artifact = self._names, self._artifacts[role]
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
            vpc=vpc,
            key_arn=self._key_arn,
        )
