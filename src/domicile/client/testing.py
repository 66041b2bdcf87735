"""A whole deployment in memory, for an application's own tests: no network, no credentials, nothing patched.

Needs the extra ``testing``: ``pip install 'domicile[testing]'``. ::

    import pytest
    from domicile.client import HomeRegionUnavailable
    from domicile.client.testing import InMemory

    @pytest.fixture
    def shop() -> InMemory:
        return InMemory("domicile.yaml")

    def test_an_order_moves_home(shop: InMemory) -> None:
        key = {"pk": "c1", "sk": "o1"}
        order = {**key, "localization_authority": "IN", "recipient": "Asha"}
        shop.client("eu-west-1").table("orders").put_item(Item=order)

        here = shop.client("eu-west-1").table("orders").get_item(Key=key)["Item"]
        assert here.is_stub and here["recipient"] != "Asha"
        home = shop.client("ap-south-1").table("orders").get_item(Key=key)["Item"]
        assert home == order

    def test_an_outage_of_the_home(shop: InMemory) -> None:
        shop.cut_off("ap-south-1")
        with pytest.raises(HomeRegionUnavailable):
            shop.client("eu-west-1").table("orders").put_item(
                Item={"pk": "c1", "sk": "o1", "localization_authority": "IN"}
            )

Items and expressions are evaluated by moto's DynamoDB, and the clients and the replication are the real ones: the
listener, the replicator and the anonymizer handle each change as the Lambda functions do. Native tables replicate here
as by DynamoDB: the last writer of an item wins. What is not as in AWS: no throttling, no capacity, no IAM;
``ConsistentRead`` changes nothing, and the policy does not change.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from io import BytesIO
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import boto3
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config
from botocore.exceptions import EndpointConnectionError
from botocore.loaders import create_loader
from botocore.session import Session as BotocoreSession

from domicile.client.client import Client
from domicile.client.events import Hook
from domicile.client.memory import Network, Region
from domicile.client.memory_native import Replicas
from domicile.client.options import Options
from domicile.core.policy import Policy
from domicile.deployment import AnyTable, Deployment
from domicile.naming import Names
from domicile.native_table import NativeTable
from domicile.table import Index, Table

if TYPE_CHECKING:
    from aiobotocore.session import AioSession

    from domicile.client.aio import AsyncClient

_Session = TypeVar("_Session", bound=BotocoreSession)

_ROUNDS_MAX = 100
"""A change comes to rest in five: its stream, the inbox, the receipt, and the streams of what these wrote."""
_LOADER = create_loader()  # reads botocore's models once for all tests
_CREDENTIALS = ("testing", "testing")
# An outage is certain here: nothing is gained by trying again.
_CONFIG = Config(retries={"total_max_attempts": 1})


class InMemory:
    """The Regions of one deployment, with its tables and its replication. Thread-safe; each is apart from all others.

    ``deployment`` is the deployment file's path, or what :meth:`Deployment.load` made of it. ``replicate``: ``"at
    once"`` lets every write arrive in all Regions before its call returns; ``"on settle"`` lets nothing arrive until
    :meth:`settle`, so that a test sees what a reader sees before. Strongly consistent tables wait for nothing.
    """

    def __init__(
        self, deployment: Deployment | Path | str, *, replicate: Literal["at once", "on settle"] = "at once"
    ) -> None:
        if replicate not in ("at once", "on settle"):
            raise ValueError("replicate: must be at once or on settle")
        self.deployment = deployment if isinstance(deployment, Deployment) else Deployment.load(Path(deployment))
        self.policy = Policy.parse(self.deployment.policy_document())
        self._at_once = replicate == "at once"
        self._lock = RLock()
        self._working = False
        self._network = Network()
        self._replicas = Replicas(self.policy.native, self._network)
        self.session = boto3.Session(botocore_session=self._prepared(BotocoreSession(), AWSResponse, _Body))
        """For ordinary code: its DynamoDB clients and resources meet these tables, by their physical names."""
        with self._replicating():
            for region in self.deployment.regions:
                self._start(region)

    def client(
        self,
        region: str,
        *,
        failover: Sequence[str] = (),
        beyond: bool = False,
        options: Options | None = None,
        on_event: Hook | None = None,
    ) -> Client:
        """Return a client as an application in ``region`` has it, with ``beyond`` one that can call both partitions."""
        return Client(
            self.deployment.name,
            region=self._known(region),
            failover=[self._known(other) for other in failover],
            policy=self.policy,
            session=self.session,
            beyond=self.session if beyond else None,
            config=_CONFIG,
            options=options,
            on_event=on_event,
        )

    def async_client(
        self,
        region: str,
        *,
        failover: Sequence[str] = (),
        beyond: bool = False,
        options: Options | None = None,
        on_event: Hook | None = None,
    ) -> AsyncClient:
        """Return the asyncio client, to be entered: ``async with shop.async_client("eu-west-1") as client``.

        Needs the extra ``aio`` too.
        """
        from domicile.client.aio import AsyncClient  # noqa: PLC0415  # an extra of its own

        session = self._async_session()
        return AsyncClient(
            self.deployment.name,
            region=self._known(region),
            failover=[self._known(other) for other in failover],
            policy=self.policy,
            session=session,
            beyond=session if beyond else None,
            config=_CONFIG,
            options=options,
            on_event=on_event,
        )

    def settle(self) -> None:
        """Let everything arrive that can: what a Region that is cut off is to get, or to send, waits for it."""
        with self._replicating():
            for _ in range(_ROUNDS_MAX):
                if not self._network.work() and not self._replicas.work():
                    return
        raise RuntimeError(f"the replication did not come to rest in {_ROUNDS_MAX} rounds")

    def cut_off(self, region: str) -> None:
        """Let no call reach a Region, and no event leave it: a call raises ``EndpointConnectionError``."""
        with self._lock:
            self._network.cut_off.add(self._known(region))

    def restore(self, region: str) -> None:
        """Let a Region be reached again; with ``replicate="at once"``, what has waited arrives now."""
        with self._lock:
            self._network.cut_off.discard(self._known(region))
            self._replicate()

    def expire(self, now_s: float | None = None) -> None:
        """Remove, in the Regions that are in reach, each item whose TTL lies before ``now_s`` (by default, now).

        ``now_s`` is in seconds since the epoch, as DynamoDB's TTL is. Nothing else removes an expired item here.
        """
        names = Names(self.deployment.name, region="", account="")
        with self._replicating():
            for name, table in self.deployment.tables.items():
                if table.ttl_attribute is None:
                    continue
                keys = [key.name for key in (table.hash_key, table.range_key) if key]
                for region in table.regions if isinstance(table, NativeTable) else self.deployment.regions:
                    if region not in self._network.cut_off:
                        self._network.regions[region].expire(
                            names.table(name), table.ttl_attribute, keys, time.time() if now_s is None else now_s
                        )
        self._replicate()

    def quarantined(self, region: str) -> list[str]:
        """Return why records of a Region could not be handled, one reason for each; a test may want none."""
        with self._lock:
            return list(self._network.regions[self._known(region)].quarantined)

    def _known(self, region: str) -> str:
        if region not in self.deployment.regions:
            raise ValueError(f"{region}: must be one of {', '.join(self.deployment.regions)}")
        return region

    def _start(self, name: str) -> None:
        client = self.session.client("dynamodb", region_name=name, config=_CONFIG)
        self._network.regions[name] = Region(name, self.policy, client, self._network)
        names = Names(self.deployment.name, region=name, account="")
        for table, config in self.deployment.tables.items():
            if isinstance(config, Table):
                client.create_table(
                    **_definition(names.ledger(table), config), StreamSpecification={"StreamEnabled": False}
                )
            elif name not in config.regions:
                continue
            client.create_table(
                **_definition(names.table(table), config, config.indexes),
                StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
            )

    def _async_session(self) -> AioSession:
        from aiobotocore.awsrequest import AioAWSResponse  # noqa: PLC0415  # an extra of its own
        from aiobotocore.session import AioSession  # noqa: PLC0415

        return self._prepared(AioSession(), AioAWSResponse, _AsyncBody)

    def _prepared(self, session: _Session, response: Any, body: Any) -> _Session:
        """Give a session what its clients need to be answered here."""
        session.register_component("data_loader", _LOADER)
        session.set_credentials(*_CREDENTIALS)
        session.set_default_client_config(_CONFIG)
        session.get_component("event_emitter").register_first("before-send", partial(self._answer, response, body))
        return session

    @contextmanager
    def _replicating(self) -> Iterator[None]:
        """Do the replication's own calls: they reach every Region, and let nothing arrive by themselves."""
        with self._lock:
            self._working = True
            try:
                yield
            finally:
                self._working = False

    def _replicate(self) -> None:
        self._replicas.note()
        if self._at_once:
            self.settle()
        else:
            with self._replicating():
                self._replicas.work(strong_alone=True)

    def _answer(self, response: Any, body_of: Any, request: AWSPreparedRequest, **event: Any) -> Any:
        """Answer in the place of the network."""
        if not event["event_name"].startswith("before-send.dynamodb."):
            raise EndpointConnectionError(endpoint_url=request.url)
        region = _signed_for(request)
        with self._lock:
            if region not in self._network.regions or (region in self._network.cut_off and not self._working):
                raise EndpointConnectionError(endpoint_url=request.url)
            status, headers, body = self._network.regions[region].tables.answer(request)
            if not self._working:
                self._replicate()
        return response(request.url, status, headers, body_of(body))


class _Body(BytesIO):
    """The body of an answer as botocore reads it."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        """Return all of it."""
        yield self.read()


class _AsyncBody:
    """The body of an answer as aiobotocore reads it."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def read(self) -> bytes:
        """Return all of it."""
        return self._body


def _signed_for(request: AWSPreparedRequest) -> str:
    """Return the Region that a request is signed for: ``AWS4-HMAC-SHA256 Credential=key/date/region/...``."""
    authorization = request.headers["Authorization"]
    text = authorization.decode() if isinstance(authorization, bytes) else str(authorization)
    return text.split("/")[2]


def _definition(name: str, table: AnyTable, indexes: Sequence[Index] = ()) -> dict[str, Any]:
    """Return what CreateTable takes of a table."""
    keyed: list[AnyTable | Index] = [table, *indexes]
    types = {key.name: key.type for of in keyed for key in (of.hash_key, of.range_key) if key}
    definition: dict[str, Any] = {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": _schema(table),
        "AttributeDefinitions": [{"AttributeName": key, "AttributeType": type_} for key, type_ in types.items()],
    }
    if indexes:
        definition["GlobalSecondaryIndexes"] = [
            {"IndexName": index.name, "KeySchema": _schema(index), "Projection": _projection(index)}
            for index in indexes
        ]
    return definition


def _schema(keyed: AnyTable | Index) -> list[dict[str, str]]:
    parts = {"HASH": keyed.hash_key, "RANGE": keyed.range_key}
    return [{"AttributeName": key.name, "KeyType": kind} for kind, key in parts.items() if key]


def _projection(index: Index) -> Mapping[str, Any]:
    if isinstance(index.projection, list):
        return {"ProjectionType": "INCLUDE", "NonKeyAttributes": index.projection}
    return {"ProjectionType": {"all": "ALL", "keys-only": "KEYS_ONLY"}[index.projection]}
