"""Functions, mappings and rules may do what their roles' policies allow, and what queues, keys and trust let in."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.local.test_mappings import RECORDER
from tests.plane import HERE, THERE, Plane, allow, eventually, policy

_WRITE_LOG = allow("logs:*", "*")
_CALL = """
import boto3
from botocore.exceptions import ClientError

def handler(event, context):
    client = boto3.client(event["service"], region_name=event.get("region"))
    try:
        getattr(client, event["operation"])(**event["arguments"])
    except ClientError as error:
        return error.response["Error"]["Code"]
    return "OK"
"""


class _Role:
    """A role whose only policy can be set again."""

    def __init__(self, plane: Plane, *statements: dict[str, Any]) -> None:
        self._iam, self.arn = plane.client("iam"), plane.role(*statements)

    def may(self, *statements: dict[str, Any]) -> None:
        name = self.arn.rpartition("/")[2]
        self._iam.put_role_policy(RoleName=name, PolicyName="work", PolicyDocument=policy(*statements))


def _calls(plane: Plane, function: str, service: str, operation: str, **arguments: Any) -> str:
    """Let a function make a call, and return the code of the answer."""
    event = {"service": service, "operation": operation, "arguments": arguments}
    code: str = plane.invoke(function, event)["Payload"]
    return code


def _asked(plane: Plane, role_arn: str) -> dict[str, tuple[bool, bool]]:
    """Return, for each action that a role was asked about, whether it was ever allowed and ever denied."""
    principal = f"role/{role_arn.rpartition('/')[2]}"
    found = [question for question in _questions(plane) if question["principal"] == principal]
    return {question["action"]: (question["allowed"], question["denied"]) for question in found}


def _questions(plane: Plane) -> list[dict[str, Any]]:
    _, answer = plane.own("GET", "/_domicile/permissions")
    asked: list[dict[str, Any]] = answer["asked"]
    return asked


def test_a_function_calls_as_its_role(plane: Plane) -> None:
    (table, _), (other, _), role = plane.table(), plane.table(), _Role(plane, _WRITE_LOG)
    function = plane.function(_CALL, Role=role.arn)
    read = {"TableName": table, "Key": {"pk": {"S": "a"}}}
    assert _calls(plane, function, "dynamodb", "get_item", **read) == "AccessDeniedException"
    role.may(_WRITE_LOG, allow("dynamodb:GetItem", plane.arn("dynamodb", f"table/{table}")))
    assert _calls(plane, function, "dynamodb", "get_item", **read) == "OK"
    assert _calls(plane, function, "dynamodb", "get_item", **read | {"TableName": other}) == "AccessDeniedException"


def test_who_reads_encrypted_items_must_be_allowed_the_key_by_way_of_dynamodb(plane: Plane) -> None:
    kms, dynamodb = plane.client("kms"), plane.client("dynamodb")
    key = kms.create_key()["KeyMetadata"]
    alias = f"alias/{key['KeyId']}"
    kms.create_alias(AliasName=alias, TargetKeyId=key["KeyId"])
    table, _ = plane.table()
    dynamodb.update_table(
        TableName=table, SSESpecification={"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": key["Arn"]}
    )
    get_item = allow("dynamodb:GetItem", plane.arn("dynamodb", f"table/{table}"))
    role = _Role(plane, get_item)
    function = plane.function(_CALL, Role=role.arn)
    read = {"TableName": table, "Key": {"pk": {"S": "a"}}}
    assert _calls(plane, function, "dynamodb", "get_item", **read) == "AccessDeniedException"

    def decrypt_by_way_of(service: str, by: str) -> dict[str, Any]:
        return allow("kms:Decrypt", key["Arn"]) | {
            "Condition": {
                "StringEquals": {"kms:ViaService": f"{service}.{HERE}.amazonaws.com"},
                "ForAnyValue:StringEquals": {"kms:ResourceAliases": [by]},
            }
        }

    for service, by, code in (
        ("sqs", alias, "AccessDeniedException"),
        ("dynamodb", "alias/another", "AccessDeniedException"),
        ("dynamodb", alias, "OK"),
    ):
        role.may(get_item, decrypt_by_way_of(service, by))
        assert _calls(plane, function, "dynamodb", "get_item", **read) == code


def test_a_function_writes_its_log_as_its_role(plane: Plane) -> None:
    role = _Role(plane)
    function = plane.function("def handler(event, context):\n    print('\"seen\"')", Role=role.arn)
    plane.invoke(function)
    assert plane.logged(function) == []
    group = plane.arn("logs", f"log-group:/aws/lambda/{function}")
    for actions, seen in ((["logs:PutLogEvents"], []), (["logs:PutLogEvents", "logs:CreateLogStream"], ["seen"])):
        role.may(*(allow(action, f"{group}:*") for action in actions))
        plane.invoke(function)
        assert plane.logged(function) == seen


def test_a_role_that_does_not_trust_lambda_runs_no_function(plane: Plane) -> None:
    role = plane.role(allow("*", "*"), services=["events"])
    answer = plane.invoke(plane.function("def handler(event, context): ...", Role=role))
    assert answer["Payload"]["errorType"] == "AccessDeniedException"


def test_an_alias_is_invoked_by_a_permission_for_the_alias(plane: Plane) -> None:
    invoked = plane.function("def handler(event, context): ...")
    functions = plane.client("lambda")
    version = functions.publish_version(FunctionName=invoked)["Version"]
    functions.create_alias(FunctionName=invoked, Name="live", FunctionVersion=version)
    role = _Role(plane, allow("lambda:InvokeFunction", plane.arn("lambda", f"function:{invoked}:live")))
    caller = plane.function(_CALL, Role=role.arn)
    assert _calls(plane, caller, "lambda", "invoke", FunctionName=invoked) == "AccessDeniedException"
    assert _calls(plane, caller, "lambda", "invoke", FunctionName=invoked, Qualifier="live") == "OK"


def test_a_mapping_reads_a_stream_as_the_functions_role(plane: Plane) -> None:
    table, stream = plane.table()
    dead_url, dead_arn = plane.queue()
    read = [allow(f"dynamodb:{name}", stream) for name in ("DescribeStream", "GetShardIterator", "ListStreams")]
    role = _Role(plane, _WRITE_LOG, *read)
    function = plane.function(RECORDER, Role=role.arn, Environment={"Variables": {"BAD": "bad", "RAISE": "1"}})
    settings = {
        "MaximumRetryAttempts": 0,
        "BatchSize": 1,
        "DestinationConfig": {"OnFailure": {"Destination": dead_arn}},
    }
    with pytest.raises(ClientError, match="dynamodb:GetRecords"):
        plane.map(function, stream, **settings)
    read.append(allow("dynamodb:GetRecords", stream))
    role.may(_WRITE_LOG, *read)
    plane.map(function, stream, **settings)
    plane.put(table, "a", "bad", "b")
    # It may not send to the on-failure destination, and goes on.
    eventually(lambda: plane.logged(function), lambda found: found == [["a"], ["bad"], ["b"]])
    assert plane.receive(dead_url) == []
    role.may(_WRITE_LOG)
    plane.put(table, "c")
    eventually(lambda: _asked(plane, role.arn)["dynamodb:GetShardIterator"], all)
    role.may(_WRITE_LOG, *read, allow("sqs:SendMessage", dead_arn))
    plane.client("dynamodb").delete_item(TableName=table, Key={"pk": {"S": "bad"}})
    eventually(lambda: plane.logged(function), lambda found: found[3:] == [["c"], ["bad"]])
    assert eventually(lambda: plane.receive(dead_url))


def test_a_mapping_takes_messages_as_the_functions_role(plane: Plane) -> None:
    url, queue = plane.queue(VisibilityTimeout="1")
    role = _Role(plane, allow("sqs:*", queue), _WRITE_LOG)
    function = plane.function(RECORDER, Role=role.arn)
    plane.map(function, queue)
    role.may(_WRITE_LOG)
    sqs = plane.client("sqs")
    sqs.send_message(QueueUrl=url, MessageBody="first")
    eventually(lambda: _asked(plane, role.arn)["sqs:ReceiveMessage"], all)
    assert plane.logged(function) == []
    # What it may not delete comes again.
    role.may(_WRITE_LOG, allow("sqs:ReceiveMessage", queue))
    eventually(lambda: plane.logged(function), lambda found: len(found) > 1)
    role.may(_WRITE_LOG, allow("sqs:*", queue))
    eventually(
        lambda: plane.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"],
        lambda found: found["ApproximateNumberOfMessages"] == found["ApproximateNumberOfMessagesNotVisible"] == "0",
    )


def _dead(plane: Plane, url: str, region: str | None = None) -> str:
    """Return why a message came to a dead-letter queue."""
    (message,) = eventually(lambda: plane.receive(url, region))
    code: str = message["MessageAttributes"]["ERROR_CODE"]["StringValue"]
    return code


def test_a_rule_puts_on_another_regions_bus_as_its_role(plane: Plane) -> None:
    bus = f"b-{plane.port}"
    plane.client("events", THERE).create_event_bus(Name=bus)
    dead_url, dead_arn = plane.queue()
    bus_arn = plane.arn("events", f"event-bus/{bus}", THERE)
    role = _Role(plane)
    source = plane.rule(bus_arn, RoleArn=role.arn, DeadLetterConfig={"Arn": dead_arn})
    plane.put_event(source)
    assert _dead(plane, dead_url) == "NO_PERMISSIONS"
    url, queue = plane.queue(THERE)
    plane.route({"source": [source]}, queue, THERE, bus)
    role.may(allow("events:PutEvents", bus_arn))
    plane.put_event(source)
    assert eventually(lambda: plane.receive(url, THERE))


def test_a_rules_role_is_assumed_for_the_rules_that_its_trust_names(plane: Plane) -> None:
    dead_url, dead_arn = plane.queue()
    iam, name = plane.client("iam"), f"router-{plane.port}"
    trust = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sts:AssumeRole"}
    condition = {"Condition": {"ArnEquals": {"aws:SourceArn": plane.arn("events", "rule/another")}}}
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(trust | condition))
    iam.put_role_policy(RoleName=name, PolicyName="work", PolicyDocument=policy(allow("*", "*")))
    bus = plane.arn("events", "event-bus/default", THERE)
    source = plane.rule(bus, RoleArn=plane.arn("iam", f"role/{name}"), DeadLetterConfig={"Arn": dead_arn})
    plane.put_event(source)
    assert _dead(plane, dead_url) == "NO_PERMISSIONS"


def test_a_queue_takes_from_a_rule_what_its_policy_lets_in(plane: Plane) -> None:
    dead_url, dead_arn = plane.queue()
    let_in = allow("sqs:SendMessage", "*") | {
        "Principal": {"Service": "events.amazonaws.com"},
        "Condition": {"ArnEquals": {"aws:SourceArn": plane.arn("events", "rule/another")}},
    }
    url, queue = plane.queue(Policy=policy(let_in))
    source = plane.rule(queue, DeadLetterConfig={"Arn": dead_arn})
    plane.put_event(source)
    assert _dead(plane, dead_url) == "NO_PERMISSIONS"
    let_in["Condition"] = {"ArnEquals": {"aws:SourceArn": plane.arn("events", f"rule/{source}")}}
    plane.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy(let_in)})
    plane.put_event(source)
    assert json.loads(eventually(lambda: plane.receive(url))[0]["Body"])["source"] == source


def test_a_dead_letter_queue_takes_what_its_policy_lets_in(plane: Plane) -> None:
    let_in = allow("sqs:SendMessage", "*") | {
        "Principal": {"Service": "events.amazonaws.com"},
        "Condition": {"ArnEquals": {"aws:SourceArn": plane.arn("events", "rule/another")}},
    }
    url, queue = plane.queue(Policy=policy(let_in))
    plane.put_event(plane.rule(plane.arn("sqs", "absent"), DeadLetterConfig={"Arn": queue}))
    asked = eventually(lambda: [question for question in _questions(plane) if question["resource"] == queue])
    assert [(question["principal"], question["allowed"]) for question in asked] == [("events.amazonaws.com", False)]
    assert plane.receive(url) == []


def test_a_rule_must_be_let_in_by_the_key_of_an_encrypted_queue_too(plane: Plane) -> None:
    kms, dead = plane.client("kms"), plane.queue()
    statement = allow("kms:*", "*") | {"Principal": {"AWS": plane.arn("iam", "root")}}
    key = kms.create_key(Policy=policy(statement))["KeyMetadata"]["Arn"]
    url, queue = plane.queue(KmsMasterKeyId=key)
    source = plane.rule(queue, DeadLetterConfig={"Arn": dead[1]})
    plane.put_event(source)
    assert _dead(plane, dead[0]) == "NO_PERMISSIONS"
    events = allow("kms:*", "*") | {"Principal": {"Service": "events.amazonaws.com"}}
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=policy(statement, events))
    plane.put_event(source)
    assert eventually(lambda: plane.receive(url))


def test_a_configuration_is_read_by_a_permission_for_it(plane: Plane) -> None:
    appconfig = plane.client("appconfig")
    application = appconfig.create_application(Name=f"a-{plane.port}")["Id"]
    environment = appconfig.create_environment(ApplicationId=application, Name="live")["Id"]
    profile = appconfig.create_configuration_profile(ApplicationId=application, Name="policy", LocationUri="hosted")[
        "Id"
    ]
    source = """
import boto3
from botocore.exceptions import ClientError

def handler(event, context):
    client = boto3.client("appconfigdata")
    try:
        token = client.start_configuration_session(**event)["InitialConfigurationToken"]
    except ClientError as error:
        return ["StartConfigurationSession", error.response["Error"]["Code"]]
    try:
        client.get_latest_configuration(ConfigurationToken=token)
    except ClientError as error:
        return ["GetLatestConfiguration", error.response["Error"]["Code"]]
    return ["OK"]
"""
    event = {
        "ApplicationIdentifier": f"a-{plane.port}",
        "EnvironmentIdentifier": "live",
        "ConfigurationProfileIdentifier": "policy",
    }
    role = _Role(plane)
    function = plane.function(source, Role=role.arn)
    path = f"application/{application}/environment/{environment}/configuration/{profile}"
    allowed = [
        allow(f"appconfig:{action}", plane.arn("appconfig", path))
        for action in ("StartConfigurationSession", "GetLatestConfiguration")
    ]
    for count, answer in enumerate(
        (
            ["StartConfigurationSession", "AccessDeniedException"],
            ["GetLatestConfiguration", "AccessDeniedException"],
            ["OK"],
        )
    ):
        if count:
            role.may(*allowed[:count])
        assert plane.invoke(function, event)["Payload"] == answer
