"""What is known of WooCommerce without asking it."""

from unicart.connectors.kit import Credential, Facts, Write
from unicart.contract.resources import Function
from unicart.contract.writes import Field, WriteFunction

FACTS = Facts(
    name="woocommerce",
    display_name="WooCommerce",
    description="Orders with refunds and tracking, and products with variations and stock, through the REST API v3.",
    credentials=(
        Credential(
            name="url",
            label="Shop URL",
            help="The address of the shop, such as https://shop.example.com or https://example.com/shop, as it stands "
            "under Settings → General → Site Address.",
            kind="url",
        ),
        Credential(
            name="consumer_key",
            label="Consumer key",
            help="It begins with ck_. Make it under WooCommerce → Settings → Advanced → REST API, for an administrator or "
            "shop manager, with the permission Read/Write (Read is enough without webhooks and writes).",
            kind="secret",
        ),
        Credential(
            name="consumer_secret",
            label="Consumer secret",
            help="It begins with cs_, and is shown once, together with the consumer key.",
            kind="secret",
        ),
    ),
    functions=(Function.GET_ORDERS, Function.GET_PRODUCTS),
    writes=(
        Write(
            function=WriteFunction.CREATE_SHIPMENT,
            optional=(
                "tracking_number",
                "tracking_url",
                "carrier_name",
                "carrier_id",
                "shipping_method_name",
                "shipped_date",
                "notify_customer",
                "line_items",
            ),
            specific=(
                Field(
                    name="status",
                    description="The status that the order then has; left out, completed if nothing is left to ship, else "
                    "partial-shipped if the shop has that status.",
                    varying=True,
                    example="completed",
                ),
            ),
        ),
        Write(
            function=WriteFunction.REFUND_ORDER,
            optional=("reason", "shipping_amount", "restock", "line_items"),
            specific=(
                Field(
                    name="api_refund",
                    description="Whether the payment's provider pays the money back; left out, it does. If not, the refund "
                    "is noted only.",
                    type="boolean",
                    example=True,
                ),
            ),
        ),
        Write(
            function=WriteFunction.ADJUST_INVENTORY,
            required=("quantity", "adjustment_type"),
            specific=(
                Field(
                    name="manage_stock",
                    description="Begin to manage the stock of a product of which WooCommerce does not.",
                    type="boolean",
                    example=True,
                ),
            ),
        ),
        Write(function=WriteFunction.PASSTHROUGH),
    ),
    limits="WooCommerce has no rate limit of its own, but hosts do; a list returns at most 100 records.",
    incremental=(
        "The record's own date_modified_gmt, of whole seconds. Refunds, edits, the trash and variations move it. The deletion "
        "of a refund before WooCommerce 11.3, and deletion for good, do not, and records that are made with a date in the past may "
        "have that date: those are found by comparing everything."
    ),
    documentation=(
        "https://woocommerce.github.io/woocommerce-rest-api-docs/",
        "https://woocommerce.com/document/woocommerce-rest-api/",
        "https://woocommerce.com/document/managing-orders/order-statuses/",
        "https://woocommerce.com/document/webhooks/",
        "https://woocommerce.com/document/shipment-tracking/",
        "https://woocommerce.com/document/shipment-tracking/shipment-tracking-rest-api-create-tracking-item/",
        "https://docs.zorem.com/docs/ast-free/add-tracking-to-orders/shipment-tracking-api/",
    ),
    webhooks=True,
)
