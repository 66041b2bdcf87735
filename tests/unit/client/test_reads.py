"""Where a read goes, what it asks for beside what the caller did, and what it gives back."""

from __future__ import annotations

from typing import Any

import pytest
from boto3.dynamodb.conditions import Key

from domicile.client.errors import HomeRegionUnavailable, SessionBehind, TooManyRedirects, UnsafeOperation
from domicile.client.events import Kind
from domicile.client.options import Options
from domicile.client.session import Seen, Session
from tests import policies
from tests.unit.client.scripted import (
    EU,
    IN,
    KEY,
    OK,
    US,
    WIRE_KEY,
    Scripted,
    down,
    full,
    item,
    marked,
    stub,
    version,
)

NESTED = policies.policy(sensitive={"email": {"strategy": "redact"}, "address.street": {"strategy": "redact"}})
MALFORMED = item(None, _dom={"M": {"v": {"S": "zzz"}}}, a={"S": "x"})


@pytest.fixture
def client() -> Scripted:
    return Scripted(policy=NESTED)


def get(client: Scripted, resolve: Any = None, session: Session | None = None, **more: Any) -> Any:
    return client.table(session).get_item({"Key": KEY, **more}, resolve)


def query(client: Scripted, resolve: Any = None, **more: Any) -> Any:
    return client.table().page("query", {"KeyConditionExpression": Key("pk").eq("k"), **more}, resolve)


def page(*items: Any, **more: Any) -> dict[str, Any]:
    return {**OK, "Items": list(items), "Count": len(items), "ScannedCount": len(items), **more}


def numbered(image: dict[str, Any], sk: str) -> dict[str, Any]:
    return {**image, "sk": {"S": sk}}


def batch(*items: Any, **more: Any) -> dict[str, Any]:
    return {**OK, "Responses": {policies.TABLE: list(items)}, "UnprocessedKeys": {}, **more}


def test_items_say_where_they_live(client: Scripted) -> None:
    for image, is_stub, home in (
        (full(), False, None),
        (full(authority="IN"), False, IN),
        (stub(IN), True, IN),
        (item(), False, None),
        (MALFORMED, None, None),
    ):
        found = client.run(get(client), {**OK, "Item": dict(image)})["Item"]
        assert (found.is_stub, found.home_region) == (is_stub, home)
        assert "_dom" not in found
    assert client.went_to == [US] * 5


def test_a_marked_item_is_gone(client: Scripted) -> None:
    assert "Item" not in client.run(get(client), {**OK, "Item": marked()})
    answer = client.run(query(client), page(marked(), full()))
    assert (len(answer["Items"]), answer["Count"], answer["ScannedCount"]) == (1, 1, 2)


def test_a_stub_is_read_at_home_when_asked(client: Scripted) -> None:
    found = client.run(get(client, "home"), {**OK, "Item": stub(IN)}, {**OK, "Item": full(authority="IN")})["Item"]
    assert (client.went_to, found.is_stub, found.home_region) == ([US, IN], False, IN)
    assert client.kinds == [Kind.RESOLVE]


@pytest.mark.parametrize(
    ("projection", "names", "resolves"),
    [
        ("email", {}, True),
        ("#e", {"#e": "email"}, True),
        ("pk, email", {}, True),
        ("address", {}, True),
        ("address.street", {}, True),
        ("address.street.name", {}, True),
        ("address.#s[0].x", {"#s": "street"}, True),
        ("address[2].street", {}, True),
        ("address[0]", {}, True),
        ("#a.#s", {"#a": "address", "#s": "street"}, True),
        ("address.city", {}, False),
        ("other.email", {}, False),
        ("emails", {}, False),
        ("pk, sk", {}, False),
        ("#e", {"#e": "address.street"}, False),
    ],
)
def test_a_projection_that_names_a_sensitive_attribute_resolves(
    client: Scripted, projection: str, names: dict[str, str], resolves: bool
) -> None:
    more: dict[str, Any] = {"ExpressionAttributeNames": names} if names else {}
    answers = [{**OK, "Item": stub(IN)}, {**OK, "Item": full(authority="IN")}][: 1 + resolves]
    client.run(get(client, ProjectionExpression=projection, **more), *answers)
    assert client.went_to == [US, IN][: 1 + resolves]
    client.run(get(client, "stub", ProjectionExpression=projection, **more), {**OK, "Item": stub(IN)})


def test_what_only_the_library_asked_for_is_taken_out_again(client: Scripted) -> None:
    image = full(authority="IN", note={"S": "x"})
    found = client.run(get(client, ProjectionExpression="note"), {**OK, "Item": image})["Item"]
    assert found == {**KEY, "note": "x"}
    asked = client.sent[0].parameters
    assert set(asked["ExpressionAttributeNames"].values()) == {"_dom", "localization_authority"}


def test_a_home_that_does_not_answer_is_an_error(client: Scripted) -> None:
    with pytest.raises(HomeRegionUnavailable):
        client.run(get(client, "home"), {**OK, "Item": stub(IN)}, down())


def test_stubs_that_go_round_are_followed_within_a_bound() -> None:
    client = Scripted(options=Options(redirects_max=2))
    answers = [{**OK, "Item": stub(home)} for home in (IN, EU, IN)]
    with pytest.raises(TooManyRedirects):
        client.run(get(client, "home"), *answers)


def test_a_page_resolves_its_stubs_with_one_call_per_home_and_keeps_the_order(client: Scripted) -> None:
    stubs = [numbered(stub(home), str(number)) for number, home in enumerate([IN, EU, IN])]
    whole = [numbered(full(authority="IN", n={"N": str(number)}), str(number)) for number in range(4)]
    answer = client.run(
        query(client, "home"), page(*stubs, numbered(full(), "3")), batch(whole[2], whole[0]), batch(whole[1])
    )
    assert client.went_to == [US, IN, EU]
    assert [found["sk"] for found in answer["Items"]] == ["0", "1", "2", "3"]
    assert [event.count for event in client.events] == [2, 1]


def test_an_item_that_its_home_has_deleted_vanishes_from_the_page(client: Scripted) -> None:
    last = {"pk": {"S": "k"}, "sk": {"S": "1"}}
    answer = client.run(
        query(client, "home"), page(numbered(stub(IN), "0"), numbered(full(), "1"), LastEvaluatedKey=last), batch()
    )
    assert (answer["Count"], answer["ScannedCount"], len(answer["Items"])) == (1, 2, 1)
    assert answer["LastEvaluatedKey"] == {"pk": "k", "sk": "1"}


def test_unprocessed_keys_of_a_home_are_asked_for_again(client: Scripted) -> None:
    stubs = [numbered(stub(IN), str(number)) for number in range(2)]
    left = {policies.TABLE: {"Keys": [{**WIRE_KEY, "sk": {"S": "1"}}]}}
    answer = client.run(
        query(client, "home"),
        page(*stubs),
        batch(numbered(full(authority="IN"), "0"), UnprocessedKeys=left),
        batch(numbered(full(authority="IN"), "1")),
    )
    assert len(answer["Items"]) == 2
    assert client.pauses_s == [0.05]


def test_names_of_other_expressions_are_not_sent_home(client: Scripted) -> None:
    client.run(
        query(
            client,
            "home",
            FilterExpression="#f > :v",
            ProjectionExpression="#n",
            ExpressionAttributeNames={"#f": "total", "#n": "note"},
            ExpressionAttributeValues={":v": 1},
        ),
        page(stub(IN)),
        batch(full(authority="IN")),
    )
    request = client.sent[1].parameters["RequestItems"][policies.TABLE]
    assert "#f" not in request["ExpressionAttributeNames"]
    assert "#n" in request["ExpressionAttributeNames"]


def test_an_unreadable_control_attribute_does_not_end_a_scan(client: Scripted) -> None:
    answer = client.run(client.table().page("scan", {}, None), page(MALFORMED, full()))
    assert [found.is_stub for found in answer["Items"]] == [None, False]


class TestAnIndexWithoutTheControlAttribute:
    def test_does_not_tell_what_is_a_stub(self, client: Scripted) -> None:
        answer = client.run(query(client, IndexName="i"), page(WIRE_KEY))
        assert (answer["Items"][0].is_stub, answer["Items"][0].home_region) == (None, None)

    def test_is_never_asked_for_it_in_a_projection(self, client: Scripted) -> None:
        client.run(query(client, IndexName="i", ProjectionExpression="note"), page(WIRE_KEY))
        assert "_dom" not in client.sent[0].parameters["ExpressionAttributeNames"].values()

    def test_resolves_by_reading_the_items_here_first(self, client: Scripted) -> None:
        here, there, gone = (numbered(WIRE_KEY, sk) for sk in ("here", "there", "gone"))
        answer = client.run(
            query(client, "home", IndexName="i"),
            page(here, there, gone),
            batch(numbered(full(a={"S": "not in the index"}), "here"), numbered(stub(IN), "there")),
            batch(numbered(full(authority="IN", a={"S": "x"}), "there")),
        )
        assert client.went_to == [US, US, IN]
        assert answer["Items"] == [
            {"pk": "k", "sk": "here"},
            {"pk": "k", "sk": "there", "localization_authority": "IN", "a": "x"},
        ]
        assert [(found.is_stub, found.home_region) for found in answer["Items"]] == [(False, None), (False, IN)]


def test_a_count_is_asked_for_as_it_is(client: Scripted) -> None:
    answer = client.run(query(client, "home", Select="COUNT"), {**OK, "Count": 3, "ScannedCount": 4})
    assert (answer["Count"], answer["ScannedCount"]) == (3, 4)
    assert len(client.sent) == 1


def test_batch_get_goes_on_until_all_keys_are_read(client: Scripted) -> None:
    keys = [{"pk": "k", "sk": str(number)} for number in range(101)]
    left = {policies.TABLE: {"Keys": [numbered(WIRE_KEY, "7")]}}
    answers = [batch(UnprocessedKeys=left), batch(numbered(full(), "7"))]
    found = client.run(client.table().batch_get(keys, {}, None), *answers)
    assert len(found) == 1
    assert [len(r.parameters["RequestItems"][policies.TABLE]["Keys"]) for r in client.sent] == [100, 2]


@pytest.mark.parametrize("name", ["AttributesToGet", "QueryFilter", "KeyConditions", "ConditionalOperator"])
def test_legacy_parameters_are_refused_with_the_alternative(client: Scripted, name: str) -> None:
    with pytest.raises(UnsafeOperation, match="Expression"):
        client.run(query(client, **{name: {}}))
    with pytest.raises(UnsafeOperation, match="leave it out"):
        client.run(get(client, ProjectionExpression="_dom.l"))
    with pytest.raises(ValueError, match="resolve"):
        client.run(get(client, "elsewhere"))
    assert client.sent == []


class TestASession:
    def seen(self, client: Scripted, region: str = EU, **more: Any) -> Session:
        session = Session(None, 8)
        table = client.policy.table(policies.TABLE)
        session.remember(table, WIRE_KEY, Seen(version(), region, **more))
        return session

    def test_reads_where_the_version_is_that_is_missing_here(self, client: Scripted) -> None:
        older = full(version(1))
        for found in ({**OK}, {**OK, "Item": older}, {**OK, "Item": stub(IN, version(1))}):
            answer = client.run(get(client, session=self.seen(client)), found, {**OK, "Item": full(a={"S": "new"})})
            assert answer["Item"]["a"] == "new"
        assert client.went_to == [US, EU] * 3
        assert client.sent[1].parameters["ConsistentRead"] is True

    def test_reads_here_what_has_arrived(self, client: Scripted) -> None:
        for found in (full(), full(version(version().ms + 1)), stub(IN)):
            client.run(get(client, session=self.seen(client)), {**OK, "Item": found})
        assert client.went_to == [US] * 3

    def test_does_not_see_again_what_it_deleted(self, client: Scripted) -> None:
        session = self.seen(client, deleted=True)
        assert "Item" not in client.run(get(client, session=session), {**OK, "Item": full(version(1))}, OK)
        assert "Item" not in client.run(get(client, session=session), OK)
        assert client.went_to == [US, EU, US]

    def test_learns_that_an_item_was_deleted_there(self, client: Scripted) -> None:
        session = self.seen(client)
        client.run(get(client, session=session), OK, OK)
        client.run(get(client, session=session), OK)
        client.run(get(client, session=session), {**OK, "Item": full()}, OK)
        assert client.went_to == [US, EU, US, US, EU]

    def test_says_that_it_is_behind_where_that_region_is_down(self, client: Scripted) -> None:
        with pytest.raises(SessionBehind):
            client.run(get(client, session=self.seen(client)), OK, down())

    def test_reads_do_not_go_back(self, client: Scripted) -> None:
        session = Session(None, 8)
        client.run(get(client, session=session), {**OK, "Item": full()})
        other = Scripted(regions=(EU, US), policy=NESTED)
        other.run(get(other, session=session), {**OK, "Item": full(version(1))}, {**OK, "Item": full()})
        assert other.went_to == [EU, US]
