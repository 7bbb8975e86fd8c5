"""Callers hear their number in line."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    with op.batch_alter_table("queues") as queues:
        queues.add_column(sa.Column("announce_seconds", sa.Float(), server_default="60", nullable=False))
    with op.batch_alter_table("queues") as queues:
        queues.alter_column("announce_seconds", server_default=None)  # it was for the queues that there are
