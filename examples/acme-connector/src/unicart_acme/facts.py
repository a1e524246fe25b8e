"""What is known of Acme without asking it."""

from unicart.connectors.kit import Credential, Facts
from unicart.contract.resources import Function

FACTS = Facts(
    name="acme",
    display_name="Acme",
    description="A shop that is made up, with orders only: an example.",
    credentials=(
        Credential(
            name="url", label="URL", help="Where its server.py answers, such as http://127.0.0.1:8100.", kind="url"
        ),
        Credential(name="api_key", label="API key", help="It stands in server.py.", kind="secret"),
    ),
    functions=(Function.GET_ORDERS,),
    limits="It has none.",
    incremental="Orders: their changed_at, which every change moves.",
    documentation=("https://acme.example/api",),
)
