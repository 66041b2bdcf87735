"""Residency, seen from outside: unique values are written in every way, and then the whole local AWS is searched.

A value may be where it was written and in its home: in their streams, on their buses, in their quarantines. At rest in
a table it may be in its home alone once its move has finished. In logs, metrics, AppConfig, functions' environments and
the server's own log it may be nowhere.
"""

from __future__ import annotations

import base64
import gzip
import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from domicile.core.control import Control, Image
from domicile.core.version import stamp
from domicile.local import api
from domicile.local.api import LocalAws
from domicile.project import find_root
from tests.local.failures import (
    IRELAND,
    MUMBAI,
    NAME,
    VIRGINIA,
    await_hits,
    await_quiet,
    crash_functions,
    drain,
    operate,
    soon_redelivered,
    stream_records,
    tapped,
)
from tests.local.regions import CONTROL, Regions, eventually, text

_PACKED = re.compile(r"H4sI[A-Za-z0-9+/]+=*")
_EVERYWHERE_ELSE = "no Region"


@dataclass(frozen=True)
class Canary:
    """A value that was written once: how, in which Region, where its home is, and whether its item still holds it."""

    how: str
    value: str
    origin: str
    home: str | None
    at_rest: str | None

    @property
    def may_pass(self) -> set[str]:
        """The Regions that may ever see it."""
        return {self.origin} | ({self.home} if self.home else set())


class Aviary:
    """Writes the canaries and remembers them."""

    def __init__(self, regions: Regions) -> None:
        self.regions = regions
        self.all: list[Canary] = []

    def value(self, how: str, origin: str, home: str | None, at_rest: str | None) -> dict[str, str]:
        """Return a new unique value that is to be written in a sensitive attribute."""
        canary = Canary(how, f"canary-{secrets.token_hex(12)}", origin, home, at_rest)
        self.all.append(canary)
        return {"S": canary.value}

    def key(self) -> Image:
        """Return the key of a new customer."""
        return {"customer_id": {"S": f"c-{secrets.token_hex(6)}"}}

    def put(self, how: str, origin: str, authority: str, home: str | None, at_rest: str | None, **more: Any) -> Image:
        """Put a customer with a canary in its name, and return the key."""
        key, name = self.key(), self.value(how, origin, home, at_rest)
        item = {**key, "localization_authority": {"S": authority}, "name": name, **more}
        self.regions.put(origin, "customers", item)
        return key

    def settled(self, key: Image, home: str, holds: Callable[[Image], bool] = lambda _: True) -> dict[str, Image]:
        """Wait until the home has the item whole and every other Region its stub, in one version."""

        def is_settled(images: dict[str, Image | None]) -> bool:
            controls = {region: Control.of(image, CONTROL) for region, image in images.items()}
            versions = {str(control.version) if control else None for control in controls.values()}
            return (
                len(versions) == 1
                and None not in versions
                and all(
                    control is not None and control.home == (None if region == home else home)
                    for region, control in controls.items()
                )
                and all(holds(image) for image in images.values() if image)
            )

        found = eventually(lambda: self.regions.images("customers", key), is_settled, f"{key} at home in {home}")
        return {region: image for region, image in found.items() if image is not None}


@pytest.mark.slow
def test_no_value_is_anywhere_but_in_its_origin_and_its_home(local_aws: LocalAws, regions: Regions) -> None:
    aviary = Aviary(regions)
    with tapped(regions) as taps:
        with _receipts_held_back(regions, VIRGINIA):
            key = aviary.put("before finished", VIRGINIA, "EU", IRELAND, IRELAND)
            eventually(lambda: regions.get(IRELAND, "customers", key), bool, "the item at home")
            eventually(lambda: regions.get(MUMBAI, "customers", key), bool, "the stub elsewhere")
            resting = {region for region, words in _tables(regions) if aviary.all[0].value in words}
            assert resting == {VIRGINIA, IRELAND}, "not erased before it has arrived, and nowhere else"
        aviary.settled(key, IRELAND)
        _write_in_every_way(aviary)
        _write_while_it_fails(aviary)
        await_quiet(regions)
        commands = (("quarantine", "list"), ("quarantine", "show"), ("quarantine", "redrive"), ("dlq", "list"))
        listed = "".join(operate(local_aws, *command) for command in commands)
        places = [*_places(regions, taps), (_EVERYWHERE_ELSE, "command line", listed), *_logs_of_the_server()]
    for region in regions.all:
        # Not read and deleted: the search has just taken the messages, which hides them.
        regions.client("sqs", region).purge_queue(QueueUrl=regions.queue_url(region, "quarantine"))

    found: dict[str, set[tuple[str, str]]] = {canary.value: set() for canary in aviary.all}
    for region, place, words in places:
        for canary in aviary.all:
            if canary.value in words or base64.b64encode(canary.value.encode()).decode() in words:
                found[canary.value].add((region, place))
    for canary in aviary.all:
        where = found[canary.value]
        strayed = {(region, place) for region, place in where if region not in canary.may_pass}
        assert not strayed, f"{canary.how}: from {canary.origin} to {canary.home}, found in {strayed}"
        assert {place for _, place in where} <= {"table", "stream", "queue", "event"}, f"{canary.how}: {where}"
        resting = {region for region, place in where if place == "table"}
        assert resting == ({canary.at_rest} if canary.at_rest else set()), f"{canary.how}: rests in {resting}"
        assert (canary.origin, "stream") in where, f"{canary.how}: the search finds what is there"


def _write_in_every_way(aviary: Aviary) -> None:
    """Write first what stays or is the base of something, all at once, and then what builds on it."""
    regions = aviary.regions
    settling: list[tuple[Image, str]] = []
    for origin in regions.all:
        for authority, home in (("EU", IRELAND), ("IN", MUMBAI)):
            settling.append((aviary.put("plain put", origin, authority, home, home), home))
    updated = aviary.put("replaced by an update", IRELAND, "EU", IRELAND, None)
    stubbed = aviary.put("written on as a stub", IRELAND, "EU", IRELAND, IRELAND)
    deleted = aviary.put("deleted", VIRGINIA, "EU", IRELAND, None)
    moving = aviary.put("re-homed", IRELAND, "EU", MUMBAI, MUMBAI)
    large = {"S": secrets.token_hex(203_000)}
    claimed = aviary.put("claim check", VIRGINIA, "EU", IRELAND, IRELAND, notes=large)
    settling += [(key, IRELAND) for key in (updated, stubbed, deleted, moving, claimed)]
    stamped = aviary.key()
    control = Control(version=stamp(int(time.time() * 1000), None, VIRGINIA), origin=VIRGINIA).to_value()
    item: Image = {**stamped, "localization_authority": {"S": "IN"}, CONTROL: control}
    regions.put(VIRGINIA, "customers", {**item, "name": aviary.value("stamped", VIRGINIA, MUMBAI, MUMBAI)})
    settling.append((stamped, MUMBAI))
    aviary.put("unknown authority", MUMBAI, "XX", None, MUMBAI)
    aviary.put("unknown authority, large", MUMBAI, "XX", None, MUMBAI, notes=large)
    aviary.put("poison", VIRGINIA, "EU", None, VIRGINIA, **{CONTROL: {"S": "not a control attribute"}})
    for key, home in settling:
        aviary.settled(key, home)

    regions.update(IRELAND, "customers", updated, "name", aviary.value("plain update", IRELAND, IRELAND, IRELAND))
    street = {"M": {"street": aviary.value("nested", IRELAND, IRELAND, IRELAND), "city": {"S": "Split"}}}
    regions.update(IRELAND, "customers", updated, "address", street)
    binary = {"B": base64.b64encode(aviary.value("binary", IRELAND, IRELAND, IRELAND)["S"].encode()).decode()}
    regions.update(IRELAND, "customers", updated, "national_id", binary)
    regions.update(IRELAND, "customers", moving, "localization_authority", {"S": "IN"})
    regions.delete(MUMBAI, "customers", deleted)
    intruder = aviary.value("stub write", VIRGINIA, None, None)
    regions.update(VIRGINIA, "customers", stubbed, "name", intruder)
    contested = aviary.put("conflict, first", VIRGINIA, "EU", IRELAND, None)
    rival: Image = {**contested, "localization_authority": {"S": "EU"}}
    regions.put(MUMBAI, "customers", {**rival, "name": aviary.value("conflict, second", MUMBAI, IRELAND, None)})

    aviary.settled(updated, IRELAND, lambda image: "address" in image and "national_id" in image)
    aviary.settled(moving, MUMBAI)
    regions.await_absence("customers", deleted)
    eventually(
        lambda: text(regions.get(VIRGINIA, "customers", stubbed)), lambda t: intruder["S"] not in t, "the stub again"
    )
    images = aviary.settled(contested, IRELAND)
    # Which of the two wins is the protocol's affair; exactly one rests at home.
    aviary.all[-2:] = [
        replace(canary, at_rest=IRELAND if images[IRELAND]["name"] == {"S": canary.value} else None)
        for canary in aviary.all[-2:]
    ]
    assert len([canary for canary in aviary.all[-2:] if canary.at_rest]) == 1


def _write_while_it_fails(aviary: Aviary) -> None:
    faults: list[dict[str, Any]] = [
        {"service": "events", "operation": "PutEvents", "region": IRELAND, "code": "InternalFailure"},
        {"service": "events", "operation": "PutEvents", "region": VIRGINIA, "code": "Throttled", "partial": True},
        {"service": "dynamodb", "operation": "UpdateItem", "region": VIRGINIA, "code": "ThrottlingException"},
        {"service": "sqs", "operation": "SendMessage", "region": IRELAND, "code": "ServiceUnavailable"},
    ]
    for fault in faults:
        api.faults_add({**fault, "times": 3})
    keys = [aviary.put("while services fail", VIRGINIA, "EU", IRELAND, IRELAND) for _ in range(5)]
    for key in keys:
        aviary.settled(key, IRELAND)
    assert all(rule["hits"] for rule in api.faults_list()), "each of the faults was met"
    api.faults_clear()
    with soon_redelivered(aviary.regions):
        api.faults_add({"service": "dynamodb", "operation": "PutItem", "latency_ms": 300, "region": IRELAND})
        key = aviary.put("while functions die", VIRGINIA, "EU", IRELAND, IRELAND)
        await_hits()
        crash_functions()
        api.faults_clear()
        aviary.settled(key, IRELAND)


@contextmanager
def _receipts_held_back(regions: Regions, region: str) -> Iterator[None]:
    functions = regions.client("lambda", region)
    (mapping,) = functions.list_event_source_mappings(FunctionName=f"{NAME}-anonymizer:live")["EventSourceMappings"]
    functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    try:
        yield
    finally:
        functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)


def _places(regions: Regions, taps: dict[str, str]) -> Iterator[tuple[str, str, str]]:
    """Yield Region, kind of place and content of everything that the local AWS shows."""
    for region, words in _tables(regions):
        yield region, "table", words
    for region in regions.all:
        client = regions.client
        yield region, "stream", text(stream_records(regions, region, ""))
        for body in drain(regions, region, taps[region]):
            yield region, "event", _unpacked(body)
        yield region, "queue", _messages(regions, region)
        logs = client("logs", region)
        for group in logs.describe_log_groups()["logGroups"]:
            pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"])
            yield region, "log", "".join(_unpacked(event["message"]) for page in pages for event in page["events"])
        yield region, "metric", text(client("cloudwatch", region).list_metrics()["Metrics"])
        for function in client("lambda", region).list_functions()["Functions"]:
            yield region, "function", repr(function)
        for rule in client("events", region).list_rules(EventBusName=NAME)["Rules"]:
            yield region, "rule", repr(rule)
        for secret in client("secretsmanager", region).list_secrets()["SecretList"]:
            content = client("secretsmanager", region).get_secret_value(SecretId=secret["ARN"])
            yield region, "secret", repr(secret) + repr(content)
        yield region, "map", _policy(regions, region)


def _tables(regions: Regions) -> Iterator[tuple[str, str]]:
    for region in regions.all:
        dynamodb = regions.client("dynamodb", region)
        for table in dynamodb.list_tables()["TableNames"]:
            for page in dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True):
                yield region, repr(page["Items"])


def _messages(regions: Regions, region: str) -> str:
    sqs, bodies = regions.client("sqs", region), []
    for url in sqs.list_queues()["QueueUrls"]:
        while messages := sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=60, MessageAttributeNames=["All"]
        ).get("Messages"):
            bodies += [_unpacked(message["Body"]) + text(message.get("MessageAttributes")) for message in messages]
    return "".join(bodies) + _joined(bodies)


def _joined(bodies: list[str]) -> str:
    """Return the records that are in parts, unpacked."""
    parts: dict[str, dict[int, str]] = {}
    for body in bodies:
        for head in re.finditer(r'"id": "(\w+)", "part": (\d+), "parts": \d+, "gzip": "([^"]+)"', body):
            parts.setdefault(head[1], {})[int(head[2])] = head[3]
    return "".join(_unpacked("".join(found[number] for number in sorted(found))) for found in parts.values())


def _unpacked(words: str) -> str:
    """Return a text with everything in it that is compressed and encoded, in clear."""
    clear = [words]
    for packed in _PACKED.findall(words):
        try:
            clear.append(gzip.decompress(base64.b64decode(packed)).decode())
        except (ValueError, EOFError, OSError):  # a part of something larger
            continue
    return "\n".join(clear)


def _policy(regions: Regions, region: str) -> str:
    data = regions.client("appconfigdata", region)
    token = data.start_configuration_session(
        ApplicationIdentifier=NAME, EnvironmentIdentifier="live", ConfigurationProfileIdentifier="policy"
    )["InitialConfigurationToken"]
    return str(data.get_latest_configuration(ConfigurationToken=token)["Configuration"].read().decode())


def _logs_of_the_server() -> Iterator[tuple[str, str, str]]:
    for log in api.state_folder(find_root(Path.cwd())).logs.glob("*.log"):
        yield _EVERYWHERE_ELSE, log.name, log.read_text(encoding="utf-8", errors="replace")
