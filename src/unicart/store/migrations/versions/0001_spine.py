"""The spine: organizations, connections, sync state and the three record tables.

Revision: 0001
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

NAME = sa.Text().with_variant(sa.TEXT(collation="C"), "postgresql")
RECORDS = ("orders", "products", "warehouses")


def _column(name: str, type: sa.types.TypeEngine[Any], *constraints: sa.ForeignKey) -> sa.Column[Any]:
    return sa.Column(name, type, *constraints, nullable=False)


def _connection_key() -> sa.Column[Any]:
    return _column("connection_key", sa.Integer(), sa.ForeignKey("connections.connection_key", ondelete="CASCADE"))


def upgrade() -> None:
    op.create_table(
        "organizations",
        sa.Column("id", NAME, primary_key=True),
        sa.Column("name", sa.Text(), nullable=False, unique=True),
        _column("created", sa.BigInteger()),
    )
    op.create_table(
        "api_keys",
        sa.Column("id", NAME, primary_key=True),
        _column("organization_id", NAME, sa.ForeignKey("organizations.id")),
        _column("name", sa.Text()),
        sa.Column("hash", NAME, nullable=False, unique=True),
        _column("read_only", sa.Boolean()),
        _column("created", sa.BigInteger()),
    )
    op.create_table(
        "connections",
        sa.Column("connection_key", sa.Integer(), primary_key=True, autoincrement=True),
        sa.Column("id", NAME, nullable=False, unique=True),
        _column("organization_id", NAME, sa.ForeignKey("organizations.id")),
        _column("integration_name", NAME),
        sa.Column("customer_id", sa.Text()),
        _column("account_name", sa.Text()),
        sa.Column("token_hash", NAME, nullable=False, unique=True),
        _column("credentials", sa.LargeBinary()),
        _column("private_network", sa.Boolean()),
        _column("created", sa.BigInteger()),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_connections_organization", "connections", ["organization_id", "id"])
    _create_sync_tables()
    for name in RECORDS:
        _create_record_table(name)
    for name, columns in {
        "status_created": ["status", "created"],
        "status_updated": ["status", "updated"],
        "customer_created": ["warehouse_customer_id", "created"],
        "customer_updated": ["warehouse_customer_id", "updated"],
        "customer_status_created": ["warehouse_customer_id", "status", "created"],
        "customer_status_updated": ["warehouse_customer_id", "status", "updated"],
        "number_created": ["order_number", "created"],
    }.items():
        op.create_index(f"ix_orders_{name}", "orders", ["connection_key", *columns, "id"])
    if op.get_bind().dialect.name == "postgresql":
        _store_documents_for_reading()


def _create_sync_tables() -> None:
    op.create_table(
        "checkpoints",
        _connection_key(),
        _column("function", NAME),
        sa.Column("cursor", sa.Text()),
        _column("interrupted", sa.Boolean()),
        sa.Column("lease_owner", sa.Text()),
        _column("lease_until", sa.BigInteger()),
        sa.Column("started", sa.BigInteger()),
        sa.Column("finished", sa.BigInteger()),
        sa.Column("first_finished", sa.BigInteger()),
        sa.PrimaryKeyConstraint("connection_key", "function"),
    )
    op.create_table(
        "connection_errors",
        _connection_key(),
        _column("function", NAME),
        _column("message", sa.Text()),
        _column("detail", sa.Text()),
        _column("url", sa.Text()),
        _column("preventing_sync", sa.Boolean()),
        _column("first_seen", sa.BigInteger()),
        _column("last_seen", sa.BigInteger()),
        sa.PrimaryKeyConstraint("connection_key", "function"),
    )
    op.create_table(
        "quarantine",
        _connection_key(),
        _column("function", NAME),
        _column("raw_key", NAME),
        _column("reason", sa.Text()),
        _column("raw", sa.LargeBinary()),
        _column("first_seen", sa.BigInteger()),
        _column("last_seen", sa.BigInteger()),
        sa.PrimaryKeyConstraint("connection_key", "function", "raw_key"),
    )
    op.create_table(
        "record_tags",
        _connection_key(),
        _column("resource", NAME),
        _column("tag", NAME),
        _column("created", sa.BigInteger()),
        _column("id", NAME),
        sa.PrimaryKeyConstraint("connection_key", "resource", "tag", "created", "id"),
    )


def _create_record_table(name: str) -> None:
    orders_only = ("status", "warehouse_customer_id", "order_number") if name == "orders" else ()
    dates = ("created", "updated", "trackstar_created", "trackstar_updated")
    op.create_table(
        name,
        _connection_key(),
        _column("id", NAME),
        *(_column(date, sa.BigInteger()) for date in dates),
        *(_column(column, NAME) for column in orders_only),
        _column("tags", sa.Text()),
        _column("doc", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("connection_key", "id"),
    )
    filterable = (*dates[1:], *orders_only)
    op.create_index(f"ix_{name}_created", name, ["connection_key", "created", "id", *filterable])
    op.create_index(f"ix_{name}_updated", name, ["connection_key", "updated", "id"])
    op.create_index(f"ix_{name}_trackstar_created", name, ["connection_key", "trackstar_created", "created", "id"])
    op.create_index(f"ix_{name}_trackstar_updated", name, ["connection_key", "trackstar_updated", "id"])


def _store_documents_for_reading() -> None:
    """Documents are stored as they are up to half a block, and compressed beyond, by lz4 if the server has it.

    A page of compressed documents of 2 to 3 KB costs PostgreSQL nearly twice the time of plain ones.
    """
    for name in RECORDS:
        op.execute(f"ALTER TABLE {name} SET (toast_tuple_target = 4080)")
        op.execute(
            f"DO $$ BEGIN ALTER TABLE {name} ALTER COLUMN doc SET COMPRESSION lz4; "
            "EXCEPTION WHEN feature_not_supported OR invalid_parameter_value THEN NULL; END $$"
        )


def downgrade() -> None:
    for name in (*RECORDS, "record_tags", "quarantine", "connection_errors", "checkpoints"):
        op.drop_table(name)
    for name in ("connections", "api_keys", "organizations"):
        op.drop_table(name)
