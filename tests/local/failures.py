"""What the tests of failures share: writers under load, crashes, AppConfig documents, and the operator's commands."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from botocore.exceptions import ClientError

from domicile import quarantine, queues
from domicile.aws.wire import from_boto
from domicile.core.control import Control, Image, without
from domicile.local import api
from domicile.local.api import LocalAws
from domicile.naming import Names
from domicile.project import find_root
from tests.local.regions import CONTROL, DEADLINE_S, Regions, eventually, text
from tests.plane import allow, policy

MUMBAI, VIRGINIA, IRELAND = "ap-south-1", "us-east-1", "eu-west-1"
NAME = "shopease"
INVENTORY = f"{NAME}-inventory"
DOWN = "ServiceUnavailable"


class Load:
    """Writers of global items, each key written by one of them, again and again; what must survive is known.

    A writer whose Region is ``DOWN`` goes on trying.
    """

    def __init__(self, regions: Regions, run: str, keys: int = 20, pause_s: float = 0.01) -> None:
        self.expected: dict[str, str] = {}
        self._regions = regions
        self._stop = threading.Event()
        self._pause_s = pause_s
        self._threads = [
            threading.Thread(target=self._write, args=(region, [f"{run}-{region}-{n}" for n in range(keys)]))
            for region in regions.all
        ]
        self._errors: list[Exception] = []

    def _write(self, region: str, keys: list[str]) -> None:
        chance, count = random.Random(region), 0
        while not self._stop.is_set():
            count += 1
            sku = chance.choice(keys)
            key: Image = {"sku": {"S": sku}}
            try:
                if sku in self.expected and count % 2:
                    self._regions.update(region, "inventory", key, "n", {"N": str(count)})
                else:
                    self._regions.put(region, "inventory", {**key, "n": {"N": str(count)}})
            except Exception as error:
                if isinstance(error, ClientError) and error.response["Error"]["Code"] == DOWN:
                    continue
                self._errors.append(error)
                return
            self.expected[sku] = str(count)
            self._stop.wait(self._pause_s)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Write while the block runs; a write that failed fails the block."""
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in self._threads:
                thread.join()
        assert self._errors == []

    def await_convergence(self, within_s: float = DEADLINE_S) -> None:
        """Wait until every Region has the last write of every key, in the same version."""
        assert self.expected
        await_everywhere(self._regions, self.expected, within_s)


def await_everywhere(regions: Regions, expected: Mapping[str, str], within_s: float = DEADLINE_S) -> None:
    """Wait until each Region has each ``sku`` with its ``n``, and all agree on the versions."""

    def differences() -> dict[str, object]:
        held = {region: _held(regions, region, expected) for region in regions.all}
        wrong: dict[str, object] = {
            region: [sku for sku, n in expected.items() if items.get(sku, ("", None))[0] != n][:5]
            for region, items in held.items()
        }
        if not any(wrong.values()) and any(items != held[regions.all[0]] for items in held.values()):
            return {"versions": "differ"}
        return {region: skus for region, skus in wrong.items() if skus}

    eventually(differences, lambda found: not found, "the last write of every key everywhere", within_s)


def _held(regions: Regions, region: str, expected: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    pages = regions.client("dynamodb", region).get_paginator("scan").paginate(TableName=INVENTORY, ConsistentRead=True)
    items = {item["sku"]["S"]: item for page in pages for item in page["Items"] if item["sku"]["S"] in expected}
    controls = {sku: Control.of(item, CONTROL) for sku, item in items.items()}
    return {
        sku: (item["n"]["N"], str(control.version) if (control := controls[sku]) else "") for sku, item in items.items()
    }


def fresh(name: str) -> str:
    """Return a key that no other run of a test has used."""
    return f"{name}-{time.time_ns()}"


def warm_up(regions: Regions) -> None:
    """Return when every Region's functions have handled something, and so have read their policy."""
    skus = [fresh(f"warm-{region}") for region in regions.all]
    for region, sku in zip(regions.all, skus, strict=True):
        regions.put(region, "inventory", {"sku": {"S": sku}, "n": {"N": "1"}})
    await_everywhere(regions, dict.fromkeys(skus, "1"))


def await_quiet(regions: Regions) -> None:
    """Wait until no message waits, or is being worked on, in any queue of the pipeline."""

    def waiting() -> dict[str, int]:
        found = {}
        for region, role in regions.queues():
            attributes = regions.client("sqs", region).get_queue_attributes(
                QueueUrl=regions.queue_url(region, role), AttributeNames=["All"]
            )["Attributes"]
            names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
            found[f"{region} {role}"] = sum(int(attributes[name]) for name in names)
        return {queue: count for queue, count in found.items() if count}

    eventually(waiting, lambda found: not found, "empty queues")


def contents(regions: Regions, table: str, key: Image) -> dict[str, Image | None]:
    """Return what each Region holds of an item, but for the control attribute."""
    images = regions.images(table, key)
    return {region: without(image, CONTROL) if image else None for region, image in images.items()}


def hits() -> int:
    """Return the number of calls that the fault rules took."""
    return sum(rule["hits"] for rule in api.faults_list())


def await_hits(count: int = 1) -> None:
    """Wait until the fault rules took so many calls: a fault that met nothing proves nothing."""
    eventually(hits, lambda taken: taken >= count, f"{count} calls that met the fault")


def operate(local: LocalAws, *arguments: str, code: int = 0) -> str:
    """Run ``domicile`` as an operator would, bound to the local AWS, and return what it printed."""
    done = subprocess.run(  # noqa: S603
        [Path(sys.executable).with_name("domicile"), *arguments],
        cwd=find_root(Path(__file__).parent),
        env={name: value for name, value in os.environ.items() if not name.startswith("AWS_")} | local.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def quarantined(regions: Regions) -> dict[tuple[str, str, str], int]:
    """Return the number of keys in the quarantines by Region, reason and step, and leave the records there."""
    found: Counter[tuple[str, str, str]] = Counter()
    with patch.object(queues, "WAIT_S", 0):
        for region in regions.all:
            clients = (regions.client(service, region) for service in ("sqs", "lambda"))
            opened = quarantine.Quarantine(Names(NAME, region, account=""), *clients)
            taken = opened.take(1000)
            opened.release(taken)
            for group in quarantine.summarize(taken):
                found[region, group.reason, group.step] += group.keys
    return dict(found)


def crash_functions() -> int:
    """Kill every sandbox of every function of the local AWS, as if their machines had died; return how many."""
    servers = api.state_folder(find_root(Path.cwd())).server_pids().values()
    listed = subprocess.run(["ps", "-axwwo", "pid=,ppid=,command="], capture_output=True, text=True, check=True)  # noqa: S607
    killed = 0
    for line in listed.stdout.splitlines():
        pid, parent, command = line.split(maxsplit=2)
        if int(parent) in servers and "sandbox.py" in command:
            os.kill(int(pid), signal.SIGKILL)
            killed += 1
    return killed


@contextmanager
def soon_redelivered(regions: Regions) -> Iterator[None]:
    """Give the pipeline's queues a visibility timeout of three seconds: what a dead function held comes back so soon.

    Their own is minutes, longer than any deadline here.
    """
    queues = [(regions.client("sqs", region), regions.queue_url(region, role)) for region, role in regions.queues()]
    read: list[dict[str, str]] = [
        sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])["Attributes"]
        for sqs, url in queues
    ]
    for sqs, url in queues:
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "3"})
    try:
        yield
    finally:
        for (sqs, url), attributes in zip(queues, read, strict=True):
            sqs.set_queue_attributes(QueueUrl=url, Attributes=attributes)


class PolicyDocument:
    """The policy document of one Region in AppConfig, deployed as an operator would in a hurry: all at once."""

    def __init__(self, regions: Regions, region: str) -> None:
        self._client = regions.client("appconfig", region)
        self._application = self._id(self._client.list_applications()["Items"], NAME)
        inside = {"ApplicationId": self._application}
        self._environment = self._id(self._client.list_environments(**inside)["Items"], "live")
        self._profile = self._id(self._client.list_configuration_profiles(**inside)["Items"], "policy")
        self._strategy = self._id(self._client.list_deployment_strategies()["Items"], f"{NAME}-first")
        versions = self._client.list_hosted_configuration_versions(**inside, ConfigurationProfileId=self._profile)
        self._first = min(version["VersionNumber"] for version in versions["Items"])
        self._others: list[int] = []

    def read(self) -> dict[str, Any]:
        """Return the document that Terraform deployed."""
        version = self._client.get_hosted_configuration_version(
            ApplicationId=self._application, ConfigurationProfileId=self._profile, VersionNumber=self._first
        )
        document: dict[str, Any] = json.loads(version["Content"].read())
        return document

    def deploy(self, content: str) -> None:
        """Deploy another document."""
        version = self._client.create_hosted_configuration_version(
            ApplicationId=self._application,
            ConfigurationProfileId=self._profile,
            Content=content.encode(),
            ContentType="application/json",
        )["VersionNumber"]
        self._others.append(version)
        self._start(version)

    def restore(self) -> None:
        """Deploy Terraform's document again, and remove the others."""
        self._start(self._first)
        for version in self._others:
            self._client.delete_hosted_configuration_version(
                ApplicationId=self._application, ConfigurationProfileId=self._profile, VersionNumber=version
            )

    def _start(self, version: int) -> None:
        inside = {"ApplicationId": self._application, "EnvironmentId": self._environment}
        # One that bakes can't be stopped, and none can start before it is over.
        eventually(
            lambda: {deployment["State"] for deployment in self._client.list_deployments(**inside)["Items"]},
            lambda states: not states & {"DEPLOYING", "BAKING"},
            "the end of the last deployment",
        )
        number = self._client.start_deployment(
            **inside,
            DeploymentStrategyId=self._strategy,
            ConfigurationProfileId=self._profile,
            ConfigurationVersion=str(version),
        )["DeploymentNumber"]
        eventually(
            lambda: self._client.get_deployment(**inside, DeploymentNumber=number)["State"],
            lambda state: state == "COMPLETE",
            "the deployment's end",
        )

    @staticmethod
    def _id(items: list[dict[str, Any]], name: str) -> str:
        return next(str(item["Id"]) for item in items if item["Name"] == name)


@contextmanager
def tapped(regions: Regions) -> Iterator[dict[str, str]]:
    """Copy every event on every Region's bus into a queue of that Region; the URLs of these queues by Region."""
    name = f"{NAME}-tap"
    from_rules = allow("sqs:SendMessage", "*") | {"Principal": {"Service": "events.amazonaws.com"}}
    attributes = {"Policy": policy(from_rules)}
    taps = {
        region: regions.client("sqs", region).create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        for region in regions.all
    }
    for region, url in taps.items():
        arn = regions.client("sqs", region).get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        events = regions.client("events", region)
        events.put_rule(Name=name, EventBusName=NAME, EventPattern=json.dumps({"source": ["domicile"]}))
        target = {"Id": "tap", "Arn": arn["Attributes"]["QueueArn"]}
        events.put_targets(Rule=name, EventBusName=NAME, Targets=[target])
    try:
        yield taps
    finally:
        for region, url in taps.items():
            events = regions.client("events", region)
            events.remove_targets(Rule=name, EventBusName=NAME, Ids=["tap"])
            events.delete_rule(Name=name, EventBusName=NAME)
            regions.client("sqs", region).delete_queue(QueueUrl=url)


def drain(regions: Regions, region: str, url: str) -> list[str]:
    """Take the bodies of all messages out of a queue."""
    sqs, bodies = regions.client("sqs", region), []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            bodies.append(message["Body"])
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return bodies


def stream_records(regions: Regions, region: str, containing: str) -> list[dict[str, Any]]:
    """Return the records of all streams of a Region that contain a text, as Lambda hands them to a function."""
    streams, found = regions.client("dynamodbstreams", region), []
    for stream in streams.list_streams()["Streams"]:
        arn = stream["StreamArn"]
        for shard in streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]:
            iterator: str | None = streams.get_shard_iterator(
                StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            while iterator:
                page = streams.get_records(ShardIterator=iterator)
                found += [_as_lambda_gets_it(record, arn) for record in page["Records"]]
                iterator = page.get("NextShardIterator") if page["Records"] else None
    return [record for record in found if containing in text(record)]


def _as_lambda_gets_it(record: dict[str, Any], stream_arn: str) -> dict[str, Any]:
    change = dict(record["dynamodb"])
    change["ApproximateCreationDateTime"] = int(change["ApproximateCreationDateTime"].timestamp())
    for image in ("Keys", "OldImage", "NewImage"):
        if image in change:
            change[image] = from_boto(change[image])
    return {**record, "dynamodb": change, "eventSourceARN": stream_arn}


def logged(regions: Regions, region: str, role: str, since_ms: int, what: str) -> bool:
    """Whether a function logged a text since then."""
    logs = regions.client("logs", region)
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName=f"/aws/lambda/{NAME}-{role}", startTime=since_ms
    )
    return any(what in event["message"] for page in pages for event in page["events"])


def now_ms() -> int:
    """Return the time as CloudWatch Logs counts it."""
    return int(time.time() * 1000)
