"""What is known of Vendure without asking it."""

from unicart.connectors.kit import Credential, Facts, Write
from unicart.contract.resources import Function
from unicart.contract.writes import Field, WriteFunction

FACTS = Facts(
    name="vendure",
    display_name="Vendure",
    description="Orders, products with stock, and stock locations of a Vendure 3 server, through its Admin API; writes back too.",
    credentials=(
        Credential(
            name="url",
            label="Admin API URL",
            help="For example https://shop.example/admin-api; without a path, /admin-api is added.",
            kind="url",
        ),
        Credential(
            name="username",
            label="Administrator",
            help="The administrator's e-mail address. Leave it out if you have an API key.",
            required=False,
        ),
        Credential(
            name="password",
            label="Password",
            help="The administrator's password. Leave it out if you have an API key.",
            kind="secret",
            required=False,
        ),
        Credential(
            name="api_key",
            label="API key",
            help="Instead of administrator and password (Vendure 3.6 or newer, with api-key among its token methods).",
            kind="secret",
            required=False,
        ),
        Credential(
            name="channel_token",
            label="Channel token",
            help="The token of the channel to read. Without it, the default channel, which holds all orders.",
            required=False,
        ),
    ),
    functions=tuple(Function),
    writes=(
        Write(
            function=WriteFunction.CREATE_SHIPMENT,
            optional=("tracking_number", "carrier_name", "shipping_method_name", "line_items"),
            specific=(
                Field(
                    name="fulfillment_handler",
                    description="The code of what makes the fulfilment; left out, that of the order's shipping method.",
                    varying=True,
                    example="manual-fulfillment",
                ),
                Field(
                    name="handler_arguments",
                    description="Arguments of the handler's own, besides method and trackingCode.",
                    type="list",
                    fields=(
                        Field(name="name", description="The argument's name.", required=True, example="service"),
                        Field(name="value", description="Its value, as text.", required=True, example="express"),
                    ),
                ),
            ),
        ),
        Write(
            function=WriteFunction.REFUND_ORDER,
            optional=("reason", "shipping_amount", "restock", "line_items"),
        ),
        Write(
            function=WriteFunction.ADJUST_INVENTORY,
            required=("quantity", "adjustment_type"),
            optional=("warehouse_id",),
        ),
        Write(function=WriteFunction.PASSTHROUGH),
    ),
    limits="Vendure has no rate limit of its own; a list query returns at most 1000 records unless configured otherwise.",
    incremental=(
        "The first run yields the newest orders first. Orders: the times of placing, of the order, and of its payments, refunds, fulfilments and modifications, because "
        "most changes leave the order's own updatedAt as it was. Orders placed in the last 60 days are looked at in each "
        "run, older ones in turn, 1000 a run. Products: the times of products, variants and stock levels, and all of them "
        "once a day."
    ),
    documentation=(
        "https://docs.vendure.io/reference/graphql-api/admin/queries",
        "https://docs.vendure.io/reference/graphql-api/admin/object-types",
        "https://docs.vendure.io/guides/core-concepts/orders/",
        "https://docs.vendure.io/guides/core-concepts/money/",
        "https://docs.vendure.io/guides/core-concepts/auth/",
        "https://docs.vendure.io/guides/core-concepts/channels/",
        "https://docs.vendure.io/guides/core-concepts/stock-control/",
        "https://docs.vendure.io/reference/graphql-api/admin/mutations",
        "https://docs.vendure.io/reference/typescript-api/fulfillment/fulfillment-handler",
    ),
)
