"""CPU time and round trips of a call through ``domicile.client``, beside the same call of plain boto3.

    .venv/bin/python -m benchmarks.client_overhead [--rounds 200] [--calls 20] [--profile put_item]

Both sides call the same local AWS, which is a process of its own: only the CPU time of the calling process counts. They
take turns within each round, so that a busy machine slows both. Both read the same global items, which carry the
control attribute as every item of a deployment does, whoever wrote it; boto3's writes are without it.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import os
import pstats
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import boto3
from boto3.dynamodb.conditions import Key

from domicile.client import Client, Options
from domicile.client.setup import configured
from domicile.deployment import Deployment
from domicile.local.account import ACCESS_KEY, SECRET_KEY
from domicile.naming import Names
from tests.plane import free_port, start_server

_ROOT = Path(__file__).resolve().parents[1]
_REGION = "us-east-1"
_PAGE_ITEMS = 10
_PATIENCE_S = 15
_ITEM = {
    "amount": Decimal("59.90"),
    "currency": "EUR",
    "status": "placed",
    "placed_at": "2026-01-31T12:00:00Z",
    "gift": False,
    "tags": {"web", "express"},
    "lines": [{"sku": f"sku-{number}", "count": number, "price": Decimal("19.99")} for number in range(1, 4)],
    "carrier": {"name": "post", "tracking": "1Z999AA10123456784"},
}

Call = Callable[[int], object]


def main() -> None:
    """Measure, and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--calls", type=int, default=20, help="of one side in a round")
    parser.add_argument("--profile", choices=("put_item", "get_item", "update_item", "query"), help="instead: cProfile")
    arguments = parser.parse_args()
    deployment = Deployment.load(_ROOT / "domicile.yaml")
    with _local_aws(deployment):
        if arguments.profile:
            _profile(
                _sides(boto3.Session(), deployment)["domicile"][arguments.profile], arguments.rounds * arguments.calls
            )
            return
        trips = _round_trips(deployment)
        sides = _sides(boto3.Session(), deployment)
        sys.stdout.write(
            "| call | boto3, ms | domicile, ms | ratio | p10 to p90 | round trips |\n|---|---|---|---|---|---|\n"
        )
        for name in sides["boto3"]:
            both = {side: calls[name] for side, calls in sides.items()}
            sys.stdout.write(f"| `{name}` | {_compared(both, arguments.rounds, arguments.calls)} | {trips[name]} |\n")
            sys.stdout.flush()


def _sides(session: boto3.Session, deployment: Deployment) -> dict[str, dict[str, Call]]:
    table = Names(deployment.name, _REGION, ACCESS_KEY).table("orders")
    plain = session.resource("dynamodb", region_name=_REGION, config=configured(Options(), None)).Table(table)
    ours = Client(deployment.name, region=_REGION, session=session).table("orders")
    sides = {"boto3": _calls(plain, writes_to="plain"), "domicile": _calls(ours, writes_to="ours")}
    for calls in sides.values():
        for number in range(_PAGE_ITEMS):
            calls["put_item"](number)
    return sides


def _calls(table: Any, *, writes_to: str) -> dict[str, Call]:
    """Return each call as a function of a number that chooses the key; reads are of what the library wrote."""

    def key(number: int, partition: str = writes_to) -> dict[str, str]:
        return {"pk": partition, "sk": f"{number % _PAGE_ITEMS:03}"}

    return {
        "put_item": lambda number: table.put_item(Item={**key(number), **_ITEM}),
        "get_item": lambda number: table.get_item(Key=key(number, "ours")),
        "update_item": lambda number: table.update_item(
            Key=key(number),
            UpdateExpression="SET #status = :status, amount = amount + :more",
            ExpressionAttributeNames={"#status": "status"},
            ExpressionAttributeValues={":status": "paid", ":more": number},
        ),
        "query": lambda _: table.query(KeyConditionExpression=Key("pk").eq("ours")),
    }


def _compared(sides: Mapping[str, Call], rounds: int, calls: int) -> str:
    spent_s: dict[str, list[float]] = {side: [] for side in sides}
    for number in range(rounds):
        for side in sides if number % 2 else reversed(list(sides)):
            call, before_s = sides[side], time.process_time()
            for turn in range(calls):
                call(turn)
            spent_s[side].append(time.process_time() - before_s)
    ratios = [ours / plain for plain, ours in zip(spent_s["boto3"], spent_s["domicile"], strict=True)]
    tenths = statistics.quantiles(ratios, n=10)
    plain_ms, ours_ms = (1000 * statistics.median(times) / calls for times in spent_s.values())
    return f"{plain_ms:.3f} | {ours_ms:.3f} | {statistics.median(ratios):.3f} | {tenths[0]:.3f} to {tenths[-1]:.3f}"


def _round_trips(deployment: Deployment) -> dict[str, str]:
    """Return how many requests each call sends, of both sides, once the policy is read."""
    session, sent = boto3.Session(), list[str]()

    def count(event_name: str, **_: object) -> None:
        sent.append(event_name)

    session.events.register("before-send", count)
    sides = _sides(session, deployment)
    counts: dict[str, list[str]] = {}
    for calls in sides.values():
        for name, call in calls.items():
            sent.clear()
            call(0)
            counts.setdefault(name, []).append(str(len(sent)))
    return {name: " and ".join(both) for name, both in counts.items()}


def _profile(call: Call, times: int) -> None:
    call(0)
    with cProfile.Profile() as profile:
        for number in range(times):
            call(number)
    pstats.Stats(profile).sort_stats("tottime").print_stats("domicile|boto3|powertools")


@contextmanager
def _local_aws(deployment: Deployment) -> Iterator[None]:
    """Start a local AWS with the table and the policy, and let boto3 find it."""
    port = free_port()
    os.environ |= {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
    }
    with tempfile.TemporaryDirectory() as state:
        server = start_server(Path(state), port)
        try:
            _create(deployment)
            yield
        finally:
            server.terminate()
            server.wait(_PATIENCE_S)


def _create(deployment: Deployment) -> None:
    names = Names(deployment.name, _REGION, ACCESS_KEY)
    boto3.client("dynamodb", _REGION).create_table(
        TableName=names.table("orders"),
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
        BillingMode="PAY_PER_REQUEST",
    )
    application, environment, profile = names.policy_path.split("/")
    appconfig = boto3.client("appconfig", _REGION)
    in_application: Any = {"ApplicationId": appconfig.create_application(Name=application)["Id"]}
    environment_id = appconfig.create_environment(Name=environment, **in_application)["Id"]
    profile_id = appconfig.create_configuration_profile(Name=profile, LocationUri="hosted", **in_application)["Id"]
    version = appconfig.create_hosted_configuration_version(
        ConfigurationProfileId=profile_id,
        Content=json.dumps(deployment.policy_document()),
        ContentType="application/json",
        **in_application,
    )["VersionNumber"]
    strategy = appconfig.create_deployment_strategy(
        Name="at-once", DeploymentDurationInMinutes=0, GrowthFactor=100, ReplicateTo="NONE"
    )["Id"]
    appconfig.start_deployment(
        EnvironmentId=environment_id,
        DeploymentStrategyId=strategy,
        ConfigurationProfileId=profile_id,
        ConfigurationVersion=str(version),
        **in_application,
    )


if __name__ == "__main__":
    main()
