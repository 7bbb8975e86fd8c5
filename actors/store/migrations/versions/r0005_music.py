"""Queues have music of their own."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    with op.batch_alter_table("queues") as queues:
        queues.add_column(sa.Column("music", sa.String(), server_default="", nullable=False))
    with op.batch_alter_table("queues") as queues:
        queues.alter_column("music", server_default=None)  # it was for the queues that there are
