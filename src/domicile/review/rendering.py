"""A review as text and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from domicile.review.findings import Finding, Severity
from domicile.review.verdict import Passage, Review, Verdict

_HEADINGS = {
    Severity.VIOLATION: "Violations",
    Severity.UNKNOWN: "Could not be judged",
    Severity.RELIED: "Relied on: what the permissions allow and only the code keeps from happening",
}
_NOTHING = "-"


def as_text(review: Review) -> str:
    """Return the matrix of each authority, the verdicts and the findings."""
    return "\n".join(_text(review))


def as_json(review: Review) -> str:
    """Return everything, also the resources of each passage."""
    fields: dict[str, Any] = {
        "clean": review.clean,
        "files": review.files,
        "regions": review.regions,
        "verdicts": [
            {
                "authority": one.authority,
                "home": one.home,
                "reached": one.reached,
                "on_the_way": one.on_the_way,
                "leaked": one.leaked,
                "outcome": one.outcome.value,
                "text": one.text,
            }
            for one in review.verdicts
        ],
        "passages": [
            {
                "authority": one.authority,
                "from": one.source,
                "to": one.target,
                "what": [kind.value for kind in one.kinds],
                "allowed": one.allowed,
                "resources": one.carriers,
            }
            for one in review.passages
        ],
        "findings": [
            {"severity": one.severity.value, "resource": one.resource, "text": one.text} for one in review.findings
        ],
    }
    return json.dumps(fields, indent=2, ensure_ascii=False)


def _text(review: Review) -> Iterator[str]:
    for verdict in review.verdicts:
        yield f"{verdict.authority}: {home(verdict)}; from the Region in the line to that of the column"
        head, *rows = matrix(review, verdict.authority)
        widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
        for row in (head, *rows):
            yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        yield ""
    for carrier, what in carriers(review):
        yield f"{carrier}: {what}"
    yield ""
    for heading, found in sections(review):
        yield f"{heading}:"
        yield from (f"  {one.resource}: {one.text}" for one in found)
        yield ""
    for verdict in review.verdicts:
        yield f"{verdict.outcome.value}: {verdict.text}"


def matrix(review: Review, authority: str) -> Iterator[list[str]]:
    """Yield the head and a row for each Region; what must not pass stands in capitals."""
    passages = [passage for passage in review.passages if passage.authority == authority]
    beyond = sorted({passage.target for passage in passages} - set(review.regions))
    yield ["from", *review.regions, *beyond]
    for source in review.regions:
        row = [source]
        for target in (*review.regions, *beyond):
            cells = [_kinds(one) for one in passages if (one.source, one.target) == (source, target)]
            row.append(", ".join(cells) or _NOTHING)
        yield row


def carriers(review: Review) -> Iterator[tuple[str, str]]:
    """Yield each resource that takes something from a Region to another, with these two."""
    found: dict[str, dict[str, None]] = {}
    for passage in review.passages:
        for carrier in passage.carriers:
            found.setdefault(carrier, {})[f"{passage.source} to {passage.target}"] = None
    yield from ((carrier, ", ".join(texts)) for carrier, texts in sorted(found.items()))


def sections(review: Review) -> Iterator[tuple[str, list[Finding]]]:
    """Yield the findings under their headings."""
    for severity, heading in _HEADINGS.items():
        if found := review.of(severity):
            yield heading, found


def home(verdict: Verdict) -> str:
    """Return where an authority's items are at home."""
    return f"at home in {verdict.home}" if verdict.home else "everywhere"


def _kinds(passage: Passage) -> str:
    names = " ".join(kind.value for kind in passage.kinds)
    return names if passage.allowed else names.upper()
