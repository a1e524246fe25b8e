"""What is known of Vendure without asking it."""

from unicart.connectors.kit import Credential, Facts
from unicart.contract.resources import Function

FACTS = Facts(
    name="vendure",
    display_name="Vendure",
    description="Orders, products with stock, and stock locations of a Vendure 3 server, through its Admin API.",
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
    ),
)
