"""When each function of each connection is synced next.

Revision: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

NAME = sa.Text().with_variant(sa.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "schedules",
        sa.Column(
            "connection_key",
            sa.Integer(),
            sa.ForeignKey("connections.connection_key", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("function", NAME, nullable=False),
        sa.Column("every", sa.Integer(), nullable=False),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("due", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("connection_key", "function"),
    )
    op.create_index("ix_schedules_due", "schedules", ["due"])


def downgrade() -> None:
    op.drop_table("schedules")
