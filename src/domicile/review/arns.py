"""What a resource's ARN is, and what an ARN means: a place that can hold items.

Ahead of the first apply no plan knows an ARN. The form of each kind is AWS's, so that it follows from the name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

_FORMS = {
    "aws_cloudwatch_event_archive": ("events:{region}:{account}:archive/{name}", "name"),
    "aws_cloudwatch_event_bus": ("events:{region}:{account}:event-bus/{name}", "name"),
    "aws_cloudwatch_log_group": ("logs:{region}:{account}:log-group:{name}", "name"),
    "aws_dynamodb_table": ("dynamodb:{region}:{account}:table/{name}", "name"),
    "aws_iam_group": ("iam::{account}:group/{name}", "name"),
    "aws_iam_policy": ("iam::{account}:policy/{name}", "name"),
    "aws_iam_role": ("iam::{account}:role/{name}", "name"),
    "aws_iam_user": ("iam::{account}:user/{name}", "name"),
    "aws_kinesis_firehose_delivery_stream": ("firehose:{region}:{account}:deliverystream/{name}", "name"),
    "aws_kinesis_stream": ("kinesis:{region}:{account}:stream/{name}", "name"),
    "aws_lambda_alias": ("lambda:{region}:{account}:function:{name}", "function_name"),
    "aws_lambda_function": ("lambda:{region}:{account}:function:{name}", "function_name"),
    "aws_s3_bucket": ("s3:::{name}", "bucket"),
    "aws_sns_topic": ("sns:{region}:{account}:{name}", "name"),
    "aws_sqs_queue": ("sqs:{region}:{account}:{name}", "name"),
}
_NAMES_TABLE = re.compile(r"(table/[^/]+)/.*")
_FIELDS = 6


@dataclass(frozen=True)
class Site:
    """Where a stack's resources are: the Region, and the account with its partition."""

    partition: str
    account: str
    region: str

    def arn(self, service: str, resource: str) -> str:
        """Return an ARN of this Region and account."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"


def naming_argument(kind: str) -> str:
    """Return the argument that an ARN of a kind is made of; empty where the kind is not known."""
    return _FORMS.get(kind, ("", ""))[1]


def arn_of(kind: str, arguments: Mapping[str, Any], site: Site) -> str | None:
    """Return a resource's ARN, an alias's without the alias, or None where its kind or its name is not known."""
    form, argument = _FORMS.get(kind, ("", ""))
    name = arguments.get(argument)
    if not form or not isinstance(name, str):
        return None
    if name.startswith("arn:"):
        return place_of(name)
    return f"arn:{site.partition}:" + form.format(region=site.region, account=site.account, name=name)


def attribute_of(kind: str, attribute: str, arguments: Mapping[str, Any], site: Site) -> str | None:
    """Return an attribute that AWS derives from the name, or None for another one."""
    arn = arn_of(kind, arguments, site)
    if arn is None:
        return None
    match kind, attribute:
        case "aws_dynamodb_table", "stream_arn":
            return f"{arn}/stream/*"
        case "aws_sqs_queue", "url" | "id":
            return f"https://sqs.{site.region}.amazonaws.com/{site.account}/{arguments['name']}"
        case _, "arn" | "qualified_arn":
            return arn
        case _, "id":
            return str(arguments[_FORMS[kind][1]])
    return None


def place_of(text: str) -> str:
    """Return the ARN of the place that an ARN or a queue's URL means.

    A stream, an index or a backup is its table's, a version or an alias its function's, a log stream its group's. The
    path of a role is left out.
    """
    if text.startswith("https://sqs."):
        parts = urlsplit(text)
        region = (parts.hostname or "").split(".")[1]
        partition = "aws-cn" if (parts.hostname or "").endswith(".cn") or region.startswith("cn-") else "aws"
        account, _, name = parts.path.strip("/").partition("/")
        return f"arn:{partition}:sqs:{region}:{account}:{name}"
    fields = text.split(":", _FIELDS - 1)
    if len(fields) < _FIELDS or fields[0] != "arn":
        return text
    service, resource = fields[2], fields[5]
    if service == "dynamodb":
        resource = _NAMES_TABLE.sub(r"\1", resource)
    elif service == "kinesis":
        resource = re.sub(r"(stream/[^/]+)/consumer/.*", r"\1", resource)
    elif service in ("lambda", "logs"):
        resource = ":".join(resource.split(":")[:2])
    elif service == "iam":
        resource = re.sub("/.*/", "/", resource)
    elif service == "s3":
        resource = resource.split("/")[0]
    return ":".join([*fields[:5], resource])


def region_of(arn: str) -> str:
    """Return the Region that an ARN names; empty where it names none."""
    fields = arn.split(":", _FIELDS - 1)
    return fields[3] if len(fields) == _FIELDS else ""


def account_of(arn: str) -> str:
    """Return the account that an ARN names; empty where it names none."""
    fields = arn.split(":", _FIELDS - 1)
    return fields[4] if len(fields) == _FIELDS else ""


def service_of(arn: str) -> str:
    """Return the service that an ARN names; empty where the text is no ARN."""
    fields = arn.split(":", _FIELDS - 1)
    return fields[2] if len(fields) == _FIELDS and fields[0] == "arn" else ""


def short(arn: str) -> str:
    """Return what a person needs of an ARN: the Region and the resource, and the account where that is not enough."""
    return f"{region_of(arn) or '-'} {service_of(arn)} {arn.split(':', 5)[5]}" if service_of(arn) else arn
