"""The ports of the functions, made from their settings."""

from __future__ import annotations

import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from domicile.aws.doorstep import LambdaDoorstep
from domicile.aws.hash_key import SecretsManagerHashKey
from domicile.aws.link import AccessKey, CourierSecret, KinesisLink
from domicile.aws.policy_source import AppConfigPolicySource
from domicile.aws.publisher import EventBridgePublisher
from domicile.aws.quarantine import SqsQuarantine
from domicile.aws.settings import CourierSettings, GatewaySettings, Settings
from domicile.aws.store import DynamoDbPeers, DynamoDbStore
from domicile.pipeline.ports import World

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kinesis import KinesisClient

THREADS = 16
# A call that hangs must fail well inside the function's timeout, so that its batch is answered and not abandoned.
CONFIG = Config(
    connect_timeout=2,
    read_timeout=8,
    max_pool_connections=THREADS,
    retries={"mode": "standard", "total_max_attempts": 3},
)
# The link has its own retries. Its requests are large, on a way that may be slow and long, and urllib3 sends the body
# under the connect timeout.
LINK_CONFIG = Config(connect_timeout=20, read_timeout=20, retries={"total_max_attempts": 1})
# Longer than the replicator may take.
DOORSTEP_CONFIG = Config(connect_timeout=2, read_timeout=65, retries={"total_max_attempts": 1})


def make_world(settings: Settings) -> World:
    """Return the world of one Lambda execution environment; clients are made once and shared by its threads."""
    session = boto3.Session(region_name=settings.region)

    def peer(region: str) -> DynamoDBClient:
        proxy = "" if region == settings.region else settings.proxy
        return session.client("dynamodb", region_name=region, config=_through(proxy, CONFIG))

    return World(
        region=settings.region,
        store=DynamoDbStore(session.client("dynamodb", config=CONFIG)),
        peers=DynamoDbPeers(peer),
        publisher=EventBridgePublisher(session.client("events", config=CONFIG), settings.bus),
        quarantine=SqsQuarantine(session.client("sqs", config=CONFIG), settings.quarantine_url),
        policy=AppConfigPolicySource(session.client("appconfigdata", config=CONFIG), settings.policy),
        hash_key=SecretsManagerHashKey(session.client("secretsmanager", config=CONFIG), settings.hash_secret),
        now_ms=lambda: time.time_ns() // 1_000_000,
        nonce=lambda: uuid.uuid4().hex[:16],
        each=ThreadPoolExecutor(THREADS).map,
    )


def make_link(settings: CourierSettings) -> KinesisLink:
    """Return the courier's way to the stream beyond."""
    session = boto3.Session(region_name=settings.region)
    secret = CourierSecret(session.client("secretsmanager", config=CONFIG), settings.secret)

    def client_of(key: AccessKey) -> KinesisClient:
        return session.client(
            "kinesis",
            region_name=settings.receiver,
            endpoint_url=settings.endpoint or None,
            aws_access_key_id=key.id,
            aws_secret_access_key=key.secret,
            config=_through(settings.proxy, LINK_CONFIG),
        )

    return KinesisLink(secret.read, client_of, settings.stream)


def make_doorstep(settings: GatewaySettings) -> LambdaDoorstep:
    """Return the gateway's way to the replicators of its partition."""
    session = boto3.Session(region_name=settings.region)
    return LambdaDoorstep(
        lambda region: session.client("lambda", region_name=region, config=DOORSTEP_CONFIG), settings.replicator
    )


def _through(proxy: str, config: Config) -> Config:
    return config.merge(Config(proxies=dict.fromkeys(("http", "https"), proxy))) if proxy else config
