"""What is known of the test platform without asking it."""

from unicart.connectors.kit import Credential, Facts
from unicart.contract.resources import Function

FACTS = Facts(
    name="hostile",
    display_name="Hostile test platform",
    description="A platform that misbehaves on purpose. It is part of Unicart's own tests and no use to anybody else.",
    credentials=(
        Credential(name="url", label="URL", help="Where the test platform listens.", kind="url"),
        Credential(name="client_id", label="Client", help="The client id that the test platform was started with."),
        Credential(
            name="secret", label="Secret", help="The secret that the test platform was started with.", kind="secret"
        ),
    ),
    functions=tuple(Function),
    limits="None that is known: it answers 429 whenever it likes, with and without Retry-After.",
    incremental=(
        "The record's own updated_at, which a few changes leave as it was: those are found by webhooks or by comparing "
        "everything. Deleted and archived orders vanish from its lists."
    ),
    documentation=(),
    webhooks=True,
    hidden=True,
)
