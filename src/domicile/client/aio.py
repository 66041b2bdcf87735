"""The asyncio client, over aiobotocore: the same names, arguments, answers and errors as the synchronous one.

Needs the extra ``aio``: ``pip install 'domicile[aio]'``. ::

    from domicile.client.aio import AsyncClient

    async def main() -> None:
        async with AsyncClient("shopease", region="eu-west-1", failover=["us-east-1"]) as client:
            orders = client.table("orders")
            await orders.put_item(Item={"pk": "c1", "sk": "o1", "localization_authority": "IN"})
            async for page in orders.get_paginator("query").paginate(KeyConditionExpression=Key("pk").eq("c1")):
                ...
            async with orders.batch_writer() as batch:
                await batch.put_item(Item={"pk": "c1", "sk": "o2"})

What differs from the synchronous client:

- It is entered before use, and reads the policy then; a task of its own reads it again while the client is open.
- Operations that need not wait for each other run as tasks. One that fails does not stop the others: a write that was
  begun is ended, and then the first error is raised.
- Cancelling a call cancels the request that is under way. As with a lost answer, a write may have been done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self, cast

from aiobotocore.paginate import AioPageIterator, AioPaginator
from aiobotocore.session import AioSession, get_session
from botocore.config import Config
from botocore.loaders import Loader

from domicile.client.aio_driver import Clients, DeployedPolicy, Driver
from domicile.client.events import Hook
from domicile.client.items import Item
from domicile.client.options import Options, Placement, Resolve
from domicile.client.session import Session
from domicile.client.setup import configured, new_context, sessions_of
from domicile.client.steps import Result, Steps
from domicile.client.table import BatchSteps, TableSteps
from domicile.core.policy import Policy

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.type_defs import (
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

_BATCH_REQUESTS_MAX = 25
"""DynamoDB, per BatchWriteItem."""


class AsyncPaginator(Protocol):
    """aiobotocore's ``AioPaginator``, as far as it is used here."""

    def paginate(self, **arguments: Any) -> AioPageIterator[Any]:
        """Return the pages, to be read by ``async for``."""


class AsyncClient:
    """The tables of one deployment, as an application in ``region`` uses them, for the tasks of one event loop.

    ``name`` is the deployment's. ``failover`` names the Regions that serve global items and native tables where
    ``region`` does not answer, the next one first. ``policy`` is read from AppConfig unless it is given. ``session`` is
    aiobotocore's, and ``config`` botocore's ``Config`` or aiobotocore's ``AioConfig``; ``on_event`` hears of redirects,
    failovers and the like, and must not block.

    ``beyond`` is a session with credentials of the other partition, where the deployment has Regions in two. Without it
    no Region there is called, and none may be in ``failover`` (``ValueError``).

    Enter it before use (``RuntimeError`` otherwise); :class:`PolicyUnavailableError` where no Region gives the policy.
    Leaving it closes its connections.
    """

    def __init__(
        self,
        name: str,
        *,
        region: str,
        failover: Sequence[str] = (),
        policy: Policy | None = None,
        session: AioSession | None = None,
        beyond: AioSession | None = None,
        config: Config | None = None,
        options: Options | None = None,
        on_event: Hook | None = None,
    ) -> None:
        options = options or Options()
        regions = (region, *failover)
        sessions = sessions_of(regions, session or get_session(), beyond)
        self._clients = Clients(sessions, configured(options, config))
        self._deployed = DeployedPolicy(name, regions, self._clients) if policy is None else None
        current = self._deployed.get if self._deployed is not None else lambda: cast("Policy", policy)
        self._context = new_context(name, regions, sessions, current, options=options, hook=on_event)
        self._driver = Driver(self._clients)
        self._steps = BatchSteps(self._context)

    async def __aenter__(self) -> Self:
        """Connect to the nearest Region and read the policy."""
        try:
            await self._clients.open(self._context.regions[0])
            if self._deployed is not None:
                await self._deployed.open()
        except BaseException:
            await self._clients.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all connections."""
        if self._deployed is not None:
            await self._deployed.close()
        await self._clients.close()

    def table(self, name: str, session: Session | None = None) -> AsyncTable:
        """Return a table by its name in the deployment file; what it writes and reads continues ``session``."""
        return AsyncTable(self, TableSteps(self._context, name, session))

    def session(self, token: str | None = None) -> Session:
        """Return a new session, or the one that another process handed on by its ``token``."""
        return self._context.session(token)

    @property
    def exceptions(self) -> Any:
        """aiobotocore's exception classes of DynamoDB: ``except client.exceptions.ConditionalCheckFailedException``."""
        return self._clients.nearest.exceptions

    async def batch_get_item(
        self,
        *,
        resolve: Resolve | None = None,
        **arguments: Unpack[BatchGetItemInputServiceResourceBatchGetItemTypeDef],
    ) -> BatchGetItemOutputServiceResourceTypeDef:
        """Read up to 100 items of several tables, which go by their names in the deployment file."""
        return cast(
            "BatchGetItemOutputServiceResourceTypeDef",
            await self._run(self._steps.batch_get_item(cast("Any", arguments), resolve)),
        )

    async def batch_write_item(
        self,
        *,
        placement: Placement | None = None,
        **arguments: Unpack[BatchWriteItemInputServiceResourceBatchWriteItemTypeDef],
    ) -> BatchWriteItemOutputServiceResourceTypeDef:
        """Put and delete up to 25 items of several tables, which go by their names in the deployment file."""
        return cast(
            "BatchWriteItemOutputServiceResourceTypeDef",
            await self._run(self._steps.batch_write_item(cast("Any", arguments), placement)),
        )

    async def transact_write_items(
        self,
        *,
        TransactItems: Sequence[Mapping[str, Any]],  # noqa: N803  # boto3's name
        placement: Placement | None = None,
        **arguments: Any,
    ) -> TransactWriteItemsOutputTypeDef:
        """Write up to 100 items that live in one Region, all or none; tables by their deployment file's names."""
        arguments["TransactItems"] = TransactItems
        return cast(
            "TransactWriteItemsOutputTypeDef", await self._run(self._steps.transact_write_items(arguments, placement))
        )

    async def _run(self, steps: Steps[Result]) -> Result:
        return await self._driver.run(steps)

    def _paginator(self, operation: str, method: Any) -> AsyncPaginator:
        model = self._clients.nearest.meta.service_model.operation_model(operation)
        configured = Loader().load_service_model("dynamodb", "paginators-1")["pagination"][operation]
        return cast("AsyncPaginator", AioPaginator(method, configured, model))


class AsyncTable:
    """One table with the methods of boto3's ``Table``, to be awaited: their arguments, answers and exceptions.

    Beyond these, writes take ``placement`` and reads ``resolve``, and the items of reads are :class:`Item`.
    """

    def __init__(self, client: AsyncClient, steps: TableSteps) -> None:
        self._client = client
        self._run = client._run  # the two are one: a table is made by its client alone
        self._steps = steps

    @property
    def name(self) -> str:
        """The table's name in the deployment file."""
        return self._steps.name

    async def get_item(
        self, *, resolve: Resolve | None = None, **arguments: Unpack[GetItemInputTableGetItemTypeDef]
    ) -> GetItemOutputTableTypeDef:
        """Read one item here; its stub, or with ``resolve="home"`` or a sensitive projection the item from home."""
        return cast("GetItemOutputTableTypeDef", await self._run(self._steps.get_item(cast("Any", arguments), resolve)))

    async def put_item(
        self, *, placement: Placement | None = None, **arguments: Unpack[PutItemInputTablePutItemTypeDef]
    ) -> PutItemOutputTableTypeDef:
        """Write a whole item: a new localized one at home or here by ``placement``, a moved one at home."""
        return cast(
            "PutItemOutputTableTypeDef",
            await self._run(self._steps.write("put_item", cast("Any", arguments), placement)),
        )

    async def update_item(
        self, *, placement: Placement | None = None, **arguments: Unpack[UpdateItemInputTableUpdateItemTypeDef]
    ) -> UpdateItemOutputTableTypeDef:
        """Update an item, a moved one at home."""
        return cast(
            "UpdateItemOutputTableTypeDef",
            await self._run(self._steps.write("update_item", cast("Any", arguments), placement)),
        )

    async def delete_item(
        self, **arguments: Unpack[DeleteItemInputTableDeleteItemTypeDef]
    ) -> DeleteItemOutputTableTypeDef:
        """Delete an item, a moved one at home; it is erased everywhere."""
        return cast(
            "DeleteItemOutputTableTypeDef",
            await self._run(self._steps.write("delete_item", cast("Any", arguments), None)),
        )

    async def query(
        self, *, resolve: Resolve | None = None, **arguments: Unpack[QueryInputTableQueryTypeDef]
    ) -> QueryOutputTableTypeDef:
        """Read one page of a partition or an index here; a filter sees the stubs of moved items."""
        return cast(
            "QueryOutputTableTypeDef", await self._run(self._steps.page("query", cast("Any", arguments), resolve))
        )

    async def scan(
        self, *, resolve: Resolve | None = None, **arguments: Unpack[ScanInputTableScanTypeDef]
    ) -> ScanOutputTableTypeDef:
        """Read one page of the table or an index here; a filter sees the stubs of moved items."""
        return cast(
            "ScanOutputTableTypeDef", await self._run(self._steps.page("scan", cast("Any", arguments), resolve))
        )

    def get_paginator(self, operation_name: Literal["query", "scan"]) -> AsyncPaginator:
        """Return aiobotocore's paginator over this table's ``query`` or ``scan``.

        ``paginate`` takes their arguments, ``resolve`` too, and ``PaginationConfig`` with ``MaxItems``, ``PageSize``
        and ``StartingToken``. Read the pages by ``async for``, or as one by ``await pages.build_full_result()``. As
        with boto3's resources, ``MaxItems`` needs keys without numbers: its token cannot hold a ``Decimal``.
        """
        if operation_name not in ("query", "scan"):
            raise ValueError("get_paginator: must be query or scan")
        return self._client._paginator(operation_name.capitalize(), getattr(self, operation_name))

    def batch_writer(
        self, overwrite_by_pkeys: list[str] | None = None, *, placement: Placement | None = None
    ) -> AsyncBatchWriter:
        """Return a batch writer as boto3's, whose puts are stamped and sent where their items live."""
        return AsyncBatchWriter(self._client, self.name, overwrite_by_pkeys, placement)

    async def batch_get(
        self,
        *,
        Keys: Sequence[Mapping[str, Any]],  # noqa: N803  # boto3's name
        resolve: Resolve | None = None,
        **arguments: Any,
    ) -> list[Item]:
        """Read any number of items by their keys, in no order; ``arguments`` are those of one table in BatchGetItem."""
        return await self._run(self._steps.batch_get(Keys, arguments, resolve))


class AsyncBatchWriter:
    """Puts and deletes in batches of 25, the rest at the end of ``async with``; unprocessed ones are sent again.

    Of requests with the same values of ``overwrite_by_pkeys`` that wait for a batch, the last one is sent.
    """

    def __init__(
        self, client: AsyncClient, table: str, overwrite_by_pkeys: list[str] | None, placement: Placement | None
    ) -> None:
        self._client = client
        self._table = table
        self._overwrite_by_pkeys = overwrite_by_pkeys
        self._placement = placement
        self._waiting: list[Any] = []

    async def put_item(self, Item: Mapping[str, Any]) -> None:  # noqa: N803  # boto3's name
        """Put an item, now or with a later batch."""
        await self._add({"PutRequest": {"Item": Item}}, Item)

    async def delete_item(self, Key: Mapping[str, Any]) -> None:  # noqa: N803  # boto3's name
        """Delete an item, now or with a later batch."""
        await self._add({"DeleteRequest": {"Key": Key}}, Key)

    async def __aenter__(self) -> Self:
        """Begin."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Send what still waits; as in boto3, also where the block failed, but not where it was cancelled."""
        if kind is None or issubclass(kind, Exception):
            while self._waiting:
                await self._flush()

    async def _add(self, request: Mapping[str, Any], image: Mapping[str, Any]) -> None:
        if self._overwrite_by_pkeys:
            key = [image[name] for name in self._overwrite_by_pkeys]
            self._waiting = [other for other in self._waiting if self._key_of(other) != key]
        self._waiting.append(request)
        if len(self._waiting) >= _BATCH_REQUESTS_MAX:
            await self._flush()

    def _key_of(self, request: Mapping[str, Any]) -> list[Any]:
        image = request["PutRequest"]["Item"] if "PutRequest" in request else request["DeleteRequest"]["Key"]
        return [image[name] for name in self._overwrite_by_pkeys or ()]

    async def _flush(self) -> None:
        batch, self._waiting = self._waiting[:_BATCH_REQUESTS_MAX], self._waiting[_BATCH_REQUESTS_MAX:]
        response = await self._client.batch_write_item(RequestItems={self._table: batch}, placement=self._placement)
        self._waiting += response["UnprocessedItems"].get(self._table, [])
