"""The advice for each table of a deployment, as JSON and as text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from domicile.advise.calls import Layout
from domicile.advise.cost import Bill, Workload, localized, native, price_list
from domicile.advise.requirements import Choice, Needs, Reason, possible, reasons
from domicile.deployment import Deployment


@dataclass(frozen=True)
class Advice:
    """What a table should be (None: no kind of replication gives all that is asked), and why."""

    table: str
    choice: Choice | None
    reasons: list[Reason]
    bills: dict[Choice, Bill]
    load: Workload

    @property
    def excluded(self) -> dict[Choice, list[str]]:
        """The rules that exclude each choice."""
        return {choice: [reason.rule for reason in self.reasons if choice in reason.excludes] for choice in Choice}


def advise(deployment: Deployment, name: str, needs: Needs, load: Workload) -> Advice:
    """Return the advice for a table: of what its requirements leave, the cheapest.

    A native table has Regions of its own. As a localized one it would be in all Regions of the deployment.
    """
    table, regions = deployment.as_localized(name), deployment.regions
    layout = Layout(regions=len(regions), stubs=table.directory == "everywhere", all_stamp=table.writers == "stamped")
    own = deployment.native[name].regions if name in deployment.native else regions
    replicated = native(load, len(own))
    bills = {
        Choice.NATIVE_EVENTUAL: replicated,
        Choice.NATIVE_STRONG: replicated,
        Choice.LOCALIZED: localized(load, layout),
    }
    found = reasons(own, table, needs)
    choice = min(possible(found), key=lambda one: bills[one].usd_per_month, default=None)
    return Advice(name, choice, found, bills, load)


def as_json(advice: list[Advice]) -> dict[str, Any]:
    """Return the whole advice for other programs, with the prices and their sources."""
    prices = price_list()
    return {
        "tables": {
            one.table: {
                "replication": one.choice.replication if one.choice else None,
                "consistency": one.choice.consistency if one.choice else None,
                "reasons": [
                    {**asdict(reason), "excludes": [choice.value for choice in reason.excludes]}
                    for reason in one.reasons
                ],
                "workload": asdict(one.load),
                "cost": {
                    choice.value: {
                        "excluded_by": one.excluded[choice],
                        "usd_per_month": bill.usd_per_month,
                        "lines": [asdict(line) for line in bill.lines],
                    }
                    for choice, bill in one.bills.items()
                },
            }
            for one in advice
        },
        "prices": asdict(prices),
    }


def as_text(advice: list[Advice]) -> Iterator[str]:
    """Yield the lines for a terminal."""
    for one in advice:
        yield from _table(one)
        yield ""
    prices = price_list()
    yield f"Prices of {prices.region} in USD, read on {prices.read_on}; other Regions cost more or less:"
    for name, price in prices.prices.items():
        dated = f" ({price.dated})" if price.dated else ""
        yield f"  {_words(name)}: {price.usd:.10g} per {price.per:,}  {price.source}{dated}"
    yield "Not counted:"
    yield from (f"  {text}" for text in prices.left_out)


def _table(one: Advice) -> Iterator[str]:
    yield f"{one.table}: {_verdict(one)}"
    for reason in one.reasons:
        excludes = ", ".join(choice.value for choice in reason.excludes)
        yield f"  {reason.rule}: {reason.text}" + (f" -> not {excludes}" if excludes else "")
    load = one.load
    yield (
        f"  load: {load.writes_per_second:g} writes/s of {load.item_bytes} bytes; {load.insert_share:.0%} inserts, "
        f"{load.delete_share:.0%} deletes; {load.localized_share:.0%} of the items localized, {load.away_share:.0%} of "
        f"their inserts away from home; {load.stamped_share:.0%} of the writes stamped; {load.packing} changes an "
        f"event; {load.call_ms:g} ms a call"
    )
    yield f"  {'per month':<34}{'a write':>14}{'quantity':>20}{'USD':>14}"
    for choice, bill in one.bills.items():
        by = one.excluded[choice]
        note = f"  (excluded: {', '.join(by)})" if by else ""
        yield f"  {choice.value:<68}{bill.usd_per_month:>14,.2f}{note}"
        for line in bill.lines:
            amounts = f"{line.per_write:>14.4g}{line.per_month:>20,.0f}{line.usd_per_month:>14,.2f}"
            yield f"    {_words(line.quantity):<32}{amounts}"


def _verdict(one: Advice) -> str:
    if one.choice is None:
        return "no replication gives all that is asked"
    return f"{one.choice.value}, {one.bills[one.choice].usd_per_month:,.2f} USD a month"


def _words(quantity: str) -> str:
    """Return a quantity's name as AWS spells it."""
    words = quantity.replace("_", " ")
    for name in ("EventBridge", "Lambda", "SQS", "GB"):
        words = words.replace(name.lower(), name)
    return words
