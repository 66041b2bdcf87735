"""An item that expires leaves a stream record that says so.

AWS: DynamoDB deletes an item some time after the moment in its time-to-live attribute, and the stream's REMOVE record
has a ``userIdentity`` of type ``Service``. A moment more than five years ago, or a value that is no number, is ignored.

MiniStack 1.5.33: deletes once a minute, without any stream record. That thread can't be stopped, so it is made to find
nothing to remove, and :func:`expire` does the work: once a minute, and when the gateway asks.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from typing import Any

from ministack.core.responses import request_scope
from ministack.services import dynamodb

from domicile.local.adaptations import expect_function, expect_value

_INTERVAL_S = 60
_REAPER_THREAD = "dynamodb-ttl-reaper"
_IGNORED_AGE_S = 5 * 365 * 86_400

_expiring: contextvars.ContextVar[bool] = contextvars.ContextVar("expiring", default=False)


def install(loop: asyncio.AbstractEventLoop) -> None:
    """Take over from MiniStack's thread; items expire on ``loop``, as all other writes are made."""
    remove_item = expect_function(dynamodb, "_remove_item", "table", "pk_val", "sk_val")
    build = expect_function(
        dynamodb, "_build_change_record", "table", "event_name", "old_item", "new_item", "view_type"
    )
    expect_function(dynamodb, "_emit_stream_event", "table_name", "event_name", "old_item", "new_item", "replicate")
    expect_value(dynamodb, "_ttl_settings")
    expect_value(dynamodb, "_tables")

    def remove_unless_reaper(table: dict[str, Any], pk_val: Any, sk_val: Any) -> Any:
        if threading.current_thread().name == _REAPER_THREAD:
            return None
        return remove_item(table, pk_val, sk_val)

    def build_with_identity(*args: Any) -> dict[str, Any]:
        record: dict[str, Any] = build(*args)
        if _expiring.get():
            record["userIdentity"] = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
        return record

    def sweep() -> None:
        expire()
        loop.call_later(_INTERVAL_S, sweep)

    dynamodb._remove_item = remove_unless_reaper
    dynamodb._build_change_record = build_with_identity
    loop.call_later(_INTERVAL_S, sweep)


def expire() -> int:
    """Delete every item whose time to live is over, and return how many there were. To be called on the loop."""
    now = time.time()
    expired = [
        (scope, table, pk, sk, item)
        for scope, settings in dynamodb._ttl_settings.all_items()
        if settings["TimeToLiveStatus"] == "ENABLED" and (table := dynamodb._tables.get_scoped(*scope)) is not None
        for pk, items in table["items"].items()
        for sk, item in items.items()
        if _is_over(item.get(settings["AttributeName"]), now)
    ]
    token = _expiring.set(True)
    try:
        for (account, region, name), table, pk, sk, item in expired:
            with request_scope(account, region):
                dynamodb._remove_item(table, pk, sk)
                dynamodb._emit_stream_event(name, "REMOVE", item, None)
    finally:
        _expiring.reset(token)
    return len(expired)


def _is_over(value: dict[str, str] | None, now: float) -> bool:
    return value is not None and "N" in value and now - _IGNORED_AGE_S < float(value["N"]) <= now
