"""What is known of Extensiv without asking it."""

from unicart.connectors.kit import Credential, Facts, Write
from unicart.contract.resources import Function
from unicart.contract.writes import Field, WriteFunction

SHIPMENT = Write(
    function=WriteFunction.CREATE_SHIPMENT,
    optional=(
        "tracking_number",
        "carrier_name",
        "carrier_id",
        "shipping_method_name",
        "shipped_date",
        "line_items",
        "shipping_groups",
    ),
    specific=(
        Field(name="bill_of_lading", description="The number of the bill of lading.", example="BOL1"),
        Field(name="load_number", description="The number of the load.", example="L1"),
        Field(name="trailer_number", description="The number of the trailer.", example="T1"),
        Field(name="seal_number", description="The number of the trailer's seal.", example="S1"),
        Field(name="door_number", description="The dock door.", example="D1"),
        Field(
            name="pickup_date",
            description="When the carrier picks it up.",
            type="date-time",
            example="2026-01-02T10:00:00Z",
        ),
        Field(
            name="recalculate_charges",
            description="Whether the 3PL's automatic charges are calculated anew.",
            type="boolean",
            example=False,
        ),
    ),
)

ADJUSTMENT = Write(
    function=WriteFunction.ADJUST_INVENTORY,
    required=("quantity", "adjustment_type", "warehouse_id"),
    optional=("reason",),
    specific=(
        Field(
            name="receive_item_id",
            description="The lot that stock is taken from, by Extensiv's id; only where stock falls.",
            type="integer",
            example=9001,
        ),
        Field(name="qualifier", description="The qualifier of the lot.", example="B-grade"),
        Field(name="lot_number", description="The lot number.", example="LOT1"),
        Field(name="serial_number", description="The serial number.", example="SN1"),
        Field(name="expiration_date", description="The date on which the lot expires.", example="2027-01-31"),
        Field(name="location_id", description="The location in the facility, by its id.", type="integer", example=101),
    ),
)

FACTS = Facts(
    name="extensiv",
    display_name="Extensiv 3PL Warehouse Manager",
    description="Orders, items with stock, and facilities of a 3PL's warehouse management system, formerly 3PL Central.",
    credentials=(
        Credential(
            name="client_id",
            label="Client ID",
            help="From the 3PL's Support Portal, Manage Credentials, or from api@extensiv.com.",
        ),
        Credential(
            name="client_secret",
            label="Client secret",
            help="Shown beside the client ID.",
            kind="secret",
        ),
        Credential(
            name="user_login",
            label="User login",
            help="The name of the 3PL Warehouse Manager user on whose behalf requests are made.",
            required=False,
        ),
        Credential(
            name="user_login_id",
            label="User login ID",
            help="The number of that user; older credentials want it instead of the name.",
            kind="number",
            required=False,
        ),
        Credential(
            name="tpl",
            label="3PL GUID",
            help="The 3PL's key, for credentials that are not bound to one 3PL.",
            required=False,
        ),
        Credential(
            name="customer_id",
            label="Customer ID",
            help="Only the orders and items of this customer of the 3PL. Leave it out for all that the credentials see.",
            kind="number",
            required=False,
        ),
        Credential(
            name="time_zone",
            label="Time zone of dates",
            help="Extensiv's dates name no zone. The IANA name of theirs, such as America/Los_Angeles, if it is not UTC.",
            required=False,
            default="UTC",
        ),
        Credential(
            name="currency",
            label="Currency",
            help="The ISO 4217 code of amounts; Extensiv names none.",
            required=False,
            default="USD",
        ),
        Credential(
            name="url",
            label="API URL",
            help="The root of the API; another one for a sandbox.",
            kind="url",
            required=False,
            default="https://secure-wms.com",
        ),
    ),
    functions=tuple(Function),
    writes=(SHIPMENT, ADJUSTMENT, Write(function=WriteFunction.PASSTHROUGH)),
    limits=(
        "Extensiv documents no rate limit; at most 5 requests a second are sent, 2 at once. Tokens live 30 to 60 minutes. "
        "Each sync of products takes two requests for each customer of the 3PL, and one for every 500 rows of stock."
    ),
    incremental=(
        "Orders and items: their lastModifiedDate, and new ones their id. Stock has no date: all of it is read and compared. Facilities have none "
        "either; they are few and read whole. Webhooks exist but can only be set up by hand, so Extensiv is polled."
    ),
    documentation=(
        "https://3w.extensiv.com/Rels/auth",
        "https://3w.extensiv.com/Rels/hal",
        "https://3w.extensiv.com/Rels/rql",
        "https://3w.extensiv.com/Rels/exceptions",
        "https://3w.extensiv.com/rels/orders/orders",
        "https://3w.extensiv.com/rels/orders/order",
        "https://3w.extensiv.com/rels/customers/customers",
        "https://3w.extensiv.com/rels/customers/items",
        "https://3w.extensiv.com/rels/inventory/stocksummaries",
        "https://3w.extensiv.com/rels/properties/facility",
        "https://3w.extensiv.com/Rels/headers",
        "https://3w.extensiv.com/rels/orders/packages",
        "https://3w.extensiv.com/rels/orders/package",
        "https://3w.extensiv.com/rels/orders/orderrouting",
        "https://3w.extensiv.com/rels/orders/orderconfirm",
        "https://3w.extensiv.com/rels/inventory/stockdetails",
        "https://3w.extensiv.com/rels/inventory/adjustments",
        "https://help.extensiv.com/rest-api/providing-rest-api-access",
    ),
)
