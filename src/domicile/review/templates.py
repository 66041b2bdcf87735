"""CloudFormation's templates, of which the review knows Global Tables alone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from domicile.review.stacks import Resource


@dataclass(frozen=True)
class GlobalTable:
    """A table of a template, and the Regions that what is written into it comes to: its replicas and witnesses."""

    name: str
    regions: tuple[str, ...]


def global_tables(stack: Resource) -> Sequence[GlobalTable]:
    """Return the tables of an ``aws_cloudformation_stack``; none where it has, or may have, anything else."""
    if stack.text("template_url"):
        return ()
    try:
        template = json.loads(stack.text("template_body"))
        found = [_table(resource) for resource in template["Resources"].values()]
    except (AttributeError, KeyError, TypeError, ValueError):
        return ()
    return found if set(template) == {"Resources"} else ()


def _table(resource: Mapping[str, Any]) -> GlobalTable:
    """Return the table of a template's resource, or raise what a resource of another form or kind raises."""
    if resource["Type"] != "AWS::DynamoDB::GlobalTable":
        raise ValueError
    properties = resource["Properties"]
    copies = [*properties["Replicas"], *properties.get("GlobalTableWitnesses", ())]
    return GlobalTable(str(properties["TableName"]), tuple(copy["Region"] for copy in copies))
