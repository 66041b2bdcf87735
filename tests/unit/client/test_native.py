"""Native tables: sent as they are, to the nearest Region that has them, and to the next one where it is down."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from botocore.exceptions import ClientError

from domicile.client.errors import HomeRegionUnavailable, RegionsUnavailable, UnsafeOperation
from domicile.client.events import Kind
from domicile.client.options import Options
from domicile.client.session import Session
from domicile.core.errors import UnknownTableError
from domicile.core.policy import Policy
from tests.policies import DOCUMENT
from tests.unit.client.scripted import (
    EU,
    IN,
    KEY,
    OK,
    US,
    WIRE_KEY,
    Scripted,
    cancelled,
    down,
    error,
    full,
    refused,
    stub,
)

EVERYWHERE, STRONG, ABROAD = "news", "ledgers", "abroad"
"""Tables in all three Regions, in these with strong consistency, and in two that the application is not in."""
POLICY = Policy.parse(
    {
        **DOCUMENT,
        "native": {
            f"shop-{EVERYWHERE}": {"regions": [IN, US, EU], "consistency": "eventual"},
            f"shop-{STRONG}": {"regions": [US, EU, IN], "consistency": "strong"},
            f"shop-{ABROAD}": {"regions": [IN, EU], "consistency": "eventual"},
        },
    }
)
ITEM = {**KEY, "n": 1, "_dom": "an attribute as any other"}
WIRE: dict[str, Any] = {**WIRE_KEY, "n": {"N": "1"}, "_dom": {"S": "an attribute as any other"}}
CONFLICT = error("ReplicatedWriteConflictException", 400)
ABSENT = error("ResourceNotFoundException", 400)


@pytest.fixture
def client() -> Scripted:
    return Scripted(policy=POLICY, options=Options(failures_max=2, attempts_max=3, pause_s=1))


def get(client: Scripted, table: str = EVERYWHERE, **arguments: Any) -> Any:
    return client.table(name=table).get_item({"Key": KEY, **arguments}, None)


def put(client: Scripted, table: str = EVERYWHERE, **arguments: Any) -> Any:
    return client.table(name=table).write("put_item", {"Item": ITEM, **arguments}, None)


def transaction(*puts: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    return {"TransactItems": [{"Put": {"TableName": table, "Item": item}} for table, item in puts]}


def test_a_write_is_sent_as_it_is(client: Scripted) -> None:
    condition: dict[str, Any] = {"ConditionExpression": "n < :n", "ExpressionAttributeValues": {":n": 1}}
    client.run(put(client, **condition), OK)
    (sent,) = client.sent
    assert (sent.region, sent.operation) == (US, "put_item")
    assert sent.parameters == {
        "TableName": f"shop-{EVERYWHERE}",
        "Item": WIRE,
        "ConditionExpression": "n < :n",
        "ExpressionAttributeValues": {":n": {"N": "1"}},
    }


def test_a_read_is_of_the_item_as_it_is(client: Scripted) -> None:
    item = client.run(get(client, ProjectionExpression="email"), {**OK, "Item": WIRE})["Item"]
    assert item == {**ITEM, "n": Decimal(1)}
    assert (item.is_stub, item.home_region) == (False, None)
    page = client.run(client.table(name=EVERYWHERE).page("scan", {}, "home"), {**OK, "Items": [WIRE], "Count": 1})
    assert page["Items"] == [item]
    assert page["Items"][0].is_stub is False
    assert [sent.parameters for sent in client.sent] == [
        {"TableName": f"shop-{EVERYWHERE}", "Key": WIRE_KEY, "ProjectionExpression": "email"},
        {"TableName": f"shop-{EVERYWHERE}"},
    ]


def test_reads_and_writes_go_to_the_next_region_and_are_told(client: Scripted) -> None:
    client.run(get(client), down(), OK)
    client.run(put(client), error("InternalServerError", 500), down(), OK)
    client.run(put(client), OK)
    assert client.went_to == [US, EU, US, EU, IN, EU]
    assert [(event.kind, event.region, event.to_region, event.table) for event in client.events] == [
        (Kind.FAILOVER, US, EU, f"shop-{EVERYWHERE}"),
        (Kind.CIRCUIT_OPENED, US, None, None),
        (Kind.FAILOVER, US, EU, f"shop-{EVERYWHERE}"),
        (Kind.FAILOVER, EU, IN, f"shop-{EVERYWHERE}"),
        (Kind.FAILOVER, US, EU, f"shop-{EVERYWHERE}"),
    ]


def test_only_regions_of_the_table_are_asked_in_the_clients_order(client: Scripted) -> None:
    with pytest.raises(RegionsUnavailable) as raised:
        client.run(put(client, ABROAD), down(), down())
    assert raised.value.regions == (EU, IN)


def test_where_the_client_has_none_of_its_regions_any_serves() -> None:
    client = Scripted(regions=(US,), policy=POLICY)
    client.run(put(client, ABROAD), down(), OK)
    assert client.went_to == [IN, EU]


def test_a_table_in_a_partition_without_credentials_is_not_called() -> None:
    beyond = {"shop-china": {"regions": ["cn-north-1", "cn-northwest-1"], "consistency": "eventual"}}
    regions = [*DOCUMENT["regions"], "cn-north-1", "cn-northwest-1"]
    client = Scripted(regions=(US,), policy=Policy.parse({**DOCUMENT, "regions": regions, "native": beyond}))
    with pytest.raises(RegionsUnavailable, match=r"beyond=, a session that has$") as raised:
        client.run(get(client, "china"))
    assert not isinstance(raised.value, HomeRegionUnavailable)


def test_a_refused_condition_is_raised_as_it_came(client: Scripted) -> None:
    with pytest.raises(ClientError) as raised:
        client.run(put(client, ConditionExpression="attribute_not_exists(pk)"), refusal := refused(WIRE))
    assert raised.value is refusal


class TestAConsistentRead:
    def test_of_an_eventual_table_stays_in_its_region(self, client: Scripted) -> None:
        for read in (
            get(client, ConsistentRead=True),
            client.table(name=EVERYWHERE).page("query", {"ConsistentRead": True}, None),
            client.table(name=EVERYWHERE).batch_get([KEY], {"ConsistentRead": True}, None),
        ):
            with pytest.raises(RegionsUnavailable, match=r"us-east-1.*without ConsistentRead") as raised:
                client.run(read, *([down()] if len(client.sent) < 2 else []))
            assert raised.value.regions == (US,)
        client.run(put(client), OK)
        assert client.went_to == [US, US, EU]

    def test_of_a_table_elsewhere_is_one_of_its_nearest_region(self, client: Scripted) -> None:
        client.run(get(client, ABROAD, ConsistentRead=True), OK)
        assert client.went_to == [EU]

    def test_of_a_strong_table_is_kept_by_every_region(self, client: Scripted) -> None:
        client.run(get(client, STRONG, ConsistentRead=True), down(), OK)
        assert client.went_to == [US, EU]
        assert client.sent[-1].parameters["ConsistentRead"] is True


def test_a_write_that_met_one_of_another_region_is_sent_again(client: Scripted) -> None:
    client.run(put(client, STRONG), CONFLICT, CONFLICT, OK)
    assert client.went_to == [US] * 3
    assert client.pauses_s == [1, 2]
    assert client.events == []


def test_a_conflict_that_does_not_end_is_raised(client: Scripted) -> None:
    with pytest.raises(ClientError, match="ReplicatedWriteConflictException"):
        client.run(put(client, STRONG), CONFLICT, CONFLICT, CONFLICT)
    assert client.pauses_s == [1, 2]


class TestARegionWithoutTheReplica:
    """While it is made or deleted, the policy names a Region that does not have the table."""

    @pytest.mark.parametrize("several", [False, True], ids=["one", "transaction"])
    def test_leaves_the_call_to_the_next(self, client: Scripted, several: bool) -> None:
        for _ in range(3):  # Each time it is asked anew: it answers, so its circuit stays closed.
            asked = transaction((EVERYWHERE, ITEM))
            client.run(client.batches.transact_write_items(asked, None) if several else put(client), ABSENT, OK)
        assert client.went_to == [US, EU] * 3
        told = {(event.kind, event.region, event.to_region) for event in client.events}
        assert told == {(Kind.FAILOVER, US, EU)}

    def test_is_left_by_a_batch(self, client: Scripted) -> None:
        request = {"RequestItems": {EVERYWHERE: {"Keys": [KEY]}}}
        client.run(client.batches.batch_get_item(request, None), ABSENT, OK)
        assert client.went_to == [US, EU]

    def test_is_told_apart_from_one_that_is_down(self, client: Scripted) -> None:
        client.run(get(client), down(), ABSENT, OK)
        assert client.went_to == [US, EU, IN]
        assert [(event.region, event.to_region) for event in client.events] == [(US, EU), (EU, IN)]

    def test_does_not_speak_for_one_that_is_down(self, client: Scripted) -> None:
        for answers, silent in (((down(), ABSENT, ABSENT), US), ((ABSENT, down(), ABSENT), EU)):
            with pytest.raises(RegionsUnavailable) as raised:
                client.run(put(client), *answers)
            assert raised.value.regions == (silent,)
        assert client.went_to == [US, EU, IN] * 2

    def test_and_no_other_with_it_raises_as_boto3_does(self, client: Scripted) -> None:
        with pytest.raises(ClientError, match="ResourceNotFoundException"):
            client.run(put(client), ABSENT, ABSENT, ABSENT)

    def test_refuses_a_consistent_read(self, client: Scripted) -> None:
        with pytest.raises(ClientError, match="ResourceNotFoundException"):
            client.run(get(client, ConsistentRead=True), ABSENT)

    def test_refuses_a_consistent_read_of_several_tables(self) -> None:
        pair = {f"shop-{name}": {"regions": [US, EU], "consistency": "eventual"} for name in ("there", "made")}
        client = Scripted(policy=Policy.parse({**DOCUMENT, "native": pair}))
        request = {"RequestItems": {name: {"Keys": [KEY], "ConsistentRead": True} for name in ("there", "made")}}
        with pytest.raises(ClientError, match="ResourceNotFoundException"):
            client.run(client.batches.batch_get_item(request, None), ABSENT)
        assert client.went_to == [US]

    def test_of_a_strong_table_leaves_its_consistent_read_to_the_next(self, client: Scripted) -> None:
        client.run(get(client, STRONG, ConsistentRead=True), ABSENT, OK)
        assert client.went_to == [US, EU]


def test_a_session_is_refused_since_there_are_no_versions_to_follow(client: Scripted) -> None:
    with pytest.raises(UnsafeOperation, match=f"{EVERYWHERE} is a native table"):
        client.run(client.table(Session(None, 8), EVERYWHERE).get_item({"Key": KEY}, None))


def test_a_legacy_parameter_is_refused(client: Scripted) -> None:
    with pytest.raises(UnsafeOperation, match="use ConditionExpression"):
        client.run(put(client, Expected={"n": {"Exists": False}}))


def test_a_table_that_the_policy_does_not_name_is_unknown(client: Scripted) -> None:
    with pytest.raises(UnknownTableError):
        client.run(get(client, "nowhere"))


class TestABatch:
    def test_reads_both_kinds_of_tables(self, client: Scripted) -> None:
        request = {"RequestItems": {EVERYWHERE: {"Keys": [KEY]}, "orders": {"Keys": [KEY]}, STRONG: {"Keys": [KEY]}}}
        capacity = {"ConsumedCapacity": [{"CapacityUnits": 1}]}
        response = client.run(
            client.batches.batch_get_item({**request, "ReturnConsumedCapacity": "TOTAL"}, None),
            {**OK, "Responses": {"shop-orders": [full()]}, "UnprocessedKeys": {}, **capacity},
            {
                "Responses": {f"shop-{EVERYWHERE}": [WIRE]},
                "UnprocessedKeys": {f"shop-{STRONG}": {"Keys": [WIRE_KEY]}},
                **capacity,
            },
        )
        assert response == {
            **OK,
            "Responses": {"orders": [KEY], EVERYWHERE: [{**ITEM, "n": Decimal(1)}]},
            "UnprocessedKeys": {STRONG: {"Keys": [KEY]}},
            "ConsumedCapacity": [{"CapacityUnits": 1}, {"CapacityUnits": 1}],
        }
        assert response["Responses"][EVERYWHERE][0].is_stub is False
        assert set(client.sent[1].parameters["RequestItems"]) == {f"shop-{EVERYWHERE}", f"shop-{STRONG}"}

    def test_asks_for_tables_of_other_regions_by_themselves(self, client: Scripted) -> None:
        request = {"RequestItems": {EVERYWHERE: {"Keys": [KEY]}, ABROAD: {"Keys": [KEY]}}}
        client.run(client.batches.batch_get_item(request, None), OK, OK)
        assert client.went_to == [US, EU]

    def test_writes_both_kinds_of_tables_and_stamps_one(self, client: Scripted) -> None:
        requests = [{"PutRequest": {"Item": ITEM}}, {"DeleteRequest": {"Key": KEY}}]
        request = {"RequestItems": {"orders": [{"PutRequest": {"Item": KEY}}], EVERYWHERE: requests}}
        left = {f"shop-{EVERYWHERE}": [{"PutRequest": {"Item": WIRE}}]}
        response = client.run(
            client.batches.batch_write_item(request, None),
            {**OK, "UnprocessedItems": {}},
            down(),
            {**OK, "UnprocessedItems": left},
        )
        assert response["UnprocessedItems"] == {EVERYWHERE: [{"PutRequest": {"Item": {**ITEM, "n": Decimal(1)}}}]}
        assert client.went_to == [US, US, EU]
        stamped, _, sent = (request.parameters["RequestItems"] for request in client.sent)
        assert "_dom" in stamped["shop-orders"][0]["PutRequest"]["Item"]
        assert sent == {f"shop-{EVERYWHERE}": [{"PutRequest": {"Item": WIRE}}, {"DeleteRequest": {"Key": WIRE_KEY}}]}


class TestATransaction:
    def test_of_native_tables_is_sent_as_it_is(self, client: Scripted) -> None:
        asked = {**transaction((EVERYWHERE, ITEM), (ABROAD, ITEM)), "ClientRequestToken": "t"}
        client.run(client.batches.transact_write_items(asked, None), down(), OK)
        assert client.went_to == [EU, IN]
        assert client.sent[-1].parameters == {
            "TransactItems": [{"Put": {"TableName": f"shop-{table}", "Item": WIRE}} for table in (EVERYWHERE, ABROAD)],
            "ClientRequestToken": "t",
        }

    def test_goes_home_with_a_localized_item(self, client: Scripted) -> None:
        asked = transaction((EVERYWHERE, ITEM), ("orders", {**KEY, "localization_authority": "IN"}))
        client.run(client.batches.transact_write_items(asked, None), OK)
        assert client.went_to == [IN]
        native, localized = (item["Put"] for item in client.sent[0].parameters["TransactItems"])
        assert native["Item"] == WIRE
        assert "_dom" in localized["Item"]

    def test_follows_a_stub_with_its_native_items(self, client: Scripted) -> None:
        asked = transaction((EVERYWHERE, ITEM), ("orders", KEY))
        client.run(client.batches.transact_write_items(asked, None), cancelled(True, stub(IN)), OK)
        assert client.went_to == [US, IN]

    def test_is_refused_where_the_home_has_no_replica(self, client: Scripted) -> None:
        here = Policy.parse({**DOCUMENT, "native": {"shop-here": {"regions": [US, EU], "consistency": "eventual"}}})
        client = Scripted(policy=here)
        asked = transaction(("here", ITEM), ("orders", {**KEY, "localization_authority": "IN"}))
        with pytest.raises(UnsafeOperation, match="shop-here is not in ap-south-1"):
            client.run(client.batches.transact_write_items(asked, None))
        asked = transaction(("here", ITEM), ("orders", KEY))
        with pytest.raises(UnsafeOperation, match="shop-here is not in ap-south-1"):
            client.run(client.batches.transact_write_items(asked, None), cancelled(True, stub(IN)))

    def test_is_refused_where_no_region_has_all_tables(self) -> None:
        apart = {
            "shop-one": {"regions": [US], "consistency": "eventual"},
            "shop-other": {"regions": [EU], "consistency": "eventual"},
        }
        client = Scripted(policy=Policy.parse({**DOCUMENT, "native": apart}))
        with pytest.raises(UnsafeOperation, match="no Region of this client has all"):
            client.run(client.batches.transact_write_items(transaction(("one", ITEM), ("other", ITEM)), None))

    def test_goes_to_no_region_that_is_not_the_clients_with_localized_items(self) -> None:
        client = Scripted(regions=(US,), policy=POLICY)
        client.run(client.batches.transact_write_items(transaction((ABROAD, ITEM)), None), OK)
        assert client.went_to == [IN]
        with pytest.raises(UnsafeOperation, match="no Region of this client has all"):
            client.run(client.batches.transact_write_items(transaction((ABROAD, ITEM), ("orders", KEY)), None))

    def test_of_a_strong_table_is_refused(self, client: Scripted) -> None:
        with pytest.raises(UnsafeOperation, match=f"{STRONG}: DynamoDB does no transactions"):
            client.run(client.batches.transact_write_items(transaction((STRONG, ITEM), ("orders", KEY)), None))
        assert client.sent == []

    def test_that_is_canceled_says_why_as_dynamodb_did(self, client: Scripted) -> None:
        asked = transaction((EVERYWHERE, ITEM), ("orders", KEY))
        with pytest.raises(ClientError) as raised:
            client.run(client.batches.transact_write_items(asked, None), cancelled(WIRE, True))
        response: Any = raised.value.response
        assert response["CancellationReasons"] == [{"Code": "ConditionalCheckFailed", "Item": WIRE}, {"Code": "None"}]
