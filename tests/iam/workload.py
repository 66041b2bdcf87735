"""Work that needs every permission: items of each authority in each Region, what fails, and what can't be handled."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from domicile.core.control import Control, Image
from domicile.core.events import Mutation, Operation, Receipt
from domicile.core.parcels import Parcel
from domicile.core.partitions import partition_of
from domicile.core.version import stamp
from domicile.local import api
from domicile.naming import BRIDGE_FUNCTIONS, FUNCTIONS
from tests.bridge.sides import BEIJING, GATEWAYS, IRELAND, NAME, NINGXIA, POISON, SINGAPORE, Sides
from tests.local.failures import drain, fresh, now_ms
from tests.local.regions import CONTROL, eventually, text

HOMES = {"SG": SINGAPORE, "EU": IRELAND, "BJ": BEIJING, "NX": NINGXIA}
TABLE = "customers"
STREAMS = ("listener", "gateway")
"""The functions that read a stream."""
Allowed = Callable[[str, str, str], bool]
"""Whether in a Region a role was ever allowed an action, on what is not the quarantine."""


def customer(authority: str | None = None, more: Image | None = None) -> Image:
    """Return a new customer."""
    law: Image = {"localization_authority": {"S": authority}} if authority else {}
    name = {"S": fresh("c")}
    return {
        "customer_id": name,
        **law,
        "name": {"S": "raw"},
        "national_id": {"S": "raw"},
        "tier": {"S": "a"},
        **(more or {}),
    }


def large() -> Image:
    """Return an attribute that no event can carry."""
    return {"photo": {"B": base64.b64encode(secrets.token_bytes(300_000)).decode()}}


def key_of(item: Image) -> Image:
    """Return a customer's key."""
    return {"customer_id": item["customer_id"]}


def write_everywhere(sides: Sides) -> None:
    """Write, move, update and delete items of each authority in each Region, and wait until all of it has arrived."""
    deleted, written = [], []
    for region in sides.all:
        for more in ({}, large()):
            item = customer(more=more)
            sides.put(region, TABLE, item)
            written.append(item)
        for authority in HOMES:
            item = customer(authority)
            sides.put(region, TABLE, item)
            written.append(item)
        item = customer()
        sides.put(region, TABLE, item)
        deleted.append((region, item))
    for item in written:
        eventually(partial(is_settled, sides, item), bool, "the item, or its stub, everywhere")
    for region, item in deleted:
        sides.await_version(TABLE, key_of(item), lambda _: True)
        sides.delete(region, TABLE, key_of(item))
    for _, item in deleted:
        sides.await_absence(TABLE, key_of(item))


def is_settled(sides: Sides, item: Image) -> bool:
    """Whether every Region has the item, or its stub if its home is elsewhere."""
    home = HOMES.get(item.get("localization_authority", {}).get("S", ""))
    controls = {region: Control.of(image, CONTROL) for region, image in sides.images(TABLE, key_of(item)).items()}
    return all(
        control is not None and control.is_stub == (home not in {None, region}) for region, control in controls.items()
    )


def deliver_late(sides: Sides) -> None:
    """Let each listener get a write that a lower version has overtaken, and the expiry of an item that is there."""
    for region in sides.all:
        overtaken, expired = customer(), customer()
        for item in (overtaken, expired):
            sides.put(region, TABLE, item)
            sides.await_version(TABLE, key_of(item), lambda _: True)
        mapping = _mappings(sides, region, "listener")[0]
        late: dict[str, Any] = {
            "eventSource": "aws:dynamodb",
            "eventSourceARN": mapping["EventSourceArn"],
            "awsRegion": region,
        }
        there = sides.get(region, TABLE, key_of(expired)) or {}
        _invoke_listener(
            sides,
            region,
            late | {"eventName": "MODIFY", "dynamodb": _change("1", overtaken, NewImage=overtaken)},
            late
            | {
                "eventName": "REMOVE",
                "userIdentity": {"type": "Service", "principalId": "dynamodb.amazonaws.com"},
                "dynamodb": _change("2", expired, OldImage=there),
            },
        )
        eventually(partial(sides.get, region, TABLE, key_of(expired)), lambda image: image is None, "the expiry")


def _change(number: str, item: Image, **images: Image) -> dict[str, Any]:
    at_s = now_ms() // 1000 + 1  # later than anything that is there
    return {"Keys": key_of(item), "SequenceNumber": number, "ApproximateCreationDateTime": at_s, **images}


def _invoke_listener(sides: Sides, region: str, *records: dict[str, Any]) -> None:
    answer = sides.client("lambda", region).invoke(
        FunctionName=f"{NAME}-listener", Qualifier="live", Payload=json.dumps({"Records": records})
    )
    assert json.loads(answer["Payload"].read()) == {"batchItemFailures": []}


def poison(sides: Sides) -> None:
    """Give each function something that it can't handle, and each listener a write on a stub, which are quarantined."""
    for region in sides.all:
        sibling = sibling_of(sides, region)
        moved = customer(next(law for law, home in HOMES.items() if home == sibling))
        sides.put(sibling, TABLE, moved)
        eventually(partial(sides.get, region, TABLE, key_of(moved)), bool, "the stub")
        sides.update(region, TABLE, key_of(moved), "name", {"S": "raw again"})
        sides.put(region, TABLE, {**customer(), CONTROL: {"S": "not a control attribute"}})
        queues = ("inbox", "receipts", *(("outbox",) if region in GATEWAYS else ()))
        for queue in queues:
            _send(sides, region, queue, f"poison for the {queue}")
        if region in GATEWAYS:
            _put(sides, region, POISON)
        _await_quarantined(sides, region, 6 if region in GATEWAYS else 4)


def _await_quarantined(sides: Sides, region: str, count: int) -> None:
    found: set[str] = set()  # a record may come twice

    def taken() -> int:
        found.update(map(text, sides.quarantined(region)))
        return len(found)

    eventually(taken, lambda number: number == count, f"{count} records in the quarantine of {region}")


def fail(sides: Sides, was_allowed: Allowed) -> None:
    """Let each function fail until it has postponed its messages, or its stream's batch was given up."""
    with _giving_up(sides), _faults():
        for region in sides.all:
            sides.put(region, TABLE, customer())
            sibling = sibling_of(sides, region)
            change, receipt = _change_of(sibling, region), _receipt_of(sibling, region)
            _send(sides, region, "inbox", change.to_message())
            _send(sides, region, "receipts", receipt.to_message())
        for region, beyond in GATEWAYS.items():
            _send(sides, region, "outbox", _change_of(region, beyond).to_message())
            _put(sides, region, _change_of(beyond, region).to_record().data)
        for region in sides.all:
            for function in (*FUNCTIONS, *(BRIDGE_FUNCTIONS if region in GATEWAYS else ())):
                action = "sqs:SendMessage" if function in STREAMS else "sqs:ChangeMessageVisibility"
                role = f"{NAME}-{function}-{region}"
                eventually(partial(was_allowed, region, role, action), bool, f"{action} by {role}")
    for region in sides.all:
        drain(sides, region, sides.queue_url(region, "stream-dlq"))


def sibling_of(sides: Sides, region: str) -> str:
    """Return another Region of the same partition."""
    return next(name for name in sides.all if partition_of(name) == partition_of(region) and name != region)


def _change_of(emitter: str, region: str) -> Parcel:
    """Return a new global item that is on its way from one Region to another."""
    item = customer()
    mutation = Mutation(
        operation=Operation.PUT,
        table=f"{NAME}-{TABLE}",
        key=key_of(item),
        version=stamp(now_ms(), None, emitter),
        origin=emitter,
        image=item,
    )
    return Parcel(emitter=emitter, destination=(region,), fields=mutation.to_json())


def _receipt_of(emitter: str, region: str) -> Parcel:
    """Return the receipt of a move that never was."""
    receipt = Receipt(
        operation=Operation.MOVE,
        table=f"{NAME}-{TABLE}",
        key=key_of(customer()),
        version=stamp(now_ms(), None, region),
        home=emitter,
        outcome="applied",
    )
    return Parcel(emitter=emitter, destination=(region,), fields=receipt.to_json(), operation=Operation.MOVE)


@contextmanager
def _faults() -> Iterator[None]:
    for service, operation in (
        *(("dynamodb", "GetItem"), ("dynamodb", "UpdateItem")),
        *(("events", "PutEvents"), ("kinesis", "PutRecords")),
    ):
        api.faults_add({"service": service, "operation": operation, "code": "InternalFailure"})
    try:
        yield
    finally:
        api.faults_clear()


@contextmanager
def _giving_up(sides: Sides) -> Iterator[None]:
    """Let the mappings of streams try once."""

    def retry(retries_max: int) -> None:
        for region in sides.all:
            for mapping in (found for function in STREAMS for found in _mappings(sides, region, function)):
                sides.client("lambda", region).update_event_source_mapping(
                    UUID=mapping["UUID"], MaximumRetryAttempts=retries_max
                )

    retry(0)
    try:
        yield
    finally:
        retry(-1)


def come_to_nothing(sides: Sides) -> None:
    """Let each courier find a large item, on its way to a home beyond, deleted where it was written."""
    for region, writer, authority in ((SINGAPORE, IRELAND, "BJ"), (BEIJING, NINGXIA, "SG")):
        (mapping,) = _mappings(sides, region, "courier")
        functions = sides.client("lambda", region)
        functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
        item = customer(authority, large())
        sides.put(writer, TABLE, item)
        eventually(partial(sides.backlog, region), bool, "the item's claim check")
        sides.delete(writer, TABLE, key_of(item))
        sides.await_absence(TABLE, key_of(item))
        functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)


def _mappings(sides: Sides, region: str, role: str) -> list[dict[str, Any]]:
    functions = sides.client("lambda", region)
    found: list[dict[str, Any]] = functions.list_event_source_mappings()["EventSourceMappings"]
    return [mapping for mapping in found if f":{NAME}-{role}:" in mapping["FunctionArn"]]


def _send(sides: Sides, region: str, queue: str, body: str) -> None:
    sides.client("sqs", region).send_message(QueueUrl=sides.queue_url(region, queue), MessageBody=body)


def _put(sides: Sides, region: str, data: bytes) -> None:
    sides.client("kinesis", region).put_record(
        StreamName=f"{NAME}-from-{GATEWAYS[region]}", Data=data, PartitionKey="p"
    )
