"""What is known of Medusa without asking it."""

from unicart.connectors.kit import Credential, Facts
from unicart.contract.resources import Function

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
    ),
)
