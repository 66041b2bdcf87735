"""The functions as Lambda calls them, over moto's DynamoDB, SQS and Secrets Manager: one item's way, and no value told.

Lambda writes a function's output, its logs and the exceptions that leave it to CloudWatch Logs, in the Region where the
function runs. So none of them may carry what an item holds.
"""

from __future__ import annotations

import base64
import gzip
import importlib
import json
import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from domicile.aws.link import AccessKey
from domicile.aws.settings import CourierSettings, GatewaySettings, MissingSettingError, Settings
from domicile.aws.store import DynamoDbStore
from domicile.aws.wire import from_boto, to_boto
from domicile.core.control import Control, Image
from domicile.core.version import Version
from tests.policies import LEDGER, TABLE, document
from tests.unit.aws.fakes import AppConfig, EventBridge

HERE, HOME, OTHER, BEYOND = "us-east-1", "eu-west-1", "ap-south-1", "cn-north-1"
SETTINGS_OF: dict[str, tuple[type[Settings], dict[str, str]]] = {
    "courier": (CourierSettings, {"receiver": BEYOND, "stream": "shop-from-us-east-1", "secret": "shop/courier"}),
    "gateway": (GatewaySettings, {"replicator": "shop-replicator"}),
}
ROOT = Path(__file__).parents[3]
CANARY = "canary-value"
KEY: Image = {"pk": {"S": f"{CANARY}-key"}, "sk": {"S": f"{CANARY}-range"}}
ITEM: Image = {
    **KEY,
    "localization_authority": {"S": "EU"},
    "email": {"S": f"ada@{CANARY}.example"},
    "note": {"S": CANARY},
}


ROLES = ["listener", "replicator", "anonymizer", "courier", "gateway"]
CONTEXT = SimpleNamespace(function_name="f", memory_limit_in_mb=512, invoked_function_arn="arn", aws_request_id="1")


def started(role: str) -> ModuleType:
    """A function's module in a new execution environment, whose log goes to this test's output."""
    module = importlib.reload(importlib.import_module(f"functions.{role}.handler"))
    for handler in logging.getLogger("test").handlers:
        handler.stream = sys.stdout  # type: ignore[attr-defined]  # Powertools writes to a stream
    return module


class Kinesis:
    """The stream beyond; ``error`` is raised once."""

    def __init__(self) -> None:
        self.data: list[bytes] = []
        self.error: Exception | None = None

    def put_records(self, *, StreamName: str, Records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:  # noqa: N803  # as boto3 calls it
        if error := self.error:
            self.error = None
            raise error
        self.data += [record["Data"] for record in Records]
        return {"Records": [{} for _ in Records]}


class Account:
    """Three Regions of an account, and the functions in them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self.app_config, self.bus = AppConfig(json.dumps(document())), EventBridge()
        self.stream = Kinesis()
        self._sequence = 0
        client_of, own = boto3.Session.client, boto3.Session()
        fakes = {"appconfigdata": self.app_config, "events": self.bus, "kinesis": self.stream}
        made: Any = cache(lambda service, region: client_of(own, service, region_name=region))

        def client(session: boto3.Session, service_name: Any, region_name: str | None = None, **_: Any) -> Any:
            return fakes.get(service_name) or made(service_name, region_name or session.region_name)

        monkeypatch.setattr(boto3.Session, "client", client)
        self.clients = {region: boto3.client("dynamodb", region_name=region) for region in (HERE, HOME, OTHER)}
        for dynamodb in self.clients.values():
            for table in (TABLE, LEDGER):
                dynamodb.create_table(
                    TableName=table,
                    KeySchema=[
                        {"AttributeName": "pk", "KeyType": "HASH"},
                        {"AttributeName": "sk", "KeyType": "RANGE"},
                    ],
                    AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in KEY],
                    BillingMode="PAY_PER_REQUEST",
                )

    def call(self, role: str, region: str, records: Sequence[Mapping[str, Any]]) -> Any:
        """Call a function's handler as Lambda does."""
        sqs = boto3.client("sqs", region_name=region)
        url = sqs.create_queue(QueueName="shop-quarantine")["QueueUrl"]
        sqs.create_queue(QueueName="shop-inbox")
        kind, more = SETTINGS_OF.get(role, (Settings, {}))
        settings = kind(
            name="shop",
            region=region,
            policy="shop/live/policy",
            bus="shop",
            quarantine_url=url,
            hash_secret="shop/hash-key",
            **more,
        )
        for name, value in (settings.to_env() | {"AWS_REGION": region, "AWS_DEFAULT_REGION": region}).items():
            self._monkeypatch.setenv(name, value)
        return started(role).handler({"Records": records}, CONTEXT)

    def quarantined(self, region: str) -> list[dict[str, Any]]:
        """The messages in a Region's quarantine."""
        sqs = boto3.client("sqs", region_name=region)
        url = sqs.get_queue_url(QueueName="shop-quarantine")["QueueUrl"]
        messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        return [json.loads(message["Body"]) for message in messages]

    def put(self, region: str, image: Image) -> dict[str, Any]:
        """Write an item as an application does, and return its stream record."""
        old = self.item(region)
        self.clients[region].put_item(TableName=TABLE, Item=to_boto(image))
        self._sequence += 1
        return {
            "eventSourceARN": f"arn:aws:dynamodb:{region}:123456789012:table/{TABLE}/stream/0",
            "dynamodb": {
                "Keys": KEY,
                "NewImage": image,
                **({"OldImage": old} if old else {}),
                "SequenceNumber": str(self._sequence),
                "ApproximateCreationDateTime": 1_766_361_600.0,
            },
        }

    def item(self, region: str) -> Image | None:
        """The item, as a Region holds it."""
        found = self.clients[region].get_item(TableName=TABLE, Key=to_boto(KEY)).get("Item")
        return from_boto(found) if found else None

    def bridge(self) -> None:
        """Let moves cross to a Region of another partition."""
        regions = {"regions": [HERE, HOME, OTHER, BEYOND], "authorities": {"EU": HOME, "CN": BEYOND}}
        bridge = {"between": [HERE, BEYOND], "global_items": False, "stubs": []}
        self.app_config.text = json.dumps(document() | regions | {"bridges": [bridge]})
        secrets = boto3.client("secretsmanager", region_name=HERE)
        secrets.create_secret(Name="shop/courier", SecretString=AccessKey("AKIA", "secret").to_text())

    def messages(self) -> list[Mapping[str, Any]]:
        """What was put on the bus since the last time, as a queue delivers it."""
        entries = [entry for request in self.bus.requests for entry in request]
        self.bus.requests.clear()
        return [message({"detail": json.loads(entry["Detail"])}) for entry in entries]


def message(body: Any) -> dict[str, Any]:
    """One record of a queue's batch."""
    return {
        "messageId": "m",
        "receiptHandle": "r",
        "body": json.dumps(body),
        "attributes": {"ApproximateReceiveCount": "1"},
        "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:shop-inbox",
    }


def arrived(data: bytes) -> dict[str, Any]:
    """One record of the staging stream's batch."""
    kinesis = {"sequenceNumber": "1", "approximateArrivalTimestamp": 1_766_361_600.0}
    return {"kinesis": {**kinesis, "data": base64.b64encode(data).decode()}}


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    monkeypatch.syspath_prepend(str(ROOT))
    with mock_aws():
        yield Account(monkeypatch)


@pytest.fixture
def told(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Iterator[list[str]]:
    """Check that no value was told, in the output or in any field of any log record; tests add exceptions."""
    caplog.set_level(logging.INFO)
    told: list[str] = []
    yield told
    told += [*capfd.readouterr(), *(str(record.__dict__) for record in caplog.get_records("call"))]
    assert any("handled" in text for text in told), "something was captured"
    assert [text for text in told if CANARY in text] == []


SUCCESS = {"batchItemFailures": list[Any]()}


def test_an_item_moves_home_and_leaves_a_stub_and_nobody_tells_of_its_values(account: Account, told: list[str]) -> None:
    assert account.call("listener", HERE, [account.put(HERE, ITEM)]) == SUCCESS
    assert account.call("replicator", HOME, account.messages()) == SUCCESS
    home = account.item(HOME)
    assert home is not None
    assert {**home, "_dom": None} == {**ITEM, "_dom": None}
    finished, stubs = account.messages()
    assert account.call("replicator", OTHER, [stubs]) == SUCCESS
    assert account.call("anonymizer", HERE, [finished]) == SUCCESS
    for region in (HERE, OTHER):
        found = account.item(region) or {}
        control = Control.of(found, "_dom")
        assert (found["email"], found["note"]) == ({"S": "[redacted]"}, ITEM["note"])
        assert control is not None
        assert control.home == HOME
    assert account.quarantined(HERE) == []
    del told


def test_records_that_cannot_be_handled_are_kept_and_nobody_tells_of_their_values(
    account: Account, told: list[str]
) -> None:
    stub: Image = {**ITEM, "_dom": Control(version=VERSION, origin=HOME, home=HOME).to_value()}
    account.put(HERE, stub)
    stub_write = account.put(HERE, {**stub, "email": {"S": f"late@{CANARY}.example"}})
    records = [
        account.put(OTHER, {**ITEM, "localization_authority": {"S": CANARY}}),
        account.put(OTHER, {**ITEM, "_dom": {"S": CANARY}}),
        {"dynamodb": {"Keys": KEY, "NewImage": ITEM, "SequenceNumber": CANARY}, "eventSourceARN": CANARY},
        stub_write,
    ]
    assert account.call("listener", HERE, records) == SUCCESS
    poison = {"detail": {"format": 1, "changes": [{"operation": CANARY, "image": ITEM, "version": CANARY}, CANARY]}}
    assert account.call("replicator", HERE, [message(poison), message(CANARY)]) == SUCCESS
    answers = {"detail": {"format": 1, "operation": "move", "receipts": [{"key": KEY, "version": CANARY}]}}
    assert account.call("anonymizer", HERE, [message(answers)]) == SUCCESS
    reasons = sorted(kept["reason"] for kept in account.quarantined(HERE))
    assert reasons == ["record_invalid"] * 6 + ["stub_write", "unknown_authority"]
    del told


def test_a_move_crosses_a_bridge_and_nobody_tells_of_its_values(account: Account, told: list[str]) -> None:
    account.bridge()
    record = account.put(HERE, {**ITEM, "localization_authority": {"S": "CN"}})
    assert account.call("listener", HERE, [record]) == SUCCESS
    account.stream.error = FAILURES[1]
    assert account.call("courier", HERE, account.messages()) == SUCCESS
    assert account.stream.data
    assert account.call("gateway", BEYOND, [arrived(data) for data in account.stream.data]) == SUCCESS
    assert CANARY in str(account.messages())
    assert account.quarantined(HERE) == account.quarantined(BEYOND) == []
    del told


def test_what_cannot_cross_a_bridge_is_kept_and_nobody_tells_of_its_values(account: Account, told: list[str]) -> None:
    account.bridge()
    head = {"format": 1, "emitter": HERE, "destination": [BEYOND]}
    change = {"operation": CANARY, "image": ITEM, "version": CANARY}
    poison = {"detail": {**head, "changes": [change, CANARY]}}
    assert account.call("courier", HERE, [message(poison), message(CANARY)]) == SUCCESS
    assert [kept["reason"] for kept in account.quarantined(HERE)] == ["record_invalid"] * 3
    parcel = gzip.compress(json.dumps({**head, "fields": change}).encode())
    text = {"kinesis": {**arrived(b"")["kinesis"], "data": CANARY}}
    assert account.call("gateway", BEYOND, [arrived(parcel), arrived(CANARY.encode()), text]) == SUCCESS
    assert [kept["reason"] for kept in account.quarantined(BEYOND)] == ["record_invalid"] * 3
    del told


VERSION = Version(1_766_361_500_000, plain=False, tie=0, region=HOME)
FAILURES = [
    ClientError({"Error": {"Code": "ThrottlingException", "Message": f"the item {CANARY}"}}, "PutItem"),
    ClientError({"Error": {"Code": "ValidationException", "Message": f"the item {CANARY}"}}, "PutItem"),
    KeyError(CANARY),
    ValueError(f"invalid literal: {CANARY}"),
]


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
def test_whatever_fails_nobody_tells_of_a_value(
    account: Account, told: list[str], failure: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = account.put(HERE, ITEM)
    account.call("listener", HERE, [record])
    moves = account.messages()
    account.call("replicator", HOME, moves)
    finished = account.messages()[:1]

    def broken(*_: object) -> None:
        raise failure

    monkeypatch.setattr(DynamoDbStore, "_call", broken)
    for role, region, records in (
        ("listener", HERE, [record]),
        ("replicator", HOME, moves),
        ("anonymizer", HERE, finished),
    ):
        try:
            account.call(role, region, records)
        except Exception as error:
            told.append(str(error))


@pytest.mark.parametrize("role", ROLES)
def test_a_function_does_not_log_its_event_even_where_its_environment_asks_for_it(
    account: Account, told: list[str], role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POWERTOOLS_LOGGER_LOG_EVENT", "true")
    records = {"listener": account.put(HERE, ITEM), "gateway": {"kinesis": {"sequenceNumber": CANARY}}}
    account.call(role, HERE, [records.get(role, message({"detail": ITEM}))])
    del told


@pytest.mark.parametrize("role", ROLES)
def test_a_function_without_its_settings_says_which_are_missing(role: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))
    with pytest.raises(MissingSettingError, match="DOMICILE_NAME, AWS_REGION, DOMICILE_POLICY"):
        started(role).handler({"Records": []}, CONTEXT)
