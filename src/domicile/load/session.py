"""A run from its first write to its report, and the removal of what it wrote."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any

from domicile.accounts import reported
from domicile.aws.wire import to_boto
from domicile.core.policy import Policy
from domicile.deployment import Deployment
from domicile.errors import OperationError
from domicile.load.convergence import await_all
from domicile.load.items import MARKER, Items
from domicile.load.journal import Journal
from domicile.load.plan import Operation, last_of_each_item, operations, projections
from domicile.load.reader import Reader, batches
from domicile.load.report import Report, summarize
from domicile.load.watcher import Watcher
from domicile.load.writer import LANES, Writer
from domicile.naming import Names
from domicile.pace import Pace
from domicile.progress import Progress, Step

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_SAMPLES_MAX = 1000
_SHOWN_EVERY_S = 5.0
_PAUSE_S = 0.05


def fingerprint(deployment: Deployment, table: str) -> dict[str, Any]:
    """Return, as JSON has it, what a run's items and their places follow from; a run goes on only where it is the same.

    A table that the deployment does not have any more has an empty one.
    """
    model = deployment.localized.get(table)
    rules = {**deployment.policy_document(), "name": deployment.name, "tables": model.model_dump() if model else {}}
    return dict(json.loads(json.dumps(rules)))


class Session:
    """One process' work on a run; ``clients`` has one DynamoDB client for each Region of the deployment."""

    def __init__(self, deployment: Deployment, clients: Mapping[str, DynamoDBClient], journal: Journal) -> None:
        settings = journal.settings
        self.journal = journal
        self._model = deployment.localized[settings.table]
        self._policy = Policy.parse(deployment.policy_document())
        self._table = self._policy.table(Names(deployment.name, region="", account="").table(settings.table))
        self._clients = clients
        self.planned: Sequence[Operation] = operations(settings)
        self._last = last_of_each_item(self.planned)
        self._items = Items(self._model, settings.run)
        self._reader = Reader(clients, self._table, self._items)

    def run(self, rate: float, deadline_s: float, progress: Progress) -> tuple[Report, OperationError | None]:
        """Write what is left at ``rate`` a second, wait until all Regions agree, and return what was measured.

        The error says what was not as it should be at the deadline. Raises :class:`OperationError` for a write that
        failed. Then, and after an interruption, what was done is in the journal.
        """
        journal, problem, converged_s = self.journal, None, None
        done = journal.history.written
        left = [operation for operation in self.planned if operation.index not in done]
        with Watcher(self._reader, journal.seen) as watcher:
            if left:
                with progress.step(f"Write in {', '.join(journal.settings.regions)}") as step:
                    self._write(left, rate, watcher, step)
            with progress.step("Wait until every Region agrees") as step:
                began_s = time.monotonic()
                while watcher.unseen and time.monotonic() < began_s + deadline_s:
                    time.sleep(_PAUSE_S)
                try:
                    left_s = began_s + deadline_s - time.monotonic()
                    await_all(self._last, self._expected, self._reader, max(0.0, left_s), step)
                    converged_s = time.monotonic() - began_s
                except OperationError as error:
                    problem = error
            unseen = watcher.unseen
        report = summarize(
            settings=journal.settings,
            rate_wanted=rate,
            planned=self.planned,
            history=journal.history,
            converged_s=converged_s,
            unseen=unseen,
        )
        return report, problem

    def remove(self, rate: float, deadline_s: float, progress: Progress) -> int:
        """Delete the run's items where they were written, and return how many when they are gone everywhere.

        What an application has replaced meanwhile is not the run's any more, and stays.
        """
        pace, deleted = Pace(rate), 0
        with progress.step(f"Delete the items of run {self.journal.settings.run}"):
            for region in self.journal.settings.regions:
                of_region = [item for item, operation in self._last.items() if operation.region == region]
                with ThreadPoolExecutor(LANES) as pool:
                    deletes = []
                    for items in batches(of_region):
                        for item in self._reader.read(region, items):
                            time.sleep(pace.wait_s())
                            deletes.append(pool.submit(self._delete, region, item))
                deleted += sum(delete.result() for delete in deletes)
        with progress.step("Wait until they are gone everywhere") as step:
            await_all(self._last, lambda _: {}, self._reader, deadline_s, step)
        return deleted

    def _write(self, left: Sequence[Operation], rate: float, watcher: Watcher, step: Step) -> None:
        journal, stop, began_s, before = (
            self.journal,
            threading.Event(),
            time.monotonic(),
            len(self.planned) - len(left),
        )
        sample = self._sample(left)
        journal.begin_session()

        def written(operation: Operation) -> None:
            if operation.index in sample:
                watcher.watch(operation, sample[operation.index])
            journal.written(operation.index)

        with ThreadPoolExecutor(len(journal.settings.regions)) as pool:
            runs = []
            for region in journal.settings.regions:
                of_region = [operation for operation in left if operation.region == region]
                if of_region:
                    items = Items(self._model, journal.settings.run)
                    writer = Writer(self._clients[region], region, self._policy, self._table, items, written, stop)
                    runs.append(pool.submit(writer.run, of_region, rate * len(of_region) / len(left)))
            try:
                while wait(runs, timeout=_SHOWN_EVERY_S).not_done:
                    done = len(journal.history.sessions[-1])
                    speed = done / (time.monotonic() - began_s)
                    step.update(f"{before + done} of {len(self.planned)} writes, {speed:.1f}/s")
            finally:
                stop.set()
        for one in runs:
            one.result()

    def _sample(self, left: Sequence[Operation]) -> dict[int, list[str]]:
        """Return the writes whose lag is measured, evenly spread, and in which Regions."""
        last = [operation for operation in left if self._last[operation.item] == operation]
        awaited = {one.index: [region for region in self._expected(one) if region != one.region] for one in last}
        indexes = [index for index, regions in awaited.items() if regions]
        return {index: awaited[index] for index in indexes[:: 1 + len(indexes) // _SAMPLES_MAX]}

    def _expected(self, operation: Operation) -> dict[str, str | None]:
        return projections(self._policy, self._table, operation)

    def _delete(self, region: str, item: int) -> bool:
        """Delete an item if it is still the run's, and return whether it was."""
        key = to_boto(self._items.key(item))
        with reported(region, "delete_item"):
            try:
                self._clients[region].delete_item(
                    TableName=self._table.name,
                    Key=key,
                    ConditionExpression="begins_with(#marker, :run)",
                    ExpressionAttributeNames={"#marker": MARKER},
                    ExpressionAttributeValues={":run": {"S": f"{self.journal.settings.run}/"}},
                )
            except self._clients[region].exceptions.ConditionalCheckFailedException:
                return False
        return True
