"""Events of every change, and how far each organization's are gone.

Revision: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

NAME = sa.Text().with_variant(sa.TEXT(collation="C"), "postgresql")
INDEXES = {
    "organization": ["organization_id", "id"],
    "type": ["organization_id", "type", "id"],
    "connection": ["organization_id", "connection_id", "id"],
    "connection_type": ["organization_id", "connection_id", "type", "id"],
}


def upgrade() -> None:
    op.add_column("organizations", sa.Column("events_pruned", sa.BigInteger(), nullable=False, server_default="0"))
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "events",
        sa.Column("id", number, primary_key=True, autoincrement=True),
        sa.Column("organization_id", NAME, nullable=False),
        sa.Column("connection_id", NAME, nullable=False),
        sa.Column("type", NAME, nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sqlite_autoincrement=True,
    )
    for name, columns in INDEXES.items():
        op.create_index(f"ix_events_{name}", "events", columns)


def downgrade() -> None:
    op.drop_table("events")
    op.drop_column("organizations", "events_pruned")
