"""What is known of Shopify without asking it."""

from unicart.connectors.kit import Credential, Facts, Write
from unicart.connectors.shopify.writes import REASONS
from unicart.contract.resources import Function
from unicart.contract.writes import WriteFunction

FACTS = Facts(
    name="shopify",
    display_name="Shopify",
    description="Orders, products with stock, and locations of a Shopify shop, through its Admin GraphQL API.",
    credentials=(
        Credential(name="shop", label="Shop", help="The shop's domain, such as example.myshopify.com."),
        Credential(
            name="access_token",
            label="Access token",
            help="The Admin API access token (shpat_…). Leave it out if you give a client id and its secret.",
            kind="secret",
            required=False,
        ),
        Credential(
            name="client_id",
            label="Client id",
            help="Instead of an access token: the client id of an app of your own that is installed in the shop.",
            required=False,
        ),
        Credential(
            name="api_secret",
            label="Client secret",
            help="The app's client secret. It verifies webhooks; without it the shop is polled only.",
            kind="secret",
            required=False,
        ),
        Credential(
            name="refresh_token",
            label="Refresh token",
            help="The refresh token of an access token that expires. It needs the client id and secret to be renewed.",
            kind="secret",
            required=False,
        ),
    ),
    functions=tuple(Function),
    writes=(
        Write(
            function=WriteFunction.CREATE_SHIPMENT,
            optional=(
                "tracking_number",
                "tracking_url",
                "carrier_name",
                "warehouse_id",
                "notify_customer",
                "line_items",
                "shipping_groups",
            ),
        ),
        Write(
            function=WriteFunction.REFUND_ORDER,
            optional=("reason", "note", "shipping_amount", "restock", "notify_customer", "line_items"),
        ),
        Write(
            function=WriteFunction.ADJUST_INVENTORY,
            required=("quantity", "adjustment_type"),
            optional=("warehouse_id", "reason"),
            values={"reason": REASONS},
            repeatable=True,
        ),
        Write(function=WriteFunction.PASSTHROUGH),
    ),
    limits=(
        "Each query costs points, of which a shop gives back 100 to 2000 a second, by its plan; one query may cost 1000. "
        "Bulk operations cost none."
    ),
    incremental=(
        "Orders: updatedAt of the order, and of its fulfilment orders. Products: updatedAt of the product, of its variants "
        "and of its stock levels. Locations are compared each time. Without the scope read_all_orders, Shopify shows the "
        "orders of the last 60 days only."
    ),
    documentation=(
        "https://shopify.dev/docs/api/admin-graphql/2026-10",
        "https://shopify.dev/docs/api/usage/limits",
        "https://shopify.dev/docs/api/usage/search-syntax",
        "https://shopify.dev/docs/api/usage/bulk-operations/queries",
        "https://shopify.dev/docs/api/usage/idempotent-requests",
        "https://shopify.dev/docs/api/usage/implementing-idempotency",
        "https://shopify.dev/docs/apps/build/webhooks/verify-deliveries",
        "https://shopify.dev/docs/apps/build/authentication-authorization/access-tokens/authorization-code-grant",
        "https://shopify.dev/docs/apps/build/authentication-authorization/access-tokens/client-credentials-grant",
        "https://shopify.dev/docs/apps/build/authentication-authorization/access-tokens/offline-access-tokens",
    ),
    webhooks=True,
)
