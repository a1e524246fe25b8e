"""What is known of ShipHero without asking it."""

from unicart.connectors.kit import Credential, Facts, Write
from unicart.contract.resources import Function
from unicart.contract.writes import Field, WriteFunction

FACTS = Facts(
    name="shiphero",
    display_name="ShipHero",
    description="Orders, products with stock in each warehouse, and warehouses of a ShipHero account, merchant's or 3PL's.",
    credentials=(
        Credential(
            name="refresh_token",
            label="Refresh token",
            help="The refresh_token of a developer user (ShipHero: My Account > Third-Party Developers).",
            kind="secret",
        ),
        Credential(
            name="customer_account_id",
            label="Customer account",
            help="For a 3PL: the id (QWNjb3VudDo…) of the one client to read. Without it, all that the user may see.",
            required=False,
        ),
        Credential(
            name="url",
            label="API URL",
            help="Where the public API is, if not at https://public-api.shiphero.com.",
            kind="url",
            required=False,
            default="https://public-api.shiphero.com",
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
                "shipping_method_name",
                "warehouse_id",
                "notify_customer",
                "line_items",
                "shipping_groups",
            ),
            specific=(
                Field(
                    name="remove_inventory",
                    description="Whether the units leave ShipHero's stock as well; left out, they do.",
                    type="boolean",
                    example=True,
                ),
                Field(
                    name="notify_store",
                    description="Whether ShipHero tells the store that the order came from.",
                    type="boolean",
                    example=True,
                ),
                Field(
                    name="shipped_off_shiphero",
                    description="Whether ShipHero marks the shipment as shipped outside of ShipHero.",
                    type="boolean",
                    example=True,
                ),
                Field(
                    name="label_url",
                    description="Where the label is, as a PDF.",
                    example="https://carrier.example/labels/1.pdf",
                ),
                Field(name="label_cost", description="What the label cost.", type="number", minimum=0, example=7),
            ),
        ),
        Write(
            function=WriteFunction.ADJUST_INVENTORY,
            required=("quantity", "adjustment_type"),
            optional=("warehouse_id", "reason"),
            specific=(
                Field(
                    name="location_id",
                    description="The location in the warehouse; exact then means what lies there.",
                    example="QmluOjE=",
                ),
            ),
        ),
        Write(function=WriteFunction.PASSTHROUGH),
    ),
    limits=(
        "4004 credits, of which 60 come back each second; a query costs about one for each record that it returns, the "
        "records inside them included. At most 7000 requests in five minutes."
    ),
    incremental=(
        "Orders: updated_at. Products: updated_at of the product, and of its stock in each warehouse. Warehouses have no "
        "dates and are few: each run reads them all."
    ),
    documentation=(
        "https://developer.shiphero.com/getting-started/",
        "https://developer.shiphero.com/graphql-primer/",
        "https://developer.shiphero.com/schema/types/order.html",
        "https://developer.shiphero.com/flows/order-fulfillment/",
        "https://developer.shiphero.com/schema/types/create-shipment-input.html",
        "https://developer.shiphero.com/schema/types/update-inventory-input.html",
        "https://developer.shiphero.com/schema/queries/inventory-changes.html",
        "https://developer.shiphero.com/scopes/",
        "https://developer.shiphero.com/troubleshooting/error-glossary/",
        "https://developer.shiphero.com/webhooks/",
    ),
    webhooks=True,
)
