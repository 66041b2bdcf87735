"""What breaks the rules about policies, in the plan of the gateway ap-southeast-1, whose sibling is eu-west-1."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.policy.changed import Changed, Mutation

_ACCOUNT = "111122223333"
_FOREIGN = "999999999999"
_RULE = "arn:aws:events:{}:" + _ACCOUNT + ":rule/shopease/inbox"
_TABLE = "shopease-customers"
_INLINE = "aws_iam_role_policy"
_SEND = ["sqs:SendMessage"]
_UNREADABLE = {
    "a policy that is no JSON": "everyone",
    "a policy without statements": '{"statement": []}',
    "a policy without effect": '{"Statement": [{"effect": "Allow", "Principal": "*", "Action": "*"}]}',
    "a policy with an element of another name": '{"Statement": {"Effect": "Allow", "principal": "*"}}',
}


def _allowing(account: str) -> str:
    return json.dumps(
        {"Statement": [{"Effect": "Allow", "Principal": {"AWS": account}, "Action": "logs:PutLogEvents"}]}
    )


def _from_rules(**keys: Any) -> Callable[[Changed], None]:
    return lambda plan: plan.statement("aws_sqs_queue", "inbox_queue", "FromRules", **keys)


def _work(sid: str = "Added", **keys: Any) -> Callable[[Changed], None]:
    return lambda plan: plan.statement(_INLINE, "listener_policy-work", sid, **keys)


DOCUMENT_MUTATIONS = [
    Mutation("principals_inside", "everyone on a queue", "admits the AWS principal *", _from_rules(Principal="*")),
    Mutation(
        "principals_inside",
        "another account on a queue",
        f"admits the AWS principal {_FOREIGN}",
        _from_rules(Principal={"AWS": [_ACCOUNT, _FOREIGN]}),
    ),
    Mutation(
        "principals_inside",
        "EventBridge for anyone",
        "admits the Service principal events.amazonaws.com",
        _from_rules(Condition=None),
    ),
    Mutation(
        "principals_inside",
        "EventBridge for a rule of another Region",
        "admits the Service principal events.amazonaws.com",
        _from_rules(Condition={"ArnEquals": {"aws:SourceArn": [_RULE.format("us-west-2")]}}),
    ),
    Mutation(
        "principals_inside",
        "EventBridge for rules of any Region",
        "admits the Service principal events.amazonaws.com",
        _from_rules(Condition={"ArnLike": {"aws:SourceArn": [_RULE.format("*")]}}),
    ),
    Mutation(
        "principals_inside",
        "everyone but one on a queue",
        "admits the NotPrincipal principal anyone else",
        _from_rules(Principal=None, NotPrincipal={"AWS": _FOREIGN}),
    ),
    Mutation(
        "principals_inside",
        "another account on the bus",
        f"admits the AWS principal arn:aws:iam::{_FOREIGN}:root",
        lambda plan: plan.statement(
            "aws_cloudwatch_event_bus_policy", "", "SiblingRouters", Principal={"AWS": f"arn:aws:iam::{_FOREIGN}:root"}
        ),
    ),
    Mutation(
        "principals_inside",
        "another account's role",
        f"admits the AWS principal arn:aws:iam::{_FOREIGN}:role/reader",
        lambda plan: plan.statement(
            "aws_iam_role",
            "listener",
            "Added",
            "assume_role_policy",
            Principal={"AWS": f"arn:aws:iam::{_FOREIGN}:role/reader"},
            Action="sts:AssumeRole",
        ),
    ),
    Mutation(
        "principals_inside",
        "a permission on the bus",
        "admits another account to the bus",
        lambda plan: plan.add("aws_cloudwatch_event_permission", principal="*"),
    ),
    Mutation(
        "principals_inside",
        "a permission to invoke a function for anyone",
        "names no source of the deployment",
        lambda plan: plan.add("aws_lambda_permission", principal="s3.amazonaws.com", source_arn=None),
    ),
    Mutation(
        "principals_inside",
        "everyone on a log group",
        "admits the AWS principal *",
        lambda plan: plan.add("aws_cloudwatch_log_resource_policy", policy_document=_allowing("*")),
    ),
    Mutation(
        "principals_inside",
        "another account on a destination of logs",
        f"admits the AWS principal {_FOREIGN}",
        lambda plan: plan.add("aws_cloudwatch_log_destination_policy", access_policy=_allowing(_FOREIGN)),
    ),
    Mutation(
        "principals_inside",
        "a grant of the key to another account",
        "the grant admits a principal to the key",
        lambda plan: plan.add("aws_kms_grant", grantee_principal=f"arn:aws:iam::{_FOREIGN}:root"),
    ),
    Mutation("no_wildcards", "every action", "allows the action *", _work(Action="*", Resource=[])),
    Mutation(
        "no_wildcards", "a family of actions", "allows the action sqs:Get*", _work(Action=["sqs:Get*"], Resource=[])
    ),
    Mutation("no_wildcards", "every resource", "allows the resource *", _work(Action=_SEND, Resource="*")),
    Mutation(
        "no_wildcards",
        "queues by the beginning of a name",
        f"allows the resource arn:aws:sqs:ap-southeast-1:{_ACCOUNT}:shop*",
        _work(Action=_SEND, Resource=[f"arn:aws:sqs:ap-southeast-1:{_ACCOUNT}:shop*"]),
    ),
    Mutation(
        "no_wildcards",
        "a table in any Region",
        f"allows the resource arn:aws:dynamodb:*:{_ACCOUNT}:table/{_TABLE}",
        _work(Action=["dynamodb:GetItem"], Resource=[f"arn:aws:dynamodb:*:{_ACCOUNT}:table/{_TABLE}"]),
    ),
    Mutation(
        "no_wildcards",
        "a table in a Region that the deployment does not have",
        f"allows the resource arn:aws:dynamodb:*:{_ACCOUNT}:table/{_TABLE}",
        _work(
            Action=["dynamodb:GetItem"],
            Resource=[f"arn:aws:dynamodb:*:{_ACCOUNT}:table/{_TABLE}"],
            Condition={"StringEquals": {"aws:RequestedRegion": ["eu-west-1", "us-west-2"]}},
        ),
    ),
    Mutation(
        "no_wildcards",
        "every key of the Region",
        f"allows the resource arn:aws:kms:ap-southeast-1:{_ACCOUNT}:key/*",
        _work("UseKey", Condition=None),
    ),
    Mutation(
        "no_wildcards",
        "keys by the beginning of an alias",
        f"allows the resource arn:aws:kms:ap-southeast-1:{_ACCOUNT}:key/*",
        _work("UseKey", Condition={"ForAnyValue:StringEquals": {"kms:ResourceAliases": ["alias/*"]}}),
    ),
    Mutation(
        "no_wildcards",
        "every action but one",
        "allows everything but some, by NotAction",
        _work(NotAction=["sqs:DeleteQueue"], Resource=[]),
    ),
    Mutation(
        "no_wildcards",
        "a policy of AWS's",
        "attaches arn:aws:iam::aws:policy/AdministratorAccess",
        lambda plan: plan.add(
            "aws_iam_role_policy_attachment", policy_arn="arn:aws:iam::aws:policy/AdministratorAccess"
        ),
    ),
    Mutation(
        "no_wildcards",
        "a policy of AWS's among a role's own",
        "attaches arn:aws:iam::aws:policy/AdministratorAccess",
        lambda plan: plan.set(
            "aws_iam_role", "listener", managed_policy_arns=["arn:aws:iam::aws:policy/AdministratorAccess"]
        ),
    ),
    Mutation(
        "no_wildcards",
        "a policy of AWS's as the only one",
        "attaches arn:aws:iam::aws:policy/AdministratorAccess",
        lambda plan: plan.add(
            "aws_iam_role_policy_attachments_exclusive", policy_arns=["arn:aws:iam::aws:policy/AdministratorAccess"]
        ),
    ),
    *(
        Mutation(
            "known_policies",
            what,
            "is none that the rules can read",
            lambda plan, text=text: plan.add("aws_sqs_queue_policy", policy=text),  # type: ignore[misc]
        )
        for what, text in _UNREADABLE.items()
    ),
    Mutation(
        "known_policies",
        "a policy that refers to a queue",
        "does not tell the policy before the apply",
        lambda plan: plan.hide(_INLINE, "listener_policy-work", "policy", "aws_sqs_queue.other.arn"),
    ),
    Mutation(
        "known_policies",
        "a role whose trust is looked up",
        "does not tell the policy before the apply",
        lambda plan: plan.hide("aws_iam_role", "listener", "assume_role_policy", "data.aws_iam_policy_document.t.json"),
    ),
    Mutation(
        "known_policies",
        "a policy document that is not known",
        "does not tell which tables are localized",
        lambda plan: plan.hide(
            "aws_appconfig_hosted_configuration_version", "", "content", "aws_s3_object.map.content"
        ),
    ),
    Mutation(
        "policies_to_read_again",
        "a policy that refers to AppConfig",
        "function-listener_policy-work",
        lambda plan: plan.hide(
            "aws_iam_role_policy", "listener_policy-work", "policy", "aws_appconfig_application.a.id"
        ),
    ),
]
