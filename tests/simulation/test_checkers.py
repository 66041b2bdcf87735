"""Each checker finds a violation that was made by hand, and nothing in a history that is in order."""

from __future__ import annotations

import base64
import gzip
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from domicile.simulator import checkers
from domicile.simulator.history import Change, History, Quarantined, Write

HOME, ELSEWHERE, THIRD = "eu-west-1", "us-east-1", "ap-south-1"
REGIONS = (THIRD, HOME, ELSEWHERE)


def plain(ms: int, sequence: int, region: str) -> str:
    return f"{ms:015d}-1{sequence:040d}-{region}"


FIRST, SECOND = plain(1000, 1, ELSEWHERE), plain(2000, 4, ELSEWHERE)


def image(id_: int, *, authority: str | None = "EU") -> dict[str, Any]:
    """What the application wrote, without control attribute."""
    written: dict[str, Any] = {"pk": {"S": "k0"}, "value": {"N": str(id_)}, "email": {"S": f"canary{id_}@shop.example"}}
    return written | ({"authority": {"S": authority}} if authority is not None else {})


def at(content: dict[str, Any], version: str, **members: Any) -> dict[str, Any]:
    """An item as a table holds it."""
    return {**content, "_dom": {"M": {"v": {"S": version}, "o": {"S": ELSEWHERE}, **members}}}


def stub(id_: int, version: str) -> dict[str, Any]:
    return at({**image(id_), "email": {"S": "[redacted]"}}, version, l={"S": HOME})


def moved() -> History:
    """An item that was written away from its home, moved there, and became a stub everywhere else."""
    full = at(image(1), FIRST)
    history = History(regions=REGIONS, homes={"EU": [HOME], "IN": [THIRD]})
    history.writes.append(Write(id=1, region=ELSEWHERE, key="k0", image=image(1), over=None, sequence=1))
    history.changes += [
        Change(ELSEWHERE, "k0", None, image(1)),
        Change(ELSEWHERE, "k0", image(1), full),
        Change(HOME, "k0", None, full),
        Change(THIRD, "k0", None, stub(1, FIRST)),
        Change(ELSEWHERE, "k0", full, stub(1, FIRST)),
    ]
    history.seen = {(ELSEWHERE, 1): "event", (HOME, 1): "table"}
    history.versions = {FIRST}
    history.handled = Counter({(ELSEWHERE, 1): 1, (HOME, FIRST): 1})
    history.sent = Counter(
        {(ELSEWHERE, "changes", FIRST): 1, (HOME, "changes", FIRST): 1, (HOME, "finished", FIRST): 1}
    )
    history.final = {"k0": {HOME: full, ELSEWHERE: stub(1, FIRST), THIRD: stub(1, FIRST)}}
    history.replayed = {"k0": dict(history.final["k0"])}
    return history


def deleted() -> History:
    """The same item, deleted where it was written."""
    history = moved()
    history.writes.append(Write(id=2, region=ELSEWHERE, key="k0", image=None, over=1, sequence=4))
    history.versions.add(SECOND)
    history.final = {"k0": dict.fromkeys(REGIONS)}
    history.replayed = {"k0": dict.fromkeys(REGIONS)}
    return history


@pytest.mark.parametrize("quoted", [False, True])
def test_an_observer_reads_what_is_compressed(quoted: bool) -> None:
    body = base64.b64encode(gzip.compress(b"canary7@shop.example")).decode()
    text = json.dumps({"gzip": body})
    history = History(regions=REGIONS, homes={})
    history.saw(THIRD, "queue", json.dumps({"body": text}) if quoted else text)
    assert history.seen == {(THIRD, 7): "queue"}


@pytest.mark.parametrize("history", [moved(), deleted()], ids=["moved", "deleted"])
def test_a_history_in_order_is_not_blamed(history: History) -> None:
    assert checkers.check(history) == []


def found_by(checker: Callable[[History], Iterator[str]], history: History) -> list[str]:
    return list(checker(history))


WRONG_FINALS = {
    "missing": None,
    "another version": stub(1, SECOND),
    "full away from home": at(image(1), FIRST),
    "stub of another home": at({**image(1), "email": {"S": "[redacted]"}}, FIRST, l={"S": THIRD}),
    "marked": {**stub(1, FIRST), "_dom": {"M": {**stub(1, FIRST)["_dom"]["M"], "x": {"BOOL": True}}}},
    "a sensitive value": {**stub(1, FIRST), "email": {"S": "canary1@shop.example"}},
    "another value": {**stub(1, FIRST), "value": {"N": "9"}},
}


@pytest.mark.parametrize("found", WRONG_FINALS.values(), ids=WRONG_FINALS)
def test_a_region_that_ends_otherwise_has_not_converged(found: dict[str, Any] | None) -> None:
    history = moved()
    history.final["k0"][THIRD] = found
    assert found_by(checkers.convergence, history)


def test_a_stub_at_home_has_not_converged() -> None:
    history = moved()
    history.final["k0"][HOME] = stub(1, FIRST)
    assert found_by(checkers.convergence, history)


def test_what_was_deleted_or_has_expired_must_be_gone_everywhere() -> None:
    history = deleted()
    history.final["k0"][THIRD] = stub(1, FIRST)
    assert found_by(checkers.convergence, history)
    assert found_by(checkers.no_resurrection, history)
    expired = moved()
    expired.writes = [replace(expired.writes[0], image={**image(1), "expires_at": {"N": "5"}})]
    expired.ended_at_s = 6
    assert found_by(checkers.convergence, expired)


def test_a_sensitive_value_in_a_third_region_is_a_leak() -> None:
    history = moved()
    history.seen[THIRD, 1] = "log"
    assert found_by(checkers.residency, history) == ["canary 1 in ap-south-1: log"]


def test_a_value_that_nobody_wrote_there_is_a_leak_even_from_a_void_write() -> None:
    history = moved()
    history.writes.append(
        Write(id=7, region=THIRD, key="k0", image=image(7, authority=None), over=1, sequence=3, void="stub_write")
    )
    history.seen |= {(THIRD, 7): "table", (HOME, 7): "event"}
    assert found_by(checkers.residency, history) == ["canary 7 in eu-west-1: event"]


def test_a_value_of_a_global_item_may_be_seen_everywhere() -> None:
    history = moved()
    history.writes = [replace(history.writes[0], image=image(1, authority=None))]
    history.seen[THIRD, 1] = "table"
    assert not found_by(checkers.residency, history)


def test_a_stub_before_the_home_has_the_version_is_an_erasure() -> None:
    history = moved()
    del history.changes[2]
    assert found_by(checkers.no_erasure_before_arrival, history)


def test_a_write_that_no_version_was_ever_seen_of_is_lost() -> None:
    history = moved()
    history.versions.clear()
    assert found_by(checkers.no_lost_write, history) == ["write 1 never got a version"]


def test_a_write_below_the_one_that_it_replaced_is_lost() -> None:
    history = moved()
    below = plain(500, 4, ELSEWHERE)
    history.writes.append(Write(id=2, region=ELSEWHERE, key="k0", image=image(2), over=1, sequence=4))
    history.versions.add(below)
    assert found_by(checkers.no_lost_write, history)
    assert found_by(checkers.no_resurrection, replace(history, final={"k0": {HOME: at(image(1), FIRST)}}))


def test_a_write_on_a_stub_must_be_kept() -> None:
    history = moved()
    history.writes.append(Write(id=7, region=THIRD, key="k0", image=image(7), over=1, sequence=3, void="stub_write"))
    assert found_by(checkers.no_lost_write, history)
    history.quarantined.append(Quarantined(THIRD, "stub_write", frozenset({7})))
    assert not found_by(checkers.no_lost_write, history)


@pytest.mark.parametrize("reason", ["unexpected_KeyError", "record_invalid"])
def test_a_record_quarantined_for_a_reason_that_no_fault_explains_is_a_bug(reason: str) -> None:
    history = moved()
    history.quarantined.append(Quarantined(HOME, reason, frozenset()))
    assert found_by(checkers.no_lost_write, history)


def test_what_never_came_to_rest_is_lost() -> None:
    history = moved()
    history.stuck.append("no quiescence")
    assert found_by(checkers.no_lost_write, history) == ["no quiescence"]


def test_a_change_by_handling_again_is_found_unless_it_is_a_nonce() -> None:
    history = moved()
    history.replayed["k0"][THIRD] = at({**image(1), "email": {"S": "[redacted]"}}, FIRST, l={"S": HOME}, n={"S": "7"})
    assert not found_by(checkers.idempotence, history)
    history.replayed["k0"][THIRD] = None
    assert found_by(checkers.idempotence, history)


def test_more_events_than_were_handled_are_a_loop() -> None:
    history = moved()
    history.sent[ELSEWHERE, "changes", FIRST] += 1
    assert found_by(checkers.bounded_traffic, history)


def test_an_event_with_a_version_that_no_application_made_is_a_loop() -> None:
    history = moved()
    history.sent[HOME, "changes", plain(1000, 9, HOME)] = 1
    assert found_by(checkers.bounded_traffic, history)
