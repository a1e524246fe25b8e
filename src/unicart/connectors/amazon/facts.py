"""What is known of Amazon without asking it."""

from unicart.connectors.amazon.auth import LOGIN_URL
from unicart.connectors.amazon.writes import COD_METHODS
from unicart.connectors.kit import Credential, Facts, Write
from unicart.contract.resources import Function
from unicart.contract.writes import Field, WriteFunction

FACTS = Facts(
    name="amazon",
    display_name="Amazon",
    description="Amazon's stores, through the Selling Partner API: orders of all marketplaces of a region, and listings.",
    credentials=(
        Credential(
            name="client_id",
            label="LWA client id",
            help="Of the application, in the Solution Provider Portal under LWA credentials; begins with amzn1.application.",
        ),
        Credential(
            name="client_secret",
            label="LWA client secret",
            help="Beside the client id. It has to be rotated every 180 days.",
            kind="secret",
        ),
        Credential(
            name="refresh_token",
            label="Refresh token",
            help="Shown when the application is authorized for the seller's account; begins with Atzr|.",
            kind="secret",
        ),
        Credential(
            name="seller_id",
            label="Seller id",
            help="The merchant token in Seller Central, Account Info; begins with A.",
        ),
        Credential(
            name="region",
            label="Region",
            help="na (America), eu (Europe, Middle East, India) or fe (Japan, Australia, Singapore). One connection for each.",
            required=False,
            default="na",
        ),
        Credential(
            name="marketplace_ids",
            label="Marketplaces",
            help="Ids with commas between, such as ATVPDKIKX0DER; all that the seller takes part in if it is left empty. "
            "Listings are those of the first.",
            required=False,
        ),
        Credential(
            name="endpoint",
            label="Endpoint",
            help="In place of the region's own, such as https://sandbox.sellingpartnerapi-na.amazon.com.",
            kind="url",
            required=False,
        ),
        Credential(
            name="login_url",
            label="Login URL",
            help="Where tokens are got. Leave it as it is, unless you go through a proxy of your own.",
            kind="url",
            required=False,
            default=LOGIN_URL,
        ),
    ),
    functions=(Function.GET_ORDERS, Function.GET_PRODUCTS),
    writes=(
        Write(
            function=WriteFunction.CREATE_SHIPMENT,
            required=("tracking_number", "carrier_name"),
            optional=("carrier_id", "shipping_method_name", "warehouse_id", "shipped_date", "line_items"),
            specific=(
                Field(
                    name="transparency_codes",
                    description="The codes of units that are in Amazon's Transparency programme.",
                    type="list",
                    fields=(
                        Field(
                            name="line_item_id",
                            description="The id of the order's line item.",
                            required=True,
                            example="79039765272157",
                        ),
                        Field(name="code", description="The code of one unit.", required=True, example="AZ:1"),
                    ),
                ),
                Field(
                    name="cod_collection_method",
                    description="How cash on delivery is collected; in Japan only.",
                    values=COD_METHODS,
                    example="DirectPayment",
                ),
            ),
            repeatable=True,
        ),
        Write(
            function=WriteFunction.ADJUST_INVENTORY,
            required=("quantity", "adjustment_type"),
            optional=("warehouse_id",),
        ),
        Write(function=WriteFunction.PASSTHROUGH),
    ),
    limits=(
        "Each operation has a bucket of its own for each seller: searching orders is refilled once in three minutes and holds "
        "20 requests of 100 orders, listings 5 requests a second of 20. Orders are looked for every four minutes, so that "
        "some of the bucket is left; a long first sync waits for it between its pages. Shipments: 2 a second, but reading "
        "their orders takes one request in 2 seconds."
    ),
    incremental=(
        "Orders: their lastUpdatedTime, up to two minutes ago, which is as new as Amazon tells. Listings: lastUpdatedDate; "
        "whether stock moves it is not documented. What Amazon does not date is found by comparing everything."
    ),
    documentation=(
        "https://developer-docs.amazon.com/sp-api/docs/orders-api-migration-guide",
        "https://developer-docs.amazon.com/sp-api/docs/get-orders-with-filtering-criteria",
        "https://developer-docs.amazon.com/sp-api/docs/access-orders-pii",
        "https://developer-docs.amazon.com/sp-api/docs/search-for-listings-items-by-id",
        "https://developer-docs.amazon.com/sp-api/docs/confirm-the-shipment-status",
        "https://developer-docs.amazon.com/sp-api/docs/merge-a-listing",
        "https://developer-docs.amazon.com/sp-api/docs/mli-integration-guide",
        "https://developer-docs.amazon.com/sp-api/docs/usage-plans-and-rate-limits",
        "https://developer-docs.amazon.com/sp-api/docs/website-authorization-workflow",
        "https://developer-docs.amazon.com/sp-api/docs/marketplace-ids",
    ),
)
