"""The review: every crossing, a verdict for each authority, and what stands against it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from domicile.review import access, functions, ways
from domicile.review.deployment import Deployment
from domicile.review.findings import Finding, Severity
from domicile.review.flow import Flow
from domicile.review.protocol import Kind
from domicile.review.stacks import Stack

GLOBAL = "global"
"""What stands for the authority of items that have none."""


class Outcome(Enum):
    """``leaks``: its items come where they must not. ``not proven``: something else is wrong, or unknown."""

    CLEAN = "clean"
    LEAKS = "leaks"
    NOT_PROVEN = "not proven"


@dataclass(frozen=True)
class Passage:
    """What of one authority's items passes from a Region to another, and the resources that take it there."""

    authority: str
    source: str
    target: str
    kinds: tuple[Kind, ...]
    carriers: tuple[str, ...]
    allowed: bool


@dataclass(frozen=True)
class Verdict:
    """Where full images of an authority's items come to, besides the Region that they are written in.

    ``reached`` are the Regions that may have them, ``on_the_way`` the gateways of a bridge, ``leaked`` the others.
    """

    authority: str
    home: str | None
    reached: tuple[str, ...]
    on_the_way: tuple[str, ...]
    leaked: tuple[str, ...]
    outcome: Outcome

    @property
    def text(self) -> str:
        """The verdict in a sentence."""
        leaks = self.outcome is Outcome.LEAKS
        where = f"can reach {', '.join(self.reached)}" if self.reached else "leave no Region"
        only = " only" if self.home and self.reached and not leaks else ""
        way = f", by way of {', '.join(self.on_the_way)}" if self.on_the_way else ""
        text = f"full images of {self.authority} items {where}{only}{way}"
        if self.leaked:
            return f"{text}; where they must not: {', '.join(self.leaked)}"
        return f"{text}; see the violations" if leaks else text


@dataclass(frozen=True)
class Review:
    """The outcome. It is ``clean`` where nothing leaks and everything could be judged."""

    regions: tuple[str, ...]
    files: tuple[str, ...]
    passages: tuple[Passage, ...]
    verdicts: tuple[Verdict, ...]
    findings: tuple[Finding, ...]

    @property
    def clean(self) -> bool:
        """Whether no finding is a violation or unknown."""
        return not any(self.of(Severity.VIOLATION, Severity.UNKNOWN))

    def of(self, *severities: Severity) -> list[Finding]:
        """Return the findings of some severities."""
        return [finding for finding in self.findings if finding.severity in severities]


def review(stacks: Sequence[Stack]) -> Review:
    """Review the stacks of all Regions of a deployment, or raise :class:`UserError`."""
    deployment = Deployment(stacks)
    flow = Flow(deployment)
    judged = (ways.findings, functions.findings, access.findings)
    found = {*deployment.findings(), *flow.findings, *(one for findings in judged for one in findings(deployment))}
    findings = tuple(sorted(found, key=lambda one: (one.severity is Severity.RELIED, one.resource, one.text)))
    clean = not any(finding.severity is not Severity.RELIED for finding in findings)
    return Review(
        regions=tuple(sorted(deployment.by_region)),
        files=tuple(str(stack.file) for stack in stacks),
        passages=tuple(_passages(flow)),
        verdicts=tuple(_verdicts(deployment, flow, clean=clean)),
        findings=findings,
    )


def _passages(flow: Flow) -> list[Passage]:
    kinds: dict[tuple[str, str, str, bool], set[Kind]] = defaultdict(set)
    carriers: dict[tuple[str, str, str, bool], set[str]] = defaultdict(set)
    for one in flow.crossings:
        key = (one.content.authority or GLOBAL, one.source, one.target, one.allowed)
        kinds[key].add(one.content.kind)
        carriers[key].add(one.carrier.label)
    ordered = sorted(kinds, key=lambda key: (key[0] == GLOBAL, key))
    return [
        Passage(
            authority,
            source,
            target,
            tuple(kind for kind in Kind if kind in kinds[authority, source, target, allowed]),
            tuple(sorted(carriers[authority, source, target, allowed])),
            allowed,
        )
        for authority, source, target, allowed in ordered
    ]


def _verdicts(deployment: Deployment, flow: Flow, *, clean: bool) -> Iterator[Verdict]:
    protocol = next(iter(deployment.protocols.values()))
    homes: Mapping[str | None, str | None] = {**dict(sorted(protocol.policy.authorities.items())), None: None}
    for authority, home in homes.items():
        full = [one for one in flow.crossings if one.content.kind is Kind.FULL and one.content.authority == authority]
        leaked = {one.target for one in full if not one.allowed}
        reached = {one.target for one in full} - leaked
        way = {one for one in reached & protocol.gateways if home not in (None, one)}
        outcome = Outcome.LEAKS if authority in flow.leaking else Outcome.CLEAN if clean else Outcome.NOT_PROVEN
        yield Verdict(
            authority or GLOBAL,
            home,
            reached=tuple(sorted(reached - way)),
            on_the_way=tuple(sorted(way)),
            leaked=tuple(sorted(leaked)),
            outcome=outcome,
        )
