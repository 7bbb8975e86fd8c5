"""Queues and numbers have priorities, and queues widen."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    with op.batch_alter_table("queues") as queues:
        queues.add_column(sa.Column("widen_seconds", sa.Float(), server_default="0", nullable=False))
        queues.add_column(sa.Column("priority", sa.Integer(), server_default="5", nullable=False))
    with op.batch_alter_table("numbers") as numbers:
        numbers.add_column(sa.Column("priority", sa.Integer(), server_default="5", nullable=False))
    # They were for the rows that there are.
    with op.batch_alter_table("queues") as queues:
        queues.alter_column("widen_seconds", server_default=None)
        queues.alter_column("priority", server_default=None)
    with op.batch_alter_table("numbers") as numbers:
        numbers.alter_column("priority", server_default=None)
