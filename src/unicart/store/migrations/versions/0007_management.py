"""What the management API keeps of a connection: its account, how it is used, and whether its webhooks are off.

Revision: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("connections", sa.Column("account_id", sa.Text()))
    op.add_column(
        "connections", sa.Column("webhooks_disabled", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.add_column("connections", sa.Column("last_used", sa.BigInteger()))
    op.add_column("connections", sa.Column("times_used", sa.BigInteger(), nullable=False, server_default="0"))
    op.create_index("ix_connections_customer", "connections", ["organization_id", "customer_id", "id"])


def downgrade() -> None:
    op.drop_index("ix_connections_customer", "connections")
    for name in ("times_used", "last_used", "webhooks_disabled", "account_id"):
        op.drop_column("connections", name)
