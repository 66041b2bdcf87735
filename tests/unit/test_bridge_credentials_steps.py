"""The couriers' access keys: each state's one step, and what is wrong with it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from domicile.aws.link import AccessKey
from domicile.bridge_credentials import Action, Key, State, plan_init, plan_rotation, problems

NOW = datetime(2026, 5, 4, tzinfo=UTC)
OLD = Key("AKIAOLD1", active=True, created=NOW - timedelta(days=80), last_used=NOW)
NEW = Key("AKIANEW2", active=True, created=NOW, last_used=None)
GONE = Key("AKIAGONE", active=True, created=NOW, last_used=None)


def state(*keys: Key, stored: Key | None = None) -> State:
    return State("123456789012", keys, AccessKey(stored.id, "value") if stored else None, None)


def off(key: Key) -> Key:
    return replace(key, active=False)


@pytest.mark.parametrize(
    ("found", "first", "rotation", "deletion"),
    [
        (state(), Action.CREATE, Action.BLOCKED, Action.BLOCKED),
        (state(OLD), Action.BLOCKED, Action.BLOCKED, Action.BLOCKED),
        (state(OLD, stored=OLD), Action.NOTHING, Action.CREATE, Action.NOTHING),
        (state(off(OLD), stored=OLD), Action.NOTHING, Action.CREATE, Action.NOTHING),
        (state(OLD, NEW, stored=NEW), Action.NOTHING, Action.DEACTIVATE, Action.NOTHING),
        (state(off(OLD), NEW, stored=NEW), Action.NOTHING, Action.NOTHING, Action.DELETE),
        (state(OLD, off(NEW), stored=NEW), Action.NOTHING, Action.BLOCKED, Action.BLOCKED),
        (state(off(OLD), off(NEW), stored=NEW), Action.NOTHING, Action.BLOCKED, Action.BLOCKED),
        (state(stored=GONE), Action.BLOCKED, Action.CREATE, Action.NOTHING),
        (state(OLD, stored=GONE), Action.BLOCKED, Action.CREATE, Action.NOTHING),
        (state(OLD, NEW, stored=GONE), Action.BLOCKED, Action.BLOCKED, Action.NOTHING),
        (State(None, (), None, None), Action.BLOCKED, Action.BLOCKED, Action.BLOCKED),
        (State("1", (), None, "the secret is missing"), Action.BLOCKED, Action.BLOCKED, Action.BLOCKED),
    ],
)
def test_each_state_has_one_step(found: State, first: Action, rotation: Action, deletion: Action) -> None:
    steps = plan_init(found), plan_rotation(found, delete=False), plan_rotation(found, delete=True)
    assert [step.action for step in steps] == [first, rotation, deletion]
    for step in steps[1:]:
        assert step.key in ((OLD, off(OLD)) if step.action in (Action.DEACTIVATE, Action.DELETE) else (None,))


def test_a_key_is_shown_by_its_last_characters_and_a_secret_not_at_all() -> None:
    found = state(OLD, NEW, stored=NEW)
    shown = repr(found) + repr(plan_rotation(found, delete=False)) + repr(plan_init(state(OLD, stored=GONE)))
    assert "...OLD1" in shown
    for hidden in ("AKIA", "value"):
        assert hidden not in shown


def test_what_is_wrong_is_said() -> None:
    def wrong(found: State, addresses: tuple[str, ...] | None = ("203.0.113.7/32",)) -> list[str]:
        return list(problems(found, addresses, 79, NOW))

    assert wrong(state(NEW, stored=NEW)) == []
    assert wrong(state(NEW, stored=NEW), None) == [], "what can't be read is not wrong"
    assert "no address" in wrong(state(NEW, stored=NEW), ())[0]
    assert wrong(state(OLD, stored=OLD)) == ["the key ...OLD1 is 80 days old, more than 79"]
    assert wrong(state(off(OLD), NEW, stored=NEW)) == [], "an inactive one's age does no harm"
    assert wrong(state(off(NEW), stored=NEW)) == ["the secret's key ...NEW2 is inactive"]
    assert wrong(state(NEW, stored=GONE)) == ["the secret's key ...GONE is not one of the user's"]
    assert "init" in wrong(state(NEW))[0]
    assert "user is missing" in wrong(State(None, (), None, None))[0]
