"""What a plan leaves open, in the plan of the gateway ap-southeast-1: no rule may take it for what is right."""

from __future__ import annotations

from collections.abc import Callable

from tests.policy.changed import Changed, Mutation

_ACCOUNT = "111122223333"
_TARGET = "aws_cloudwatch_event_target"
_MAPPING = "aws_lambda_event_source_mapping"
_QUEUE = "aws_sqs_queue"
_TABLE = "aws_dynamodb_table"
_REPLICA = "aws_dynamodb_table_replica"
_INLINE = "aws_iam_role_policy"
_ATTACHMENT = "aws_iam_role_policy_attachment"
_UNTOLD = "does not tell the policy before the apply"
_UNATTACHED = "attaches a policy that is unknown"
_NO_LETTERS = "the function consumes no queue of this stack that has a dead-letter queue"
_ELSEWHERE = {
    "an instance by number": "{}[0]",
    "an instance by key": '{}["a.b[0]"]',
    "a module": "module.m.{}",
    "an instance of a module": 'module.m["x"].{}',
}


def _added(type_: str, argument: str, *references: str, address: str = "{}") -> Callable[[Changed], None]:
    """A resource is added that is known but for one argument."""

    def apply(plan: Changed) -> None:
        plan.add(type_)
        plan.hide(type_, "added", argument, *references)
        plan.move(type_, "added", address)

    return apply


def _without_letters(address: str) -> Callable[[Changed], None]:
    def apply(plan: Changed) -> None:
        plan.set(_QUEUE, "inbox_queue", redrive_policy=None)
        plan.move(_MAPPING, "queue-inbox", address)

    return apply


def _queue_without_letters(plan: Changed) -> None:
    plan.set(_QUEUE, "inbox_queue", redrive_policy=None)
    plan.move(_QUEUE, "inbox_queue", "{}[0]")


def _stream_of_unknown_position(plan: Changed) -> None:
    plan.set(_MAPPING, "stream-customers", destination_config=[])
    plan.mark(_MAPPING, "stream-customers", starting_position=True)


def _letters_elsewhere(plan: Changed) -> None:
    """What is known counts, whatever the configuration refers to: a queue of this stack may be another provider's."""
    change = plan.change(_TARGET, "inbox")["change"]
    change["after"]["dead_letter_config"] = [{"arn": f"arn:aws:sqs:us-west-2:{_ACCOUNT}:letters"}]
    change["after_unknown"].pop("dead_letter_config")


def _encryption_off(plan: Changed) -> None:
    plan.after(_TABLE, "customers_table")["server_side_encryption"][0]["enabled"] = False


def _encryption_unknown(plan: Changed) -> None:
    change = plan.change(_TABLE, "customers_table")["change"]
    del change["after"]["server_side_encryption"][0]["enabled"]
    change["after_unknown"]["server_side_encryption"][0]["enabled"] = True


def _replica_of_one_of_two(plan: Changed) -> None:
    """One is localized, the other is named by no document."""
    plan.add(_TABLE, name="free")
    plan.add(_REPLICA)
    plan.hide(
        _REPLICA, "added", "global_table_arn", f"{_TABLE}.added", plan.change(_TABLE, "customers_table")["address"]
    )


UNTOLD_MUTATIONS = [
    *(
        Mutation(
            "known_policies",
            f"the policy of {whose}",
            _UNTOLD,
            _added("aws_sqs_queue_policy", "policy", "data.aws_iam_policy_document.p.json", address=address),
        )
        for whose, address in _ELSEWHERE.items()
    ),
    Mutation("known_policies", "a policy by a function", _UNTOLD, _added("aws_sqs_queue_policy", "policy")),
    Mutation(
        "known_policies",
        "a policy in a dynamic block",
        _UNTOLD,
        lambda plan: plan.mark("aws_iam_role", "listener", inline_policy=[{"policy": True}]),
    ),
    Mutation(
        "known_policies",
        "a policy that refers to the account alone",
        _UNTOLD,
        lambda plan: plan.hide(_INLINE, "listener_policy-work", "policy", "data.aws_caller_identity.a.account_id"),
    ),
    Mutation(
        "known_policies",
        "a queue's policy that refers to AppConfig",
        _UNTOLD,
        _added("aws_sqs_queue_policy", "policy", "aws_appconfig_application.a.id"),
    ),
    *(
        Mutation(
            "known_policies", f"a {type_}", _UNTOLD, _added(type_, argument, "data.aws_iam_policy_document.p.json")
        )
        for type_, argument in (
            ("aws_cloudwatch_log_resource_policy", "policy_document"),
            ("aws_cloudwatch_log_destination_policy", "access_policy"),
        )
    ),
    Mutation(
        "known_policies",
        "no policy document",
        "the plan has no policy document",
        lambda plan: plan.remove("aws_appconfig_hosted_configuration_version", ""),
    ),
    *(
        Mutation("dead_letters", f"a queue without one, consumed by {whose}", _NO_LETTERS, _without_letters(address))
        for whose, address in _ELSEWHERE.items()
    ),
    Mutation("dead_letters", "a queue by number without one", _NO_LETTERS, _queue_without_letters),
    Mutation(
        "dead_letters",
        "a queue with an empty redrive policy",
        _NO_LETTERS,
        lambda plan: plan.set(_QUEUE, "inbox_queue", redrive_policy="{}"),
    ),
    Mutation(
        "dead_letters",
        "a queue whose redrive policy is looked up",
        _NO_LETTERS,
        lambda plan: plan.hide(_QUEUE, "inbox_queue", "redrive_policy", "var.redrive"),
    ),
    Mutation(
        "dead_letters",
        "a queue that is looked up",
        _NO_LETTERS,
        lambda plan: plan.hide(_MAPPING, "queue-inbox", "event_source_arn", "data.aws_sqs_queue.other.arn"),
    ),
    Mutation("dead_letters", "a stream read from who knows where", _NO_LETTERS, _stream_of_unknown_position),
    Mutation(
        "dead_letters", "a target with one of another Region", "the target has no dead-letter", _letters_elsewhere
    ),
    Mutation("encryption", "a table whose encryption is off", "is not encrypted with the key", _encryption_off),
    Mutation("encryption", "a table whose encryption is unknown", "is not encrypted with the key", _encryption_unknown),
    Mutation(
        "keys_in_use",
        "a key that may be disabled",
        "the key is disabled, or the plan does not tell",
        lambda plan: plan.mark("aws_kms_key", "", is_enabled=True),
    ),
    Mutation(
        "no_archive",
        "a policy for all logs of the account",
        "may copy the logs of all groups",
        lambda plan: plan.add("aws_cloudwatch_log_account_policy", policy_type="SUBSCRIPTION_FILTER_POLICY"),
    ),
    Mutation(
        "no_archive",
        "a policy of a kind that is unknown",
        "may copy the logs of all groups",
        _added("aws_cloudwatch_log_account_policy", "policy_type", "var.kind"),
    ),
    Mutation(
        "no_replicas",
        "replicas that are unknown",
        "does not tell whether the localized table has replicas",
        lambda plan: plan.mark(_TABLE, "customers_table", replica=True),
    ),
    Mutation("no_replicas", "the replica of one of two", "the plan does not tell of which", _replica_of_one_of_two),
    Mutation(
        "no_wildcards",
        "an attached policy",
        _UNATTACHED,
        _added(_ATTACHMENT, "policy_arn", "data.aws_iam_policy.p.arn"),
    ),
    Mutation(
        "no_wildcards",
        "a policy that a module attaches",
        _UNATTACHED,
        _added(_ATTACHMENT, "policy_arn", "aws_iam_policy.p.arn", address="module.m.{}"),
    ),
    Mutation(
        "no_wildcards",
        "a role's policy",
        _UNATTACHED,
        lambda plan: plan.hide("aws_iam_role", "listener", "managed_policy_arns", "data.aws_iam_policy.p.arn"),
    ),
    Mutation(
        "principals_inside",
        "a grant of the key to who knows whom",
        "the grant admits a principal to the key",
        _added("aws_kms_grant", "grantee_principal", "var.principal"),
    ),
]
