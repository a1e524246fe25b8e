"""What is known of Extensiv without asking it."""

from unicart.connectors.kit import Credential, Facts
from unicart.contract.resources import Function

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
        "https://help.extensiv.com/rest-api/providing-rest-api-access",
    ),
)
