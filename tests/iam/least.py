"""Which parts of a role's policies something needs: decided again, by the local AWS's own evaluator, without the part.

A part is a whole statement, one of its actions, an action on one of its resources, or one of several values of a
condition. It is needed if a question that was answered with yes would be answered with no without it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.iam_evaluator import EvalContext

Statement = dict[str, Any]


@dataclass(frozen=True)
class Part:
    """A part of a principal's policies; ``element`` is empty for a whole statement."""

    principal: str
    statement: str
    element: str = ""

    def __str__(self) -> str:
        return f"{self.principal} {self.statement} {self.element}".rstrip()


def statements_of(iam: Any, principal: str) -> list[Statement]:
    """Return the statements of all policies of ``role/<name>`` or ``user/<name>``."""
    kind, name = principal.split("/")
    who = {f"{kind.title()}Name": name}
    inline = getattr(iam, f"list_{kind}_policies")(**who)["PolicyNames"]
    documents = [getattr(iam, f"get_{kind}_policy")(**who, PolicyName=policy)["PolicyDocument"] for policy in inline]
    for attached in getattr(iam, f"list_attached_{kind}_policies")(**who)["AttachedPolicies"]:
        policy = iam.get_policy(PolicyArn=attached["PolicyArn"])["Policy"]
        version = iam.get_policy_version(PolicyArn=policy["Arn"], VersionId=policy["DefaultVersionId"])
        documents.append(version["PolicyVersion"]["Document"])
    return [statement for document in documents for statement in document["Statement"]]


def unneeded(principal: str, statements: Sequence[Statement], asked: Sequence[Mapping[str, Any]]) -> Iterator[Part]:
    """Return the parts of a principal's policies that none of the questions needs, but not those of such parts."""
    questions = [_context(question) for question in asked if question["principal"] == principal and question["allowed"]]
    for place, statement in enumerate(statements):
        others = [*statements[:place], *statements[place + 1 :]]
        by_it = [question for question in questions if _allow([statement], [question])]
        if _allow(others, by_it):
            yield Part(principal, statement["Sid"])
            continue
        found: list[str] = []
        for element, rest in _without_each(statement):
            if element.partition(" on ")[0] not in found and _allow([*others, *rest], by_it):
                found.append(element)
                yield Part(principal, statement["Sid"], element)


def _without_each(statement: Statement) -> Iterator[tuple[str, list[Statement]]]:
    """Return each element of a statement, and what allows all that the statement does but for it."""
    actions, resources = _listed(statement["Action"]), _listed(statement["Resource"])
    for action in actions:
        rest = statement | {"Action": _less(actions, action)}
        yield action, [rest]
        if len(resources) > 1:
            for resource in resources:
                elsewhere = statement | {"Action": action, "Resource": _less(resources, resource)}
                yield f"{action} on {resource}", [rest, elsewhere]
    for operator, keys in statement.get("Condition", {}).items():
        for key, values in keys.items():
            for value in values if isinstance(values, list) and len(values) > 1 else ():
                fewer = {**statement["Condition"], operator: {**keys, key: _less(values, value)}}
                yield f"{key} {value}", [statement | {"Condition": fewer}]


def _allow(statements: Sequence[Statement], questions: Sequence[EvalContext]) -> bool:
    there = [statement for statement in statements if statement["Action"] and statement["Resource"]]
    policies = [iam_evaluator.parse_policy_document({"Statement": there})]
    return all(iam_evaluator.evaluate(question, policies).decision == "Allow" for question in questions)


def _context(question: Mapping[str, Any]) -> EvalContext:
    return EvalContext(
        principal_arn="",
        principal_type="",
        principal_account="",
        action=question["action"],
        resource_arn=question["resource"],
        region=question["region"],
        source_ip=question["source_ip"],
        secure_transport=True,
        service_context={name.lower(): value for name, value in question["context"].items()},
    )


def _less(values: list[str], value: str) -> list[str]:
    return [other for other in values if other != value]


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
