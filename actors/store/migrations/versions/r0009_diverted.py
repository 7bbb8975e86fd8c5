"""Calls know who sent them on to us, and a queue for how long a caller waits before it answers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    with op.batch_alter_table("calls") as calls:
        calls.add_column(sa.Column("diverted_from", sa.String(), server_default="", nullable=False))
    with op.batch_alter_table("queues") as queues:
        queues.add_column(sa.Column("early_seconds", sa.Float(), server_default="0", nullable=False))
    # They were for the rows that there are.
    with op.batch_alter_table("calls") as calls:
        calls.alter_column("diverted_from", server_default=None)
    with op.batch_alter_table("queues") as queues:
        queues.alter_column("early_seconds", server_default=None)
