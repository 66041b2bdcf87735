"""Negative controls: each takes one rule out of the protocol, and the checkers must then find a schedule that fails.

``python -m tests.simulation.controls [SEEDS [RULE ...]]`` prints how many of that many schedules fail without a rule.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from domicile.core.routing import Kind
from domicile.simulator.campaign import run
from domicile.simulator.faults import Faults
from tests.simulation import bridge_rules, rules

_CALM = Faults(
    keys=1,
    throttle=0,
    hours_pass=0,
    late_authority=0,
    expiring=0,
    stub_writes=0,
    cut_off=0,
    policy_outage=0,
    policy_garbage=0,
    table_outage=0,
    delay_ms_max=300,
)
"""Without what would only make a rare failure rarer."""
_RE_POINTED = Faults(keys=1, re_pointed=1.0, localized=0.8, large=0.3)
_EXPIRING = replace(_CALM, expiring=1.0, large=0.0, deletes=0.0)


@dataclass(frozen=True)
class Control:
    """A rule, what takes it out, and where its absence shows soonest.

    ``faults``: None is what each seed draws. ``seeds`` hold one that fails; some rules are needed in few schedules.
    """

    rule: str
    take_out: Callable[[pytest.MonkeyPatch], None]
    faults: Faults | None = None
    seeds: range = range(300)
    regions: int = 3
    partitions: int = 1

    def fails(self, seed: int) -> bool:
        """Whether a seed's schedule fails; the rule must have been taken out."""
        return bool(run(seed, self.regions, self.faults, partitions=self.partitions))


def _bridged(
    rule: str,
    take_out: Callable[[pytest.MonkeyPatch], None],
    faults: Faults | None = None,
    seeds: range = range(300),
) -> Control:
    return Control(rule, take_out, faults, seeds, regions=4, partitions=2)


CONTROLS = (
    Control("tie-break", rules.tie_break),
    Control("ledger check", rules.ledger_check),
    Control(
        "ledger check of claim checks that cannot be read",
        rules.ledger_check_of_lost_claims,
        replace(_CALM, large=0.8, deletes=0.4, crash=0.08, plain_writers=0.8),
        range(820, 830),
    ),
    Control("mark", rules.mark),
    Control("a large move goes home alone", rules.compressed_moves_go_home_alone, replace(_CALM, large=0.5)),
    Control(
        "anonymizer's condition",
        rules.anonymizer_condition,
        replace(_CALM, pause=0.6, localized=0.9, plain_writers=0.9, crash=0, deletes=0.1),
    ),
    Control("anonymizer's version", rules.anonymizer_version),
    Control("local restore", rules.local_restore),
    Control("local restore as a whole", rules.local_restore_as_a_whole),
    Control("local delete", rules.local_delete),
    Control("fail-closed on unknown authority", rules.fail_closed),
    Control("authority of a claim check", rules.claim_check_authority),
    Control("claim checks of other maps", rules.claim_checks_of_other_maps, _RE_POINTED),
    Control("stubs are no arrival", rules.stubs_are_no_arrival, _RE_POINTED),
    Control("expiries", rules.expiries, Faults(keys=1, expiring=1.0, large=0.3)),
    Control(
        "writes that are gone",
        rules.expiries_without_version,
        replace(_EXPIRING, plain_writers=1.0, skew_ms_max=0, localized=0.1, delay_ms_max=10_000),
        range(520, 530),
    ),
    Control(
        "expiries before a claim check",
        rules.claim_checks_of_what_is_gone,
        replace(_EXPIRING, large=0.8, localized=0.8, delay_ms_max=10_000),
        range(500, 510),
    ),
    Control(
        "expiries before a claim check of a move",
        rules.others_hear_of_what_is_gone,
        replace(_EXPIRING, large=0.8, localized=0.8, delay_ms_max=10_000),
        range(500, 510),
    ),
    Control(
        "writes after an expiry",
        rules.versions_ahead_of_their_expiry,
        replace(_EXPIRING, plain_writers=0.6, skew_ms_max=300_000, localized=0.0),
        range(960, 970),
    ),
    Control("loop prevention: own stamps", rules.loop_prevention("own_stamp", Kind.STAMPED)),
    Control("loop prevention: replicas", rules.loop_prevention("replica_applied", Kind.PLAIN)),
    Control("loop prevention: stubs", rules.loop_prevention("stub_applied", Kind.PLAIN)),
    Control(
        "forced versions",
        rules.forced_versions,
        replace(_CALM, plain_writers=0.8, duplicate=0.4, skew_ms_max=3000),
        range(250, 280),
    ),
    Control("forced versions under a stamp", rules.ledger_under_own_stamps, None, range(90_060, 90_061)),
    Control(
        "every change travels where stubs do not",
        rules.every_change_travels,
        replace(_CALM, directory="origin", deletes=0.3, localized=0.8),
    ),
    Control(
        "claim checks that arrived",
        rules.claim_checks_that_arrived,
        replace(_CALM, large=0.8, crash=0.1, localized=0.9, deletes=0.1),
        range(980, 990),
    ),
    Control("TTL of a large stub", rules.ttl_of_large_stubs, replace(_CALM, large=0.8, expiring=1.0)),
    Control("repair of a stub", rules.stub_repair),
    Control(
        "later changes wait",
        rules.later_changes_wait,
        replace(_CALM, plain_writers=0.8, skew_ms_max=60_000, deletes=0.2, throttle=0.3),
    ),
    _bridged("what may cross", bridge_rules.what_may_cross),
    _bridged("deletes cross", bridge_rules.deletes_cross),
    _bridged("what was replaced goes where its successor is not told", bridge_rules.untold_deletes),
    _bridged("and at its origin", bridge_rules.origin_of_what_is_replaced),
    _bridged("overtaken moves", bridge_rules.overtaken_moves),
    _bridged(
        "overtaken claim checks",
        bridge_rules.overtaken_claim_checks,
        Faults(keys=1, large=0.8, localized=0.6, crash=0.05),
        range(710, 715),
    ),
    _bridged(
        "moved items that are gone",
        bridge_rules.gone_moves,
        replace(_EXPIRING, large=0.8, localized=0.8, delay_ms_max=10_000),
        range(185, 190),
    ),
    _bridged("the courier redeems claim checks", bridge_rules.claim_checks_are_redeemed),
    _bridged("large images have a doorstep", bridge_rules.large_images_have_a_doorstep),
    _bridged("the emitter is kept", bridge_rules.emitter_is_kept),
    _bridged("nothing returns", bridge_rules.nothing_returns, seeds=range(10)),
    _bridged("partial failures of the link", bridge_rules.partial_failures, replace(_CALM, keys=3, link_throttle=0.5)),
    _bridged("the outbox waits for the link", bridge_rules.whole_failures),
    _bridged("patience of the gateway", bridge_rules.patience, seeds=range(330, 340)),
)


def main(seeds: int, names: list[str]) -> None:
    """Print the table of ``docs/simulation.md``."""
    sys.stdout.write("| rule | schedules | failed | first |\n|---|---|---|---|\n")
    for control in CONTROLS:
        if names and control.rule not in names:
            continue
        with pytest.MonkeyPatch.context() as patch:
            control.take_out(patch)
            failed = [seed for seed in range(seeds) if control.fails(seed)]
        sys.stdout.write(f"| {control.rule} | {seeds} | {len(failed)} | {failed[0] if failed else ''} |\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000, sys.argv[2:])
