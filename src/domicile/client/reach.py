"""A call in the nearest of its Regions that answers; none in a partition that the client has no credentials of."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError, ConnectionError, HTTPClientError

from domicile.client.errors import RegionsUnavailable
from domicile.client.events import Event, Kind
from domicile.client.health import Health
from domicile.client.steps import Request, Steps
from domicile.core.partitions import partition_of

_SERVER_ERROR = 500


@dataclass(frozen=True, slots=True)
class Reply:
    """What a Region answered: a response, or the refusal of a conditional write with the item that it met."""

    region: str
    response: dict[str, Any]
    refusal: ClientError | None = None

    @property
    def met(self) -> dict[str, Any] | None:
        """The item that was in the way, None where there was none."""
        item: dict[str, Any] | None = self.refusal.response.get("Item") if self.refusal else None  # type: ignore[assignment]
        return item


class Reach:
    """Sends calls, and knows by :class:`Health` whom not to wait for.

    ``partitions`` are those that the client has credentials of: in another one each call would be refused.
    """

    def __init__(self, health: Health, tell: Callable[[Event], None], partitions: Collection[str]) -> None:
        self._health = health
        self._tell = tell
        self._partitions = partitions

    def covers(self, region: str) -> bool:
        """Whether the client may call the Region at all."""
        return partition_of(region) in self._partitions

    def call(
        self, regions: Sequence[str], operation: str, parameters: Callable[[str], dict[str, Any]], table: str | None
    ) -> Steps[Reply]:
        """Send to the first Region that answers; ``parameters`` makes them for it.

        An answer is also an error of DynamoDB that another Region would give as well: it is raised as it is, but for a
        condition that does not hold. Raises :class:`RegionsUnavailable`, at once where a Region is not covered.
        """
        failed: str | None = None
        for region in regions:
            if not self.covers(region):
                raise RegionsUnavailable((region,), _beyond(region))
            if not self._health.admits(region):
                failed = failed or region
                continue
            if failed is not None:
                self._tell(Event(Kind.FAILOVER, failed, region, table))
            try:
                response = yield Request(region, operation, parameters(region))
            except ClientError as error:
                if _status(error) >= _SERVER_ERROR:
                    self._health.failed(region)
                    failed = region
                    continue
                self._health.succeeded(region)
                if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                    raise
                return Reply(region, {}, error)
            except (ConnectionError, HTTPClientError):
                self._health.failed(region)
                failed = region
                continue
            self._health.succeeded(region)
            return Reply(region, response)
        raise RegionsUnavailable(regions)


def _beyond(region: str) -> str:
    return (
        f"{region} lies in {partition_of(region)}, of which this client has no credentials: "
        "give it beyond=, a session that has"
    )


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
