"""What is known of Medusa without asking it."""

from unicart.connectors.kit import Credential, Facts, Write
from unicart.contract.resources import Function
from unicart.contract.writes import Field, WriteFunction

FACTS = Facts(
    name="medusa",
    display_name="Medusa",
    description="Medusa 2, the open-source commerce platform, through its Admin API.",
    credentials=(
        Credential(
            name="url",
            label="URL",
            help="The root of the Medusa server, such as https://shop.example.com (without /admin).",
            kind="url",
        ),
        Credential(
            name="api_key",
            label="Secret API key",
            help="Made in the Medusa Admin under Settings, Secret API Keys; begins with sk_.",
            kind="secret",
        ),
    ),
    functions=(Function.GET_ORDERS, Function.GET_PRODUCTS, Function.GET_WAREHOUSES),
    writes=(
        Write(
            function=WriteFunction.CREATE_SHIPMENT,
            optional=("tracking_number", "tracking_url", "warehouse_id", "notify_customer", "line_items"),
            specific=(
                Field(
                    name="shipping_option_id",
                    description="The shipping option to send it with; left out, that of the order's shipping method.",
                    varying=True,
                    example="so_01M84ZEZ8C2DQBKRHTHCNB5C6F",
                ),
                Field(
                    name="label_url",
                    description="Where the parcel's label is.",
                    example="https://carrier.example/labels/1Z999AA10123456784",
                ),
            ),
        ),
        Write(
            function=WriteFunction.REFUND_ORDER,
            optional=("reason", "note", "shipping_amount", "line_items"),
        ),
        Write(
            function=WriteFunction.ADJUST_INVENTORY,
            required=("quantity", "adjustment_type"),
            optional=("warehouse_id",),
        ),
        Write(function=WriteFunction.PASSTHROUGH),
    ),
    limits="Medusa itself has no rate limit; at most 20 requests a second are sent, 4 at once.",
    incremental=(
        "The first run yields the newest orders first. Orders: their updated_at, and the updated_at of their payment collections (captures and refunds do not move the "
        "order's). Products: their own and their variants' updated_at, and that of stock levels. Stock locations are few "
        "and read whole; one whose date or address changed is stored."
    ),
    documentation=(
        "https://docs.medusajs.com/api/admin#orders_getorders",
        "https://docs.medusajs.com/api/admin#payments_getpayments",
        "https://docs.medusajs.com/api/admin#products_getproducts",
        "https://docs.medusajs.com/api/admin#inventory-items_getinventoryitems",
        "https://docs.medusajs.com/api/admin#stock-locations_getstocklocations",
        "https://docs.medusajs.com/api/admin#orders_postordersidfulfillments",
        "https://docs.medusajs.com/api/admin#orders_postordersidfulfillmentsfulfillment_idshipments",
        "https://docs.medusajs.com/api/admin#orders_postordersidfulfillmentsfulfillment_idcancel",
        "https://docs.medusajs.com/api/admin#payments_postpaymentsidrefund",
        "https://docs.medusajs.com/api/admin#inventory-items_postinventoryitemsidlocationlevelslocation_id",
    ),
)
