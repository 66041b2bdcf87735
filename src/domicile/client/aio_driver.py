"""What an asyncio client does its I/O with: aiobotocore's clients, the deployed policy, and the driver of the steps."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, Any, cast

from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from domicile.aws.policy_source import MAX_AGE_S
from domicile.client.steps import Pause, Request, Result, Step, Steps
from domicile.core.errors import PolicyUnavailableError
from domicile.core.partitions import partition_of
from domicile.core.policy import Policy
from domicile.naming import Names
from domicile.pipeline.policy import LastGoodPolicy

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb import DynamoDBClient

_NOT_OPEN = "the client is not open: use it within `async with AsyncClient(...) as client`"

logger = logging.getLogger(__name__)


class Clients:
    """One DynamoDB client per Region, made when it is needed, and closed together.

    ``sessions`` go by their partitions.
    """

    def __init__(self, sessions: Mapping[str, AioSession], config: Config) -> None:
        self._sessions = sessions
        self._config = AioConfig().merge(cast("AioConfig", config))  # botocore's own serves as well
        self._lock = asyncio.Lock()
        self._stack = AsyncExitStack()
        self._of: dict[str, DynamoDBClient] = {}
        self._nearest: DynamoDBClient | None = None

    @property
    def nearest(self) -> DynamoDBClient:
        """The nearest Region's client."""
        if self._nearest is None:
            raise RuntimeError(_NOT_OPEN)
        return self._nearest

    async def open(self, region: str) -> None:
        """Make the nearest Region's client."""
        self._nearest = await self._made(region)

    async def close(self) -> None:
        """Close all connections."""
        self._nearest = None
        self._of.clear()
        await self._stack.aclose()

    async def of(self, region: str) -> DynamoDBClient:
        """Return the Region's client."""
        client = self._of.get(region)
        if client is None:
            if self._nearest is None:
                raise RuntimeError(_NOT_OPEN)
            client = await self._made(region)
        return client

    def new(self, service: str, region: str) -> Any:
        """Return a client of another service, to be entered."""
        create: Any = self._sessions[partition_of(region)].create_client
        return create(service, region_name=region, config=self._config)

    async def _made(self, region: str) -> DynamoDBClient:
        async with self._lock:
            if region not in self._of:
                self._of[region] = await self._stack.enter_async_context(self.new("dynamodb", region))
            return self._of[region]


class DeployedPolicy:
    """The policy that AppConfig has, read without blocking the event loop: at first, and again and again."""

    def __init__(self, name: str, regions: Sequence[str], clients: Clients) -> None:
        path = Names(name, region=regions[0], account="").policy_path
        self._application, self._environment, self._profile = path.split("/")
        self._regions = regions
        self._clients = clients
        self._text: bytes | None = None
        self._policy = LastGoodPolicy(lambda: self._text, lambda reason: logger.warning("policy_kept: %s", reason))
        self._refreshing: asyncio.Task[None] | None = None

    def get(self) -> Policy:
        """Return the policy as it was last read, the last good one where the newest is broken."""
        return self._policy.get()

    async def open(self) -> None:
        """Read the policy; raises :class:`PolicyUnavailableError` or :class:`PolicyInvalidError`."""
        self._text = await self._read()
        self._policy.get()
        self._refreshing = asyncio.create_task(self._refresh())

    async def close(self) -> None:
        """Stop reading it."""
        if self._refreshing is not None:
            self._refreshing.cancel()
            with suppress(asyncio.CancelledError):
                await self._refreshing

    async def _refresh(self) -> None:
        while True:
            await asyncio.sleep(MAX_AGE_S)
            try:
                self._text = await self._read()
            except PolicyUnavailableError as error:
                logger.warning("policy_kept: %s", error)

    async def _read(self) -> bytes:
        """Read the document in the first Region that answers."""
        for region in self._regions:
            try:
                async with self._clients.new("appconfigdata", region) as client:
                    started = await client.start_configuration_session(
                        ApplicationIdentifier=self._application,
                        EnvironmentIdentifier=self._environment,
                        ConfigurationProfileIdentifier=self._profile,
                    )
                    latest = await client.get_latest_configuration(
                        ConfigurationToken=started["InitialConfigurationToken"]
                    )
                    text: bytes = await latest["Configuration"].read()
                    return text
            except (BotoCoreError, ClientError):
                continue
        raise PolicyUnavailableError(f"AppConfig gave no policy in {', '.join(self._regions)}")


class Driver:
    """Does steps, each in its turn; operations that may run together, in tasks."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def run(self, steps: Steps[Result]) -> Result:
        """Do an operation's steps and return its result."""
        try:
            step = next(steps)
            while True:
                try:
                    answer = await self._do(step)
                except Exception as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(answer)
        except StopIteration as end:
            return cast("Result", end.value)
        finally:
            steps.close()  # where the call is cancelled, it ends here and now

    async def _do(self, step: Step) -> Any:
        if isinstance(step, Request):
            client = await self._clients.of(step.region)
            return await getattr(client, step.operation)(**step.parameters)
        if isinstance(step, Pause):
            return await asyncio.sleep(step.seconds)
        results = await asyncio.gather(*map(self.run, step.operations), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return results
