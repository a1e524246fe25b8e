"""The operator's password and sessions, and when an API key was last used.

Revision: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

NAME = sa.Text().with_variant(sa.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("api_keys", sa.Column("last_used", sa.BigInteger()))
    op.create_table(
        "operator",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("password", sa.Text(), nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "operator_sessions",
        sa.Column("hash", NAME, primary_key=True),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_operator_sessions_expires", "operator_sessions", ["expires"])


def downgrade() -> None:
    op.drop_table("operator_sessions")
    op.drop_table("operator")
    op.drop_column("api_keys", "last_used")
