"""What operators see of native tables: the check before an apply, the status, and the notice about a key."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from domicile.local.api import LocalAws
from tests.local.failures import operate
from tests.native.stacks import AMERICA, EUROPE, FILE, NAME, PRIMARY

pytestmark = pytest.mark.slow


def checked(native: LocalAws, code: int) -> list[tuple[str, bool, str]]:
    """Return what the check says, as (Region, whether it is wrong, text)."""
    found = json.loads(operate(native, "native", "check", "--file", str(FILE), "--json", code=code))
    assert found["fine"] is (code == 0)
    return [(one["region"], one["wrong"], one["text"]) for one in found["findings"]]


@contextmanager
def key_of(native: LocalAws, region: str) -> Iterator[tuple[Any, str]]:
    """Give KMS in a Region and the key's ARN, and put state and policy of the key back."""
    kms = native.client("kms", region)
    arn = kms.describe_key(KeyId=f"alias/{NAME}")["KeyMetadata"]["Arn"]
    policy = kms.get_key_policy(KeyId=arn, PolicyName="default")["Policy"]
    try:
        yield kms, arn
    finally:
        kms.enable_key(KeyId=arn)
        kms.put_key_policy(KeyId=arn, PolicyName="default", Policy=policy)


def test_what_is_deployed_is_fine_until_a_key_is_disabled_or_loses_its_policy(native: LocalAws) -> None:
    assert checked(native, 0) == []
    with key_of(native, EUROPE) as (kms, arn):
        kms.disable_key(KeyId=arn)
        ((region, _, text),) = checked(native, 1)
        assert region == EUROPE
        assert f"its key {arn} is Disabled: enable it within 20 hours" in text
        kms.enable_key(KeyId=arn)
        kms.put_key_policy(KeyId=arn, PolicyName="default", Policy=json.dumps({"Statement": []}))
        ((region, _, text),) = checked(native, 1)
        assert region == EUROPE
        assert "does not let the account use it for DynamoDB" in text
    assert checked(native, 0) == []


def test_the_status_has_a_row_for_each_direction(native: LocalAws) -> None:
    found = json.loads(operate(native, "status", "--file", str(FILE), "--json"))["native"]
    assert {(one["origin"], one["destination"]) for one in found} == {
        (origin, destination)
        for origin in (PRIMARY, AMERICA, EUROPE)
        for destination in (PRIMARY, AMERICA, EUROPE)
        if origin != destination
    }
    assert {(one["table"], one["replica"]) for one in found} == {("catalogue", "ACTIVE")}


def test_a_call_against_the_key_is_for_the_topic(native: LocalAws) -> None:
    """Nobody may put an event of AWS's, and the local AWS has no CloudTrail: the rule is asked about one."""
    events = native.client("events", EUROPE)
    rule = events.describe_rule(Name=f"{NAME}-key-in-danger")

    def told(name: str) -> bool:
        detail = {"eventSource": "kms.amazonaws.com", "eventName": name, "resources": [{"ARN": key}]}
        event = {"source": "aws.kms", "detail-type": "AWS API Call via CloudTrail", "detail": detail, "resources": []}
        common = {"id": "1", "account": "1", "time": "2026-05-04T12:00:00Z", "region": EUROPE}
        answer = events.test_event_pattern(EventPattern=rule["EventPattern"], Event=json.dumps(event | common))
        return bool(answer["Result"])

    with key_of(native, EUROPE) as (_, key):
        assert (told("DisableKey"), told("EnableKey")) == (True, False)
    (target,) = events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
    assert target["Arn"].endswith(f":{EUROPE}:111122223333:{NAME}-alarms")
