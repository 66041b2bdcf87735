"""The Regions on both sides of a bridge: what crossed it, what waits for it, and the operator's commands."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import botocore.session

from domicile.accounts import parse_profiles
from domicile.core.control import Control, Image, without
from domicile.core.events import Operation
from domicile.core.parcels import Parcel
from domicile.core.partitions import partition_of
from domicile.local import api
from domicile.local.api import LocalAws
from domicile.project import find_root
from tests.local.regions import CONTROL, Regions, eventually, text

SINGAPORE, IRELAND, BEIJING, NINGXIA = "ap-southeast-1", "eu-west-1", "cn-north-1", "cn-northwest-1"
GATEWAYS = {SINGAPORE: BEIJING, BEIJING: SINGAPORE}
"""Each gateway Region, and the one beyond."""
NAME = "shopease"
_FILE = Path("examples", "bridge", "domicile.yaml")
_DEADLINE_S = 120


class Sides(Regions):
    """The Regions of the deployment ``examples/bridge``, or of another with its name and its gateways."""

    def __init__(self, local: LocalAws, file: Path = _FILE) -> None:
        super().__init__(local)
        self._local, self._file = local, file

    def operate(self, *arguments: str, code: int = 0) -> str:
        """Run ``domicile`` as an operator of both partitions would, and return what it printed."""
        root = find_root(Path(__file__).parent)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        done = subprocess.run(  # noqa: S603
            [Path(sys.executable).with_name("domicile"), *arguments],
            cwd=root,
            env=inherited | self._local.environment | {"DOMICILE_FILE": str(root / self._file)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    def session(self, region: str, **keys: str) -> boto3.Session:
        """Return a session with the credentials of a Region's partition alone, as an application there has.

        They are the account's, or ``keys`` as boto3 calls them.
        """
        profiles = parse_profiles(self._local.environment["DOMICILE_PROFILES"].split())
        core = botocore.session.Session(profile=profiles[partition_of(region)])
        core.set_config_variable("config_file", self._local.environment["AWS_CONFIG_FILE"])
        return boto3.Session(botocore_session=core, **keys)

    def crossed(self, receiver: str) -> list[Parcel]:
        """Return all that the staging stream of a gateway Region has got since its beginning."""
        kinesis, name = self.client("kinesis", receiver), f"{NAME}-from-{GATEWAYS[receiver]}"
        found = []
        for shard in kinesis.list_shards(StreamName=name)["Shards"]:
            iterator = kinesis.get_shard_iterator(
                StreamName=name, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            while True:
                answer = kinesis.get_records(ShardIterator=iterator, Limit=1000)
                found += [record["Data"] for record in answer["Records"]]
                if not answer["Records"]:
                    break
                iterator = answer["NextShardIterator"]
        return [Parcel.of_data(data) for data in found if data != POISON]

    def queues(self) -> list[tuple[str, str]]:
        """Return the Region and the role of each queue that a function empties."""
        return [*super().queues(), *((region, "outbox") for region in GATEWAYS)]

    def backlog(self, gateway: str) -> int:
        """Return how many messages wait, or are being worked on, in a gateway Region's outbox."""
        attributes = self.client("sqs", gateway).get_queue_attributes(
            QueueUrl=self.queue_url(gateway, "outbox"), AttributeNames=["All"]
        )["Attributes"]
        names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        return sum(int(attributes[name]) for name in names)

    def dead_letters(self) -> dict[str, int]:
        """Return the number of messages in every dead-letter queue, where there are any."""
        outboxes = {}
        for region in GATEWAYS:
            attributes = self.client("sqs", region).get_queue_attributes(
                QueueUrl=self.queue_url(region, "outbox-dlq"), AttributeNames=["ApproximateNumberOfMessages"]
            )["Attributes"]
            outboxes[f"{region} outbox-dlq"] = int(attributes["ApproximateNumberOfMessages"])
        return super().dead_letters() | {queue: count for queue, count in outboxes.items() if count}


POISON = b"this is no record of a bridge"


def await_images(sides: Sides, table: str, key: Image, expected: dict[str, str]) -> dict[str, Image]:
    """Wait until each Region has of an item what is ``expected``: ``full``, ``stub`` or ``nothing``; return the images.

    Those that have it agree on its version.
    """

    def kinds() -> tuple[dict[str, str], set[str]]:
        images = sides.images(table, key)
        controls = {region: Control.of(image, CONTROL) for region, image in images.items()}
        found = {region: _kind(images[region], control) for region, control in controls.items()}
        return found, {str(control.version) if control else "none" for r, control in controls.items() if images[r]}

    eventually(kinds, lambda found: found[0] == expected and len(found[1]) <= 1, f"{expected}")
    return {region: image for region, image in sides.images(table, key).items() if image is not None}


def _kind(image: Image | None, control: Control | None) -> str:
    if image is None:
        return "nothing"
    if control is None:
        return "unstamped"
    return "stub" if control.is_stub else "full"


def contents(images: dict[str, Image]) -> list[Image]:
    """Return images without their control attributes."""
    return [without(image, CONTROL) for image in images.values()]


def assert_may_cross(parcel: Parcel) -> None:
    """Hold a record of a staging stream to what the deployment's bridge lets cross, whoever wrote what it is about."""
    if parcel.operation is not None:
        assert set(parcel.fields) == {"table", "key", "version", "home", "outcome"}
        return
    mutation = parcel.mutation
    image = mutation.image or {}
    authority = image.get("localization_authority", {}).get("S")
    if mutation.operation is Operation.PUT:
        assert authority is None
    elif mutation.operation is Operation.STUB:
        assert authority == "EU"
        assert "canary" not in text(mutation.to_json())
        assert_redacted(image)
    elif mutation.operation is Operation.MOVE:
        assert {"CN": BEIJING, "EU": IRELAND, "SG": SINGAPORE}[authority or ""] == mutation.home
        assert parcel.destination == (mutation.home,)
    else:
        assert mutation.image is None


def assert_redacted(image: Image) -> None:
    """Hold a stub of a customer to what the deployment file says of each sensitive attribute."""
    assert (image["name"], "phone" in image) == ({"S": "[redacted]"}, False)
    assert image["email"]["S"].startswith("***@")


@contextmanager
def link_fault(receiver: str, **rule: Any) -> Iterator[None]:
    """Let what is sent to a gateway Region's stream fail or wait while the block runs."""
    api.faults_add({"service": "kinesis", "operation": "PutRecords", "region": receiver, **rule})
    try:
        yield
    finally:
        api.faults_clear()


cut = partial(link_fault, code="ServiceUnavailable", status=503)
"""The link of a direction, down."""
