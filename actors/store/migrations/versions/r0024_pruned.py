"""Why calls rang where they did is kept for so many days, and found by its time."""

from __future__ import annotations

import time

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    op.create_index(op.f("ix_decisions_at"), "decisions", ["at"], unique=False)
    with op.batch_alter_table("rosters") as rosters:
        # Nobody knows which of them are still decided by.
        rosters.add_column(sa.Column("at", sa.Float(), server_default=str(time.time()), nullable=False))
    with op.batch_alter_table("rosters") as rosters:
        rosters.alter_column("at", server_default=None)
    op.create_index(op.f("ix_rosters_at"), "rosters", ["at"], unique=False)
    op.create_table(
        "pruned",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("since", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_pruned")),
    )
