"""The synchronous client, over boto3."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import cached_property
from threading import Lock
from time import sleep
from typing import TYPE_CHECKING, Any, Literal, cast

import boto3
from boto3.dynamodb.table import BatchWriter
from botocore.config import Config
from botocore.loaders import Loader
from botocore.paginate import Paginator

from domicile.client.events import Hook
from domicile.client.items import Item
from domicile.client.options import Options, Placement, Resolve
from domicile.client.session import Session
from domicile.client.setup import configured, new_context, policy_of_appconfig, sessions_of
from domicile.client.steps import Pause, Request, Result, Step, Steps
from domicile.client.table import BatchSteps, TableSteps
from domicile.core.partitions import partition_of
from domicile.core.policy import Policy

if TYPE_CHECKING:
    from mypy_boto3_appconfigdata import AppConfigDataClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import (
        BatchGetItemInputServiceResourceBatchGetItemTypeDef,
        BatchGetItemOutputServiceResourceTypeDef,
        BatchWriteItemInputServiceResourceBatchWriteItemTypeDef,
        BatchWriteItemOutputServiceResourceTypeDef,
        DeleteItemInputTableDeleteItemTypeDef,
        DeleteItemOutputTableTypeDef,
        GetItemInputTableGetItemTypeDef,
        GetItemOutputTableTypeDef,
        PutItemInputTablePutItemTypeDef,
        PutItemOutputTableTypeDef,
        QueryInputTableQueryTypeDef,
        QueryOutputTableTypeDef,
        ScanInputTableScanTypeDef,
        ScanOutputTableTypeDef,
        TransactWriteItemsOutputTypeDef,
        UpdateItemInputTableUpdateItemTypeDef,
        UpdateItemOutputTableTypeDef,
    )
    from typing_extensions import Unpack

_TOGETHER_MAX = 8


class Client:
    """The tables of one deployment, as an application in ``region`` uses them. Thread-safe.

    ``name`` is the deployment's. ``failover`` names the Regions that serve global items and native tables where
    ``region`` does not answer, the next one first. ``policy`` is read from AppConfig unless it is given. ``session``
    and ``config`` are boto3's; ``on_event`` hears of redirects, failovers and the like.

    ``beyond`` is a session with credentials of the other partition, where the deployment has Regions in two. Without it
    no Region there is called, and none may be in ``failover`` (``ValueError``).

    A write whose answer is lost in one Region is done again in the next one, above the first: a put or a delete ends
    the same, an update that counts may count twice, and a condition may meet what the first one wrote.
    """

    def __init__(
        self,
        name: str,
        *,
        region: str,
        failover: Sequence[str] = (),
        policy: Policy | None = None,
        session: boto3.Session | None = None,
        beyond: boto3.Session | None = None,
        config: Config | None = None,
        options: Options | None = None,
        on_event: Hook | None = None,
    ) -> None:
        options = options or Options()
        regions = (region, *failover)
        sessions = sessions_of(regions, session or boto3.Session(), beyond)
        self._clients = _Clients(sessions, configured(options, config))
        read = policy_of_appconfig(name, regions, self._clients.of_appconfig)
        current = (lambda: policy) if policy is not None else read
        self._context = new_context(name, regions, sessions, current, options=options, hook=on_event)
        self._driver = _Driver(self._clients)
        self._steps = BatchSteps(self._context)

    def table(self, name: str, session: Session | None = None) -> Table:
        """Return a table by its name in the deployment file; its writes and ``get_item`` continue ``session``.

        What the session has written elsewhere is read there, where it may be the whole item and not its stub.
        """
        return Table(self, TableSteps(self._context, name, session))

    def session(self, token: str | None = None) -> Session:
        """Return a new session, or the one that another process handed on by its ``token``."""
        return self._context.session(token)

    @property
    def exceptions(self) -> Any:
        """boto3's exception classes of DynamoDB, as ``table.meta.client.exceptions`` gives them."""
        return self._clients.of(self._context.regions[0]).exceptions

    def batch_get_item(
        self,
        *,
        resolve: Resolve | None = None,
        **arguments: Unpack[BatchGetItemInputServiceResourceBatchGetItemTypeDef],
    ) -> BatchGetItemOutputServiceResourceTypeDef:
        """Read up to 100 items of several tables, which go by their names in the deployment file."""
        return cast(
            "BatchGetItemOutputServiceResourceTypeDef",
            self._run(self._steps.batch_get_item(cast("Any", arguments), resolve)),
        )

    def batch_write_item(
        self,
        *,
        placement: Placement | None = None,
        **arguments: Unpack[BatchWriteItemInputServiceResourceBatchWriteItemTypeDef],
    ) -> BatchWriteItemOutputServiceResourceTypeDef:
        """Put and delete up to 25 items of several tables, which go by their names in the deployment file."""
        return cast(
            "BatchWriteItemOutputServiceResourceTypeDef",
            self._run(self._steps.batch_write_item(cast("Any", arguments), placement)),
        )

    def transact_write_items(
        self,
        *,
        TransactItems: Sequence[Mapping[str, Any]],  # noqa: N803  # boto3's name
        placement: Placement | None = None,
        **arguments: Any,
    ) -> TransactWriteItemsOutputTypeDef:
        """Write up to 100 items that live in one Region, all or none; tables by their deployment file's names."""
        arguments["TransactItems"] = TransactItems
        return cast(
            "TransactWriteItemsOutputTypeDef", self._run(self._steps.transact_write_items(arguments, placement))
        )

    def _run(self, steps: Steps[Result]) -> Result:
        return self._driver.run(steps)

    def _paginator(self, operation: str, method: Callable[..., Any]) -> Paginator[Any]:
        model = self._clients.of(self._context.regions[0]).meta.service_model.operation_model(operation)
        return Paginator(
            cast("Any", method), Loader().load_service_model("dynamodb", "paginators-1")["pagination"][operation], model
        )


class Table:
    """One table with the methods of boto3's ``Table``: their arguments, answers and exceptions.

    Beyond these, writes take ``placement`` and reads ``resolve``, and the items of reads are :class:`Item`.
    """

    def __init__(self, client: Client, steps: TableSteps) -> None:
        self._client = client
        self._run = client._run  # the two are one: a table is made by its client alone
        self._steps = steps

    @property
    def name(self) -> str:
        """The table's name in the deployment file."""
        return self._steps.name

    def get_item(
        self, *, resolve: Resolve | None = None, **arguments: Unpack[GetItemInputTableGetItemTypeDef]
    ) -> GetItemOutputTableTypeDef:
        """Read one item here; its stub, or with ``resolve="home"`` or a sensitive projection the item from home."""
        return cast("GetItemOutputTableTypeDef", self._run(self._steps.get_item(cast("Any", arguments), resolve)))

    def put_item(
        self, *, placement: Placement | None = None, **arguments: Unpack[PutItemInputTablePutItemTypeDef]
    ) -> PutItemOutputTableTypeDef:
        """Write a whole item: a new localized one at home or here by ``placement``, a moved one at home."""
        return cast(
            "PutItemOutputTableTypeDef", self._run(self._steps.write("put_item", cast("Any", arguments), placement))
        )

    def update_item(
        self, *, placement: Placement | None = None, **arguments: Unpack[UpdateItemInputTableUpdateItemTypeDef]
    ) -> UpdateItemOutputTableTypeDef:
        """Update an item, a moved one at home."""
        return cast(
            "UpdateItemOutputTableTypeDef",
            self._run(self._steps.write("update_item", cast("Any", arguments), placement)),
        )

    def delete_item(self, **arguments: Unpack[DeleteItemInputTableDeleteItemTypeDef]) -> DeleteItemOutputTableTypeDef:
        """Delete an item, a moved one at home; it is erased everywhere."""
        return cast(
            "DeleteItemOutputTableTypeDef", self._run(self._steps.write("delete_item", cast("Any", arguments), None))
        )

    def query(
        self, *, resolve: Resolve | None = None, **arguments: Unpack[QueryInputTableQueryTypeDef]
    ) -> QueryOutputTableTypeDef:
        """Read one page of a partition or an index here; a filter sees the stubs of moved items."""
        return cast("QueryOutputTableTypeDef", self._run(self._steps.page("query", cast("Any", arguments), resolve)))

    def scan(
        self, *, resolve: Resolve | None = None, **arguments: Unpack[ScanInputTableScanTypeDef]
    ) -> ScanOutputTableTypeDef:
        """Read one page of the table or an index here; a filter sees the stubs of moved items."""
        return cast("ScanOutputTableTypeDef", self._run(self._steps.page("scan", cast("Any", arguments), resolve)))

    def get_paginator(self, operation_name: Literal["query", "scan"]) -> Paginator[Any]:
        """Return botocore's paginator over this table's ``query`` or ``scan``."""
        if operation_name not in ("query", "scan"):
            raise ValueError("get_paginator: must be query or scan")
        return self._client._paginator(operation_name.capitalize(), getattr(self, operation_name))

    def batch_writer(
        self, overwrite_by_pkeys: list[str] | None = None, *, placement: Placement | None = None
    ) -> BatchWriter:
        """Return boto3's batch writer, whose puts are stamped and sent where their items live."""
        return BatchWriter(
            self.name, cast("Any", _Placed(self._client, placement)), overwrite_by_pkeys=overwrite_by_pkeys
        )

    def batch_get(
        self,
        *,
        Keys: Sequence[Mapping[str, Any]],  # noqa: N803  # boto3's name
        resolve: Resolve | None = None,
        **arguments: Any,
    ) -> list[Item]:
        """Read any number of items by their keys, in no order; ``arguments`` are those of one table in BatchGetItem."""
        return self._run(self._steps.batch_get(Keys, arguments, resolve))


class _Placed:
    """BatchWriteItem with a placement, as boto3's batch writer calls it."""

    def __init__(self, client: Client, placement: Placement | None) -> None:
        self._client = client
        self._placement = placement

    def batch_write_item(self, RequestItems: Any) -> Any:  # noqa: N803
        return self._client.batch_write_item(RequestItems=RequestItems, placement=self._placement)


class _Clients:
    """One boto3 client per Region, made when it is needed: making one takes some fifty milliseconds.

    ``sessions`` go by their partitions.
    """

    def __init__(self, sessions: Mapping[str, boto3.Session], config: Config) -> None:
        self._sessions = sessions
        self._config = config
        self._lock = Lock()
        self._of: dict[str, DynamoDBClient] = {}

    def of_appconfig(self, region: str) -> AppConfigDataClient:
        """Return a new client of the Region's AppConfig."""
        with self._lock:
            return self._session(region).client("appconfigdata", region_name=region, config=self._config)

    def of(self, region: str) -> DynamoDBClient:
        """Return the Region's client."""
        client = self._of.get(region)
        if client is None:
            with self._lock:
                if region not in self._of:
                    self._of[region] = self._session(region).client("dynamodb", region_name=region, config=self._config)
                client = self._of[region]
        return client

    def _session(self, region: str) -> boto3.Session:
        return self._sessions[partition_of(region)]


class _Driver:
    """Does steps, each in its turn; operations that may run together, in threads."""

    def __init__(self, clients: _Clients) -> None:
        self._clients = clients

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(_TOGETHER_MAX, thread_name_prefix="domicile")

    def run(self, steps: Steps[Result]) -> Result:
        """Do an operation's steps and return its result."""
        try:
            step = next(steps)
            while True:
                try:
                    answer = self._do(step)
                except Exception as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(answer)
        except StopIteration as end:
            return cast("Result", end.value)

    def _do(self, step: Step) -> Any:
        if isinstance(step, Request):
            return getattr(self._clients.of(step.region), step.operation)(**step.parameters)
        if isinstance(step, Pause):
            return sleep(step.seconds)
        if len(step.operations) == 1:
            return [self.run(step.operations[0])]
        # An operation must not wait for a thread of the pool that itself waits: these start none of their own.
        running = [self._pool.submit(copy_context().run, self.run, operation) for operation in step.operations]
        return [future.result() for future in running]
