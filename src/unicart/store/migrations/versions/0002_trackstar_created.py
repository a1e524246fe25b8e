"""Records of one second of ours are found in their usual order, by creation.

Revision: 0002
"""

from alembic import op

revision = "0002"
down_revision = "0001"

RECORDS = ("orders", "products", "warehouses")


def upgrade() -> None:
    for table in RECORDS:
        name = f"ix_{table}_trackstar_created"
        op.drop_index(name, table)
        op.create_index(name, table, ["connection_key", "trackstar_created", "created", "id"])
