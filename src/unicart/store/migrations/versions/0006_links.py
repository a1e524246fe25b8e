"""The link dialog: its tokens, sessions and authorizations, magic links, and a second access token for reinstalls.

Revision: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

NAME = sa.Text().with_variant(sa.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("connections", sa.Column("reinstalled_token_hash", NAME))
    op.create_index("ix_connections_reinstalled", "connections", ["reinstalled_token_hash"], unique=True)
    op.create_table(
        "link_tokens",
        sa.Column("hash", NAME, primary_key=True),
        *_whose(),
        sa.Column("expires", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "link_sessions",
        sa.Column("hash", NAME, primary_key=True),
        *_whose(),
        sa.Column("options", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("connected_key", sa.Integer(), sa.ForeignKey("connections.connection_key", ondelete="CASCADE")),
        sa.Column("problem", sa.Text()),
        sa.Column("expires", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "link_authorizations",
        sa.Column("state_hash", NAME, primary_key=True),
        sa.Column("session_hash", NAME, sa.ForeignKey("link_sessions.hash", ondelete="CASCADE"), nullable=False),
        sa.Column("integration_name", NAME, nullable=False),
        sa.Column("browser_hash", NAME, unique=True),
        sa.Column("inputs", sa.LargeBinary(), nullable=False),
        sa.Column("granted", sa.LargeBinary()),
        sa.Column("expires", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "link_codes",
        sa.Column(
            "connection_key",
            sa.Integer(),
            sa.ForeignKey("connections.connection_key", ondelete="CASCADE"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("hash", NAME, unique=True),
        sa.Column("reinstalled", sa.Boolean(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "magic_links",
        sa.Column("id", NAME, primary_key=True),
        *_whose(),
        sa.Column("hash", NAME, nullable=False, unique=True),
        sa.Column("options", sa.Text(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_magic_links_organization", "magic_links", ["organization_id", "created", "id"])


def downgrade() -> None:
    for table in ("magic_links", "link_codes", "link_authorizations", "link_sessions", "link_tokens"):
        op.drop_table(table)
    op.drop_index("ix_connections_reinstalled", "connections")
    op.drop_column("connections", "reinstalled_token_hash")


def _whose() -> "list[sa.Column[str]]":
    return [
        sa.Column("organization_id", NAME, sa.ForeignKey("organizations.id"), nullable=False),
        sa.Column("connection_id", NAME),
        sa.Column("customer_id", sa.Text()),
    ]
