"""The ports of a function, made from its settings."""

from __future__ import annotations

import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import boto3
from botocore.config import Config

from domicile.aws.hash_key import SecretsManagerHashKey
from domicile.aws.policy_source import AppConfigPolicySource
from domicile.aws.publisher import EventBridgePublisher
from domicile.aws.quarantine import SqsQuarantine
from domicile.aws.settings import Settings
from domicile.aws.store import DynamoDbPeers, DynamoDbStore
from domicile.pipeline.ports import World

THREADS = 16
# A call that hangs must fail well inside the function's timeout, so that its batch is answered and not abandoned.
CONFIG = Config(
    connect_timeout=2,
    read_timeout=8,
    max_pool_connections=THREADS,
    retries={"mode": "standard", "total_max_attempts": 3},
)


def make_world(settings: Settings) -> World:
    """Return the world of one Lambda execution environment; clients are made once and shared by its threads."""
    session = boto3.Session(region_name=settings.region)
    return World(
        region=settings.region,
        store=DynamoDbStore(session.client("dynamodb", config=CONFIG)),
        peers=DynamoDbPeers(lambda region: session.client("dynamodb", region_name=region, config=CONFIG)),
        publisher=EventBridgePublisher(session.client("events", config=CONFIG), settings.bus),
        quarantine=SqsQuarantine(session.client("sqs", config=CONFIG), settings.quarantine_url),
        policy=AppConfigPolicySource(session.client("appconfigdata", config=CONFIG), settings.policy),
        hash_key=SecretsManagerHashKey(session.client("secretsmanager", config=CONFIG), settings.hash_secret),
        now_ms=lambda: time.time_ns() // 1_000_000,
        nonce=lambda: uuid.uuid4().hex[:16],
        each=ThreadPoolExecutor(THREADS).map,
    )
