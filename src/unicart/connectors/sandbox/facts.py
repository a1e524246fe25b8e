"""What is known of the sandbox without asking it."""

from unicart.connectors.kit import Credential, Facts, Write
from unicart.connectors.sandbox.generator import DEFAULT_ORDERS, DEFAULT_SEED, DEFAULT_UNTIL
from unicart.contract.common import DATE_FORMAT
from unicart.contract.resources import Function
from unicart.contract.writes import WriteFunction

FACTS = Facts(
    name="sandbox",
    display_name="Sandbox",
    description="A shop that is computed, not contacted: the same seed gives the same orders on every machine.",
    credentials=(
        Credential(
            name="seed",
            label="Seed",
            help="Any text. Another seed is another shop.",
            required=False,
            default=DEFAULT_SEED,
        ),
        Credential(
            name="orders",
            label="Number of orders",
            help="How many orders the shop holds. A changed number spreads all of them over the three years anew.",
            kind="number",
            required=False,
            default=str(DEFAULT_ORDERS),
        ),
        Credential(
            name="until",
            label="Newest order",
            help=f"No order is newer than this moment, none older than three years before it. Form: {DATE_FORMAT}.",
            required=False,
            default=DEFAULT_UNTIL,
        ),
    ),
    functions=tuple(Function),
    writes=(
        Write(
            function=WriteFunction.CREATE_SHIPMENT,
            required=("tracking_number", "carrier_name"),
            optional=(
                "tracking_url",
                "shipping_method_name",
                "warehouse_id",
                "shipped_date",
                "line_items",
                "shipping_groups",
            ),
        ),
        Write(
            function=WriteFunction.REFUND_ORDER,
            optional=("reason", "note", "shipping_amount", "line_items"),
        ),
        Write(
            function=WriteFunction.ADJUST_INVENTORY,
            required=("quantity", "adjustment_type"),
            optional=("warehouse_id", "reason"),
        ),
    ),
    limits="None: nothing is requested.",
    incremental="The number of the next record; the first run yields the newest orders first. What writes have changed follows. An unchanged sandbox yields nothing a second time.",
    documentation=(),
    install_method="none",
)
