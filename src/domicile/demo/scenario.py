"""ShopEase in seven steps: each does what an application or an operator would, and says what must come of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from domicile.demo.stage import Holding, Item, Stage

MUMBAI, VIRGINIA, IRELAND = "ap-south-1", "us-east-1", "eu-west-1"
PLACES = {MUMBAI: "Mumbai", VIRGINIA: "Virginia", IRELAND: "Ireland"}

ANA: Item = {
    "customer_id": "c-1001",
    "localization_authority": "EU",
    "name": "Ana Horvat",
    "email": "ana@example.eu",
    "phone": "+385 1 555 0100",
    "national_id": "HR-12345678901",
    "birth_date": "1990-04-12",
    "address": {"street": "Ilica 1", "city": "Zagreb"},
    "tier": "gold",
}
ORDER: Item = {
    "pk": "c-1001",
    "sk": "order#1",
    "localization_authority": "EU",
    "recipient": "Ana Horvat",
    "shipping_address": "Ilica 1, Zagreb",
    "status": "placed",
    "placed_at": "2026-01-05T10:00:00Z",
}
BRUNO: Item = {
    "customer_id": "c-2002",
    "localization_authority": "BR",
    "name": "Bruno Lima",
    "email": "bruno@example.br",
}

Holdings = Mapping[str, Holding]


@dataclass(frozen=True)
class Step:
    """One step: ``act`` does it, and ``expected`` must come to hold of what the Regions hold of the item."""

    title: str
    table: str
    key: Item
    act: Callable[[Stage], None]
    expected: Callable[[Stage, Holdings], bool]


def _at_home_alone(table: str, item: Item, home: str) -> Callable[[Stage, Holdings], bool]:
    """The home holds exactly ``item``; every other Region a stub that shows none of its sensitive values."""

    def expected(stage: Stage, holdings: Holdings) -> bool:
        sensitive = {name for name in item if stage.is_sensitive(table, name)}

        def holds(region: str, holding: Holding) -> bool:
            if region == home:
                return holding.kind == "full" and holding.item == item
            changed = {name for name in item if holding.item.get(name) != item[name]}
            return holding.home == home and changed == sensitive

        return all(holds(region, holding) for region, holding in holdings.items())

    return expected


def _everywhere(item: Item) -> Callable[[Stage, Holdings], bool]:
    return lambda _, holdings: all(h.kind == "full" and h.item == item for h in holdings.values())


def _one_winner(_: Stage, holdings: Holdings) -> bool:
    first, *others = holdings.values()
    return first.kind == "full" and all(other == first for other in others)


def _nowhere(_: Stage, holdings: Holdings) -> bool:
    return all(holding.kind == "absent" for holding in holdings.values())


def _quarantined_in_mumbai(stage: Stage, holdings: Holdings) -> bool:
    kept = {region: stage.quarantined(region) for region in stage.regions}
    return (
        [record["dynamodb"]["Keys"]["customer_id"]["S"] for record in kept[MUMBAI]] == ["c-2002"]
        and not kept[VIRGINIA]
        and not kept[IRELAND]
        and all(holding.kind == ("full" if region == MUMBAI else "absent") for region, holding in holdings.items())
    )


def _order_shipped(stage: Stage) -> None:
    stage.table(IRELAND, "orders").update_item(
        Key={"pk": ORDER["pk"], "sk": ORDER["sk"]},
        UpdateExpression="SET #status = :shipped",
        ExpressionAttributeNames={"#status": "status"},
        ExpressionAttributeValues={":shipped": "shipped"},
    )


def _restocked_twice(stage: Stage) -> None:
    stage.table(MUMBAI, "inventory").put_item(Item={"sku": "tea-500g", "quantity": 80})
    stage.table(VIRGINIA, "inventory").put_item(Item={"sku": "tea-500g", "quantity": 95})


def steps() -> list[Step]:
    """Return the scenario, in order."""
    ana, order, bruno, tea = {"customer_id": "c-1001"}, {"pk": "c-1001", "sk": "order#1"}, "c-2002", "tea-500g"
    return [
        Step(
            "A global item: stock counted in Virginia is known everywhere",
            "inventory",
            {"sku": tea},
            lambda stage: stage.table(VIRGINIA, "inventory").put_item(Item={"sku": tea, "quantity": 120}),
            _everywhere({"sku": tea, "quantity": 120}),
        ),
        Step(
            "A customer under EU law registers in Virginia and moves to Ireland; stubs stay elsewhere",
            "customers",
            ana,
            lambda stage: stage.table(VIRGINIA, "customers").put_item(Item=ANA),
            _at_home_alone("customers", ANA, IRELAND),
        ),
        Step(
            "Her order is placed in Ireland; the other Regions get its stub",
            "orders",
            order,
            lambda stage: stage.table(IRELAND, "orders").put_item(Item=ORDER),
            _at_home_alone("orders", ORDER, IRELAND),
        ),
        Step(
            "The order is shipped at home; every stub follows",
            "orders",
            order,
            _order_shipped,
            _at_home_alone("orders", {**ORDER, "status": "shipped"}, IRELAND),
        ),
        Step(
            "The same key is written in Mumbai and in Virginia at once; one write wins everywhere",
            "inventory",
            {"sku": tea},
            _restocked_twice,
            _one_winner,
        ),
        Step(
            "The customer asks to be forgotten; deleting the stub in Virginia erases her everywhere",
            "customers",
            ana,
            lambda stage: stage.table(VIRGINIA, "customers").delete_item(Key=ana),
            _nowhere,
        ),
        Step(
            "An item of an authority that no Region is named for goes to Mumbai's quarantine and nowhere else",
            "customers",
            {"customer_id": bruno},
            lambda stage: stage.table(MUMBAI, "customers").put_item(Item=BRUNO),
            _quarantined_in_mumbai,
        ),
    ]
