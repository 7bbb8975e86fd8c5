"""Queues may keep callers for who served them last."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    with op.batch_alter_table("queues") as queues:
        queues.add_column(sa.Column("last_agent_seconds", sa.Float(), server_default="0", nullable=False))
        queues.add_column(sa.Column("last_agent_days", sa.Integer(), server_default="7", nullable=False))
    # They were for the rows that there are.
    with op.batch_alter_table("queues") as queues:
        queues.alter_column("last_agent_seconds", server_default=None)
        queues.alter_column("last_agent_days", server_default=None)
