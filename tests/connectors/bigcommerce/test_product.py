"""The whole way: a store is connected, synced and served."""

from decimal import Decimal
from pathlib import Path

from connectors.bigcommerce import records
from connectors.bigcommerce.shop import START, FakeBigCommerce
from product import Unicart


def test_a_store_is_connected_synced_and_served(tmp_path: Path, fresh_url: str) -> None:
    unicart = Unicart(tmp_path / "data", fresh_url)
    with FakeBigCommerce() as shop:
        for _ in range(130):
            shop.tick(60)
            shop.place(shipping_cost="5.95")
        incomplete = shop.place(status_id=0)["id"]
        for number in range(1, 4):
            shop.stock_up(number)
        shop.locations[1] = records.location(1, START)
        options = [f"--{name.replace('_', '-')}={value}" for name, value in shop.credentials.items()]
        connection = unicart.connect("bigcommerce", *options)
        assert unicart.sync() == {"get_orders": 130, "get_products": 3, "get_warehouses": 1}
        shop.tick(3600)
        shop.ship(105)
        shop.refund(106, 2.5)
        assert unicart.sync()["get_orders"] == 2
    assert unicart.show(connection)["errors"] == []
    with unicart.serving():
        orders = unicart.get("/cart/orders")
        products = unicart.get("/cart/products")
        warehouses = unicart.get("/cart/warehouses")
    assert len(orders) == 130
    assert str(incomplete) not in orders
    assert orders["105"]["status"] == "fulfilled"
    assert orders["105"]["shipments"][0]["tracking_number"] == "EJ958083578US"
    assert orders["106"]["additional_fields"]["total_refunded"] == Decimal("2.5")
    assert orders["107"]["total_price"] == Decimal("33.0124")
    assert sorted(products) == ["1", "1-1001", "2", "2-1002", "3", "3-1003"]
    assert products["2-1002"]["inventory_by_warehouse_id"] == {"1": 2, "2": 3}
    assert warehouses["1"]["name"] == "Location 1"
