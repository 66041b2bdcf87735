"""Where a write goes, what it carries, and what a refusal means."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from domicile.client.errors import (
    AnswerLost,
    HomeRegionUnavailable,
    SessionBehind,
    TooManyRedirects,
    UnsafeOperation,
    WriteContention,
)
from domicile.client.events import Kind
from domicile.client.options import Options
from domicile.client.session import Session
from domicile.core.control import Control
from domicile.core.errors import UnknownAuthorityError
from tests.unit.client.scripted import (
    EU,
    IN,
    KEY,
    NOW_MS,
    OK,
    US,
    WIRE_KEY,
    Scripted,
    down,
    full,
    item,
    marked,
    refused,
    stamped_version,
    stub,
    version,
)

ITEM = {**KEY, "email": "a"}
LOCALIZED = {**ITEM, "localization_authority": "IN"}
SET = {"Key": KEY, "UpdateExpression": "SET email = :e", "ExpressionAttributeValues": {":e": "b"}}


@pytest.fixture
def client() -> Scripted:
    return Scripted()


def put(client: Scripted, item: dict[str, Any], placement: Any = None, **more: Any) -> Any:
    return client.table().write("put_item", {"Item": item, **more}, placement)


def update(client: Scripted, session: Session | None = None, **more: Any) -> Any:
    return client.table(session).write("update_item", {**SET, **more}, None)


def delete(client: Scripted, **more: Any) -> Any:
    return client.table().write("delete_item", {"Key": KEY, **more}, None)


def test_a_global_item_takes_one_call_here(client: Scripted) -> None:
    client.run(put(client, ITEM), OK)
    (request,) = client.sent
    assert (request.region, request.operation, request.parameters["TableName"]) == (US, "put_item", "shop-orders")
    assert stamped_version(request).ms >= NOW_MS
    assert client.events == []


@pytest.mark.parametrize(("placement", "region"), [(None, IN), ("home", IN), ("local", US)])
def test_a_new_localized_item_is_put_by_its_placement(client: Scripted, placement: Any, region: str) -> None:
    client.run(put(client, LOCALIZED, placement), OK)
    assert client.went_to == [region]
    assert stamped_version(client.sent[0]).region == region


@pytest.mark.parametrize(
    "expression",
    [
        "SET localization_authority = :a, email = :e",
        "SET email = :e,localization_authority=:a",
        "SET #l  = :a REMOVE x ADD y :e",
    ],
)
def test_an_update_that_gives_an_authority_goes_to_its_home(client: Scripted, expression: str) -> None:
    names: dict[str, Any] = {"ExpressionAttributeNames": {"#l": "localization_authority"}} if "#l" in expression else {}
    values = {":a": "IN", ":e": "b"}
    client.run(update(client, UpdateExpression=expression, ExpressionAttributeValues=values, **names), OK)
    assert client.went_to == [IN]


@pytest.mark.parametrize("authority", ["XX", "", 7, None, b"IN"])
def test_an_unknown_authority_fails_before_any_call(client: Scripted, authority: Any) -> None:
    with pytest.raises(UnknownAuthorityError):
        client.run(put(client, {**ITEM, "localization_authority": authority}))
    with pytest.raises(UnknownAuthorityError):
        client.run(
            update(
                client,
                UpdateExpression="SET localization_authority = :a",
                ExpressionAttributeValues={":a": authority},
            )
        )
    assert client.sent == []


@pytest.mark.parametrize("write", [lambda c: put(c, ITEM), update, delete])
def test_a_stub_sends_the_write_to_its_home(client: Scripted, write: Any) -> None:
    client.run(write(client), refused(stub(IN)), OK)
    assert client.went_to == [US, IN]
    assert client.kinds == [Kind.REDIRECT]


def test_a_chain_of_stubs_is_followed_within_a_bound() -> None:
    client = Scripted(options=Options(redirects_max=2))
    client.run(delete(client), refused(stub(EU)), refused(stub(IN)), OK)
    assert client.went_to == [US, EU, IN]
    with pytest.raises(TooManyRedirects):
        client.run(delete(client), refused(stub(EU)), refused(stub(IN)), refused(stub(EU)))


def test_a_greater_version_is_stamped_above(client: Scripted) -> None:
    found = version(NOW_MS + 5000, EU)
    client.run(put(client, ITEM), refused(full(found)), OK)
    assert client.went_to == [US, US]
    assert stamped_version(client.sent[1]) > found > stamped_version(client.sent[0])
    assert client.kinds == [Kind.RESTAMP]


def test_a_version_of_a_broken_clock_is_stamped_above_and_not_adopted(client: Scripted) -> None:
    found = version(NOW_MS + 10**9, EU)
    client.run(put(client, ITEM), refused(full(found)), OK)
    assert stamped_version(client.sent[1]) > found
    client.run(put(client, {**ITEM, "pk": "other"}), OK)
    assert stamped_version(client.sent[2]) < found


def test_a_write_that_loses_every_race_ends() -> None:
    client = Scripted(options=Options(attempts_max=3))
    refusals = [refused(full(version(NOW_MS + 1000 * number, EU))) for number in range(1, 4)]
    with pytest.raises(WriteContention):
        client.run(update(client), *refusals)


def test_a_marked_item_is_waited_for(client: Scripted) -> None:
    client.run(update(client), refused(marked()), refused(marked()), OK)
    assert client.went_to == [US] * 3
    assert client.pauses_s == [0.05, 0.1]


@pytest.mark.parametrize("shown", [True, False])
def test_the_callers_own_condition_is_refused_as_boto3_does(client: Scripted, shown: bool) -> None:
    asked: dict[str, Any] = {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"} if shown else {}
    with pytest.raises(ClientError) as raised:
        client.run(update(client, ConditionExpression="email = :e", **asked), refused(full()))
    assert raised.value.response.get("Item") == (WIRE_KEY if shown else None)


@pytest.mark.parametrize("returned", ["NONE", "ALL_OLD", "ALL_NEW", "UPDATED_OLD", "UPDATED_NEW"])
def test_a_lost_answer_is_recognized_by_the_version_that_was_met(client: Scripted, returned: str) -> None:
    """botocore sent the write again after the first answer was lost, and the second met the first."""
    written: list[Any] = []

    def applied(request: Any) -> Any:
        at = stamped_version(request)
        written.append(at)
        raise refused(full(at, email={"S": "b"}))

    steps = update(client, ReturnValues=returned)
    if returned in ("NONE", "ALL_NEW"):
        response = client.run(steps, applied)
        assert response["ResponseMetadata"]
        assert response.get("Attributes") == ({**KEY, "email": "b"} if returned == "ALL_NEW" else None)
    else:
        with pytest.raises(AnswerLost):
            client.run(steps, applied)


def test_a_lost_answer_continues_the_session(client: Scripted) -> None:
    session = Session(None, 8)

    def applied(request: Any) -> Any:
        raise refused(full(stamped_version(request)))

    client.run(update(client, session), applied)
    seen = session.last(client.policy.table("shop-orders"), WIRE_KEY)
    assert seen is not None
    assert (seen.version, seen.region) == (stamped_version(client.sent[0]), US)


def test_all_new_of_a_lost_answer_is_not_taken_from_a_stub(client: Scripted) -> None:
    def moved(request: Any) -> Any:
        raise refused(stub(IN, stamped_version(request)))

    with pytest.raises(AnswerLost):
        client.run(update(client, ReturnValues="ALL_NEW"), moved)


def test_an_update_at_a_home_without_the_item_creates_it_under_the_stubs_authority(client: Scripted) -> None:
    client.run(update(client), refused(stub(IN)), refused(None), OK)
    followed, created = (request.parameters for request in client.sent[1:])
    assert "attribute_exists(#dom_key)" in followed["ConditionExpression"]
    assert "attribute_not_exists(#dom_key)" in created["ConditionExpression"]
    assert "#dom_authority = :dom_authority" in created["UpdateExpression"]
    assert created["ExpressionAttributeNames"]["#dom_authority"] == "localization_authority"
    assert created["ExpressionAttributeValues"][":dom_authority"] == {"S": "IN"}


def test_an_update_at_a_home_that_gets_the_item_meanwhile_updates_it(client: Scripted) -> None:
    client.run(update(client), refused(stub(IN)), refused(None), refused(full(authority="IN")), OK)
    last = client.sent[-1].parameters
    assert "#dom_authority" not in last["UpdateExpression"]
    assert "attribute_exists(#dom_key)" in last["ConditionExpression"]


def test_a_stub_without_an_authority_never_leads_to_a_global_item(client: Scripted) -> None:
    with pytest.raises(UnsafeOperation, match="put it whole"):
        client.run(update(client), refused(stub(IN, authority="")), refused(None))


def test_a_malformed_control_attribute_is_refused_with_the_way_out(client: Scripted) -> None:
    with pytest.raises(UnsafeOperation, match="boto3"):
        client.run(put(client, ITEM), refused(item(None, _dom={"M": {"v": {"S": "zzz"}}})))


class TestAHomeThatIsDown:
    def test_fails_by_default_and_nothing_rests_elsewhere(self, client: Scripted) -> None:
        with pytest.raises(HomeRegionUnavailable, match=IN):
            client.run(put(client, LOCALIZED), down())
        assert client.went_to == [IN]

    @pytest.mark.parametrize(
        ("write", "before"),
        [
            (lambda c: put(c, LOCALIZED), []),
            (lambda c: put(c, ITEM), [stub(IN)]),
            (delete, [stub(IN)]),
        ],
        ids=["put_placed_home", "put_onto_a_stub", "delete"],
    )
    def test_whole_writes_can_be_held_here(self, write: Any, before: list[Any]) -> None:
        client = Scripted(options=Options(home_unavailable="hold-local"))
        client.run(write(client), *map(refused, before), down(), OK)
        assert client.went_to[-2:] == [IN, US]
        assert client.kinds[-1] == Kind.HELD_LOCAL
        assert "#dom_control.l" not in client.sent[-1].parameters["ConditionExpression"]

    def test_what_is_held_waits_in_the_nearest_region_that_answers(self) -> None:
        client = Scripted(options=Options(home_unavailable="hold-local"))
        client.run(put(client, LOCALIZED), down(), down(), OK)
        assert client.went_to == [IN, US, EU]

    @pytest.mark.parametrize(
        "write",
        [
            update,
            lambda c: put(c, ITEM, ConditionExpression="attribute_exists(pk)"),
            lambda c: delete(c, ReturnValues="ALL_OLD"),
        ],
        ids=["update", "conditional_put", "delete_that_returns"],
    )
    def test_what_depends_on_the_item_is_never_held(self, write: Any) -> None:
        client = Scripted(options=Options(home_unavailable="hold-local"))
        with pytest.raises(HomeRegionUnavailable):
            client.run(write(client), refused(stub(IN)), down())
        assert client.went_to == [US, IN]


class TestAWriteOnTopOfOneThatHasNotArrived:
    """Without care an update would meet nothing here, create an item of its own, and win everywhere."""

    def test_goes_where_this_client_wrote(self, client: Scripted) -> None:
        client.run(put(client, LOCALIZED), OK)
        client.run(update(client), refused(None), OK)
        assert client.went_to == [IN, US, IN]
        assert ":dom_least" in client.sent[1].parameters["ExpressionAttributeValues"]
        assert ":dom_least" not in client.sent[2].parameters["ExpressionAttributeValues"]

    def test_stays_here_once_it_has_arrived(self, client: Scripted) -> None:
        client.run(put(client, ITEM), down(), OK)
        client.run(update(client), OK)
        assert client.went_to == [US, EU, US]

    def test_follows_an_older_stub_no_further(self, client: Scripted) -> None:
        client.run(put(client, {**LOCALIZED, "localization_authority": "EU"}), OK)
        client.run(update(client), refused(stub(IN)), OK)
        assert client.went_to == [EU, US, EU]

    def test_goes_where_the_session_was(self, client: Scripted) -> None:
        session, other = Session(None, 8), Scripted(regions=(EU, US))
        other.run(other.table(session).write("put_item", {"Item": ITEM}, None), OK)
        client.run(update(client, Session(session.token, 8)), refused(full()), OK)
        assert client.went_to == [US, EU]

    def test_is_refused_where_that_region_is_down(self, client: Scripted) -> None:
        client.run(put(client, LOCALIZED), OK)
        with pytest.raises(SessionBehind):
            client.run(delete(client), refused(None), down())

    def test_a_whole_put_needs_nothing_of_before(self, client: Scripted) -> None:
        client.run(put(client, LOCALIZED), OK)
        client.run(put(client, ITEM), OK)
        assert client.went_to == [IN, US]

    def test_is_not_sent_back_to_before_a_delete_that_was_done_here(self, client: Scripted) -> None:
        client.run(put(client, LOCALIZED), OK)
        client.run(delete(client), OK)
        client.run(update(client), OK)
        assert client.went_to == [IN, US, US]
        assert ":dom_least" not in client.sent[-1].parameters["ExpressionAttributeValues"]

    def test_after_a_delete_nothing_is_awaited(self, client: Scripted) -> None:
        client.run(put(client, LOCALIZED), OK)
        client.run(delete(client), refused(None), OK)
        client.run(update(client), OK)
        assert client.went_to == [IN, US, IN, US]


def test_a_write_is_conditional_on_what_the_protocol_asks(client: Scripted) -> None:
    client.run(put(client, ITEM, ConditionExpression="a = :a OR b = :a", ExpressionAttributeValues={":a": 1}), OK)
    assert client.sent[0].parameters["ConditionExpression"] == (
        "attribute_not_exists(#dom_control.x) AND attribute_not_exists(#dom_control.l) AND "
        "(attribute_not_exists(#dom_control.v) OR #dom_control.v < :dom_version) AND "
        "(a = :a OR b = :a)"
    )


@pytest.mark.parametrize(
    ("more", "instead"),
    [
        ({"Expected": {}}, "ConditionExpression"),
        ({"AttributeUpdates": {}}, "UpdateExpression"),
        ({"ExpressionAttributeNames": {"#x": "_dom"}}, "leave it out"),
        ({"UpdateExpression": "SET _dom = :e"}, "leave it out"),
        ({"UpdateExpression": "REMOVE _dom.l"}, "leave it out"),
        ({"ConditionExpression": "attribute_exists(_dom)"}, "leave it out"),
        ({"ExpressionAttributeValues": {":e": 1, ":dom_x": 2}}, "rename them"),
        ({"ExpressionAttributeNames": {"#dom_control": "a"}}, "rename them"),
    ],
)
def test_what_would_touch_the_replication_is_refused_with_the_alternative(
    client: Scripted, more: dict[str, Any], instead: str
) -> None:
    with pytest.raises(UnsafeOperation, match=instead):
        client.run(update(client, **more))
    with pytest.raises(UnsafeOperation, match="leave it out"):
        client.run(put(client, {**ITEM, "_dom": 1}))
    assert client.sent == []


def test_a_control_attribute_is_made_for_the_region_that_takes_the_write(client: Scripted) -> None:
    client.run(put(client, ITEM), down(), OK)
    control = Control.of(client.sent[1].parameters["Item"], "_dom")
    assert control is not None
    assert control.origin == control.version.region == EU
