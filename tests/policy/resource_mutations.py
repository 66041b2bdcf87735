"""What breaks the rules about resources, in the plan of the gateway ap-southeast-1, whose sibling is eu-west-1."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.policy.changed import Changed, Mutation

_ACCOUNT = "111122223333"
_FOREIGN = "999999999999"
_BUS = "arn:aws:events:eu-west-1:{}:event-bus/shopease"
_TABLE = "shopease-customers"
_TARGET = "aws_cloudwatch_event_target"
_MAPPING = "aws_lambda_event_source_mapping"
_DOCUMENT = "aws_appconfig_hosted_configuration_version"
_DENIED: dict[str, dict[str, Any]] = {
    "everyone": {"Principal": "*", "Action": "kms:*"},
    "everyone of AWS": {"Principal": {"AWS": ["*"]}, "Action": ["kms:Decrypt"]},
    "the account": {"Principal": {"AWS": f"arn:aws:iam::{_ACCOUNT}:root"}, "NotAction": "kms:Describe*"},
    "everyone but a role": {"NotPrincipal": {"AWS": f"arn:aws:iam::{_ACCOUNT}:role/admin"}, "Action": "kms:*"},
}


def _unencrypted(type_: str, part: str, argument: str = "kms_key_id") -> Callable[[Changed], None]:
    return lambda plan: plan.set(type_, part, **{argument: None})


def _replica_of(plan: Changed, reference: str) -> None:
    plan.add("aws_dynamodb_table_replica", point_in_time_recovery=True, deletion_protection_enabled=True)
    plan.hide("aws_dynamodb_table_replica", "added", "kms_key_arn", "aws_kms_key.encryption.arn")
    plan.hide("aws_dynamodb_table_replica", "added", "global_table_arn", reference)


def _deleted_key(plan: Changed) -> None:
    key, table = plan.change("aws_kms_key")["change"], plan.change("aws_dynamodb_table", "customers_table")["change"]
    arn = f"arn:aws:kms:ap-southeast-1:{_ACCOUNT}:key/k"
    key.update(actions=["delete"], before={"arn": arn}, after=None)
    table.update(before={"server_side_encryption": [{"enabled": True, "kms_key_arn": arn}]})


def _replaced_replica(plan: Changed) -> None:
    plan.add("aws_dynamodb_table_replica")
    plan.change("aws_dynamodb_table_replica", "added")["change"]["actions"] = ["delete", "create"]


def _deleted(type_: str, part: str, **before: Any) -> Callable[[Changed], None]:
    return lambda plan: plan.change(type_, part)["change"].update(actions=["delete"], before=before, after=None)


def _deleted_key_policy(plan: Changed) -> None:
    plan.add("aws_kms_key_policy")
    _deleted("aws_kms_key_policy", "added", policy="{}")(plan)


def _key_policy(sid: str, **keys: Any) -> Callable[[Changed], None]:
    return lambda plan: plan.statement("aws_kms_key", "", sid, **keys)


def _native_too(table: str, part: str) -> Callable[[Changed], None]:
    """The document calls a localized table, or its ledger, native as well, and the plan leaves it unprotected."""

    def apply(plan: Changed) -> None:
        _document(plan, native={table: {"regions": ["ap-southeast-1", "eu-west-1"], "consistency": "eventual"}})
        plan.set("aws_dynamodb_table", part, deletion_protection_enabled=False)
        plan.set("aws_dynamodb_table", part, server_side_encryption=[{"enabled": False}])

    return apply


def _add(type_: str) -> Callable[[Changed], None]:
    return lambda plan: plan.add(type_)


def _document(plan: Changed, **keys: Any) -> None:
    after = plan.after(_DOCUMENT)
    after["content"] = json.dumps({**json.loads(after["content"]), **keys})


RESOURCE_MUTATIONS = [
    Mutation(
        "targets_inside",
        "a bus of another account",
        "is outside the deployment's Regions and account",
        lambda plan: plan.set(_TARGET, "to-eu-west-1", arn=_BUS.format(_FOREIGN)),
    ),
    Mutation(
        "targets_inside",
        "a bus of a Region that the deployment does not have",
        "is outside the deployment's Regions and account",
        lambda plan: plan.set(_TARGET, "to-eu-west-1", arn=_BUS.format(_ACCOUNT).replace("eu-west-1", "us-west-2")),
    ),
    Mutation(
        "targets_inside",
        "a Region that has left the policy document",
        "is outside the deployment's Regions and account",
        lambda plan: _document(plan, regions=["ap-southeast-1"]),
    ),
    Mutation(
        "targets_inside",
        "an API destination",
        "is neither a queue nor a bus",
        lambda plan: plan.set(
            _TARGET, "inbox", arn=f"arn:aws:events:ap-southeast-1:{_ACCOUNT}:api-destination/anywhere/1"
        ),
    ),
    Mutation(
        "targets_inside",
        "a topic on the deployment's bus",
        "is neither a queue nor a bus",
        lambda plan: plan.set(_TARGET, "inbox", arn=f"arn:aws:sns:ap-southeast-1:{_ACCOUNT}:pilots"),
    ),
    Mutation(
        "targets_inside",
        "a queue that is looked up",
        "it is no queue of this stack",
        lambda plan: plan.hide(_TARGET, "inbox", "arn", "data.aws_sqs_queue.other.arn"),
    ),
    Mutation(
        "no_archive",
        "an archive of the bus",
        "keeps every event of the bus",
        lambda plan: plan.add("aws_cloudwatch_event_archive", name="all"),
    ),
    *(
        Mutation("no_archive", type_, f"a {type_} copies items", _add(type_))
        for type_ in (
            "aws_cloudwatch_log_subscription_filter",
            "aws_dynamodb_kinesis_streaming_destination",
            "aws_dynamodb_table_export",
            "aws_kinesis_firehose_delivery_stream",
            "aws_kinesis_stream_consumer",
            "aws_pipes_pipe",
        )
    ),
    Mutation(
        "dead_letters",
        "a target without one",
        "the target has no dead-letter queue",
        lambda plan: plan.set(_TARGET, "inbox", dead_letter_config=[]),
    ),
    Mutation(
        "dead_letters",
        "a target with one elsewhere",
        "the target has no dead-letter queue",
        lambda plan: plan.set(
            _TARGET, "inbox", dead_letter_config=[{"arn": f"arn:aws:sqs:ap-southeast-1:{_FOREIGN}:letters"}]
        ),
    ),
    Mutation(
        "dead_letters",
        "a stream's mapping without one",
        "the stream's mapping has no dead-letter queue",
        lambda plan: plan.set(_MAPPING, "stream-customers", destination_config=[]),
    ),
    Mutation(
        "dead_letters",
        "a consumed queue without one",
        "the function consumes no queue of this stack that has a dead-letter queue",
        lambda plan: plan.set("aws_sqs_queue", "inbox_queue", redrive_policy=None),
    ),
    Mutation(
        "encryption",
        "a queue under SQS's own key",
        "is not encrypted with the key of this Region",
        _unencrypted("aws_sqs_queue", "inbox_queue", "kms_master_key_id"),
    ),
    Mutation(
        "encryption",
        "a table under DynamoDB's own key",
        "is not encrypted with the key of this Region",
        _unencrypted("aws_dynamodb_table", "customers_table", "server_side_encryption"),
    ),
    Mutation(
        "encryption",
        "a table under another Region's key",
        "is not encrypted with the key of this Region",
        lambda plan: plan.set(
            "aws_dynamodb_table",
            "customers_table",
            server_side_encryption=[{"enabled": True, "kms_key_arn": f"arn:aws:kms:us-west-2:{_ACCOUNT}:key/k"}],
        ),
    ),
    Mutation(
        "encryption",
        "a log group",
        "is not encrypted with the key of this Region",
        _unencrypted("aws_cloudwatch_log_group", "listener"),
    ),
    Mutation(
        "encryption",
        "the staging stream under AWS's key",
        "is not encrypted with the key of this Region",
        lambda plan: plan.set("aws_kinesis_stream", "", kms_key_id="alias/aws/kinesis"),
    ),
    Mutation(
        "encryption",
        "the staging stream in the clear",
        "the stream's encryption is off",
        lambda plan: plan.set("aws_kinesis_stream", "", encryption_type="NONE"),
    ),
    Mutation(
        "encryption",
        "a secret",
        "is not encrypted with the key of this Region",
        _unencrypted("aws_secretsmanager_secret", ""),
    ),
    Mutation("keys_in_use", "a deleted key", "the key is deleted, and aws_dynamodb_table.", _deleted_key),
    Mutation("keys_in_use", "a replica that is made anew", "the replica is replaced", _replaced_replica),
    Mutation(
        "keys_in_use",
        "a disabled key",
        "the key is disabled",
        lambda plan: plan.set("aws_kms_key", "", is_enabled=False),
    ),
    Mutation(
        "keys_in_use",
        "a key that the account may not manage",
        "the key's policy does not leave its use to the account",
        _key_policy("AdministerThroughIam", Action=["kms:Describe*"]),
    ),
    Mutation(
        "keys_in_use",
        "a key that one role of the account may manage",
        "the key's policy does not leave its use to the account",
        _key_policy(
            "AdministerThroughIam",
            Condition={"StringEquals": {"aws:PrincipalArn": f"arn:aws:iam::{_ACCOUNT}:role/admin"}},
        ),
    ),
    *(
        Mutation(
            "keys_in_use",
            f"a key that is denied to {whom}",
            "the key's policy does not leave its use to the account",
            _key_policy("Added", Effect="Deny", Resource="*", **keys),
        )
        for whom, keys in _DENIED.items()
    ),
    Mutation("keys_in_use", "a key policy that is deleted", "the key's policy is deleted", _deleted_key_policy),
    Mutation(
        "table_recovery",
        "no point-in-time recovery",
        "point-in-time recovery is off",
        lambda plan: plan.set("aws_dynamodb_table", "customers_ledger", point_in_time_recovery=[{"enabled": False}]),
    ),
    Mutation(
        "table_recovery",
        "no deletion protection",
        "deletion protection is off",
        lambda plan: plan.set("aws_dynamodb_table", "customers_table", deletion_protection_enabled=False),
    ),
    *(
        Mutation(rule, f"{table}, which is native, too", says, _native_too(table, part))
        for table, part in ((_TABLE, "customers_table"), (f"{_TABLE}-ledger", "customers_ledger"))
        for rule, says in (
            ("table_recovery", "deletion protection is off"),
            ("encryption", "is not encrypted with the key of this Region"),
        )
    ),
    Mutation(
        "table_recovery",
        "a table that is deleted",
        "the table is deleted, and the policy document names it",
        _deleted("aws_dynamodb_table", "customers_table", name=_TABLE),
    ),
    Mutation(
        "validated_configuration",
        "a profile without a validator",
        "the profile has no validator",
        lambda plan: plan.set("aws_appconfig_configuration_profile", "", validator=[]),
    ),
    Mutation(
        "log_retention",
        "logs for ever",
        "the log group has no retention",
        lambda plan: plan.set("aws_cloudwatch_log_group", "listener", retention_in_days=0),
    ),
    Mutation(
        "log_retention",
        "a function that makes its own log group",
        "the function logs to no log group of this stack",
        lambda plan: plan.set("aws_lambda_function", "listener", logging_config=[{"log_format": "JSON"}]),
    ),
    Mutation(
        "no_replicas",
        "replicas in the table",
        "the localized table has replicas",
        lambda plan: plan.set("aws_dynamodb_table", "customers_table", replica=[{"region_name": "eu-west-1"}]),
    ),
    Mutation(
        "no_replicas",
        "a native table that is localized under its name",
        "the native table is localized under its name",
        lambda plan: plan.change("aws_dynamodb_table", "customers_table")["change"].update(
            actions=["update"], before={"replica": [{"region_name": "eu-west-1"}]}
        ),
    ),
    Mutation(
        "no_replicas",
        "replicas of a ledger",
        "the localized table has replicas",
        lambda plan: plan.set("aws_dynamodb_table", "customers_ledger", replica=[{"region_name": "eu-west-1"}]),
    ),
    Mutation(
        "no_replicas",
        "the replica of a table elsewhere",
        "is the replica of a localized table",
        lambda plan: plan.add(
            "aws_dynamodb_table_replica", global_table_arn=f"arn:aws:dynamodb:eu-west-1:{_ACCOUNT}:table/{_TABLE}"
        ),
    ),
    Mutation(
        "no_replicas",
        "the replica of a table of this stack",
        "is the replica of a localized table",
        lambda plan: _replica_of(plan, plan.change("aws_dynamodb_table", "customers_table")["address"]),
    ),
    Mutation(
        "no_replicas",
        "the replica of who knows what",
        "is the replica of a localized table",
        lambda plan: _replica_of(plan, "data.aws_dynamodb_table.other.arn"),
    ),
    Mutation(
        "no_replicas",
        "a Global Table of the first kind",
        "makes a Global Table of a localized table",
        lambda plan: plan.add("aws_dynamodb_global_table", name=_TABLE),
    ),
    Mutation(
        "streams",
        "no stream",
        "the localized table has no stream",
        lambda plan: plan.set("aws_dynamodb_table", "customers_table", stream_enabled=False),
    ),
    Mutation(
        "streams",
        "a stream of keys",
        "the stream has not both images",
        lambda plan: plan.set("aws_dynamodb_table", "customers_table", stream_view_type="KEYS_ONLY"),
    ),
    Mutation(
        "streams",
        "a table that is gone",
        "the plan has none of that name",
        lambda plan: plan.remove("aws_dynamodb_table", "customers_table"),
    ),
    Mutation(
        "published_versions",
        "no version",
        "the function publishes no version",
        lambda plan: plan.set("aws_lambda_function", "listener", publish=False),
    ),
    Mutation(
        "published_versions",
        "an alias of $LATEST",
        "the alias names no published version",
        lambda plan: plan.set("aws_lambda_alias", "listener", function_version="$LATEST"),
    ),
    Mutation(
        "published_versions",
        "a mapping to the function",
        "the mapping invokes no alias",
        lambda plan: plan.set(
            _MAPPING,
            "stream-customers",
            function_name=f"arn:aws:lambda:ap-southeast-1:{_ACCOUNT}:function:shopease-listener",
        ),
    ),
    Mutation(
        "published_versions",
        "a mapping to the function of this stack",
        "the mapping invokes no alias",
        lambda plan: plan.hide(_MAPPING, "stream-customers", "function_name", "aws_lambda_function.listener.arn"),
    ),
]
