"""One Region's part of a move: it reads the source there, segment by segment, and writes each item at its place."""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from domicile.accounts import reported
from domicile.aws.store import DynamoDbStore
from domicile.aws.wire import from_boto, to_boto
from domicile.backfill.checkpoint import Checkpoint, Counts
from domicile.backfill.move import Move
from domicile.backfill.removal import Removals
from domicile.core.control import Control, Image
from domicile.core.copying import Copier, Outcome, Verdict, copied_items, is_expired, localized_items, written_items
from domicile.core.errors import DomicileError, PermanentError, UnknownAuthorityError
from domicile.core.version import COUNTER_MAX, Version, of_copy
from domicile.core.writes import Delete, Expression, SameValue, Update, Write, Written
from domicile.errors import OperationError, UserError
from domicile.pace import Pace
from domicile.pipeline.apply import Applier
from domicile.pipeline.ports import Store

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Found = TypeVar("Found")
WORKERS = 16
"""How many segments are copied at a time."""
_SEGMENTS_MIN, _SEGMENTS_MAX = 32, 4096
_SEGMENT_BYTES = 256 * 1024 * 1024
_PAGE = 100


@dataclass(frozen=True)
class _Place:
    """One Region's tables, for the protocol's own delete."""

    region: str
    store: Store

    @staticmethod
    def now_ms() -> int:
        """Return the wall clock's milliseconds."""
        return time.time_ns() // 1_000_000

    @staticmethod
    def nonce() -> str:
        """Return a text that never repeats."""
        return uuid.uuid4().hex[:16]


@dataclass(frozen=True)
class _Reported:
    """A Region's tables, whose errors are an operator's, and name the Region."""

    region: str
    store: Store

    def get(self, table: str, key: Image) -> Image | None:
        with _reported(self.region):
            return self.store.get(table, key)

    def write(self, write: Write) -> Written:
        with _reported(self.region):
            return self.store.write(write)


class Session:
    """Copies, or only counts what would be copied; ``clients`` has one DynamoDB client for each Region.

    Its methods raise :class:`OperationError` for a call that failed, with the Region and the error's code alone.
    """

    def __init__(
        self, move: Move, clients: Mapping[str, DynamoDBClient], rate: float, *, writes: bool, removes: bool
    ) -> None:
        self._move, self._clients = move, clients
        self._writes, self._removes = writes, writes and removes
        self._stores = {region: DynamoDbStore(client) for region, client in clients.items()}
        self._places = {region: _Place(region, _Reported(region, store)) for region, store in self._stores.items()}
        self._removals = Removals(move.localized, self._places)
        self._pace, self._lock, self._stop = Pace(rate), threading.Lock(), threading.Event()
        self._chance = random.SystemRandom()

    def check(self) -> None:
        """Raise :class:`UserError` for a native target that can't take the items, or has been written to already."""
        move, primary = self._move, self._move.native.primary
        if not move.into_native:
            return
        for region in move.source_regions:
            if found := self._count(region, move.source, localized_items(move.localized)):
                raise UserError(
                    f"{region}: {move.source}: {found} items have an authority or are stubs, and a Global Table would "
                    "hold them whole in every Region; accepted: a table of global items alone"
                )
        if found := self._count(primary, move.target, written_items(move.localized)):
            raise UserError(
                f"{primary}: {move.target}: {found} items are no copies: applications write it, and may have deleted "
                "what would come back; accepted: a table that nobody has written to yet"
            )

    def segments(self, region: str) -> int:
        """Return into how many segments to divide the source, by the size that DynamoDB says it has."""
        with reported(region, f"{self._move.source}: DescribeTable"):
            table = self._clients[region].describe_table(TableName=self._move.source)["Table"]
        return min(max(_SEGMENTS_MIN, table.get("TableSizeBytes", 0) // _SEGMENT_BYTES), _SEGMENTS_MAX)

    def copy(self, region: str, checkpoint: Checkpoint) -> Counts:
        """Copy a Region's part, then look for copies whose items are gone; return what became of each item."""
        segments, gone = checkpoint.segments, Counts()
        self._in_parallel(checkpoint.left, partial(self._copied, region, segments), checkpoint.done)
        self._in_parallel(range(segments), partial(self._gone, region, segments), lambda _, counts: gone.update(counts))
        return checkpoint.counts + gone

    def finish(self) -> int:
        """Take the control attribute off the copies in a native target, and return how many there were."""
        return self._summed(self._unmarked)

    def _in_parallel(
        self, segments: Iterable[int], work: Callable[[int], Found], done: Callable[[int, Found], None]
    ) -> None:
        """Tell what each segment came to; after a failure or an interruption those under way end where they are."""
        with ThreadPoolExecutor(WORKERS) as pool:
            parts = {pool.submit(work, segment): segment for segment in segments}
            try:
                for part in as_completed(parts):
                    done(parts[part], part.result())
            except BaseException:
                self._stop.set()
                pool.shutdown(cancel_futures=True)
                raise

    def _summed(self, work: Callable[[tuple[int, int]], int]) -> int:
        """Return the sum of what the parts of a table come to."""
        found: list[int] = []
        self._in_parallel(
            range(_SEGMENTS_MIN), lambda n: work((n, _SEGMENTS_MIN)), lambda _, count: found.append(count)
        )
        return sum(found)

    def _copied(self, region: str, segments: int, segment: int) -> Counts:
        share = self._move.copier(region).share
        counts = Counts()
        for image in self._items(region, self._move.source, share.expression() if share else None, (segment, segments)):
            if share is None or share.holds(image):
                counts[self._item(region, image)] += 1
        return counts

    def _unmarked(self, part: tuple[int, int]) -> int:
        move, primary, count = self._move, self._move.native.primary, 0
        name = move.localized.control_attribute
        for image in self._items(primary, move.target, copied_items(move.localized), part, only=self._head):
            if self._writes:
                same = SameValue(name, image[name], move.localized.key_names[0])
                update = Update(table=move.target, key=self._key(image), assign={}, remove=(name,), condition=same)
                self._places[primary].store.write(update)
            count += 1
        return count

    def _item(self, region: str, image: Image) -> tuple[str, Outcome]:
        """Copy one item; return its authority and what became of it."""
        copier = self._move.copier(region)
        if is_expired(image, self._move.ttl_attribute, _Place.now_ms()):
            return _group(copier, image), Outcome.EXPIRED
        try:
            place = copier.place(image)
        except UnknownAuthorityError:
            return _group(copier, image), Outcome.UNKNOWN_AUTHORITY
        with _reported(place):
            found = self._stores[place].get(self._move.target, self._key(image))
            tombstone = self._tombstone(place, image)
            verdict = copier.judge(image, found, tombstone, _Place.now_ms(), self._counter())
            return _group(copier, image), self._write(place, verdict)

    def _write(self, place: str, verdict: Verdict) -> Outcome:
        if verdict.write is None or not self._writes:
            return verdict.outcome
        try:
            written = self._stores[place].write(verdict.write)
        except PermanentError:
            return Outcome.REFUSED
        control = self._move.localized.control_attribute
        # An answer can be lost, and the request sent again: then this very copy is what holds the second one off.
        is_there = written.applied or (written.before or {}).get(control) == verdict.write.image[control]
        return verdict.outcome if is_there else Outcome.WRITTEN

    def _tombstone(self, place: str, image: Image) -> Version | None:
        if self._move.into_native:
            return None
        return Applier(self._places[place]).ledger(self._move.localized, self._key(image)).tombstone

    def _gone(self, region: str, segments: int, segment: int) -> Counts:
        """Count the copies whose items are gone from the source, and remove them if that is wanted."""
        move, copier = self._move, self._move.copier(region)
        counts = Counts()
        for place, expression in copier.copies():
            if self._removes and not move.into_native:
                for entry in self._items(place, move.localized.ledger, Removals.unfinished, (segment, segments)):
                    self._wait(len(self._places))
                    self._removals.resume(entry)
            for image in self._items(place, move.target, expression, (segment, segments), only=self._head):
                if self._places[region].store.get(move.source, self._key(image)) is not None:
                    continue
                counts[_group(copier, image), Outcome.GONE] += 1
                if self._removes:
                    self._remove(place, image)
        return counts

    def _remove(self, place: str, image: Image) -> None:
        table, key = self._move.localized, self._key(image)
        if self._move.into_native:
            same = SameValue(table.control_attribute, image[table.control_attribute], table.key_names[0])
            self._places[place].store.write(Delete(table=self._move.target, key=key, condition=same))
            return
        with _reported(place):
            control = Control.of(image, table.control_attribute)
        self._wait(len(self._places))
        version = of_copy(_Place.now_ms(), control.version if control else None, place, self._counter())
        self._removals.remove(key, version)

    def _items(
        self,
        region: str,
        table: str,
        expression: Expression | None,
        part: tuple[int, int],
        only: Sequence[str] = (),
    ) -> Iterator[Image]:
        """Yield a table's items, or ``only`` some of their attributes. ``part`` is a segment, and of how many."""
        projection = {f"#p{n}": name for n, name in enumerate(only)}
        parameters = _filter(expression, projection) | _segment(part)
        if only:
            parameters["ProjectionExpression"] = ", ".join(projection)
        for page in self._pages(region, table, parameters):
            yield from map(from_boto, page["Items"])

    def _count(self, region: str, table: str, expression: Expression) -> int:
        parameters = {**_filter(expression, {}), "Select": "COUNT"}
        return self._summed(
            lambda part: sum(page["Count"] for page in self._pages(region, table, {**parameters, **_segment(part)}))
        )

    def _pages(self, region: str, table: str, parameters: Mapping[str, Any]) -> Iterator[Any]:
        """Yield the pages of a consistent scan, at the pace of what it reads."""
        start: dict[str, Any] = {}
        while True:
            with reported(region, f"{table}: Scan"):
                page = self._clients[region].scan(
                    TableName=table, ConsistentRead=True, Limit=_PAGE, **parameters, **start
                )
            self._wait(page["ScannedCount"])
            yield page
            if "LastEvaluatedKey" not in page:
                return
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}

    def _wait(self, items: int) -> None:
        """Wait until so many items may be read, or be deleted in one Region."""
        with self._lock:
            wait_s = max((self._pace.wait_s() for _ in range(items)), default=0.0)
        if self._stop.wait(wait_s):
            raise OperationError("stopped")

    @property
    def _head(self) -> tuple[str, ...]:
        """What is to be known of a copy: no more of an item is read than its place needs."""
        table = self._move.localized
        return (*table.key_names, table.control_attribute, table.authority_attribute)

    def _key(self, image: Image) -> Image:
        return {name: image[name] for name in self._move.localized.key_names}

    def _counter(self) -> int:
        return self._chance.randrange(COUNTER_MAX)


@contextmanager
def _reported(region: str) -> Iterator[None]:
    """Raise :class:`OperationError` for what the store or the core can't do; their messages hold no value."""
    try:
        yield
    except DomicileError as error:
        raise OperationError(f"{region}: {error}") from None


def _group(copier: Copier, image: Image) -> str:
    """Return what an item is counted under; an authority that is not in the map is a value, and not told."""
    try:
        return copier.group(image)
    except UnknownAuthorityError:
        return "unknown"


def _segment(part: tuple[int, int]) -> dict[str, int]:
    return dict(zip(("Segment", "TotalSegments"), part, strict=True))


def _filter(expression: Expression | None, names: Mapping[str, str]) -> dict[str, Any]:
    parameters: dict[str, Any] = {"ExpressionAttributeNames": {**names, **(expression.names if expression else {})}}
    if expression is not None:
        parameters["FilterExpression"] = expression.text
    if expression is not None and expression.values:
        parameters["ExpressionAttributeValues"] = to_boto(expression.values)
    return {name: value for name, value in parameters.items() if value}
