"""Windows, jobs and reconciliation of syncs; the inbox of platforms' webhooks; endpoints of ours and their attempts.

Revision: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

NAME = sa.Text().with_variant(sa.TEXT(collation="C"), "postgresql")
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _columns()
    _syncs()
    _inbox()
    _webhooks()


def downgrade() -> None:
    for table in ("webhook_attempts", "webhook_retries", "webhook_endpoints", "inbox", "reconciled"):
        op.drop_table(table)
    op.drop_table("reconciliations")
    op.drop_table("sync_jobs")
    for table, names in ADDED.items():
        for column in names:
            op.drop_column(table, column)


ADDED = {
    "connections": ("history_days", "subscription"),
    "checkpoints": ("since", "pulled", "expected"),
    "schedules": ("forced", "owner"),
    "connection_errors": ("type",),
    "quarantine": ("version",),
}


def _columns() -> None:
    op.add_column("connections", sa.Column("history_days", sa.Integer()))
    op.add_column("connections", sa.Column("subscription", sa.LargeBinary()))
    op.add_column("checkpoints", sa.Column("since", sa.BigInteger()))
    op.add_column("checkpoints", sa.Column("pulled", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("checkpoints", sa.Column("expected", sa.BigInteger()))
    op.add_column("schedules", sa.Column("forced", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("schedules", sa.Column("owner", sa.Text()))
    op.add_column("connection_errors", sa.Column("type", NAME, nullable=False, server_default="other"))
    op.add_column("quarantine", sa.Column("version", sa.Text(), nullable=False, server_default=""))


def _syncs() -> None:
    op.create_table(
        "sync_jobs",
        sa.Column("id", NAME, primary_key=True),
        _connection_key(),
        sa.Column("function", NAME, nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("status", NAME, nullable=False),
        sa.Column("cursor", sa.Text()),
        sa.Column("pulled", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("failures", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("error", sa.Text()),
        sa.Column("due", sa.BigInteger(), nullable=False),
        sa.Column("owner", sa.Text()),
    )
    op.create_index("ix_sync_jobs_due", "sync_jobs", ["status", "due"])
    op.create_index("ix_sync_jobs_connection", "sync_jobs", ["connection_key", "function", "status"])
    counts = [sa.Column(name, sa.BigInteger(), nullable=False) for name in ("checked", "missed", "changed", "deleted")]
    op.create_table(
        "reconciliations",
        _connection_key(),
        sa.Column("function", NAME, nullable=False),
        sa.Column("started", sa.BigInteger(), nullable=False),
        sa.Column("finished", sa.BigInteger()),
        *counts,
        sa.PrimaryKeyConstraint("connection_key", "function"),
    )
    op.create_table(
        "reconciled",
        _connection_key(),
        sa.Column("resource", NAME, nullable=False),
        sa.Column("id", NAME, nullable=False),
        sa.PrimaryKeyConstraint("connection_key", "resource", "id"),
    )


def _inbox() -> None:
    op.create_table(
        "inbox",
        sa.Column("id", NUMBER, primary_key=True, autoincrement=True),
        _connection_key(),
        sa.Column("received", sa.BigInteger(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("headers", sa.LargeBinary(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due", sa.BigInteger(), nullable=False),
        sa.Column("error", sa.Text()),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_inbox_due", "inbox", ["due", "id"])
    op.create_index("ix_inbox_connection", "inbox", ["connection_key", "id"])


def _webhooks() -> None:
    op.create_table(
        "webhook_endpoints",
        sa.Column("id", NAME, primary_key=True),
        sa.Column("organization_id", NAME, sa.ForeignKey("organizations.id"), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("event_types", sa.LargeBinary()),
        sa.Column("connection_ids", sa.LargeBinary()),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("old_secret", sa.LargeBinary()),
        sa.Column("old_secret_until", sa.BigInteger()),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("disabled_reason", sa.Text()),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("failing_since", sa.BigInteger()),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.Column("lease_owner", sa.Text()),
        sa.Column("lease_until", sa.BigInteger(), nullable=False, server_default="0"),
    )
    op.create_index("ix_webhook_endpoints_organization", "webhook_endpoints", ["organization_id", "created", "id"])
    op.create_table(
        "webhook_retries",
        _endpoint_id(),
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due", sa.BigInteger()),
        sa.PrimaryKeyConstraint("endpoint_id", "event_id"),
    )
    op.create_index("ix_webhook_retries_due", "webhook_retries", ["endpoint_id", "due"])
    op.create_table(
        "webhook_attempts",
        sa.Column("id", NUMBER, primary_key=True, autoincrement=True),
        _endpoint_id(),
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.Column("event_type", NAME, nullable=False),
        sa.Column("attempted_ms", sa.BigInteger(), nullable=False),
        sa.Column("latency_ms", sa.Integer(), nullable=False),
        sa.Column("delivered", sa.Boolean(), nullable=False),
        sa.Column("status", sa.Integer()),
        sa.Column("error", sa.Text()),
        sqlite_autoincrement=True,
    )
    for name, columns in {
        "endpoint": ["endpoint_id", "id"],
        "event": ["endpoint_id", "event_id", "id"],
        "outcome": ["endpoint_id", "delivered", "id"],
    }.items():
        op.create_index(f"ix_webhook_attempts_{name}", "webhook_attempts", columns)


def _connection_key() -> "sa.Column[int]":
    reference = sa.ForeignKey("connections.connection_key", ondelete="CASCADE")
    return sa.Column("connection_key", sa.Integer(), reference, nullable=False)


def _endpoint_id() -> "sa.Column[str]":
    return sa.Column("endpoint_id", NAME, sa.ForeignKey("webhook_endpoints.id", ondelete="CASCADE"), nullable=False)
