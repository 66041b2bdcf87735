"""A review as Markdown for a pull request, with a diagram of the Regions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from domicile.review.rendering import carriers, home, matrix, sections
from domicile.review.verdict import Outcome, Passage, Review


def as_markdown(review: Review) -> str:
    """Return the verdicts, a Mermaid diagram, the findings, and the matrix of each authority."""
    return "\n".join(_markdown(review))


def _markdown(review: Review) -> Iterator[str]:
    yield f"## Residency: {'proven' if review.clean else 'not proven'}"
    yield ""
    for verdict in review.verdicts:
        yield f"- {'✅' if verdict.outcome is Outcome.CLEAN else '❌'} {verdict.outcome.value}: {verdict.text}"
    yield ""
    yield "```mermaid"
    yield from _diagram(review)
    yield "```"
    for heading, found in sections(review):
        yield from ("", f"### {heading}", "")
        yield from (f"- `{one.resource}`: {one.text}" for one in found)
    for verdict in review.verdicts:
        head, *rows = matrix(review, verdict.authority)
        yield from ("", f"### {verdict.authority}: {home(verdict)}", "")
        yield from map(_row, (head, ["---"] * len(head), *rows))
    yield from ("", "<details><summary>The resources that take it there</summary>", "")
    yield from (f"- `{carrier}`: {what}" for carrier, what in carriers(review))
    yield from ("", "</details>")


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _diagram(review: Review) -> Iterator[str]:
    """Yield a graph of the Regions; what must not pass has a red arrow of its own."""
    yield "flowchart LR"
    regions = [*review.regions, *sorted({one.target for one in review.passages} - set(review.regions))]
    for number, region in enumerate(regions):
        homes = [verdict.authority for verdict in review.verdicts if verdict.home == region]
        note = f"<br/>home of {', '.join(homes)}" if homes else ""
        yield f'  r{number}["{region}{note}"]'
    arrows: dict[tuple[str, str, bool], list[Passage]] = {}
    for passage in review.passages:
        arrows.setdefault((passage.source, passage.target, passage.allowed), []).append(passage)
    for (source, target, _), passages in arrows.items():
        label = "; ".join(_label(passages))
        yield f'  r{regions.index(source)} -->|"{label}"| r{regions.index(target)}'
    for number, (_, _, allowed) in enumerate(arrows):
        if not allowed:
            yield f"  linkStyle {number} stroke:#c00,stroke-width:3px"


def _label(passages: Sequence[Passage]) -> Iterator[str]:
    for kind in dict.fromkeys(kind for one in passages for kind in one.kinds):
        yield f"{kind.value}: {', '.join(one.authority for one in passages if kind in one.kinds)}"
