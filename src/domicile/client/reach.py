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
        self,
        regions: Sequence[str],
        operation: str,
        parameters: Callable[[str], dict[str, Any]],
        table: str | None,
        *,
        native: bool = False,
    ) -> Steps[Reply]:
        """Send to the first Region that answers; ``parameters`` makes them for it.

        An answer is also an error of DynamoDB that another Region would give as well: it is raised as it is, but for a
        condition that does not hold. ``native``: while a replica is made or deleted, a Region may not have the table,
        and the next one is asked; that error is raised if all of them say so. Raises :class:`RegionsUnavailable` with
        those that did not answer, at once where a Region is not covered.
        """
        left: str | None = None
        silent: list[str] = []
        absent: ClientError | None = None
        for region in regions:
            if not self.covers(region):
                raise RegionsUnavailable((region,), _beyond(region))
            if not self._health.admits(region):
                left = left or region
                silent.append(region)
                continue
            if left is not None:
                self._tell(Event(Kind.FAILOVER, left, region, table))
            left = region
            try:
                response = yield Request(region, operation, parameters(region))
            except (ClientError, ConnectionError, HTTPClientError) as error:
                if not isinstance(error, ClientError) or _status(error) >= _SERVER_ERROR:
                    self._health.failed(region)
                    silent.append(region)
                    continue
                self._health.succeeded(region)
                code = error.response["Error"]["Code"]
                if code == "ConditionalCheckFailedException":
                    return Reply(region, {}, error)
                if not native or code != "ResourceNotFoundException":
                    raise
                absent = error
            else:
                self._health.succeeded(region)
                return Reply(region, response)
        if absent is not None and not silent:
            raise absent
        raise RegionsUnavailable(silent)


def _beyond(region: str) -> str:
    return (
        f"{region} lies in {partition_of(region)}, of which this client has no credentials: "
        "give it beyond=, a session that has"
    )


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
