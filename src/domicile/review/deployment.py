"""The stacks of all Regions as one: what is a place, whose role grants what, which policy document holds where."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from domicile.errors import UserError
from domicile.review import document
from domicile.review.arns import Site, arn_of, place_of, region_of, service_of
from domicile.review.findings import Finding, Severity
from domicile.review.policies import Grant, grants, matches, statements
from domicile.review.protocol import Protocol
from domicile.review.stacks import Resource, Stack, is_unknown

BUS, TABLE, QUEUE = "aws_cloudwatch_event_bus", "aws_dynamodb_table", "aws_sqs_queue"
FUNCTION, STREAM, LOG_GROUP = "aws_lambda_function", "aws_kinesis_stream", "aws_cloudwatch_log_group"
PLACES = (BUS, TABLE, QUEUE, FUNCTION, STREAM, LOG_GROUP)
"""The kinds of resources by which the protocol moves and keeps items."""

_PREFIX, _SUFFIX = "functions.", ".handler.handler"


class Deployment:
    """What the stacks of a deployment's Regions are together.

    Raises :class:`UserError` for stacks that are none of one deployment, or not of all its Regions.
    """

    def __init__(self, stacks: Sequence[Stack]) -> None:
        self.stacks = stacks
        self.by_region: dict[str, Stack] = {}
        for stack in stacks:
            twin = self.by_region.setdefault(stack.site.region, stack)
            if twin is not stack:
                raise UserError(f"{stack.file}: is a second one of {stack.site.region}, beside {twin.file}")
        self.protocols = {stack.site.region: Protocol(document.policy_of(stack)) for stack in stacks}
        regions = {region for protocol in self.protocols.values() for region in protocol.policy.regions}
        if missing := sorted(regions - set(self.by_region)):
            named = ", ".join(str(stack.file) for stack in stacks)
            raise UserError(
                f"{named}: none is of {', '.join(missing)}; accepted: one for each Region of the deployment"
            )
        self.places = {
            place_of(resource.arn): resource
            for stack in stacks
            for resource in stack.of_kind(*PLACES)
            if resource.arn is not None
        }

    def queue(self, url: str, region: str) -> str:
        """Return the place that a queue's URL means in a Region: what a plan knows of it, or AWS's form of it."""
        known = [place for place, one in self.places.items() if one.kind == QUEUE and one.text("url") == url]
        here = [place for place in known if region_of(place) == region]
        return next(iter([*here, *known]), place_of(url))

    @property
    def resources(self) -> Iterator[Resource]:
        """Every resource of every stack."""
        for stack in self.stacks:
            yield from stack.resources

    def of_kind(self, *kinds: str) -> Iterator[Resource]:
        """Yield the resources of some kinds, of every stack."""
        return (resource for resource in self.resources if resource.kind in kinds)

    def replicated(self) -> Iterator[tuple[str, Resource]]:
        """Yield each table that the policy document of its Region names, with its place."""
        for place, resource in self.places.items():
            if resource.kind == TABLE and resource.text("name") in self.protocol(resource.site.region).policy.tables:
                yield place, resource

    def protocol(self, region: str) -> Protocol:
        """Return the protocol under the policy document of a Region, or of any for a Region beyond the deployment."""
        return self.protocols.get(region) or next(iter(self.protocols.values()))

    @staticmethod
    def step(function: Resource) -> str:
        """Return the step of the protocol that a function says to run, empty for any other code."""
        handler = function.text("handler")
        step = handler.removeprefix(_PREFIX).removesuffix(_SUFFIX)
        known = handler == f"{_PREFIX}{step}{_SUFFIX}" and step in STEPS
        more = any(function.arguments.get(name) for name in ("image_uri", "s3_bucket", "layers", "file_system_config"))
        return step if known and not more else ""

    @staticmethod
    def variables(function: Resource) -> Mapping[str, str]:
        """Return a function's environment, without what is not known."""
        found = next(iter(function.blocks("environment")), {}).get("variables")
        return (
            {name: value for name, value in found.items() if not is_unknown(value)} if isinstance(found, dict) else {}
        )

    @cached_property
    def roles(self) -> Mapping[str, list[tuple[Resource, Grant]]]:
        """What each role, user and group of the stacks is allowed, by its ARN, with the resource that says so."""
        found: dict[str, list[tuple[Resource, Grant]]] = defaultdict(list)
        for holder, carrier, text in self._attached():
            for statement in statements(text) or ():
                found[holder] += [(carrier, grant) for grant in grants(statement)]
        return found

    @cached_property
    def attached(self) -> frozenset[Resource]:
        """The managed policies that something in the stacks has."""
        return frozenset(carrier for _, carrier, _ in self._attached() if carrier.kind == "aws_iam_policy")

    def findings(self) -> Iterator[Finding]:
        """Yield what the stacks do not tell, or tell differently."""
        documents = {str(protocol.policy) for protocol in self.protocols.values()}
        if len(documents) > 1:
            for stack in self.stacks:
                yield Finding(document.document_of(stack).label, "the Regions' policy documents differ")
        for stack in self.stacks:
            yield from stack.findings
            yield from document.findings(stack)
            for address in stack.unclear:
                text = "what it makes is known in a plan alone"
                yield Finding(f"{address} ({stack.site.region})", text, Severity.UNKNOWN)
            tables = {table.text("name") for table in stack.of_kind(TABLE) if table.site == stack.site}
            for name in sorted(set(self.protocols[stack.site.region].policy.tables) - tables):
                text = f"names the table {name}, which the stack does not have"
                yield Finding(document.document_of(stack).label, text, Severity.UNKNOWN)
        for _, carrier, text in self._attached():
            if statements(text) is None:
                yield Finding(carrier.label, "what it allows is not known", Severity.UNKNOWN)

    def _attached(self) -> Iterator[tuple[str, Resource, Any]]:
        """Yield (who has it, the resource that says so, the document) for each identity-based policy."""
        for one in self.of_kind("aws_iam_role_policy", "aws_iam_user_policy", "aws_iam_group_policy"):
            who = one.kind.split("_")[2]
            yield _identity(who, one.text(who), one.site), one, one.arguments.get("policy")
        for role in self.of_kind("aws_iam_role"):
            for block in role.blocks("inline_policy"):
                yield role.arn or "", role, block.get("policy")
        managed = {policy.arn: policy for policy in self.of_kind("aws_iam_policy")}
        for holder, one, arn in self._attachments():
            policy = managed.get(arn)
            yield holder, policy or one, policy.arguments.get("policy") if policy else None

    def _attachments(self) -> Iterator[tuple[str, Resource, str]]:
        """Yield (who has it, the resource that says so, its ARN) for each managed policy that somebody has."""
        for role in self.of_kind("aws_iam_role"):
            yield from ((role.arn or "", role, arn) for arn in role.arguments.get("managed_policy_arns") or ())
        for who in ("role", "user", "group"):
            for one in self.of_kind(f"aws_iam_{who}_policy_attachment", "aws_iam_policy_attachment"):
                for name in [one.text(who)] if one.text(who) else one.arguments.get(f"{who}s") or ():
                    yield _identity(who, name, one.site), one, one.text("policy_arn")

    def covered(self, grant: Grant) -> Iterator[str]:
        """Yield the places of the deployment that a grant's resource covers and its action is about."""
        service = grant.action.partition(":")[0].lower()
        for place in self.places:
            if matches(service, service_of(place)) and grant.covers(place):
                yield place

    def elsewhere(self, grant: Grant) -> bool:
        """Whether a grant's resource may be something that the deployment does not have."""
        place = place_of(grant.resource)
        return any(_in_region(place, region) not in self.places for region in grant.regions or ["*"])


STEPS = ("listener", "replicator", "anonymizer", "courier", "gateway")


def _in_region(place: str, region: str) -> str:
    """Return an ARN whose Region is a wildcard as it is in one Region."""
    fields = place.split(":", 5)
    return ":".join([*fields[:3], region, *fields[4:]]) if region_of(place) == "*" else place


def _identity(who: str, name: str, site: Site) -> str:
    """Return the ARN of a role, user or group of a name."""
    return arn_of(f"aws_iam_{who}", {"name": name}, site) or ""
