"""What is known of BigCommerce without asking it."""

from unicart.connectors.kit import Credential, Facts, Write
from unicart.contract.resources import Function
from unicart.contract.writes import Field, WriteFunction

FACTS = Facts(
    name="bigcommerce",
    display_name="BigCommerce",
    description="BigCommerce stores, through the Orders V2 and the Catalog, Inventory and Locations V3 APIs.",
    credentials=(
        Credential(
            name="store_hash",
            label="Store hash",
            help="The part of the API path behind /stores/: abc123 in https://api.bigcommerce.com/stores/abc123/v3/.",
        ),
        Credential(
            name="access_token",
            label="Access token",
            help="Of a store-level API account, made in the control panel under Settings, Store-level API accounts.",
            kind="secret",
        ),
        Credential(
            name="api_url",
            label="API gateway",
            help="Where the API is asked; only to be changed for a proxy or a test server.",
            kind="url",
            required=False,
            default="https://api.bigcommerce.com",
        ),
    ),
    functions=(Function.GET_ORDERS, Function.GET_PRODUCTS, Function.GET_WAREHOUSES),
    writes=(
        Write(
            function=WriteFunction.CREATE_SHIPMENT,
            optional=(
                "tracking_number",
                "tracking_url",
                "carrier_name",
                "carrier_id",
                "shipping_method_name",
                "line_items",
                "shipping_groups",
            ),
            specific=(
                Field(
                    name="tracking_carrier",
                    description="AfterShip's name of the carrier, for the link to a carrier that BigCommerce does not know.",
                    example="dpd-uk",
                ),
                Field(name="comments", description="A comment on the shipment, for the staff.", example="Two boxes"),
            ),
        ),
        Write(
            function=WriteFunction.REFUND_ORDER,
            optional=("reason", "shipping_amount", "line_items"),
            specific=(
                Field(
                    name="provider_id",
                    description=(
                        "Who pays back: storecredit, custom (it is only recorded, and paid by other means), or the payment "
                        "provider's name at BigCommerce; left out, the provider that the order was paid with."
                    ),
                    values=("storecredit", "custom"),
                    suggested=True,
                    example="storecredit",
                ),
            ),
        ),
        Write(
            function=WriteFunction.ADJUST_INVENTORY,
            required=("quantity", "adjustment_type"),
            optional=("warehouse_id", "reason"),
        ),
        Write(function=WriteFunction.PASSTHROUGH),
    ),
    limits=(
        "A quota for each 30 seconds that all apps of the store share: 150 requests on Standard and Plus, 450 on Pro. "
        "When few are left, or one is refused, nothing is sent until the quota is renewed."
    ),
    incremental=(
        "Orders: their date_modified, and refunds by the date of their creation. Products: their date_modified; stock "
        "levels have no date and are read whole, a thousand a request, and products whose levels differ are read again. "
        "Locations are few and read whole."
    ),
    documentation=(
        "https://developer.bigcommerce.com/docs/rest-management/orders",
        "https://developer.bigcommerce.com/docs/rest-management/transactions/payment-actions",
        "https://developer.bigcommerce.com/docs/store-operations/orders",
        "https://developer.bigcommerce.com/docs/store-operations/orders/refunds",
        "https://developer.bigcommerce.com/docs/store-operations/catalog/inventory-adjustments",
        "https://developer.bigcommerce.com/docs/rest-catalog/products",
        "https://developer.bigcommerce.com/docs/rest-management/inventory",
        "https://developer.bigcommerce.com/docs/rest-management/locations",
        "https://developer.bigcommerce.com/docs/integrations/webhooks",
        "https://developer.bigcommerce.com/docs/start/best-practices/api-rate-limits",
        "https://developer.bigcommerce.com/docs/integrations/apps/guide/auth",
    ),
    webhooks=True,
)
