"""What a role must be allowed to apply a stack, as IAM policies: computed from the synthesized resources alone."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from domicile.core.partitions import CHINA, partition_of
from domicile.deployer.permissions import GRANTS, Grant
from domicile.errors import UserError
from domicile.review import synthesized
from domicile.review.stacks import Resource, is_unknown, read_json

CHARACTERS_MAX = 6144
"""What IAM takes of one managed policy; white space does not count."""

Statement = dict[str, Any]
Policy = dict[str, Any]
_WITHOUT_RESOURCE = "NotConfinable"


def policies(file: Path, account: str) -> list[Policy]:
    """Return the policies that together let a role plan, apply, upgrade and destroy a synthesized stack.

    ``account`` is the one that the stack is applied to: ARNs name it. Each policy fits a managed policy of IAM. Raises
    :class:`UserError` for a file that can't be read, and for a resource that the table of permissions does not know.
    """
    stack = synthesized.read(file, account)
    unknown = [*stack.unclear, *(one.address for one in stack.resources if one.kind not in GRANTS)]
    if unknown:
        known = f"accepted: single resources of the types {', '.join(GRANTS)}"
        raise UserError("\n".join(f"{file}: {address}: it is not known what it needs; {known}" for address in unknown))
    statements = [_statement(file, one, grant) for one in stack.resources for grant in GRANTS[one.kind]]
    statements += _of_the_state(read_json(file), account)
    return [{"Version": "2012-10-17", "Statement": _numbered(part)} for part in _fitting(_merged(statements))]


def _statement(file: Path, resource: Resource, grant: Grant) -> Statement:
    name = "".join(word.capitalize() for word in resource.kind.removeprefix("aws_").split("_"))
    resources = [_arn(file, resource, grant.service, pattern) for pattern in grant.resources]
    condition = {}
    if grant.through:
        region = "*" if grant.in_any_region else resource.site.region
        condition["kms:ViaService"] = _via(grant.through, region, resource.site.partition)
    if grant.passed_to:
        condition["iam:PassedToService"] = [f"{service}.amazonaws.com" for service in grant.passed_to]
    operator = "StringLike" if grant.in_any_region else "StringEquals"
    return _allow(name, grant.service, grant.actions, resources, {operator: condition} if condition else {})


def _allow(
    name: str,
    service: str,
    actions: str,
    resources: list[str],
    condition: Mapping[str, Mapping[str, list[str]]] | None = None,
) -> Statement:
    return {
        "Sid": name if resources else _WITHOUT_RESOURCE,
        "Effect": "Allow",
        "Action": [f"{service}:{action}" for action in actions.split()],
        "Resource": resources or ["*"],
        **({"Condition": condition} if condition else {}),
    }


def _arn(file: Path, resource: Resource, service: str, pattern: str) -> str:
    """Return a pattern with the arguments that it names, or raise :class:`UserError` where one is not known."""
    site = resource.site
    bus = resource.text("event_bus_name")
    derived = {
        "region": site.region,
        "partition": site.partition,
        "account": site.account,
        "table": resource.text("global_table_arn").rpartition("/")[2],
        "on_bus": f"{bus}/" if bus not in ("", "default") else "",
    }
    try:
        named = pattern.format_map({**resource.arguments, **derived})
    except KeyError as missing:
        raise UserError(f"{file}: {resource.address}.{missing.args[0]}: is missing; accepted: a name") from None
    if is_unknown(named):
        raise UserError(f"{file}: {resource.address}: its name is not known; accepted: names without expressions")
    if named.startswith("arn:"):
        return named
    return (replace(site, region="") if service == "iam" else site).arn(service, named)


def _via(services: Iterable[str], region: str, partition: str) -> list[str]:
    """Return the values of ``kms:ViaService``; in China both, as no page of AWS says which one it is."""
    suffixes = ("amazonaws.com.cn", "amazonaws.com") if partition == CHINA else ("amazonaws.com",)
    return [f"{service}.{region}.{suffix}" for service in services for suffix in suffixes]


def _of_the_state(configuration: Mapping[str, Any], account: str) -> Iterator[Statement]:
    """Yield what Terraform needs of its state, where that is an object in S3."""
    backend = configuration.get("terraform", {}).get("backend", {}).get("s3")
    if backend is None:
        return
    region, key = backend["region"], backend.get("kms_key_id")
    partition = partition_of(region)
    bucket = f"arn:{partition}:s3:::{backend['bucket']}"
    state = f"{bucket}/{backend['key']}"
    yield _allow("StateBucket", "s3", "ListBucket", [bucket])
    yield _allow("State", "s3", "GetObject PutObject", [state])
    if backend.get("use_lockfile"):
        yield _allow("StateLock", "s3", "GetObject PutObject DeleteObject", [f"{state}.tflock"])
    if key:
        arn = key if key.startswith("arn:") else f"arn:{partition}:kms:{region}:{account}:key/*"
        through = {"StringEquals": {"kms:ViaService": _via(["s3"], region, partition)}}
        yield _allow("StateKey", "kms", "Decrypt GenerateDataKey", [arn], through)


def _merged(statements: Iterable[Statement]) -> list[Statement]:
    """Return one statement for what differs in its resources alone, and one for all that has no resource."""
    merged: dict[str, Statement] = {}
    for one in statements:
        alike = [one["Sid"], one.get("Condition"), None if one["Resource"] == ["*"] else one["Action"]]
        into = merged.setdefault(json.dumps(alike), one)
        for part in ("Action", "Resource"):
            into[part] = sorted({*into[part], *one[part]})
    return list(merged.values())


def _fitting(statements: Iterable[Statement]) -> Iterator[list[Statement]]:
    """Yield the statements in parts that fit a policy each; one that is too long by itself is divided."""
    part: list[Statement] = []
    waiting = list(statements)
    while waiting:
        one = waiting.pop(0)
        if _size([one]) > CHARACTERS_MAX:
            middle = len(one["Resource"]) // 2
            waiting[:0] = [{**one, "Resource": half} for half in (one["Resource"][:middle], one["Resource"][middle:])]
        elif _size([*part, one]) > CHARACTERS_MAX:
            yield part
            part = [one]
        else:
            part.append(one)
    yield part


def _size(statements: list[Statement]) -> int:
    policy = {"Version": "2012-10-17", "Statement": _numbered(statements)}
    return len(json.dumps(policy, separators=(",", ":")))


def _numbered(statements: list[Statement]) -> list[Statement]:
    """Return the statements with a number in their Sids, which IAM wants to differ."""
    return [{**one, "Sid": f"{one['Sid']}{number}"} for number, one in enumerate(statements, 1)]
