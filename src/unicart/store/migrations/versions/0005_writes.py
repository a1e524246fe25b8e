"""Writes with an idempotency key, what connectors keep, and functions that are disabled.

Revision: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

NAME = sa.Text().with_variant(sa.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("connections", sa.Column("disabled_functions", sa.Text(), nullable=False, server_default=""))
    op.create_table(
        "writes",
        _connection_key(),
        sa.Column("key", NAME, nullable=False),
        sa.Column("fingerprint", NAME, nullable=False),
        sa.Column("reference", NAME, nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("owner", sa.Text()),
        sa.Column("lease_until", sa.BigInteger(), nullable=False),
        sa.Column("sent", sa.BigInteger()),
        sa.Column("before", sa.LargeBinary()),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("answer", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("connection_key", "key"),
    )
    op.create_index("ix_writes_created", "writes", ["created"])
    op.create_table(
        "connector_state",
        _connection_key(),
        sa.Column("key", NAME, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("connection_key", "key"),
    )
    op.create_index("ix_connector_state_version", "connector_state", ["connection_key", "version"])


def downgrade() -> None:
    op.drop_table("connector_state")
    op.drop_table("writes")
    op.drop_column("connections", "disabled_functions")


def _connection_key() -> "sa.Column[int]":
    reference = sa.ForeignKey("connections.connection_key", ondelete="CASCADE")
    return sa.Column("connection_key", sa.Integer(), reference, nullable=False)
