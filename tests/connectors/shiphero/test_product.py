"""The whole way: a connection to ShipHero is added and synced, and its records are served."""

from decimal import Decimal
from pathlib import Path

from connectors.shiphero import records
from connectors.shiphero.shop import REFRESH_TOKEN, open_shop
from product import Unicart


def test_a_shiphero_account_is_served(tmp_path: Path, fresh_url: str) -> None:
    unicart = Unicart(tmp_path / "data", fresh_url)
    with open_shop() as shop:
        for number in range(1, 31):
            shop.add_order(number, account_id=records.ACCOUNT if number % 2 else records.CLIENT)
            shop.add_product(number)
            shop.tick(4000)
        shop.warehouses = {row["id"]: row for row in [records.warehouse(1), records.warehouse(2)]}
        shop.refreshable = False
        refused = unicart.run(
            "connection", "add", "shiphero", "--refresh-token", REFRESH_TOKEN, "--url", shop.url, fails=True
        )
        assert "does not accept the refresh token" in " ".join(refused.split())
        shop.refreshable = True
        unicart.connect("shiphero", "--refresh-token", REFRESH_TOKEN, "--url", shop.url)
        pulled = unicart.sync()
        assert pulled == {"get_orders": 30, "get_products": 30, "get_warehouses": 2}
        shop.tick(60)
        shipped = shop.orders[records.uuid("Order", 7)]
        shop.touch(shipped, fulfillment_status="fulfilled", shipments=[records.shipment(7, [(7, 1)])])
        shop.add_order(31)
        shop.tick(60)
        assert unicart.sync()["get_orders"] == 2
    with unicart.serving():
        orders = unicart.get("/cart/orders")
        assert orders.keys() == {records.uuid("Order", number) for number in range(1, 32)}
        seventh = orders[records.uuid("Order", 7)]
        assert (seventh["status"], seventh["total_price"]) == ("fulfilled", Decimal("16.00"))
        assert seventh["shipments"][0]["tracking_number"] == "1Z000007"
        mine = unicart.get(f"/cart/orders?warehouse_customer_id={records.CLIENT}")
        assert len(mine) == 15
        assert unicart.get("/cart/products").keys() == {records.uuid("Product", number) for number in range(1, 31)}
        assert unicart.get("/cart/warehouses").keys() == {records.EAST, records.WEST}
