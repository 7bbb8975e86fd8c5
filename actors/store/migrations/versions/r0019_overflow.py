"""Queues have hours, and send calls on that they do not keep."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"

QUEUES = (
    ("max_waiting", sa.Integer(), "0"),
    ("unattended", sa.String(), "wait"),
    ("overflow", sa.String(), ""),
    ("hours", sa.JSON(), "[]"),
    ("closed", sa.String(), ""),
    ("announce_wait", sa.Boolean(), sa.true()),
)


def upgrade() -> None:
    with op.batch_alter_table("queues") as queues:
        for name, kind, default in QUEUES:
            queues.add_column(sa.Column(name, kind, server_default=default, nullable=False))
    with op.batch_alter_table("organisation") as organisation:
        organisation.add_column(sa.Column("holidays", sa.JSON(), server_default="[]", nullable=False))
    with op.batch_alter_table("transfers") as transfers:
        transfers.add_column(sa.Column("cause", sa.String(), server_default="", nullable=False))
    # They were for the rows that there are.
    with op.batch_alter_table("queues") as queues:
        for name, _, _ in QUEUES:
            queues.alter_column(name, server_default=None)
    with op.batch_alter_table("organisation") as organisation:
        organisation.alter_column("holidays", server_default=None)
    with op.batch_alter_table("transfers") as transfers:
        transfers.alter_column("cause", server_default=None)
