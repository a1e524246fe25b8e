"""The tables. Every record table's keys and indexes begin with the connection, so no query can forget the tenant.

Dates are epoch seconds in UTC. ``connection_key`` is the small internal number of a connection; ``connection_id`` is its
public name.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    false,
)
from sqlalchemy.dialects import postgresql

from unicart.contract.resources import ORDERS, PRODUCTS, WAREHOUSES, Resource

metadata = MetaData()

# Bytewise order on both databases, so that ties by id fall alike and prefix and range scans need no other index.
Name = Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")

ENCRYPTED = {"encrypted": True}
"""Marks a column that `unicart.store.secrets.Vault` writes, so that a rotation of the secret key finds it."""

organizations = Table(
    "organizations",
    metadata,
    Column("id", Name, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("created", BigInteger, nullable=False),
    Column("events_pruned", BigInteger, nullable=False, server_default="0"),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Name, primary_key=True),
    Column("organization_id", Name, ForeignKey("organizations.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("hash", Name, nullable=False, unique=True),
    Column("read_only", Boolean, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("last_used", BigInteger),
)

operator = Table(
    "operator",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("password", Text, nullable=False),
    Column("changed", BigInteger, nullable=False),
)

operator_sessions = Table(
    "operator_sessions",
    metadata,
    Column("hash", Name, primary_key=True),
    Column("created", BigInteger, nullable=False),
    Column("expires", BigInteger, nullable=False),
    Index("ix_operator_sessions_expires", "expires"),
)

connections = Table(
    "connections",
    metadata,
    Column("connection_key", Integer, primary_key=True, autoincrement=True),
    Column("id", Name, nullable=False, unique=True),
    Column("organization_id", Name, ForeignKey("organizations.id"), nullable=False),
    Column("integration_name", Name, nullable=False),
    Column("customer_id", Text),
    Column("account_name", Text, nullable=False),
    Column("token_hash", Name, nullable=False, unique=True),
    Column("credentials", LargeBinary, nullable=False, info=ENCRYPTED),
    Column("private_network", Boolean, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("history_days", Integer),
    Column("subscription", LargeBinary, info=ENCRYPTED),
    Column("disabled_functions", Text, nullable=False, server_default=""),
    Column("account_id", Text),
    Column("webhooks_disabled", Boolean, nullable=False, server_default=false()),
    Column("last_used", BigInteger),
    Column("times_used", BigInteger, nullable=False, server_default="0"),
    Column("reinstalled_token_hash", Name),
    Index("ix_connections_organization", "organization_id", "id"),
    Index("ix_connections_customer", "organization_id", "customer_id", "id"),
    Index("ix_connections_reinstalled", "reinstalled_token_hash", unique=True),
    sqlite_autoincrement=True,
)


def _connection_key() -> Column[int]:
    """The connection that a row belongs to, and with which it goes."""
    return Column(
        "connection_key", Integer, ForeignKey("connections.connection_key", ondelete="CASCADE"), nullable=False
    )


checkpoints = Table(
    "checkpoints",
    metadata,
    _connection_key(),
    Column("function", Name, nullable=False),
    Column("cursor", Text),
    Column("interrupted", Boolean, nullable=False),
    Column("lease_owner", Text),
    Column("lease_until", BigInteger, nullable=False),
    Column("started", BigInteger),
    Column("finished", BigInteger),
    Column("first_finished", BigInteger),
    Column("since", BigInteger),
    Column("pulled", BigInteger, nullable=False, server_default="0"),
    Column("expected", BigInteger),
    PrimaryKeyConstraint("connection_key", "function"),
)

schedules = Table(
    "schedules",
    metadata,
    _connection_key(),
    Column("function", Name, nullable=False),
    Column("every", Integer, nullable=False),
    Column("paused", Boolean, nullable=False),
    Column("due", BigInteger, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("forced", Boolean, nullable=False, server_default=false()),
    Column("owner", Text),
    PrimaryKeyConstraint("connection_key", "function"),
    Index("ix_schedules_due", "due"),
)

connection_errors = Table(
    "connection_errors",
    metadata,
    _connection_key(),
    Column("function", Name, nullable=False),
    Column("message", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("preventing_sync", Boolean, nullable=False),
    Column("first_seen", BigInteger, nullable=False),
    Column("last_seen", BigInteger, nullable=False),
    Column("type", Name, nullable=False, server_default="other"),
    PrimaryKeyConstraint("connection_key", "function"),
)

quarantine = Table(
    "quarantine",
    metadata,
    _connection_key(),
    Column("function", Name, nullable=False),
    Column("raw_key", Name, nullable=False),
    Column("reason", Text, nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Column("first_seen", BigInteger, nullable=False),
    Column("last_seen", BigInteger, nullable=False),
    Column("version", Text, nullable=False, server_default=""),
    PrimaryKeyConstraint("connection_key", "function", "raw_key"),
)

sync_jobs = Table(
    "sync_jobs",
    metadata,
    Column("id", Name, primary_key=True),
    _connection_key(),
    Column("function", Name, nullable=False),
    Column("start", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("status", Name, nullable=False),
    Column("cursor", Text),
    Column("pulled", BigInteger, nullable=False, server_default="0"),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("error", Text),
    Column("due", BigInteger, nullable=False),
    Column("owner", Text),
    Index("ix_sync_jobs_due", "status", "due"),
    Index("ix_sync_jobs_connection", "connection_key", "function", "status"),
)

reconciliations = Table(
    "reconciliations",
    metadata,
    _connection_key(),
    Column("function", Name, nullable=False),
    Column("started", BigInteger, nullable=False),
    Column("finished", BigInteger),
    Column("checked", BigInteger, nullable=False),
    Column("missed", BigInteger, nullable=False),
    Column("changed", BigInteger, nullable=False),
    Column("deleted", BigInteger, nullable=False),
    PrimaryKeyConstraint("connection_key", "function"),
)

reconciled = Table(
    "reconciled",
    metadata,
    _connection_key(),
    Column("resource", Name, nullable=False),
    Column("id", Name, nullable=False),
    PrimaryKeyConstraint("connection_key", "resource", "id"),
)

inbox = Table(
    "inbox",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    _connection_key(),
    Column("received", BigInteger, nullable=False),
    Column("path", Text, nullable=False),
    Column("headers", LargeBinary, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due", BigInteger, nullable=False),
    Column("error", Text),
    Index("ix_inbox_due", "due", "id"),
    Index("ix_inbox_connection", "connection_key", "id"),
    sqlite_autoincrement=True,
)

writes = Table(
    "writes",
    metadata,
    _connection_key(),
    Column("key", Name, nullable=False),
    Column("fingerprint", Name, nullable=False),
    Column("reference", Name, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("owner", Text),
    Column("lease_until", BigInteger, nullable=False),
    Column("sent", BigInteger),
    Column("before", LargeBinary),
    Column("done", Integer, nullable=False),
    Column("answer", LargeBinary),
    PrimaryKeyConstraint("connection_key", "key"),
    Index("ix_writes_created", "created"),
)

connector_state = Table(
    "connector_state",
    metadata,
    _connection_key(),
    Column("key", Name, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("value", LargeBinary, nullable=False),
    PrimaryKeyConstraint("connection_key", "key"),
    Index("ix_connector_state_version", "connection_key", "version"),
)

record_tags = Table(
    "record_tags",
    metadata,
    _connection_key(),
    Column("resource", Name, nullable=False),
    Column("tag", Name, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("id", Name, nullable=False),
    PrimaryKeyConstraint("connection_key", "resource", "tag", "created", "id"),
)

events = Table(
    "events",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("organization_id", Name, nullable=False),
    Column("connection_id", Name, nullable=False),
    Column("type", Name, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("ix_events_organization", "organization_id", "id"),
    Index("ix_events_type", "organization_id", "type", "id"),
    Index("ix_events_connection", "organization_id", "connection_id", "id"),
    Index("ix_events_connection_type", "organization_id", "connection_id", "type", "id"),
    sqlite_autoincrement=True,
)

webhook_endpoints = Table(
    "webhook_endpoints",
    metadata,
    Column("id", Name, primary_key=True),
    Column("organization_id", Name, ForeignKey("organizations.id"), nullable=False),
    Column("url", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("event_types", LargeBinary),
    Column("connection_ids", LargeBinary),
    Column("secret", LargeBinary, nullable=False, info=ENCRYPTED),
    Column("old_secret", LargeBinary, info=ENCRYPTED),
    Column("old_secret_until", BigInteger),
    Column("disabled", Boolean, nullable=False),
    Column("disabled_reason", Text),
    Column("position", BigInteger, nullable=False),
    Column("failing_since", BigInteger),
    Column("created", BigInteger, nullable=False),
    Column("updated", BigInteger, nullable=False),
    Column("lease_owner", Text),
    Column("lease_until", BigInteger, nullable=False, server_default="0"),
    Index("ix_webhook_endpoints_organization", "organization_id", "created", "id"),
)


def _endpoint_id() -> Column[str]:
    """The endpoint that a row belongs to, and with which it goes."""
    return Column("endpoint_id", Name, ForeignKey("webhook_endpoints.id", ondelete="CASCADE"), nullable=False)


webhook_retries = Table(
    "webhook_retries",
    metadata,
    _endpoint_id(),
    Column("event_id", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due", BigInteger),
    PrimaryKeyConstraint("endpoint_id", "event_id"),
    Index("ix_webhook_retries_due", "endpoint_id", "due"),
)

webhook_attempts = Table(
    "webhook_attempts",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    _endpoint_id(),
    Column("event_id", BigInteger, nullable=False),
    Column("event_type", Name, nullable=False),
    Column("attempted_ms", BigInteger, nullable=False),
    Column("latency_ms", Integer, nullable=False),
    Column("delivered", Boolean, nullable=False),
    Column("status", Integer),
    Column("error", Text),
    Index("ix_webhook_attempts_endpoint", "endpoint_id", "id"),
    Index("ix_webhook_attempts_event", "endpoint_id", "event_id", "id"),
    Index("ix_webhook_attempts_outcome", "endpoint_id", "delivered", "id"),
    sqlite_autoincrement=True,
)


def _whose() -> list[Column[str]]:
    """For whom something is connected: the organization, the connection that is to be reinstalled, and the merchant."""
    return [
        Column("organization_id", Name, ForeignKey("organizations.id"), nullable=False),
        Column("connection_id", Name),
        Column("customer_id", Text),
    ]


link_tokens = Table(
    "link_tokens",
    metadata,
    Column("hash", Name, primary_key=True),
    *_whose(),
    Column("expires", BigInteger, nullable=False),
)

link_sessions = Table(
    "link_sessions",
    metadata,
    Column("hash", Name, primary_key=True),
    *_whose(),
    Column("options", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("connected_key", Integer, ForeignKey("connections.connection_key", ondelete="CASCADE")),
    Column("problem", Text),
    Column("expires", BigInteger, nullable=False),
)

link_authorizations = Table(
    "link_authorizations",
    metadata,
    Column("state_hash", Name, primary_key=True),
    Column("session_hash", Name, ForeignKey("link_sessions.hash", ondelete="CASCADE"), nullable=False),
    Column("integration_name", Name, nullable=False),
    Column("browser_hash", Name, unique=True),
    Column("inputs", LargeBinary, nullable=False, info=ENCRYPTED),
    Column("granted", LargeBinary, info=ENCRYPTED),
    Column("expires", BigInteger, nullable=False),
)

link_codes = Table(
    "link_codes",
    metadata,
    Column(
        "connection_key",
        Integer,
        ForeignKey("connections.connection_key", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("hash", Name, unique=True),
    Column("reinstalled", Boolean, nullable=False),
    Column("expires", BigInteger, nullable=False),
)

magic_links = Table(
    "magic_links",
    metadata,
    Column("id", Name, primary_key=True),
    *_whose(),
    Column("hash", Name, nullable=False, unique=True),
    Column("options", Text, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("expires", BigInteger, nullable=False),
    Index("ix_magic_links_organization", "organization_id", "created", "id"),
)


def _record_table(resource: Resource, *columns: Column[str]) -> Table:
    """A table of one kind of record. ``doc`` is the JSON that goes out; the other columns only find it.

    The index of the usual order, by creation, ends with every filterable column, so that records which a filter rejects
    are not read.
    """
    name = resource.name
    filterable = ("updated", "trackstar_created", "trackstar_updated", *(column.name for column in columns))
    return Table(
        name,
        metadata,
        _connection_key(),
        Column("id", Name, nullable=False),
        Column("created", BigInteger, nullable=False),
        Column("updated", BigInteger, nullable=False),
        Column("trackstar_created", BigInteger, nullable=False),
        Column("trackstar_updated", BigInteger, nullable=False),
        *columns,
        Column("tags", Text, nullable=False),
        Column("doc", LargeBinary, nullable=False),
        PrimaryKeyConstraint("connection_key", "id"),
        Index(f"ix_{name}_created", "connection_key", "created", "id", *filterable),
        Index(f"ix_{name}_updated", "connection_key", "updated", "id"),
        Index(f"ix_{name}_trackstar_created", "connection_key", "trackstar_created", "created", "id"),
        Index(f"ix_{name}_trackstar_updated", "connection_key", "trackstar_updated", "id"),
    )


NO_CUSTOMER = ""
"""What ``warehouse_customer_id`` holds for null: a value, so that one range of an index finds it."""

orders = _record_table(
    ORDERS,
    Column("status", Name, nullable=False),
    Column("warehouse_customer_id", Name, nullable=False),
    Column("order_number", Name, nullable=False),
)
for _name, _columns in {
    "status_created": ("status", "created"),
    "status_updated": ("status", "updated"),
    "customer_created": ("warehouse_customer_id", "created"),
    "customer_updated": ("warehouse_customer_id", "updated"),
    "customer_status_created": ("warehouse_customer_id", "status", "created"),
    "customer_status_updated": ("warehouse_customer_id", "status", "updated"),
    "number_created": ("order_number", "created"),
}.items():
    Index(f"ix_orders_{_name}", *(orders.c[column] for column in ("connection_key", *_columns, "id")))

products = _record_table(PRODUCTS)
warehouses = _record_table(WAREHOUSES)

RECORDS = {ORDERS.name: orders, PRODUCTS.name: products, WAREHOUSES.name: warehouses}
