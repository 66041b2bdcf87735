"""One place that decides what becomes of a failure: nothing is lost, and nothing holds up its neighbours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from domicile.core.errors import DomicileError, PermanentError, TransientError
from domicile.pipeline.ports import World
from domicile.pipeline.report import Report

PATIENCE_MS = 20 * 3600 * 1000
"""A stream's record that still fails at this age is quarantined whole: a table's stream forgets it after 24 hours. A
bridge's stream keeps it for longer, for when its function can't run; but what fails there holds up its shard."""


def guarded(
    world: World, step: str, delivery: str, record: Callable[[], Any], action: Callable[[Report], None]
) -> Report:
    """Run ``action`` and put the whole ``record``, which is made for that alone, into the quarantine where it must."""
    return judged(delivery, action, lambda reason: quarantine(world, step, delivery, record(), reason))


def judged(delivery: str, action: Callable[[Report], None], give_up: Callable[[str], Report]) -> Report:
    """Run ``action`` on a report of its own; ``delivery`` names what is delivered again where it fails.

    A transient failure is retried. Any other is given up under the error's reason or its type: an error that nobody
    foresaw must neither stop the shard nor lose the record.
    """
    report = Report()
    try:
        action(report)
    except TransientError as error:
        return retry(delivery, type(error).__name__)
    except PermanentError as error:
        return give_up(error.reason)
    except Exception as error:
        return give_up(f"unexpected_{type(error).__name__}")
    return report


def retry(delivery: str, cause: str) -> Report:
    """Return the report of something that must be delivered again."""
    report = Report()
    report.retry(delivery, cause)
    return report


def quarantine(world: World, step: str, delivery: str, record: Any, reason: str) -> Report:
    """Put a record into the quarantine; where that fails, for whatever reason, it must be delivered again."""
    try:
        world.quarantine.put(reason, step, record)
    except DomicileError as error:
        return retry(delivery, type(error).__name__)
    report = Report()
    report.quarantined(reason)
    return report
